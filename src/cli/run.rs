//! `kilter run`: the service.

use std::path::PathBuf;

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
    let config = Config::load(&args.config).map_err(|fault| CliError::Configuration(fault.to_string()))?;
    start_logging(&config.log).map_err(CliError::failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let service = Service::start(config).await.map_err(CliError::failed)?;
        if let Some(address) = service.http_address() {
            tracing::info!(page = %format!("http://{address}/"), "serving");
        }
        service.run(asked_to_stop()).await.map_err(CliError::failed)
    })
}

/// Completes at SIGINT or SIGTERM.
pub(super) async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}
