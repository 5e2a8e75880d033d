//! Silences in Alertmanager's shape: which alerts tell nobody for a while, decided from the alert and a time alone.

use serde::{Deserialize, Serialize};

use super::{Alert, Matcher, MatcherError, Schedule, ScheduleError};
use crate::series::{SeriesId, Timestamp};

/// Matchers of a silence at most.
const MATCHERS_MAX: usize = 32;
/// Characters of author and of comment at most.
const TEXT_CHARS_MAX: usize = 2_000;

/// Why something is not a silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// It would hold everything, or more than is read.
    #[error("matchers: found {found}, allowed: 1 to {MATCHERS_MAX}")]
    Matchers {
        /// How many.
        found: usize,
    },
    /// A matcher cannot be read.
    #[error("matchers: {0}")]
    Matcher(#[from] MatcherError),
    /// The schedule cannot be read.
    #[error("schedule: {0}")]
    Schedule(#[from] ScheduleError),
    /// It ends before it starts.
    #[error("endsAt: found {ends_at}, expected a time after startsAt, {starts_at}")]
    EndBeforeStart {
        /// Its start.
        starts_at: Timestamp,
        /// Its end.
        ends_at: Timestamp,
    },
    /// It is over already.
    #[error("endsAt: found {ends_at}, expected a time to come; it is {now}")]
    Past {
        /// Its end.
        ends_at: Timestamp,
        /// The clock's time.
        now: Timestamp,
    },
    /// No window of its schedule lies within it.
    #[error("schedule: no window falls between startsAt, {from}, and endsAt, {ends_at}: it would never hold anything")]
    NeverHolds {
        /// Its start, or now where that is later.
        from: Timestamp,
        /// Its end.
        ends_at: Timestamp,
    },
    /// Author or comment is too long.
    #[error("{field}: found {found} characters, at most {TEXT_CHARS_MAX} are kept")]
    TooLong {
        /// Which.
        field: &'static str,
        /// Characters found.
        found: usize,
    },
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct SilenceSpec {
    /// All of them must match.
    pub matchers: Vec<Matcher>,
    /// First moment.
    pub starts_at: Timestamp,
    /// First moment after it.
    pub ends_at: Timestamp,
    /// Only at these local times; none for all of it.
    pub schedule: Option<Schedule>,
    /// Who says so.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

impl SilenceSpec {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// The first fault found.
    pub fn check(&self, now: Timestamp) -> Result<(), SilenceError> {
        if self.matchers.is_empty() || self.matchers.len() > MATCHERS_MAX {
            return Err(SilenceError::Matchers { found: self.matchers.len() });
        }
        if self.ends_at <= self.starts_at {
            return Err(SilenceError::EndBeforeStart { starts_at: self.starts_at, ends_at: self.ends_at });
        }
        if self.ends_at <= now {
            return Err(SilenceError::Past { ends_at: self.ends_at, now });
        }
        let from = self.starts_at.max(now);
        if self.schedule.as_ref().is_some_and(|schedule| schedule.spans(from, self.ends_at).is_empty()) {
            return Err(SilenceError::NeverHolds { from, ends_at: self.ends_at });
        }
        for (field, text) in [("createdBy", &self.created_by), ("comment", &self.comment)] {
            let found = text.chars().count();
            if found > TEXT_CHARS_MAX {
                return Err(SilenceError::TooLong { field, found });
            }
        }
        Ok(())
    }
}

/// Where a silence stands, in Alertmanager's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// It has not begun.
    Pending,
    /// It may hold alerts now.
    Active,
    /// It is over.
    Expired,
}

impl SilenceState {
    /// The word used in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// A silence as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// Its name.
    pub id: String,
    /// What was asked for.
    pub spec: SilenceSpec,
    /// Wall clock of the last change.
    pub updated_at: Timestamp,
}

impl Silence {
    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        match now {
            now if now >= self.spec.ends_at => SilenceState::Expired,
            now if now < self.spec.starts_at => SilenceState::Pending,
            _ => SilenceState::Active,
        }
    }

    /// True when it is in force at a time: within its span, and within its schedule if it has one.
    pub fn covers(&self, at: Timestamp) -> bool {
        let spec = &self.spec;
        spec.starts_at <= at && at < spec.ends_at && spec.schedule.as_ref().is_none_or(|schedule| schedule.covers(at))
    }

    /// True when every matcher matches the alert, at whatever time.
    pub fn matches(&self, alert: &Alert) -> bool {
        self.spec.matchers.iter().all(|matcher| matcher.matches(alert))
    }

    /// True when it holds the alert at a time.
    pub fn holds(&self, alert: &Alert, at: Timestamp) -> bool {
        self.covers(at) && self.matches(alert)
    }

    /// True when it speaks of whole series and holds this one: such time may be left out of training.
    pub fn holds_series(&self, series: &SeriesId) -> bool {
        self.spec.matchers.iter().all(|matcher| matcher.matches_series(series) == Some(true))
    }

    /// Spans `[start, end)` within `[from, to)` in which it is in force, oldest first.
    pub fn spans(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let (from, to) = (from.max(self.spec.starts_at), to.min(self.spec.ends_at));
        match &self.spec.schedule {
            _ if to <= from => Vec::new(),
            Some(schedule) => schedule.spans(from, to),
            None => vec![(from, to)],
        }
    }
}

/// Ids of the silences that hold an alert: an open one now, a resolved one when it opened.
pub fn silenced_by(alert: &Alert, silences: &[Silence], now: Timestamp) -> Vec<String> {
    let at = if alert.resolved_at.is_some() { alert.opened_at } else { now };
    silences.iter().filter(|silence| silence.holds(alert, at)).map(|silence| silence.id.clone()).collect()
}
