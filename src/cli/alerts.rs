//! `kilter alerts`: open and past alerts.

use std::path::PathBuf;

use super::CliError;
use super::OutputArgs;

/// Print alerts, or follow them as they open and resolve
#[derive(Debug, clap::Args)]
pub(super) struct AlertsArgs {
    /// Keep printing alerts as they open and resolve.
    #[arg(long)]
    follow: bool,
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
pub(super) fn run(_args: &AlertsArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "alerts", missing: "the store has not landed" })
}
