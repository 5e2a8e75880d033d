//! `kilter check`: every fault of a configuration at once.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::CliError;
use crate::config::Config;
use crate::http::Readiness;
use crate::ingest::mqtt::probe;
use crate::store::{OpenError, Store};

/// How long a running service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

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
        Ok(store) => store.close().await.map(|()| "can be written".to_owned()).map_err(|error| error.to_string()),
        // The service itself holds it: then it is the one to ask.
        Err(error @ OpenError::InUse { .. }) => running(config).map_err(|said| format!("{error}; {said}")),
        Err(error) => Err(error.to_string()),
    };
    match &store {
        Ok(said) => writeln!(io::stdout(), "{path}: {said}")?,
        Err(error) => writeln!(io::stdout(), "{path}: {error}")?,
    }
    match (n_answered, store) {
        (0, _) => Err(CliError::Failed("no broker answered".to_owned())),
        (_, Err(_)) => Err(CliError::Failed("the store cannot be used".to_owned())),
        _ => Ok(()),
    }
}

/// What the service that runs on this configuration says of itself; an error when it is not at work or does not answer.
fn running(config: &Config) -> Result<String, String> {
    if !config.http.enabled {
        return Err("whether that is the service cannot be asked, because http.enabled is false".to_owned());
    }
    let mut address = config.http.listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let settings = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
    let url = format!("http://{address}/readyz");
    let mut answer =
        settings.build().new_agent().get(&url).call().map_err(|error| format!("{url} does not answer: {error}"))?;
    let said: Readiness =
        answer.body_mut().read_json().map_err(|_| format!("what answers at {url} is not a Kilter"))?;
    let told = said.checks.iter().map(|check| format!("{}: {}", check.name, check.detail));
    let told = told.collect::<Vec<_>>().join(", ");
    match said.is_ready() {
        true => Ok(format!("written by the service that runs at http://{address} ({told})")),
        false => Err(format!("the service that runs at http://{address} is not ready ({told})")),
    }
}
