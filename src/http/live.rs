//! What just happened, for whoever is watching: a bounded broadcast that never waits for a slow watcher.
//!
//! It is a convenience, not a record: a watcher that falls behind loses the oldest batches, is told how many, and
//! reads the store again. The record of transitions is the store's, and `alerts/stream` reads it there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::pipeline::{Outcome, ScoreRow, SettledRow};
use crate::series::{SeriesId, Timestamp};
use crate::verdict::{Alert, SeriesState, Transition};

/// Batches kept for a slow watcher. One commit is one batch, at most about fifty a second, so a watcher may
/// hang for some seconds before it loses anything.
const BATCHES_MAX: usize = 256;

/// How far the gathering of rows for a first model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmUp {
    /// Usable rows so far.
    pub n_rows: u64,
    /// Usable rows at which the first model is fitted.
    pub n_wanted: u64,
}

/// One thing that happened and is committed.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveEvent {
    /// A row was judged.
    Score {
        /// Whose.
        series: SeriesId,
        /// The row.
        score: ScoreRow,
    },
    /// An earlier row settled.
    Settled {
        /// Whose.
        series: SeriesId,
        /// The score.
        settled: SettledRow,
    },
    /// A series is in another state.
    State {
        /// Whose.
        series: SeriesId,
        /// The state.
        state: SeriesState,
        /// Since when.
        at: Timestamp,
        /// Why, in one sentence.
        reason: String,
    },
    /// A series that is not judged yet has gathered more rows.
    WarmUp {
        /// Whose.
        series: SeriesId,
        /// How far it is.
        progress: WarmUp,
    },
    /// An alert opened or resolved.
    Transition(Transition),
    /// A person acknowledged or labelled an alert.
    AlertChanged(Alert),
}

impl LiveEvent {
    /// The series it is about.
    pub fn series(&self) -> &SeriesId {
        match self {
            Self::Score { series, .. }
            | Self::Settled { series, .. }
            | Self::State { series, .. }
            | Self::WarmUp { series, .. } => series,
            Self::Transition(transition) => &transition.alert.series,
            Self::AlertChanged(alert) => &alert.series,
        }
    }

    fn from_outcome(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Score { series, score } => Some(Self::Score { series: series.clone(), score: score.clone() }),
            Outcome::Settled { series, settled } => Some(Self::Settled { series: series.clone(), settled: *settled }),
            Outcome::State { series, state, at, reason } => {
                Some(Self::State { series: series.clone(), state: *state, at: *at, reason: reason.clone() })
            }
            Outcome::WarmUp { series, n_rows, n_wanted } => {
                let progress = WarmUp { n_rows: *n_rows, n_wanted: *n_wanted };
                Some(Self::WarmUp { series: series.clone(), progress })
            }
            Outcome::Transition(transition) => Some(Self::Transition(transition.clone())),
            Outcome::AlertRaised { alert, .. } => Some(Self::AlertChanged(alert.as_ref().clone())),
            _ => None,
        }
    }
}

/// The sending side, held by the service; watchers subscribe through it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    sender: broadcast::Sender<Arc<[LiveEvent]>>,
    warm_ups: Arc<Mutex<HashMap<SeriesId, WarmUp>>>,
}

impl Live {
    /// A broadcast without watchers.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(BATCHES_MAX), warm_ups: Arc::default() }
    }

    /// Tells every watcher what a commit contained. Costs next to nothing while nobody watches; never waits.
    pub fn on_committed(&self, outcomes: &[Outcome]) {
        self.remember_warm_ups(outcomes);
        if self.sender.receiver_count() == 0 {
            return;
        }
        self.publish(outcomes.iter().filter_map(LiveEvent::from_outcome).collect());
    }

    /// How far a series' warm-up is; none when it has said nothing about it since the start.
    pub fn warm_up(&self, series: &SeriesId) -> Option<WarmUp> {
        self.warm_ups.lock().unwrap_or_else(PoisonError::into_inner).get(series).copied()
    }

    fn remember_warm_ups(&self, outcomes: &[Outcome]) {
        let mut warm_ups = None;
        for outcome in outcomes {
            let mut lock = || self.warm_ups.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Outcome::WarmUp { series, n_rows, n_wanted } => {
                    let progress = WarmUp { n_rows: *n_rows, n_wanted: *n_wanted };
                    warm_ups.get_or_insert_with(&mut lock).insert(series.clone(), progress);
                }
                Outcome::State { series, state, .. } if *state != SeriesState::WarmingUp => {
                    warm_ups.get_or_insert_with(&mut lock).remove(series);
                }
                _ => {}
            }
        }
    }

    /// Tells every watcher. Never waits.
    pub fn publish(&self, events: Vec<LiveEvent>) {
        if !events.is_empty() {
            // An error means that nobody watches.
            let _ = self.sender.send(events.into());
        }
    }

    /// A new watcher, which sees what is committed from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[LiveEvent]>> {
        self.sender.subscribe()
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str) -> Outcome {
        Outcome::State {
            series: SeriesId::parse(name).unwrap(),
            state: SeriesState::Normal,
            at: Timestamp::from_ms(1),
            reason: "test".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_slow_watcher_loses_the_oldest_batches_and_is_told_how_many() {
        let live = Live::new();
        let mut watcher = live.subscribe();
        for i in 0..BATCHES_MAX + 3 {
            live.on_committed(&[state(&format!("pump-{i}"))]);
        }
        assert_eq!(watcher.recv().await, Err(broadcast::error::RecvError::Lagged(3)));
        assert_eq!(watcher.recv().await.unwrap()[0].series().as_str(), "pump-3");
    }
}
