//! What receivers read: alerts and scores as JSON, times as RFC 3339 in UTC.

use serde::{Serialize, Serializer};

use crate::pipeline::ScoreRow;
use crate::series::{SeriesId, Timestamp};
use crate::verdict::{
    Alert, AlertChannel, AlertId, AlertKind, AlertState, Matcher, ScheduleSpec, SeriesState, Severity, Silence,
    SilenceState, Transition, TransitionKind,
};

fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

fn rfc3339_or_null<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

/// An alert as receivers read it; with what it just did, when it is told because of that.
#[derive(Debug, Clone, Serialize)]
pub struct AlertMessage<'a> {
    /// Its name: with `sequence` it tells a repeated notice from a new one.
    pub id: &'a AlertId,
    /// What it just did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionKind>,
    /// 1 for its first transition, then rising by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u32>,
    /// Event time of the transition.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339_or_null")]
    pub at: Option<Timestamp>,
    /// What it claims.
    pub kind: AlertKind,
    /// Where.
    pub series: &'a SeriesId,
    /// Open or resolved.
    pub state: AlertState,
    /// How bad.
    pub severity: Severity,
    /// Event time at which it opened.
    #[serde(serialize_with = "rfc3339")]
    pub opened_at: Timestamp,
    /// Event time at which it was over.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub resolved_at: Option<Timestamp>,
    /// Highest live score; 1.0 is the notable level.
    pub peak_score: f64,
    /// Smallest p-value.
    pub p_value: f64,
    /// Largest evidence; it opened at 1.0.
    pub evidence: f64,
    /// The budget it was judged under, in the user's unit.
    pub alarm_budget: &'a str,
    /// Channels, most to blame first.
    pub channels: &'a [AlertChannel],
    /// The model that judged it.
    pub model_id: Option<&'a str>,
    /// When a person said they have seen it.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub acknowledged_at: Option<Timestamp>,
    /// What a person said it was.
    pub label: Option<bool>,
    /// What the person added to the label.
    pub note: Option<&'a str>,
    /// The name that person gave.
    pub labelled_by: Option<&'a str>,
    /// When they labelled it.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub labelled_at: Option<Timestamp>,
    /// How often it opened.
    pub openings: u32,
}

impl<'a> From<&'a Alert> for AlertMessage<'a> {
    fn from(alert: &'a Alert) -> Self {
        Self {
            id: &alert.id,
            transition: None,
            sequence: None,
            at: None,
            kind: alert.kind,
            series: &alert.series,
            state: alert.state,
            severity: alert.severity,
            opened_at: alert.opened_at,
            resolved_at: alert.resolved_at,
            peak_score: alert.peak_score,
            p_value: alert.p_value,
            evidence: alert.evidence,
            alarm_budget: &alert.alarm_budget,
            channels: &alert.channels,
            model_id: alert.model_id.as_deref(),
            acknowledged_at: alert.acknowledged_at,
            label: alert.label,
            note: alert.note.as_deref(),
            labelled_by: alert.labelled_by.as_deref(),
            labelled_at: alert.labelled_at,
            openings: alert.openings,
        }
    }
}

impl<'a> From<&'a Transition> for AlertMessage<'a> {
    fn from(transition: &'a Transition) -> Self {
        Self {
            transition: Some(transition.kind),
            sequence: Some(transition.sequence),
            at: Some(transition.at),
            ..Self::from(&transition.alert)
        }
    }
}

/// A silence in Alertmanager's shape.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SilenceMessage<'a> {
    /// Its name.
    pub id: &'a str,
    /// Where it stands.
    pub status: SilenceStatus,
    /// All of them must match.
    pub matchers: &'a [Matcher],
    /// First moment.
    #[serde(serialize_with = "rfc3339")]
    pub starts_at: Timestamp,
    /// First moment after it.
    #[serde(serialize_with = "rfc3339")]
    pub ends_at: Timestamp,
    /// Only at these local times.
    pub schedule: Option<&'a ScheduleSpec>,
    /// Who said so.
    pub created_by: &'a str,
    /// Why.
    pub comment: &'a str,
    /// Wall clock of the last change.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: Timestamp,
}

/// Where a silence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SilenceStatus {
    /// `pending`, `active` or `expired`.
    pub state: SilenceState,
}

impl<'a> SilenceMessage<'a> {
    /// A silence as it stands at a time.
    pub fn new(silence: &'a Silence, now: Timestamp) -> Self {
        Self {
            id: &silence.id,
            status: SilenceStatus { state: silence.state(now) },
            matchers: &silence.spec.matchers,
            starts_at: silence.spec.starts_at,
            ends_at: silence.spec.ends_at,
            schedule: silence.spec.schedule.as_ref().map(crate::verdict::Schedule::spec),
            created_by: &silence.spec.created_by,
            comment: &silence.spec.comment,
            updated_at: silence.updated_at,
        }
    }
}

/// A judged row as receivers read it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ScoreMessage {
    #[serde(serialize_with = "rfc3339")]
    time: Timestamp,
    live_score: f64,
    evidence: f64,
    p_value: f64,
    state: SeriesState,
}

impl ScoreMessage {
    pub(super) fn new(score: &ScoreRow, state: SeriesState) -> Self {
        Self { time: score.at, live_score: score.live_score, evidence: score.evidence, p_value: score.p_value, state }
    }
}

/// JSON of a message. Only maps with keys that are no text can fail, and no message has one.
pub(super) fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_default()
}
