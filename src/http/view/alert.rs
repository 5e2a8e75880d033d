//! An alert, and what it did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Moment, word};
use crate::series::Timestamp;
use crate::store::StoredTransition;
use crate::verdict::{Alert, AlertChannel, AlertKind, AlertState, Severity, Silence, TransitionKind, silenced_by};

/// An episode somebody should see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertView {
    /// Its name, the same whenever the same readings are judged again.
    pub id: String,
    /// What it claims.
    #[schema(schema_with = word::alert_kind)]
    pub kind: AlertKind,
    /// Where.
    pub series: String,
    /// Where it stands.
    #[schema(schema_with = word::alert_state)]
    pub state: AlertState,
    /// How bad, from how improbable and how long.
    #[schema(schema_with = word::severity)]
    pub severity: Severity,
    /// Event time at which it opened.
    pub opened_at: Moment,
    /// Event time at which it was over; null while open.
    pub resolved_at: Option<Moment>,
    /// Highest live score so far; 1.0 is the notable level.
    pub peak_score: f64,
    /// Smallest p-value so far.
    pub p_value: f64,
    /// Largest evidence so far; it opened at 1.0.
    pub evidence: f64,
    /// The budget it was judged under ("1 per week").
    pub alarm_budget: String,
    /// Channels, most to blame first.
    pub channels: Vec<AlertChannelView>,
    /// The model that judged it; null for kinds that need none.
    pub model_id: Option<String>,
    /// When a person said they have seen it.
    pub acknowledged_at: Option<Moment>,
    /// What a person said it was: true alert, false alarm, or (null) nothing.
    pub label: Option<bool>,
    /// What the person added to the label.
    #[serde(default)]
    pub note: Option<String>,
    /// The name that person gave.
    #[serde(default)]
    pub labelled_by: Option<String>,
    /// When they labelled it.
    #[serde(default)]
    pub labelled_at: Option<Moment>,
    /// How often it opened: one that comes back soon after it resolved is the same one again.
    #[serde(default)]
    pub openings: u32,
    /// Ids of the silences that hold it: an open one now, a resolved one when it opened.
    #[serde(default)]
    pub silenced_by: Vec<String>,
}

/// One channel's part in an alert, at the row with the highest score so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertChannelView {
    /// The channel.
    pub channel: String,
    /// Share of the score owed to it; all contributions sum to 1.
    pub contribution: f64,
    /// The value seen, in the sender's unit; null when it was missing.
    pub observed: Option<f64>,
    /// The value that was expected.
    pub expected: Option<f64>,
}

impl From<AlertChannel> for AlertChannelView {
    fn from(part: AlertChannel) -> Self {
        Self {
            channel: part.channel.into(),
            contribution: part.contribution,
            observed: part.observed.filter(|value| value.is_finite()),
            expected: part.expected.filter(|value| value.is_finite()),
        }
    }
}

impl AlertView {
    /// An alert with the silences that hold it.
    pub fn new(alert: Alert, silences: &[Silence], now: Timestamp) -> Self {
        let silenced_by = silenced_by(&alert, silences, now);
        Self { silenced_by, ..Self::from(alert) }
    }
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id.0,
            kind: alert.kind,
            series: alert.series.into(),
            state: alert.state,
            severity: alert.severity,
            opened_at: alert.opened_at.into(),
            resolved_at: alert.resolved_at.map(Moment),
            peak_score: alert.peak_score,
            p_value: alert.p_value,
            evidence: alert.evidence,
            alarm_budget: alert.alarm_budget,
            channels: alert.channels.into_iter().map(AlertChannelView::from).collect(),
            model_id: alert.model_id,
            acknowledged_at: alert.acknowledged_at.map(Moment),
            label: alert.label,
            note: alert.note,
            labelled_by: alert.labelled_by,
            labelled_at: alert.labelled_at.map(Moment),
            openings: alert.openings,
            silenced_by: Vec::new(),
        }
    }
}

/// What an alert just did, with the alert as it then was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TransitionView {
    /// Rises with every transition; `Last-Event-ID` resumes after it.
    pub id: i64,
    /// Opened or resolved.
    #[schema(schema_with = word::transition_kind)]
    pub transition: TransitionKind,
    /// Event time.
    pub at: Moment,
    /// 1 for the first transition of an alert, then rising by one.
    pub sequence: u32,
    /// The alert after the transition.
    pub alert: AlertView,
}

impl TransitionView {
    /// A transition whose alert says which silences hold it.
    pub fn new(stored: StoredTransition, silences: &[Silence], now: Timestamp) -> Self {
        let transition = stored.transition;
        Self {
            id: stored.id,
            transition: transition.kind,
            at: transition.at.into(),
            sequence: transition.sequence,
            alert: AlertView::new(transition.alert, silences, now),
        }
    }
}
