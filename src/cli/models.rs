//! `kilter models`: lists, inspects, activates, rolls back and exports models.

use std::path::PathBuf;

use super::CliError;

/// List, inspect, activate, roll back and export models
#[derive(Debug, clap::Args)]
pub(super) struct ModelsArgs {
    /// Data directory of the service.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(_args: &ModelsArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "models", missing: "the store has not landed" })
}
