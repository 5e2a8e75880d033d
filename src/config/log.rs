//! The `[log]` section.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}

/// The `[log]` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Levels, such as `info` or `info,kilter::ingest=debug`. The environment variable `KILTER_LOG` wins over it.
    pub filter: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// Why a text is no log filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a log filter ({cause}); allowed: \"info\", or \"info,kilter::ingest=debug\"")]
pub struct LogFilterError {
    /// The text.
    pub found: String,
    /// What its reader said.
    pub cause: String,
}

impl LogConfig {
    /// The filter as the logger wants it.
    ///
    /// # Errors
    /// When the text, or the environment variable `KILTER_LOG`, is not a filter.
    pub fn env_filter(&self) -> Result<EnvFilter, LogFilterError> {
        let found = std::env::var("KILTER_LOG").unwrap_or_else(|_| self.filter.clone());
        EnvFilter::try_new(&found).map_err(|error| LogFilterError { found, cause: error.to_string() })
    }
}
