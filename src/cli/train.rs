//! `kilter train`: fits a model from a recording or from the store.

use std::path::PathBuf;

use super::CliError;

/// Fit a model from a recording or from the store
#[derive(Debug, clap::Args)]
pub(super) struct TrainArgs {
    /// Recording to fit on; frames of the store when not given.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Series that the model is for.
    series: String,
    /// Data directory of the service.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(_args: &TrainArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "train", missing: "the store has not landed" })
}
