//! `kilter publish`: plays a recording into a broker as MQTT messages.

use std::path::PathBuf;

use super::CliError;

/// Play a recording into a broker as MQTT messages
#[derive(Debug, clap::Args)]
pub(super) struct PublishArgs {
    /// The recording: a header of channel names, an optional first column `timestamp`; a last column `label` is
    /// never sent.
    file: PathBuf,
    /// Broker to publish to, such as mqtt://localhost:1883.
    #[arg(long, value_name = "URL")]
    broker: String,
    /// Topic template, such as plant/{series}/{channel}.
    #[arg(long, value_name = "TEMPLATE")]
    topic: String,
    /// Rows a second; as fast as the broker takes them when not given.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
}

/// Runs the command.
pub(super) fn run(_args: &PublishArgs) -> Result<(), CliError> {
    Err(CliError::NotYet { command: "publish", missing: "the MQTT side has not landed" })
}
