//! The section `[notify]`.

use serde::{Deserialize, Serialize};

use super::EmailNotifier;
use super::topics::BaseTopic;
use crate::series::HumanDuration;

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
    /// People who get e-mail.
    pub emails: Vec<EmailConfig>,
}

impl NotifyConfig {
    /// Names of all that are told, as the outbox knows them.
    pub fn targets(&self) -> Vec<String> {
        let mqtt = self.mqtt.enabled.then(|| "mqtt".to_owned());
        let webhooks = self.webhooks.iter().map(|webhook| format!("webhook:{}", webhook.name));
        let emails = self.emails.iter().map(|email| format!("email:{}", email.name));
        mqtt.into_iter().chain(webhooks).chain(emails).collect()
    }
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
    /// An escalation: tell only alerts that are open and that nobody has acknowledged for so long. Every alert at once
    /// when left out.
    #[serde(default)]
    pub unacknowledged_for: Option<HumanDuration>,
}

/// People who get e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Name, unique among e-mails; it stands in logs and in the store.
    pub name: String,
    /// The mail server: `smtp://host:25`, `smtp://host:587?tls=required`, `smtps://host:465`.
    pub server: String,
    /// Log-in at the server; none when empty.
    #[serde(default)]
    pub username: String,
    /// Its password.
    #[serde(default)]
    pub password: String,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
    /// Address of this service's pages, for links back.
    #[serde(default)]
    pub external_url: String,
    /// An escalation: tell only alerts that are open and that nobody has acknowledged for so long. Every alert at once
    /// when left out.
    #[serde(default)]
    pub unacknowledged_for: Option<HumanDuration>,
}

/// What is wrong with an [`EmailConfig`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: found {found}, allowed: {allowed}")]
pub struct EmailFault {
    /// The key.
    pub key: &'static str,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

impl EmailConfig {
    /// Refuses what cannot be sent.
    ///
    /// # Errors
    /// When an address or the server cannot be read.
    pub fn check(&self) -> Result<(), EmailFault> {
        EmailNotifier::new(self).map(drop)
    }
}
