//! `kilter silence`: keeps alerts of some series quiet for a while.

use std::path::PathBuf;

use super::CliError;

/// Keep alerts of some series quiet for a while
#[derive(Debug, clap::Args)]
pub(super) struct SilenceArgs {
    /// The series.
    series: String,
    /// For how long, such as 2h.
    #[arg(long = "for", value_name = "DURATION")]
    duration: String,
    /// Why.
    #[arg(long)]
    comment: Option<String>,
    /// Data directory of a service, running or not.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Address of a running service, such as http://localhost:8080.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Runs the command.
pub(super) fn run(_args: &SilenceArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "silence", missing: "the HTTP API has not landed" })
}
