//! Who is told about alerts, and how: from the outbox, each target at its own pace.
//!
//! A target gets every transition in order and at least once; it is marked delivered only when the receiver has
//! acknowledged it, so a crash repeats a notice (same alert id, same sequence) and never loses one. A target that is
//! down waits with growing pauses and delays nobody else. Beside the outbox, [`MqttPublisher`] keeps the retained
//! topics of every series up to date; those need no memory, since they are told anew after every reconnect.
//!
//! * [`deliver_outbox`]: the loop that serves one [`Notifier`].
//! * [`MqttPublisher`], [`MqttNotifier`]: MQTT 5 on a connection of its own.
//! * [`EmailNotifier`]: a plain message by SMTP.
//! * [`WebhookNotifier`]: Alertmanager's version-4 payload by HTTP, signed.

mod backoff;
mod config;
mod delivery;
mod email;
mod home_assistant;
mod message;
mod mqtt;
mod request;
mod signature;
mod silence_request;
mod topics;
mod webhook;

pub use backoff::Backoff;
pub use config::{EmailConfig, EmailFault, HomeAssistantConfig, MqttPublishConfig, NotifyConfig, WebhookConfig};
pub use delivery::{DeliveryError, Notifier, deliver_outbox};
pub use email::EmailNotifier;
pub use message::{AlertMessage, SilenceMessage, SilenceStatus};
pub use mqtt::{MqttConnection, MqttNotifier, MqttPublisher, MqttPublisherError};
pub use silence_request::{SilenceRequest, SilenceRequestError};
pub use topics::{BaseTopic, BaseTopicError};
pub use webhook::WebhookNotifier;
