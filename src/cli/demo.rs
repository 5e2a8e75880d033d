//! `kilter demo`: the whole product on a simulated plant.

use std::path::PathBuf;

use super::CliError;

/// Show the whole product on a simulated plant: broker, machines, faults, alerts, report
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Length of the run, in minutes of your time.
    #[arg(long, value_name = "N")]
    minutes: Option<f64>,
    /// Seconds of plant time in a second of yours.
    #[arg(long, value_name = "X")]
    speed: Option<f64>,
    /// Seed of the plant: the same seed is the same plant, minute by minute.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where to keep the store and report.json; a temporary directory when not given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(_args: &DemoArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "demo", missing: "the plant has not landed" })
}
