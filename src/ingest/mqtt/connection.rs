//! How the source and its broker stand.

use crate::series::Timestamp;

/// How the source and its broker stand; published through a watch channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Not tried yet, or an attempt is under way.
    Connecting,
    /// Connected and subscribed.
    Connected {
        /// The broker.
        server: String,
        /// Arrival clock when the subscription was confirmed.
        since: Timestamp,
        /// True when the broker had kept the session, and with it what came meanwhile.
        is_resumed: bool,
    },
    /// Waiting before the next attempt.
    Disconnected {
        /// What went wrong last.
        reason: String,
        /// Attempts that failed since the last good connection.
        n_attempts: u32,
    },
    /// Ended on request.
    Closed,
}

impl Connection {
    /// True when messages can arrive.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
