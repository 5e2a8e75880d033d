//! `kilter scores`: the scores of a series.

use std::path::PathBuf;

use super::CliError;
use super::OutputArgs;

/// Print the scores of a series
#[derive(Debug, clap::Args)]
pub(super) struct ScoresArgs {
    /// The series.
    series: String,
    /// How far back, such as 1h, 30min or 7d.
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    since: String,
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
pub(super) fn run(_args: &ScoresArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "scores", missing: "the store has not landed" })
}
