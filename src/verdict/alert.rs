//! What an alert is: plain data that the store keeps, the API serves and notifiers send.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::series::{ChannelName, SeriesId, Timestamp};

/// Name of an alert, the same whenever the same readings are judged again: 16 hex digits over series, kind and
/// opening time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub String);

impl AlertId {
    /// The id of the alert of a kind that opens on a series at a time (FNV-1a, 64 bits).
    pub fn new(series: &SeriesId, kind: AlertKind, opened_at: Timestamp) -> Self {
        let text = format!("{}\n{}\n{}", series, kind.as_str(), opened_at.as_ms());
        let hash =
            text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        Self(format!("{hash:016x}"))
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }
        impl $name {
            /// All values, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The word used in JSON, SQL, topics and on the screen.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
            /// The value for a word, if there is one.
            pub fn from_name(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }
    };
}

named! {
    /// What an alert claims.
    AlertKind {
        /// The machine does not behave as learned.
        Anomaly = "anomaly",
        /// A channel no longer changes.
        Stuck = "stuck",
        /// A channel or series no longer speaks.
        Silent = "silent",
        /// A value lies outside its physical limits.
        OutOfRange = "out_of_range",
    }
}

named! {
    /// Where an alert stands.
    AlertState {
        /// Somebody should look.
        Open = "open",
        /// Over.
        Resolved = "resolved",
    }
}

named! {
    /// How bad, from how improbable and how long.
    Severity {
        /// Worth a look.
        Warning = "warning",
        /// Far beyond what calibration has seen.
        Critical = "critical",
    }
}

named! {
    /// What a series is doing, as published.
    SeriesState {
        /// Judged, nothing to report.
        Normal = "normal",
        /// An alert is open.
        Anomalous = "anomalous",
        /// Too few rows to judge.
        WarmingUp = "warming_up",
        /// Nothing usable arrives.
        NoData = "no_data",
        /// Judged by a model that no longer fits (channels changed, or a refit failed).
        ModelStale = "model_stale",
    }
}

named! {
    /// What an alert just did.
    TransitionKind {
        /// It opened.
        Opened = "opened",
        /// It is over.
        Resolved = "resolved",
    }
}

/// One channel's part in an alert, at the row with the highest score so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertChannel {
    /// The channel.
    pub channel: ChannelName,
    /// Share of the score owed to it; the contributions of all channels sum to 1.
    pub contribution: f64,
    /// The value seen, in the sender's unit; none when it was missing.
    pub observed: Option<f64>,
    /// The value the members would have expected, in the sender's unit.
    pub expected: Option<f64>,
}

/// An episode somebody should see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its name.
    pub id: AlertId,
    /// What it claims.
    pub kind: AlertKind,
    /// Where.
    pub series: SeriesId,
    /// Open or resolved.
    pub state: AlertState,
    /// How bad.
    pub severity: Severity,
    /// Event time at which it opened.
    pub opened_at: Timestamp,
    /// Event time at which it was over.
    pub resolved_at: Option<Timestamp>,
    /// Highest live score so far; 1.0 is the notable level.
    pub peak_score: f64,
    /// Smallest p-value so far.
    pub p_value: f64,
    /// Largest evidence so far; it opened at 1.0.
    pub evidence: f64,
    /// The budget it was judged under, in the user's unit ("1 per week").
    pub alarm_budget: String,
    /// Channels, most to blame first.
    pub channels: Vec<AlertChannel>,
    /// The model that judged it; none for kinds that need no model.
    pub model_id: Option<String>,
    /// When a person said they have seen it.
    pub acknowledged_at: Option<Timestamp>,
    /// What a person said it was: true alert or false alarm.
    pub label: Option<bool>,
    /// What the person added to the label.
    #[serde(default)]
    pub note: Option<String>,
    /// The name that person gave.
    #[serde(default)]
    pub labelled_by: Option<String>,
    /// When they labelled it, wall clock.
    #[serde(default)]
    pub labelled_at: Option<Timestamp>,
    /// How often it opened: one that comes back soon after it resolved is the same one again.
    #[serde(default = "once")]
    pub openings: u32,
}

fn once() -> u32 {
    1
}

/// What an alert just did, with the alert as it then was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Opened or resolved.
    pub kind: TransitionKind,
    /// Event time.
    pub at: Timestamp,
    /// 1 for the first transition of an alert, then rising by one.
    pub sequence: u32,
    /// The alert after the transition.
    pub alert: Alert,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_id_depends_on_series_kind_and_opening_time_alone() {
        let pump = SeriesId::parse("pump-1").unwrap();
        let at = Timestamp::from_ms(1_795_521_600_000);
        let id = AlertId::new(&pump, AlertKind::Anomaly, at);
        assert_eq!(id, AlertId::new(&pump, AlertKind::Anomaly, at));
        assert_ne!(id, AlertId::new(&pump, AlertKind::Stuck, at));
        assert_ne!(id, AlertId::new(&pump, AlertKind::Anomaly, at.plus_ms(1)));
        assert_eq!(id.0.len(), 16);
    }

    #[test]
    fn every_name_reads_back() {
        for kind in AlertKind::ALL {
            assert_eq!(AlertKind::from_name(kind.as_str()), Some(*kind));
            assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!(SeriesState::from_name("asleep"), None);
    }
}
