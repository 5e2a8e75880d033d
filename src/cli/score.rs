//! `kilter score`: fits on the first rows of a recording and scores all of them, through the daemon's own pipeline.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::CliError;
use super::judging::{choose_grid, series_rows, series_spec, write_scores};
use crate::bundle::FitProgress;
use crate::evaluate::{JudgeError, JudgedRow, JudgedSeries, draw, judge_rows};
use crate::ingest::{LabelColumn, Recording};
use crate::series::Timestamp;
use crate::windowing::GridKind;

/// Fit on the first rows of a CSV recording and score all rows, through the daemon's own pipeline
///
/// Writes one line per input row. live_score uses nothing after its row, settled_score looks ahead by the settle
/// delay; 1.0 is the notable level of both. An alert opens when evidence reaches 1.0.
#[derive(Debug, clap::Args)]
pub(super) struct ScoreArgs {
    /// The recording: a header of channel names, an optional first column `timestamp`, an optional last column
    /// `label` that is never read for scoring.
    file: PathBuf,
    /// Rows to fit on; the first third when not given.
    #[arg(long, value_name = "N")]
    train_rows: Option<usize>,
    /// row: each input row is one window row (timestamps that do not rise are moved to one millisecond after the row
    /// before). time: readings are put on a grid of fixed stride. When not given: what the configuration says, else row.
    #[arg(long, value_name = "GRID", value_parser = parse_grid)]
    grid: Option<GridKind>,
    /// A configuration file; its first `[[series]]` over `[defaults]` says window, members, alarm budget and grid.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write the scores; standard output when not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also draw readings, scores and alerts as SVG.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

fn parse_grid(text: &str) -> Result<GridKind, String> {
    match text {
        "row" => Ok(GridKind::Row),
        "time" => Ok(GridKind::Time),
        _ => Err("expected row or time".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(args: &ScoreArgs) -> Result<(), CliError> {
    let recording = Recording::open(&args.file, LabelColumn::Ignored).map_err(CliError::failed)?;
    let mut spec = series_spec(args.config.as_deref())?;
    choose_grid(&mut spec, args.grid, args.config.is_some(), recording.at.as_deref())?;
    let name = args.file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let rows = series_rows(&name, &recording, spec.grid.grid)?;
    let train_rows = args.train_rows.unwrap_or(recording.n_rows() / 3);
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{spinner} {msg}").map_err(CliError::failed)?);
    let judged = judge_rows(&rows, train_rows, &spec, &mut |step| {
        bar.set_message(in_words(step));
        bar.tick();
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let judged = judged.map_err(|fault| match fault {
        JudgeError::TrainRows { .. } => CliError::Usage(format!("--train-rows: {fault}")),
        fault => CliError::failed(format!("{}: {fault}", args.file.display())),
    })?;
    match &args.out {
        Some(path) => write_scores(&mut create(path)?, &judged, recording.at.as_deref())?,
        None => write_scores(&mut BufWriter::new(std::io::stdout().lock()), &judged, recording.at.as_deref())?,
    }
    if let Some(path) = &args.plot {
        let svg = draw(&name, &rows, &judged, None).map_err(CliError::failed)?;
        create(path)?.write_all(svg.as_bytes())?;
    }
    // Standard output may be the scores.
    eprintln!("{}", summary(&judged, recording.at.as_deref()));
    Ok(())
}

/// What was found, in a few lines: for whoever does not want to read every row.
fn summary(judged: &JudgedSeries, at: Option<&[Timestamp]>) -> String {
    let n_training = judged.rows.iter().filter(|row| row.is_training).count();
    let scored = || judged.rows.iter().enumerate().filter(|(_, row)| !row.is_training);
    let place = |row: usize| match at.and_then(|at| at.get(row)) {
        Some(at) => format!("row {row} ({at})"),
        None => format!("row {row}"),
    };
    let alerts = alerts(judged);
    let n_scored = judged.rows.len() - n_training;
    let n_alerts = alerts.len();
    let s = if n_alerts == 1 { "" } else { "s" };
    let mut lines = vec![format!("{n_training} rows to learn from, {n_scored} scored, {n_alerts} alert{s}")];
    let worst = |rows: &mut dyn Iterator<Item = (usize, &JudgedRow)>| {
        let (row, found) = rows.max_by(|(_, a), (_, b)| a.live_score.total_cmp(&b.live_score))?;
        let channel = judged.top_channel(found);
        Some(format!("highest live score {:.2} at {}, most to blame {channel}", found.live_score, place(row)))
    };
    for rows in alerts.iter().take(ALERTS_TOLD) {
        let (first, last) = (place(rows.start), place(rows.end - 1));
        let worst = worst(&mut scored().filter(|(row, _)| rows.contains(row))).unwrap_or_default();
        lines.push(format!("alert from {first} to {last}: {worst}"));
    }
    match n_alerts {
        0 => lines.extend(worst(&mut scored()).map(|worst| format!("{worst}; 1 is notable"))),
        n if n > ALERTS_TOLD => lines.push(format!("and {} more", n - ALERTS_TOLD)),
        _ => {}
    }
    lines.join("\n")
}

/// Rows `[from, to)` of each alert, in order.
fn alerts(judged: &JudgedSeries) -> Vec<Range<usize>> {
    let mut alerts: Vec<Range<usize>> = Vec::new();
    for (row, _) in judged.rows.iter().enumerate().filter(|(_, row)| row.is_anomalous) {
        match alerts.last_mut().filter(|last| last.end == row) {
            Some(last) => last.end = row + 1,
            None => alerts.push(row..row + 1),
        }
    }
    alerts
}

/// Alerts named one by one.
const ALERTS_TOLD: usize = 10;

fn create(path: &PathBuf) -> Result<BufWriter<File>, CliError> {
    let file = File::create(path).map_err(|cause| CliError::failed(format!("{}: {cause}", path.display())))?;
    Ok(BufWriter::new(file))
}

fn in_words(step: FitProgress) -> String {
    match step {
        FitProgress::Fold { done, of } => format!("held-out fold {done} of {of}"),
        FitProgress::Epoch { epoch, epochs, loss, validation_loss } => {
            let validation = validation_loss.map_or(String::new(), |loss| format!(", validation {loss:.4}"));
            format!("training, epoch {epoch} of at most {epochs}, loss {loss:.4}{validation}")
        }
    }
}
