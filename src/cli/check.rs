//! `kilter check`: every fault of a configuration at once.

use std::io::{self, Write};
use std::path::PathBuf;

use super::CliError;
use crate::config::Config;
use crate::ingest::mqtt::probe;
use crate::store::Store;

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
    let topics: Vec<&str> = config.series.iter().map(|entry| entry.topic.as_str()).collect();
    writeln!(io::stdout(), "{}: no faults; topics {}", args.config.display(), topics.join(", "))?;
    for entry in &config.series {
        let rows = entry.spec.last_fit_rows();
        // Nearly every training row is held out once; a service knows the exact count.
        if let Some(why) = entry.spec.budget_explanation(rows as usize) {
            let topic = entry.topic.as_str();
            writeln!(io::stdout(), "{topic}: alarm_budget: {why}, and are added as they come")?;
        }
    }
    if args.connect {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(connect(&config))?;
    }
    Ok(())
}

/// Tries every broker and the store, and tells how each answered; fails when the store or every broker refused.
async fn connect(config: &Config) -> Result<(), CliError> {
    let from_templates = config.series.iter().map(|entry| entry.topic.filter().clone()).collect();
    let params = config.mqtt.check(from_templates).map_err(|faults| {
        CliError::Configuration(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let mut n_answered = 0;
    for server in &params.servers {
        match probe(&params, server).await {
            Ok(()) => {
                n_answered += 1;
                writeln!(io::stdout(), "{server}: connected")?;
            }
            Err(error) => writeln!(io::stdout(), "{server}: {error}")?,
        }
    }
    let path = config.store.url.path().display();
    let store = match Store::open(&config.store).await {
        Ok(store) => store.close().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match &store {
        Ok(()) => writeln!(io::stdout(), "{path}: can be written")?,
        Err(error) => writeln!(io::stdout(), "{path}: {error}")?,
    }
    match (n_answered, store) {
        (0, _) => Err(CliError::Failed("no broker answered".to_owned())),
        (_, Err(_)) => Err(CliError::Failed("the store cannot be used".to_owned())),
        _ => Ok(()),
    }
}
