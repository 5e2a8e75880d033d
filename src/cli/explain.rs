//! `kilter explain`: why an alert opened: observed against expected, channel by channel.

use std::path::PathBuf;

use super::CliError;
use super::OutputArgs;

/// Say why an alert opened: observed against expected, channel by channel
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The alert's id.
    alert: String,
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
pub(super) fn run(_args: &ExplainArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "explain", missing: "the store has not landed" })
}
