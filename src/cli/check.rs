//! `kilter check`: every fault of a configuration at once.

use std::path::PathBuf;

use super::CliError;

/// Name every fault of a configuration at once
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/kilter/kilter.toml")]
    config: PathBuf,
    /// Also try the broker and the store.
    #[arg(long)]
    connect: bool,
}

/// Runs the command.
pub(super) fn run(_args: &CheckArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "check", missing: "the configuration has not landed" })
}
