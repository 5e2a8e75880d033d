//! `kilter run`: the service.

use std::path::PathBuf;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::config::Config;
use crate::service::Service;
use crate::service::telemetry::start_logging;

/// Run the service: readings in over MQTT, scores and alerts out
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/kilter/kilter.toml")]
    config: PathBuf,
}

/// Runs the command.
pub(super) fn run(args: &RunArgs) -> Result<(), CliError> {
    let config = Config::load(&args.config).map_err(|error| CliError::Configuration(error.to_string()))?;
    start_logging(&config.log).map_err(CliError::failed)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), CliError> {
    // Taken before anything starts, so that no signal can fall between.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let service = Service::start(config).await.map_err(CliError::failed)?;
    if let Some(address) = service.http_address() {
        tracing::info!("dashboard and API on http://{address}/");
    }
    tell_systemd(&[NotifyState::Ready]);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM"),
            _ = interrupt.recv() => tracing::info!("SIGINT"),
        }
        tell_systemd(&[NotifyState::Stopping]);
    };
    service.run(shutdown).await.map_err(CliError::failed)
}

/// Says where the service stands, when systemd started it; elsewhere nobody listens.
fn tell_systemd(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
