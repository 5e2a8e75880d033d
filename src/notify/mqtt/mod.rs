//! MQTT 5, on a connection apart from the one that reads: publishing never competes with acknowledging, and its last
//! will speaks for the whole service.
//!
//! [`MqttPublisher`] keeps retained topics saying what is true, [`MqttConnection`] drives the connection, and
//! [`MqttNotifier`] delivers transitions from the outbox, each marked only when its PUBACK has come.

mod board;
mod connection;
mod notifier;
mod publisher;

pub use connection::MqttConnection;
pub use notifier::MqttNotifier;
pub use publisher::{MqttPublisher, MqttPublisherError};
