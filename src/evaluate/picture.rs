//! A judged series as one SVG: channels, scores with the notable level, evidence with the opening level, labels and
//! alerts. It only draws; every number comes from the judged series.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::metrics::{Event, events};
use super::{JudgedSeries, SeriesRows};

/// Width of the picture in pixels.
const WIDTH: u32 = 1200;
/// Height of a channel's panel in pixels.
const CHANNEL_HEIGHT: u32 = 110;
/// Height of the panels of scores and of evidence in pixels.
const SCORE_HEIGHT: u32 = 190;
/// Height of the title with the legend in pixels.
const TITLE_HEIGHT: u32 = 48;
/// Channels drawn at most, the ones most to blame.
const CHANNELS_MAX: usize = 6;
/// Columns into which rows are gathered; each keeps its lowest and highest value, so that no spike disappears.
const COLUMNS: usize = 1000;
/// Range of scores that the logarithmic axis can show.
const SCORE_MIN: f64 = 0.01;
const SCORE_MAX: f64 = 1e12;

/// Share of a panel's height that the strip of labels takes.
const LABEL_STRIP: f64 = 0.08;

/// Largest magnitude drawn; beyond it the arithmetic of the axes would overflow.
const VALUE_MAX: f64 = 1e100;

const CHANNEL: RGBColor = RGBColor(45, 55, 72);
const LIVE: RGBColor = RGBColor(0, 90, 181);
const SETTLED: RGBColor = RGBColor(124, 58, 160);
const EVIDENCE: RGBColor = RGBColor(176, 84, 0);
const LEVEL: RGBColor = RGBColor(120, 120, 120);
const LABEL: RGBColor = RGBColor(220, 50, 47);
const ALERT: RGBColor = RGBColor(255, 176, 0);
const TRAINING: RGBColor = RGBColor(110, 140, 110);

/// A picture that could not be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the picture could not be drawn: {reason}")]
pub struct PictureError {
    reason: String,
}

/// Anything the plotting library complains of.
fn fault(cause: impl std::fmt::Display) -> PictureError {
    PictureError { reason: cause.to_string() }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a judged series; `label[row]` marks what a person called anomalous.
///
/// # Errors
/// When the plotting library fails.
pub fn draw(
    title: &str,
    rows: &SeriesRows,
    judged: &JudgedSeries,
    label: Option<&[bool]>,
) -> Result<String, PictureError> {
    let channels = most_to_blame(rows, judged);
    let height = TITLE_HEIGHT + CHANNEL_HEIGHT * channels.len() as u32 + 2 * SCORE_HEIGHT;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(fault)?;
        let (head, body) = root.split_vertically(TITLE_HEIGHT);
        let bands = Bands::new(judged, label);
        draw_head(&head, title, &bands)?;
        let mut top = body;
        for channel in channels {
            let (panel, rest) = top.split_vertically(CHANNEL_HEIGHT);
            let values: Vec<f64> = rows.channel(channel).map(|v| v.clamp(-VALUE_MAX, VALUE_MAX)).collect();
            draw_channel(&panel, rows.channels[channel].as_str(), &values, &bands)?;
            top = rest;
        }
        let (scores, evidence) = top.split_vertically(SCORE_HEIGHT);
        draw_scores(&scores, judged, &bands)?;
        draw_evidence(&evidence, judged, &bands)?;
        root.present().map_err(fault)?;
    }
    Ok(svg)
}

/// Channels by how often they are the first to blame on anomalous rows, then in the recording's order.
fn most_to_blame(rows: &SeriesRows, judged: &JudgedSeries) -> Vec<usize> {
    let mut blamed = vec![0_usize; rows.channels.len()];
    for row in judged.rows.iter().filter(|row| row.is_anomalous || row.live_score >= 1.0) {
        let name = judged.top_channel(row);
        if let Some(channel) = rows.channels.iter().position(|channel| channel == name) {
            blamed[channel] += 1;
        }
    }
    let mut order: Vec<usize> = (0..blamed.len()).collect();
    order.sort_by_key(|channel| std::cmp::Reverse(blamed[*channel]));
    order.truncate(CHANNELS_MAX);
    order
}

/// Stretches of rows that are shaded in every panel.
struct Bands {
    /// End of the axis of rows.
    n_rows: f64,
    training: Vec<Event>,
    labels: Vec<Event>,
    alerts: Vec<Event>,
}

impl Bands {
    fn new(judged: &JudgedSeries, label: Option<&[bool]>) -> Self {
        let marked = |is: fn(&super::JudgedRow) -> bool| events(&judged.rows.iter().map(is).collect::<Vec<_>>());
        Self {
            n_rows: judged.rows.len() as f64,
            training: marked(|row| row.is_training),
            labels: label.map(events).unwrap_or_default(),
            alerts: marked(|row| row.is_anomalous),
        }
    }
}

fn draw_head(area: &Area<'_>, title: &str, bands: &Bands) -> Result<(), PictureError> {
    area.draw_text(title, &("sans-serif", 17).into_font().color(&CHANNEL), (12, 6)).map_err(fault)?;
    let legend = [
        ("training rows", TRAINING.mix(0.25), !bands.training.is_empty()),
        ("labelled", LABEL.mix(0.7), !bands.labels.is_empty()),
        ("alert open", ALERT.mix(0.8), !bands.alerts.is_empty()),
        ("live score", LIVE.mix(1.0), true),
        ("settled score", SETTLED.mix(1.0), true),
        ("evidence", EVIDENCE.mix(1.0), true),
    ];
    for (index, (name, colour, _)) in legend.into_iter().filter(|(.., is_there)| *is_there).enumerate() {
        let x = 14 + 150 * index as i32;
        area.draw(&Rectangle::new([(x, 31), (x + 18, 41)], colour.filled())).map_err(fault)?;
        area.draw_text(name, &("sans-serif", 13).into_font().color(&CHANNEL), (x + 24, 29)).map_err(fault)?;
    }
    Ok(())
}

fn draw_channel(area: &Area<'_>, name: &str, values: &[f64], bands: &Bands) -> Result<(), PictureError> {
    let (lowest, highest) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    let margin = match (highest - lowest) * 0.06 {
        margin if margin > 0.0 && margin.is_finite() => margin,
        _ => 1.0,
    };
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 13))
        .margin_right(12)
        .y_label_area_size(70)
        .x_label_area_size(4)
        .build_cartesian_2d(0.0..bands.n_rows, (lowest - margin)..(highest + margin))
        .map_err(fault)?;
    chart.configure_mesh().disable_mesh().y_labels(3).x_labels(0).draw().map_err(fault)?;
    let (bottom, top) = (lowest - margin, highest + margin);
    let shades = shade(bands, bottom, top - LABEL_STRIP * (top - bottom), top);
    chart.draw_series(shades).map_err(fault)?;
    chart.draw_series(LineSeries::new(thinned(values), &CHANNEL)).map_err(fault)?;
    Ok(())
}

fn draw_scores(area: &Area<'_>, judged: &JudgedSeries, bands: &Bands) -> Result<(), PictureError> {
    let column = |value: fn(&super::JudgedRow) -> f64| -> Vec<f64> {
        judged.rows.iter().map(|row| value(row).clamp(SCORE_MIN, SCORE_MAX)).collect()
    };
    let (live, settled) = (column(|row| row.live_score), column(|row| row.settled_score));
    let highest = live.iter().chain(&settled).fold(2.0_f64, |a, b| a.max(*b)) * 1.3;
    let lowest = live.iter().chain(&settled).fold(0.5_f64, |a, b| a.min(*b)) / 1.3;
    let mut chart = ChartBuilder::on(area)
        .caption("scores, 1.0 = notable (logarithmic)", ("sans-serif", 13))
        .margin_right(12)
        .y_label_area_size(70)
        .x_label_area_size(4)
        .build_cartesian_2d(0.0..bands.n_rows, (lowest..highest).log_scale())
        .map_err(fault)?;
    chart.configure_mesh().disable_mesh().x_labels(0).y_labels(5).draw().map_err(fault)?;
    let strip = highest * (lowest / highest).powf(LABEL_STRIP);
    chart.draw_series(shade(bands, lowest, strip, highest)).map_err(fault)?;
    chart.draw_series(LineSeries::new(thinned(&settled), &SETTLED)).map_err(fault)?;
    chart.draw_series(LineSeries::new(thinned(&live), &LIVE)).map_err(fault)?;
    chart.draw_series(LineSeries::new([(0.0, 1.0), (bands.n_rows, 1.0)], &LEVEL)).map_err(fault)?;
    Ok(())
}

fn draw_evidence(area: &Area<'_>, judged: &JudgedSeries, bands: &Bands) -> Result<(), PictureError> {
    let evidence: Vec<f64> = judged.rows.iter().map(|row| row.evidence.clamp(0.0, 1e6)).collect();
    let highest = evidence.iter().fold(1.5_f64, |a, b| a.max(*b)) * 1.05;
    let mut chart = ChartBuilder::on(area)
        .caption("evidence, an alert opens at 1.0", ("sans-serif", 13))
        .margin_right(12)
        .y_label_area_size(70)
        .x_label_area_size(30)
        .build_cartesian_2d(0.0..bands.n_rows, 0.0..highest)
        .map_err(fault)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("row")
        .x_labels(12)
        .x_label_formatter(&|row| format!("{row:.0}"))
        .y_labels(5)
        .draw()
        .map_err(fault)?;
    chart.draw_series(shade(bands, 0.0, highest * (1.0 - LABEL_STRIP), highest)).map_err(fault)?;
    chart.draw_series(LineSeries::new(thinned(&evidence), &EVIDENCE)).map_err(fault)?;
    chart.draw_series(LineSeries::new([(0.0, 1.0), (bands.n_rows, 1.0)], &LEVEL)).map_err(fault)?;
    Ok(())
}

/// The bands of a panel whose axis runs from `lowest` to `highest`: labels are a strip from `strip` up, so that they
/// stand beside the alerts and not under them.
fn shade(bands: &Bands, lowest: f64, strip: f64, highest: f64) -> Vec<Rectangle<(f64, f64)>> {
    let of = |spans: &[Event], from: f64, style: ShapeStyle| -> Vec<Rectangle<(f64, f64)>> {
        spans
            .iter()
            .map(|span| Rectangle::new([(span.start as f64, from), (span.end as f64, highest)], style))
            .collect()
    };
    let mut shades = of(&bands.training, lowest, TRAINING.mix(0.12).filled());
    shades.extend(of(&bands.alerts, lowest, ALERT.mix(0.35).filled()));
    shades.extend(of(&bands.labels, strip, LABEL.mix(0.7).filled()));
    shades
}

/// Points of a line: all of a short one, lowest and highest of each column of a long one, in the order they came.
fn thinned(values: &[f64]) -> Vec<(f64, f64)> {
    let width = values.len().div_ceil(COLUMNS).max(1);
    if width < 3 {
        return values.iter().enumerate().map(|(row, value)| (row as f64, *value)).collect();
    }
    let mut points = Vec::with_capacity(2 * COLUMNS + 2);
    for (column, chunk) in values.chunks(width).enumerate() {
        let place = |pick: &dyn Fn(f64, f64) -> bool| {
            (1..chunk.len()).fold(0, |best, i| if pick(chunk[i], chunk[best]) { i } else { best })
        };
        let (low, high) = (place(&|a, b| a < b), place(&|a, b| a > b));
        for i in [low.min(high), low.max(high)] {
            points.push(((column * width + i) as f64, chunk[i]));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spike_disappears_in_a_long_line() {
        let mut values = vec![0.0; 50_000];
        values[12_345] = 9.0;
        values[40_001] = -7.0;
        let points = thinned(&values);
        assert!(points.len() <= 2 * COLUMNS + 2);
        assert!(points.contains(&(12_345.0, 9.0)) && points.contains(&(40_001.0, -7.0)));
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}
