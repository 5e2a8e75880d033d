//! The section `[notify]`.

use serde::{Deserialize, Serialize};

use super::topics::BaseTopic;

/// The section `[notify]`: who is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// Topics on the broker of `[mqtt]`.
    pub mqtt: MqttPublishConfig,
    /// Discovery for Home Assistant.
    pub home_assistant: HomeAssistantConfig,
    /// HTTP receivers that understand Alertmanager's webhook.
    pub webhooks: Vec<WebhookConfig>,
}

/// Topics on the broker of `[mqtt]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttPublishConfig {
    /// Publish at all.
    pub enabled: bool,
    /// First part of every topic.
    pub base: BaseTopic,
    /// Publish every score (QoS 0); off saves the broker a message a row.
    pub scores: bool,
}

impl Default for MqttPublishConfig {
    fn default() -> Self {
        Self { enabled: true, base: BaseTopic::default(), scores: true }
    }
}

/// Discovery for Home Assistant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HomeAssistantConfig {
    /// Publish a device for every series.
    pub enabled: bool,
    /// Home Assistant's discovery prefix.
    pub prefix: BaseTopic,
}

impl Default for HomeAssistantConfig {
    fn default() -> Self {
        Self { enabled: false, prefix: BaseTopic::home_assistant() }
    }
}

/// An HTTP receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Name, unique among webhooks; it stands in logs, in the payload as `receiver`, and in the store.
    pub name: String,
    /// Where alerts are posted.
    pub url: String,
    /// Secret of the HMAC-SHA256 signature in the header `X-Kilter-Signature`; no signature when empty.
    #[serde(default)]
    pub secret: String,
    /// Address of this service's pages, for links back.
    #[serde(default)]
    pub external_url: String,
}
