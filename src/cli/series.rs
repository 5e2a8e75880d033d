//! `kilter series`: every series, its state and when it last spoke.

use std::path::PathBuf;

use super::CliError;
use super::OutputArgs;

/// List the series, their state and when they last spoke
#[derive(Debug, clap::Args)]
pub(super) struct SeriesArgs {
    /// Data directory of a service, running or not.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Address of a running service, such as http://localhost:8080.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub(super) fn run(_args: &SeriesArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "series", missing: "the store has not landed" })
}
