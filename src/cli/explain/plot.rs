//! The picture of an explanation: observed against expected, a panel a channel, the alert's rows shaded.

use std::path::Path;

use plotters::prelude::*;

use crate::cli::CliError;
use crate::http::view::{AlertChannelView, ExplainedRowView, ExplanationView};

/// Size in pixels: width, height of the score's panel and of a channel's.
const WIDTH: u32 = 1_000;
const PANEL: u32 = 160;
/// Channels drawn at most, those most to blame.
const CHANNELS_MAX: usize = 12;

const OBSERVED: RGBColor = RGBColor(0x1f, 0x4e, 0x79);
const EXPECTED: RGBColor = RGBColor(0xd9, 0x82, 0x1f);
const SHADE: RGBAColor = RGBAColor(0xd9, 0x3f, 0x3f, 0.12);

/// A line with gaps: pieces of `(row, value)`.
type Pieces = Vec<Vec<(f64, f64)>>;

fn pieces(rows: &[ExplainedRowView], value: impl Fn(&ExplainedRowView) -> Option<f64>) -> Pieces {
    let mut pieces = vec![Vec::new()];
    for (index, row) in rows.iter().enumerate() {
        match value(row) {
            Some(value) => pieces.last_mut().into_iter().for_each(|piece| piece.push((index as f64, value))),
            None if pieces.last().is_some_and(|piece| !piece.is_empty()) => pieces.push(Vec::new()),
            None => {}
        }
    }
    pieces
}

/// One panel: its title and its lines with their colours.
struct Panel {
    title: String,
    lines: Vec<(RGBColor, Pieces)>,
}

fn panels(explanation: &ExplanationView) -> Vec<Panel> {
    let rows = &explanation.rows;
    let score = Panel {
        title: format!("live score of {}, 1 is notable", explanation.alert.series),
        lines: vec![(OBSERVED, pieces(rows, |row| row.live_score))],
    };
    let channel = |part: &AlertChannelView| {
        let index = explanation.channels.iter().position(|name| *name == part.channel)?;
        Some(Panel {
            title: format!(
                "{}: observed (blue) and expected (orange), {:.0} % of the blame",
                part.channel,
                100.0 * part.contribution
            ),
            lines: vec![
                (EXPECTED, pieces(rows, |row| row.expected.get(index).copied().flatten())),
                (OBSERVED, pieces(rows, |row| row.observed.get(index).copied().flatten())),
            ],
        })
    };
    let blamed = explanation.alert.channels.iter().take(CHANNELS_MAX).filter_map(channel);
    std::iter::once(score).chain(blamed).collect()
}

/// Draws an explanation as SVG.
pub(super) fn draw(explanation: &ExplanationView, path: &Path) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::failed(format!("{}: {error}", path.display()));
    let panels = panels(explanation);
    let height = PANEL * panels.len() as u32;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    for (place, panel) in area.split_evenly((panels.len(), 1)).iter().zip(&panels) {
        draw_panel(place, panel, explanation).map_err(|e| failed(&e))?;
    }
    area.present().map_err(|e| failed(&e))
}

fn draw_panel(
    place: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    panel: &Panel,
    explanation: &ExplanationView,
) -> Result<(), Box<dyn std::error::Error>> {
    let rows = &explanation.rows;
    let values = panel.lines.iter().flat_map(|(_, pieces)| pieces.iter().flatten()).map(|(_, value)| *value);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let room = ((high - low) * 0.08).max(1e-9);
    let last = rows.len().saturating_sub(1).max(1) as f64;
    let mut chart = ChartBuilder::on(place)
        .caption(&panel.title, ("sans-serif", 14))
        .margin(6)
        .x_label_area_size(22)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last, (low - room)..(high + room))?;
    let during: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| row.phase == "during").map(|(i, _)| i).collect();
    if let (Some(first), Some(end)) = (during.first(), during.last()) {
        let corners = [(*first as f64, low - room), (*end as f64, high + room)];
        chart.draw_series(std::iter::once(Rectangle::new(corners, SHADE.filled())))?;
    }
    let time =
        |x: &f64| rows.get(x.round().max(0.0) as usize).map_or_else(String::new, |row| clock(&row.at.to_string()));
    chart.configure_mesh().disable_x_mesh().x_labels(6).y_labels(4).x_label_formatter(&time).draw()?;
    for (colour, pieces) in &panel.lines {
        for piece in pieces {
            chart.draw_series(LineSeries::new(piece.iter().copied(), colour))?;
        }
    }
    Ok(())
}

/// `2026-11-24T12:00:05Z` → `11-24 12:00:05`.
fn clock(text: &str) -> String {
    text.get(5..).unwrap_or(text).replace('T', " ").trim_end_matches('Z').to_owned()
}
