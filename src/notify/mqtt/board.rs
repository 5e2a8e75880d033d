//! What the retained topics of every series should say, and which of them have yet to say it. Plain data.

use std::collections::{BTreeMap, BTreeSet};

use crate::notify::AlertMessage;
use crate::notify::message::json;
use crate::notify::topics::BaseTopic;
use crate::pipeline::Outcome;
use crate::series::SeriesId;
use crate::store::RestoredSeries;
use crate::verdict::{Alert, AlertState, SeriesState};

/// Topic and payload.
type Said = (String, Vec<u8>);

#[derive(Debug)]
struct Panel {
    state: SeriesState,
    open: Vec<Alert>,
    score_topic: String,
}

/// Retained topics of all series.
#[derive(Debug)]
pub(super) struct Board {
    base: BaseTopic,
    panels: BTreeMap<SeriesId, Panel>,
    stale: BTreeSet<SeriesId>,
    /// Series whose device Home Assistant has yet to be told of. What is told of one never changes while we run.
    untold: BTreeSet<SeriesId>,
}

impl Board {
    pub(super) fn new(base: BaseTopic) -> Self {
        Self { base, panels: BTreeMap::new(), stale: BTreeSet::new(), untold: BTreeSet::new() }
    }

    fn panel(&mut self, series: &SeriesId) -> &mut Panel {
        let (base, untold) = (&self.base, &mut self.untold);
        self.panels.entry(series.clone()).or_insert_with(|| {
            untold.insert(series.clone());
            Panel { state: SeriesState::WarmingUp, open: Vec::new(), score_topic: base.series_topic(series, "score") }
        })
    }

    /// Where every series stood when the service stopped.
    pub(super) fn restore(&mut self, restored: &[RestoredSeries]) {
        for series in restored {
            let panel = self.panel(&series.series);
            panel.state = series.state;
            panel.open = series.open_alerts.iter().map(|restored| restored.alert.clone()).collect();
            self.stale.insert(series.series.clone());
        }
    }

    /// Takes in what a commit has written; true when a retained topic has to change.
    pub(super) fn apply(&mut self, outcome: &Outcome) -> bool {
        let series = match outcome {
            Outcome::SeriesSeen { series, .. } => {
                self.panel(series);
                series
            }
            Outcome::State { series, state, .. } => {
                let is_known = self.panels.contains_key(series);
                let before = std::mem::replace(&mut self.panel(series).state, *state);
                if is_known && before == *state {
                    // Only the reason is another one, which the topic does not say.
                    return false;
                }
                series
            }
            Outcome::Transition(transition) => {
                let alert = &transition.alert;
                let open = &mut self.panel(&alert.series).open;
                open.retain(|other| other.id != alert.id);
                if alert.state == AlertState::Open {
                    open.push(alert.clone());
                }
                &alert.series
            }
            Outcome::AlertRaised { alert, .. } => {
                let open = &mut self.panel(&alert.series).open;
                let Some(known) = open.iter_mut().find(|known| known.id == alert.id) else { return false };
                // What a person has said stands here already.
                (known.severity, known.peak_score) = (alert.severity, alert.peak_score);
                (known.p_value, known.evidence) = (alert.p_value, alert.evidence);
                known.channels.clone_from(&alert.channels);
                &alert.series
            }
            _ => return false,
        };
        self.stale.insert(series.clone());
        true
    }

    /// Takes in what a person did to an alert; true when a retained topic has to change.
    pub(super) fn amend(&mut self, alert: &Alert) -> bool {
        let Some(panel) = self.panels.get_mut(&alert.series) else { return false };
        let Some(open) = panel.open.iter_mut().find(|open| open.id == alert.id) else { return false };
        (open.acknowledged_at, open.label, open.labelled_at) = (alert.acknowledged_at, alert.label, alert.labelled_at);
        open.note.clone_from(&alert.note);
        open.labelled_by.clone_from(&alert.labelled_by);
        self.stale.insert(alert.series.clone())
    }

    /// Topic of a series' scores, and its state.
    pub(super) fn score_topic(&mut self, series: &SeriesId) -> (&str, SeriesState) {
        let panel = self.panel(series);
        (&panel.score_topic, panel.state)
    }

    /// Everything has to be said again: the broker may have forgotten.
    pub(super) fn all_stale(&mut self) {
        self.stale = self.panels.keys().cloned().collect();
        self.devices_untold();
    }

    /// Home Assistant has begun anew: every device has to be told again. States are retained, it reads them itself.
    pub(super) fn devices_untold(&mut self) {
        self.untold = self.panels.keys().cloned().collect();
    }

    /// A series whose device has to be told.
    pub(super) fn take_untold(&mut self) -> Option<SeriesId> {
        self.untold.pop_first()
    }

    /// A series whose topics have to be said, with topics and payloads. The alert that opened last is the current
    /// one; none is an empty payload, which makes the broker forget the topic.
    pub(super) fn take_stale(&mut self) -> Option<[Said; 2]> {
        let series = self.stale.pop_first()?;
        let base = self.base.clone();
        let panel = self.panel(&series);
        let current = panel.open.iter().max_by_key(|alert| alert.opened_at);
        let alert = current.map_or_else(Vec::new, |alert| json(&AlertMessage::from(alert)));
        Some([
            (base.series_topic(&series, "state"), panel.state.as_str().as_bytes().to_vec()),
            (base.series_topic(&series, "alert"), alert),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Timestamp;

    #[test]
    fn a_topic_is_said_once_for_many_changes_and_all_again_after_a_reconnect() {
        let mut board = Board::new(BaseTopic::default());
        let series = SeriesId::parse("hall/pump").unwrap();
        let at = Timestamp::from_ms(1);
        let state = |state| Outcome::State { series: series.clone(), state, at, reason: String::new() };
        assert!(board.apply(&state(SeriesState::Normal)));
        assert!(board.apply(&state(SeriesState::NoData)));
        let messages = board.take_stale().unwrap();
        assert_eq!(messages[0], ("kilter/series/hall%2Fpump/state".to_owned(), b"no_data".to_vec()));
        assert_eq!(messages[1], ("kilter/series/hall%2Fpump/alert".to_owned(), Vec::new()));
        assert!(board.take_stale().is_none());
        assert!(!board.apply(&state(SeriesState::NoData)), "another reason for the same state changes no topic");
        board.all_stale();
        assert!(board.take_stale().is_some());
    }

    #[test]
    fn a_device_is_told_once_and_again_only_when_its_receiver_may_have_forgotten_it() {
        let mut board = Board::new(BaseTopic::default());
        let series = SeriesId::parse("hall/pump").unwrap();
        let state =
            |state| Outcome::State { series: series.clone(), state, at: Timestamp::from_ms(1), reason: String::new() };
        board.apply(&state(SeriesState::Normal));
        assert_eq!((board.take_untold(), board.take_untold()), (Some(series.clone()), None));
        board.apply(&state(SeriesState::Anomalous));
        assert_eq!(board.take_untold(), None, "another state is no other device");
        board.devices_untold();
        assert_eq!(board.take_untold(), Some(series.clone()));
        assert!(board.take_stale().is_some() && board.take_stale().is_none());
        board.all_stale();
        assert_eq!(board.take_untold(), Some(series.clone()), "after a reconnect");
    }
}
