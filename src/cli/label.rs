//! `kilter label`: says whether an alert was true.

use std::path::PathBuf;

use super::CliError;

/// Say whether an alert was true
#[derive(Debug, clap::Args)]
pub(super) struct LabelArgs {
    /// The alert's id.
    alert: String,
    /// true when it was right, false when it was a false alarm.
    #[arg(action = clap::ArgAction::Set)]
    is_true: bool,
    /// Data directory of a service, running or not.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Address of a running service, such as http://localhost:8080.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Runs the command.
pub(super) fn run(_args: &LabelArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "label", missing: "the HTTP API has not landed" })
}
