//! What is running, as the health page and an empty fleet page tell it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::view::Moment;

/// The service in a few facts that do not change while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// Version of the program.
    pub version: String,
    /// When it started.
    pub started_at: Moment,
    /// Broker it listens to, as `host:port`; none before one is known.
    pub broker: Option<String>,
    /// Topic templates it reads, as configured.
    pub topics: Vec<String>,
    /// A command that makes a first series appear, for an empty page.
    pub example_command: Option<String>,
}

impl Default for About {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Moment::now(),
            broker: None,
            topics: Vec::new(),
            example_command: None,
        }
    }
}
