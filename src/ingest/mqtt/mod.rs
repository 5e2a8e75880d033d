//! Messages from an MQTT 5 broker, acknowledged only after they are kept.
//!
//! * [`MqttConfig`]: the section `[mqtt]` as written; [`MqttParams`]: checked.
//! * [`MqttSource`]: keeps a connection with a session that outlives it, and gives out what arrives.
//! * [`Acknowledger`]: takes acknowledgements from any thread and never blocks.
//! * [`Connection`]: how the source and its broker stand.
//! * [`Publisher`]: the other direction, for playing recordings into a broker.
//!
//! The client crate is named here and in `notify::mqtt` only.

mod acknowledger;
mod backoff;
mod config;
mod connection;
mod options;
mod probe;
mod publisher;
mod server;
mod session;
mod source;

pub use acknowledger::Acknowledger;
pub use config::{MqttConfig, MqttFault, MqttParams};
pub use connection::Connection;
pub use options::{OptionsError, connect_options};
pub use probe::{ProbeError, probe};
pub use publisher::{PublishError, Publisher};
pub use server::{Server, ServerError};
pub use source::MqttSource;
