//! What the live stream sends.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertView, Moment, word};
use crate::http::live::LiveEvent;
use crate::series::Timestamp;
use crate::verdict::{SeriesState, Silence, TransitionKind};

/// One thing that just happened. The event's name is the value of `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventView {
    /// A row was judged.
    Score {
        /// Whose.
        series: String,
        /// Event time of the row.
        at: Moment,
        /// 1.0 is the notable level.
        live_score: f64,
        /// An alert opens at 1.0.
        evidence: f64,
        /// Share of calibration scores at least as high.
        p_value: f64,
        /// True when an alert is open on the row.
        is_anomalous: bool,
    },
    /// An earlier row settled.
    Settled {
        /// Whose.
        series: String,
        /// Event time of the row.
        at: Moment,
        /// 1.0 is the notable level.
        settled_score: f64,
    },
    /// A series is in another state.
    State {
        /// Whose.
        series: String,
        /// The state.
        #[schema(schema_with = word::series_state)]
        state: SeriesState,
        /// Since when.
        at: Moment,
        /// Why, in one sentence.
        reason: String,
    },
    /// A series that is not judged yet has gathered more rows.
    WarmUp {
        /// Whose.
        series: String,
        /// Usable rows so far.
        n_rows: u64,
        /// Usable rows at which the first model is fitted.
        n_wanted: u64,
    },
    /// An alert opened or resolved.
    Transition {
        /// Opened or resolved.
        #[schema(schema_with = word::transition_kind)]
        transition: TransitionKind,
        /// Event time.
        at: Moment,
        /// The alert after it.
        alert: AlertView,
    },
    /// A person acknowledged, labelled or silenced an alert.
    AlertChanged {
        /// The alert after it.
        alert: AlertView,
    },
}

impl EventView {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Score { .. } => "score",
            Self::Settled { .. } => "settled",
            Self::State { .. } => "state",
            Self::WarmUp { .. } => "warm_up",
            Self::Transition { .. } => "transition",
            Self::AlertChanged { .. } => "alert_changed",
        }
    }

    /// An event whose alert says which silences hold it.
    pub fn new(event: &LiveEvent, silences: &[Silence], now: Timestamp) -> Self {
        let series = event.series().to_string();
        match event {
            LiveEvent::Score { score, .. } => Self::Score {
                series,
                at: score.at.into(),
                live_score: score.live_score,
                evidence: score.evidence,
                p_value: score.p_value,
                is_anomalous: score.is_anomalous,
            },
            LiveEvent::Settled { settled, .. } => {
                Self::Settled { series, at: settled.at.into(), settled_score: settled.settled_score }
            }
            LiveEvent::State { state, at, reason, .. } => {
                Self::State { series, state: *state, at: (*at).into(), reason: reason.clone() }
            }
            LiveEvent::WarmUp { progress, .. } => {
                Self::WarmUp { series, n_rows: progress.n_rows, n_wanted: progress.n_wanted }
            }
            LiveEvent::Transition(transition) => Self::Transition {
                transition: transition.kind,
                at: transition.at.into(),
                alert: AlertView::new(transition.alert.clone(), silences, now),
            },
            LiveEvent::AlertChanged(alert) => {
                Self::AlertChanged { alert: AlertView::new(alert.clone(), silences, now) }
            }
        }
    }
}

/// A reader of a stream was too slow: events are left out, and the API has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaggedView {
    /// How many were left out: transitions in `alerts/stream`, commits in `live`.
    pub missed: u64,
}
