//! `kilter evaluate`: judges detectors on labelled recordings.

use std::path::PathBuf;

use super::CliError;

/// Judge the detectors on labelled recordings, side by side
#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
    /// Recordings with a last column `label`, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// A file that lists the recordings to use.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(_args: &EvaluateArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "evaluate", missing: "the judge has not landed" })
}
