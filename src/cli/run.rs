//! `kilter run`: the service.

use std::path::PathBuf;

use super::CliError;

/// Run the service: readings in over MQTT, scores and alerts out
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/kilter/kilter.toml")]
    config: PathBuf,
}

/// Runs the command.
pub(super) fn run(_args: &RunArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "run", missing: "the service has not landed" })
}
