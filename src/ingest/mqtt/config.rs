//! The section `[mqtt]`: as written, and checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Server;
use crate::decode::TopicFilter;
use crate::series::HumanDuration;

/// The section as written. Every field has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttConfig {
    /// Brokers, tried in this order until one answers.
    pub servers: Vec<String>,
    /// Topic filters to subscribe to; when empty, they follow from the topic templates of the series.
    pub topics: Vec<String>,
    /// 1: messages are kept by the broker until they are stored here. 0: they are lost while nobody listens.
    pub qos: u8,
    /// Name of this client at the broker; the broker keeps messages under it, so it must be its own and stay.
    pub client_id: String,
    /// Name to log in with.
    pub username: Option<String>,
    /// Password to log in with; better kept in a file or the environment.
    pub password: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub password_env: Option<String>,
    /// Certificates (PEM) that the broker's certificate must descend from; the system's when not given.
    pub tls_ca: Option<PathBuf>,
    /// Certificate (PEM) of this client.
    pub tls_cert: Option<PathBuf>,
    /// Private key (PEM) of this client.
    pub tls_key: Option<PathBuf>,
    /// Longest silence on the connection before the broker is asked whether it is still there.
    pub keep_alive: HumanDuration,
    /// How long the broker keeps messages while nobody listens.
    pub session_expiry: HumanDuration,
    /// How many messages may wait for their acknowledgement.
    pub receive_maximum: u16,
    /// Largest message that the broker may send, in bytes; the broker drops larger ones.
    pub max_packet_bytes: u32,
    /// Longest wait between two attempts to connect.
    pub reconnect_max: HumanDuration,
}

impl Default for MqttConfig {
    fn default() -> Self {
        Self {
            servers: vec!["mqtt://localhost:1883".to_owned()],
            topics: Vec::new(),
            qos: 1,
            client_id: "kilter".to_owned(),
            username: None,
            password: None,
            password_file: None,
            password_env: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            keep_alive: HumanDuration::from_secs(30),
            session_expiry: HumanDuration::from_secs(7 * 86_400),
            receive_maximum: 4096,
            max_packet_bytes: 2 * 1024 * 1024,
            reconnect_max: HumanDuration::from_secs(30),
        }
    }
}

/// One fault of the section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mqtt.{key}: found {found}; allowed: {allowed}")]
pub struct MqttFault {
    /// Key inside the section.
    pub key: &'static str,
    /// What is there.
    pub found: String,
    /// What may be there.
    pub allowed: String,
}

/// The section, checked; files and environment are read when connecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttParams {
    /// At least one.
    pub servers: Vec<Server>,
    /// At least one.
    pub filters: Vec<TopicFilter>,
    /// Whether deliveries are acknowledged.
    pub is_acknowledged: bool,
    /// The section as written: everything that needs no conversion.
    pub config: MqttConfig,
}

impl MqttConfig {
    /// Checks the section; `from_templates` are the filters that follow from the topic templates.
    ///
    /// # Errors
    /// All faults at once.
    pub fn check(&self, from_templates: Vec<TopicFilter>) -> Result<MqttParams, Vec<MqttFault>> {
        let mut faults = Vec::new();
        let mut fault = |key, found: String, allowed: &str| {
            faults.push(MqttFault { key, found, allowed: allowed.to_owned() });
        };
        let mut servers = Vec::new();
        for text in &self.servers {
            match Server::parse(text) {
                Ok(server) => servers.push(server),
                Err(error) => {
                    fault("servers", format!("{:?}", error.found), "mqtt://host[:port] or mqtts://host[:port]")
                }
            }
        }
        if self.servers.is_empty() {
            fault("servers", "none".to_owned(), "at least one broker");
        }
        let mut filters = from_templates;
        if !self.topics.is_empty() {
            filters.clear();
        }
        for text in &self.topics {
            match TopicFilter::parse(text) {
                Ok(filter) => filters.push(filter),
                Err(error) => fault("topics", format!("{text:?}"), &error.to_string()),
            }
        }
        if filters.is_empty() && self.topics.is_empty() {
            fault("topics", "none".to_owned(), "at least one topic filter, here or through the topic of a series");
        }
        if self.qos > 1 {
            fault("qos", self.qos.to_string(), "0 or 1 (storing twice is harmless, so 2 would only cost time)");
        }
        if self.client_id.is_empty() || self.client_id.len() > 200 {
            fault("client_id", format!("{:?}", self.client_id), "1 to 200 bytes, the same at every start");
        }
        let n_passwords = [self.password.is_some(), self.password_file.is_some(), self.password_env.is_some()]
            .iter()
            .filter(|is| **is)
            .count();
        if n_passwords > 1 {
            fault("password", format!("{n_passwords} passwords"), "one of password, password_file, password_env");
        }
        if n_passwords > 0 && self.username.is_none() {
            fault("username", "none".to_owned(), "a name, since there is a password");
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            fault("tls_cert", "tls_cert or tls_key alone".to_owned(), "both or neither");
        }
        if self.tls_cert.is_some() && self.tls_ca.is_none() {
            fault("tls_ca", "none".to_owned(), "a file, since tls_cert is given");
        }
        let is_plain = servers.iter().any(|server| !server.is_tls);
        if is_plain && (self.tls_ca.is_some() || self.tls_cert.is_some()) {
            fault(
                "servers",
                "an address that begins with mqtt://".to_owned(),
                "mqtts:// for all, since tls_ca is given",
            );
        }
        for (key, path) in [
            ("tls_ca", &self.tls_ca),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("password_file", &self.password_file),
        ] {
            if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
                fault(key, path.display().to_string(), "a file that exists");
            }
        }
        if !(1000..=65_535_000).contains(&self.keep_alive.as_ms()) {
            fault("keep_alive", self.keep_alive.to_string(), "1s to 18h");
        }
        if self.receive_maximum == 0 {
            fault("receive_maximum", "0".to_owned(), "1 to 65535");
        }
        if !(1024..=268_435_455).contains(&self.max_packet_bytes) {
            fault("max_packet_bytes", self.max_packet_bytes.to_string(), "1024 to 268435455");
        }
        if self.reconnect_max.as_ms() < 100 {
            fault("reconnect_max", self.reconnect_max.to_string(), "at least 100ms");
        }
        match faults.is_empty() {
            true => Ok(MqttParams { servers, filters, is_acknowledged: self.qos == 1, config: self.clone() }),
            false => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plant() -> Vec<TopicFilter> {
        vec![TopicFilter::parse("plant/+").expect("valid")]
    }

    #[test]
    fn the_defaults_need_only_a_topic() {
        let params = MqttConfig::default().check(plant()).expect("valid");
        assert_eq!(params.servers[0].to_string(), "mqtt://localhost:1883");
        assert_eq!(params.filters, plant());
        let own = MqttConfig { topics: vec!["a/#".to_owned()], ..MqttConfig::default() };
        assert_eq!(own.check(plant()).expect("valid").filters[0].as_str(), "a/#");
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let config: MqttConfig = toml::from_str(
            r##"
            servers = ["http://x", "mqtt://ok"]
            topics = ["a/#/b"]
            qos = 2
            client_id = ""
            password = "secret"
            tls_key = "/does/not/exist"
            keep_alive = "10ms"
            receive_maximum = 0
            max_packet_bytes = 12
            "##,
        )
        .expect("well-formed");
        let keys: Vec<_> = config.check(Vec::new()).expect_err("faulty").iter().map(|fault| fault.key).collect();
        let expected = [
            "servers",
            "topics",
            "qos",
            "client_id",
            "username",
            "tls_cert",
            "tls_key",
            "keep_alive",
            "receive_maximum",
            "max_packet_bytes",
        ];
        assert_eq!(keys, expected);
        assert!(toml::from_str::<MqttConfig>("server = \"mqtt://x\"").is_err());
    }
}
