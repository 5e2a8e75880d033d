//! From a file to a checked [`Config`].

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Table;

use super::fault::{ConfigError, Fault};
use super::log::LogConfig;
use super::section::{read_section, read_table, table_at};
use super::series::{SeriesEntry, read_entries};
use crate::http::HttpConfig;
use crate::ingest::mqtt::MqttConfig;
use crate::notify::{EmailFault, NotifyConfig};
use crate::store::{Retention, StoreConfig};

/// The section `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Series at most; the readings of further ones are refused and counted.
    pub series_max: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { series_max: 10_000 }
    }
}

/// A configuration without faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `[mqtt]`: where readings come from.
    pub mqtt: MqttConfig,
    /// `[store]`: where everything is kept.
    pub store: StoreConfig,
    /// `[retention]`: for how long.
    pub retention: Retention,
    /// `[http]`: where it is served.
    pub http: HttpConfig,
    /// `[notify]`: who is told about alerts.
    pub notify: NotifyConfig,
    /// `[limits]`: how much is taken in.
    pub limits: LimitsConfig,
    /// `[log]`: what is told meanwhile.
    pub log: LogConfig,
    /// `[[series]]` over `[defaults]`: what is watched and how. Never empty.
    pub series: Vec<SeriesEntry>,
}

/// The sections, in the order of the file.
const SECTIONS: [&str; 9] = ["mqtt", "store", "retention", "http", "notify", "limits", "log", "defaults", "series"];

impl Default for Config {
    fn default() -> Self {
        Self::check(&Table::new()).0
    }
}

impl Config {
    /// Reads a configuration file. Secrets may come from the environment instead.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has faults; the error tells all of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|cause| ConfigError::Read { path: path.to_owned(), cause })?;
        Self::parse(&text, path)
    }

    /// Reads a configuration from a text; `path` is only told in errors.
    ///
    /// # Errors
    /// When the text is not TOML, or has faults; the error tells all of them.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let path = || PathBuf::from(path);
        let file: Table = text.parse().map_err(|cause| ConfigError::Syntax { path: path(), cause: Box::new(cause) })?;
        match Self::check(&file) {
            (config, faults) if faults.is_empty() => Ok(config),
            (_, faults) => Err(ConfigError::Faults { path: path(), faults }),
        }
    }

    /// What the sound keys of a file say, and every fault of the others.
    fn check(file: &Table) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let known = SECTIONS.map(str::to_owned);
        for key in file.keys().filter(|key| !known.contains(key)) {
            faults.push(Fault::unknown_key("", key, &known));
        }
        let found = &mut faults;
        let config = Self {
            mqtt: read_section("mqtt", &table_at(file, "mqtt", found), found),
            store: read_section("store", &table_at(file, "store", found), found),
            retention: read_section("retention", &table_at(file, "retention", found), found),
            http: read_section("http", &table_at(file, "http", found), found),
            notify: read_notify(&table_at(file, "notify", found), found),
            limits: read_section("limits", &table_at(file, "limits", found), found),
            log: read_section("log", &table_at(file, "log", found), found),
            series: read_entries(file, found),
        };
        let from_templates = config.series.iter().map(|entry| entry.topic.filter().clone()).collect();
        for fault in config.mqtt.check(from_templates).err().unwrap_or_default() {
            faults.push(Fault { path: format!("mqtt.{}", fault.key), found: fault.found, allowed: fault.allowed });
        }
        if let Err(error) = config.log.env_filter() {
            let allowed = format!("levels such as \"info\" or \"info,kilter::ingest=debug\"; {}", error.cause);
            faults.push(Fault { path: "log.filter".to_owned(), found: format!("{:?}", error.found), allowed });
        }
        (config, faults)
    }
}

/// Reads `[notify]` table by table, so that a fault is told with its whole path.
fn read_notify(table: &Table, faults: &mut Vec<Fault>) -> NotifyConfig {
    let mut own = table.clone();
    let (mqtt, home_assistant) = (own.remove("mqtt"), own.remove("home_assistant"));
    let rest: NotifyConfig = read_section("notify", &own, faults);
    let webhooks: Vec<&str> = rest.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
    let emails: Vec<&str> = rest.emails.iter().map(|email| email.name.as_str()).collect();
    for (key, mut names) in [("webhooks", webhooks), ("emails", emails)] {
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let allowed = format!("a name of its own for each of the {key}");
            faults.push(Fault { path: format!("notify.{key}"), found: format!("{:?} twice", twice[0]), allowed });
        }
    }
    for (index, email) in rest.emails.iter().enumerate() {
        if let Err(EmailFault { key, found, allowed }) = email.check() {
            faults.push(Fault { path: format!("notify.emails[{index}].{key}"), found, allowed });
        }
    }
    NotifyConfig {
        mqtt: read_table("notify.mqtt", mqtt.as_ref(), faults),
        home_assistant: read_table("notify.home_assistant", home_assistant.as_ref(), faults),
        ..rest
    }
}
