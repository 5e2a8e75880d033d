//! `kilter score`: fits on the first rows of a recording and scores all of them, through the daemon's own pipeline.

use std::path::PathBuf;

use super::CliError;

/// Fit on the first rows of a CSV recording and score all rows, through the daemon's own pipeline
#[derive(Debug, clap::Args)]
pub(super) struct ScoreArgs {
    /// The recording: a header of channel names, an optional first column `timestamp`, an optional last column
    /// `label` that is never read for scoring.
    file: PathBuf,
    /// Rows to fit on; the first third when not given.
    #[arg(long, value_name = "N")]
    train_rows: Option<usize>,
    /// A configuration file whose [defaults] describe window, members and alarm budget.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to write the scores; standard output when not given.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Also draw readings, scores and alerts as SVG.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(_args: &ScoreArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "score", missing: "the pipeline has not landed" })
}
