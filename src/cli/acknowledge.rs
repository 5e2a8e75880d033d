//! `kilter acknowledge`: says that a person has seen an alert.

use std::path::PathBuf;

use super::CliError;

/// Say that you have seen an alert
#[derive(Debug, clap::Args)]
pub(super) struct AcknowledgeArgs {
    /// The alert's id.
    alert: String,
    /// Data directory of a service, running or not.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Address of a running service, such as http://localhost:8080.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Runs the command.
pub(super) fn run(_args: &AcknowledgeArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "acknowledge", missing: "the HTTP API has not landed" })
}
