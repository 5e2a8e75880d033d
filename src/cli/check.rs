//! `kilter check`: every fault of a configuration at once.

use std::io::{self, Write};
use std::path::PathBuf;

use super::CliError;
use crate::config::Config;

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
pub(super) fn run(args: &CheckArgs) -> Result<(), CliError> {
    let config = Config::load(&args.config).map_err(|error| CliError::Configuration(error.to_string()))?;
    if args.connect {
        return Err(CliError::NotYet { command: "check --connect", missing: "the MQTT side has not landed" });
    }
    let topics: Vec<&str> = config.series.iter().map(|entry| entry.topic.as_str()).collect();
    let n_series = topics.len();
    writeln!(
        io::stdout(),
        "{}: no faults; topics of {n_series} kinds of series: {}",
        args.config.display(),
        topics.join(", ")
    )?;
    Ok(())
}
