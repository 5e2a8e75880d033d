//! A silence, in Alertmanager's shape and names.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;
use crate::series::Timestamp;
use crate::verdict::{MatcherSpec, ScheduleSpec, Silence, SilenceState};

/// One condition on an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatcherView {
    /// What it looks at: `series`, `kind`, `channel` (any of those to blame) or `severity`.
    #[schema(pattern = "^(series|kind|channel|severity)$")]
    pub name: String,
    /// What that is compared with.
    #[schema(max_length = 500)]
    pub value: String,
    /// True when the value is a regular expression that must match the whole; false when left out.
    #[serde(default)]
    pub is_regex: bool,
    /// False turns the condition round; true when left out.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

impl From<&MatcherSpec> for MatcherView {
    fn from(spec: &MatcherSpec) -> Self {
        let MatcherSpec { name, value, is_regex, is_equal } = spec.clone();
        Self { name, value, is_regex, is_equal }
    }
}

impl From<MatcherView> for MatcherSpec {
    fn from(view: MatcherView) -> Self {
        let MatcherView { name, value, is_regex, is_equal } = view;
        Self { name, value, is_regex, is_equal }
    }
}

/// Local times at which a silence comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleView {
    /// Days on which a window begins, `monday` to `sunday`; none for every day.
    #[serde(default)]
    pub weekdays: Vec<String>,
    /// Local time at which it begins, as in `22:00`.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    pub start_time: String,
    /// Local time at which it ends; not after `startTime` means on the next day.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    pub end_time: String,
    /// Time zone, as in `Europe/Berlin`; UTC when left out.
    #[serde(default = "utc")]
    pub location: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl From<&ScheduleSpec> for ScheduleView {
    fn from(spec: &ScheduleSpec) -> Self {
        let ScheduleSpec { weekdays, start_time, end_time, location } = spec.clone();
        Self { weekdays, start_time, end_time, location }
    }
}

impl From<ScheduleView> for ScheduleSpec {
    fn from(view: ScheduleView) -> Self {
        let ScheduleView { weekdays, start_time, end_time, location } = view;
        Self { weekdays, start_time, end_time, location }
    }
}

/// Where a silence stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilenceStatusView {
    /// `pending`, `active` or `expired`.
    pub state: String,
    /// True while it holds alerts: within its span and, if it comes again, within a window of its schedule.
    #[serde(default)]
    pub in_force: bool,
}

/// Keeps the alerts it matches from telling anybody for a while. They are stored and shown all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SilenceView {
    /// Its name.
    pub id: String,
    /// Where it stands by the service's clock.
    pub status: SilenceStatusView,
    /// All of them must match.
    pub matchers: Vec<MatcherView>,
    /// First moment.
    pub starts_at: Moment,
    /// First moment after it.
    pub ends_at: Moment,
    /// Only at these local times; null for all of it.
    pub schedule: Option<ScheduleView>,
    /// Who said so.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was made, or ended before its time.
    pub updated_at: Moment,
}

impl SilenceView {
    /// A silence as it stands at a time.
    pub fn new(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id.clone(),
            status: SilenceStatusView { state: silence.state(now).as_str().to_owned(), in_force: silence.covers(now) },
            matchers: silence.spec.matchers.iter().map(|matcher| matcher.spec().into()).collect(),
            starts_at: silence.spec.starts_at.into(),
            ends_at: silence.spec.ends_at.into(),
            schedule: silence.spec.schedule.as_ref().map(|schedule| schedule.spec().into()),
            created_by: silence.spec.created_by.clone(),
            comment: silence.spec.comment.clone(),
            updated_at: silence.updated_at.into(),
        }
    }

    /// True while it may hold alerts.
    pub fn is_over(&self) -> bool {
        self.status.state == SilenceState::Expired.as_str()
    }
}
