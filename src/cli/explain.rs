//! `kilter explain`: why an alert opened: observed against expected, channel by channel, and the score computed again.

mod plot;

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::rows::{Column, print};
use super::source::SourceArgs;
use super::{CliError, OutputArgs};
use crate::http::view::{ExplainedRowView, ExplanationView, Moment};

/// Say why an alert opened: observed against expected, channel by channel, with the score computed again from the stored
/// rows
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The alert's id.
    alert: String,
    /// Rows before and after the alert.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=2000))]
    margin: u32,
    /// Also draw it: observed against expected, a picture a channel.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One channel of one row, for CSV.
#[derive(Debug, Serialize)]
struct Cell {
    at: Moment,
    phase: String,
    channel: String,
    observed: Option<f64>,
    expected: Option<f64>,
    contribution: Option<f64>,
    live_score: Option<f64>,
    rebuilt_score: Option<f64>,
    evidence: Option<f64>,
    p_value: Option<f64>,
}

const CELLS: &[Column<Cell>] = &[
    Column("at", |c| c.at.into()),
    Column("phase", |c| c.phase.as_str().into()),
    Column("channel", |c| c.channel.as_str().into()),
    Column("observed", |c| c.observed.into()),
    Column("expected", |c| c.expected.into()),
    Column("contribution", |c| c.contribution.into()),
    Column("live_score", |c| c.live_score.into()),
    Column("rebuilt_score", |c| c.rebuilt_score.into()),
    Column("evidence", |c| c.evidence.into()),
    Column("p_value", |c| c.p_value.into()),
];

/// What became of one channel, for the table.
#[derive(Debug, Serialize)]
struct ChannelSummary {
    channel: String,
    contribution: f64,
    observed: Option<f64>,
    expected: Option<f64>,
    before: Option<f64>,
    during: Option<f64>,
    after: Option<f64>,
}

const SUMMARIES: &[Column<ChannelSummary>] = &[
    Column("channel", |c| c.channel.as_str().into()),
    Column("blame_%", |c| (100.0 * c.contribution).into()),
    Column("observed", |c| c.observed.into()),
    Column("expected", |c| c.expected.into()),
    Column("deviation", |c| c.observed.zip(c.expected).map(|(o, e)| o - e).into()),
    Column("deviation_before", |c| c.before.into()),
    Column("deviation_during", |c| c.during.into()),
    Column("deviation_after", |c| c.after.into()),
];

/// Runs the command.
pub(super) fn run(args: &ExplainArgs) -> Result<(), CliError> {
    let explanation = args.source.open()?.explanation(&args.alert, args.margin)?;
    if let Some(path) = &args.plot {
        plot::draw(&explanation, path)?;
    }
    if args.output.json {
        let mut to = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut to, &explanation).map_err(std::io::Error::from)?;
        return Ok(writeln!(to)?);
    }
    if args.output.csv {
        return print(args.output, &cells(&explanation), CELLS, "");
    }
    tell(&explanation)
}

fn cells(explanation: &ExplanationView) -> Vec<Cell> {
    let of = |row: &ExplainedRowView, index: usize, channel: &String| Cell {
        at: row.at,
        phase: row.phase.clone(),
        channel: channel.clone(),
        observed: row.observed.get(index).copied().flatten(),
        expected: row.expected.get(index).copied().flatten(),
        contribution: row.contributions.get(index).copied().flatten(),
        live_score: row.live_score,
        rebuilt_score: row.rebuilt_score,
        evidence: row.evidence,
        p_value: row.p_value,
    };
    let rows = explanation.rows.iter();
    rows.flat_map(|row| explanation.channels.iter().enumerate().map(move |(i, name)| of(row, i, name))).collect()
}

/// Mean of observed minus expected over the rows of a phase that have both.
fn mean_deviation(rows: &[ExplainedRowView], phase: &str, index: usize) -> Option<f64> {
    let deviations: Vec<f64> = rows
        .iter()
        .filter(|row| row.phase == phase)
        .filter_map(|row| Some(row.observed.get(index).copied()?? - row.expected.get(index).copied()??))
        .collect();
    (!deviations.is_empty()).then(|| deviations.iter().sum::<f64>() / deviations.len() as f64)
}

fn tell(explanation: &ExplanationView) -> Result<(), CliError> {
    let alert = &explanation.alert;
    println!(
        "{} alert {} of {}: {}, opened {}, {}",
        alert.severity,
        alert.id,
        alert.series,
        alert.kind,
        alert.opened_at,
        alert.resolved_at.map_or_else(|| "still open".to_owned(), |at| format!("resolved {at}"))
    );
    println!(
        "peak score {:.3} (1 is notable), p-value {:.2e}, evidence {:.2} (opens at 1), budget {}, model {}\n",
        alert.peak_score,
        alert.p_value,
        alert.evidence,
        alert.alarm_budget,
        alert.model_id.as_deref().unwrap_or("none")
    );
    let summary = |part: &crate::http::view::AlertChannelView| {
        let index = explanation.channels.iter().position(|name| *name == part.channel);
        let deviation = |phase| index.and_then(|index| mean_deviation(&explanation.rows, phase, index));
        ChannelSummary {
            channel: part.channel.clone(),
            contribution: part.contribution,
            observed: part.observed,
            expected: part.expected,
            before: deviation("before"),
            during: deviation("during"),
            after: deviation("after"),
        }
    };
    let summaries: Vec<_> = alert.channels.iter().map(summary).collect();
    print(OutputArgs::default(), &summaries, SUMMARIES, "No channel is to blame.")?;
    println!("\nObserved and expected at the peak; mean deviation from what was expected before, during and after.");
    match (explanation.is_equal, explanation.n_rebuilt) {
        (true, n) => println!("The score was computed again for {n} rows: equal to what was stored, to the last bit."),
        (false, 0) => println!("The score was not computed again."),
        (false, n) => {
            println!("The score was computed again for {n} rows; {} are equal to what was stored.", explanation.n_equal)
        }
    }
    for note in &explanation.notes {
        println!("Note: {note}.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_averaged_over_rows_that_have_both_values() {
        let row = |phase: &str, observed: Option<f64>, expected: Option<f64>| ExplainedRowView {
            at: Moment::now(),
            phase: phase.to_owned(),
            observed: vec![observed],
            expected: vec![expected],
            contributions: vec![None],
            live_score: None,
            rebuilt_score: None,
            evidence: None,
            p_value: None,
        };
        let rows = [
            row("before", Some(1.0), Some(1.0)),
            row("during", Some(4.0), Some(1.0)),
            row("during", None, Some(1.0)),
            row("during", Some(2.0), Some(1.0)),
        ];
        assert_eq!(mean_deviation(&rows, "during", 0), Some(2.0));
        assert_eq!(mean_deviation(&rows, "after", 0), None);
    }
}
