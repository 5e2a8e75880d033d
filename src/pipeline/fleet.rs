//! All series of a service, side by side.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::life::{FalseAlarm, Heard, Restored, SeriesLife};
use super::recalibration::pool_size;
use super::together::{Together, Waiting};
use super::{FitWanted, MeasuredPower, Outcome, SeriesSpec, SharedModels, Trained};
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Reading, SeriesId, Timestamp};
use crate::verdict::Alert;
use crate::windowing::Counts;

/// The pure, synchronous path from readings to outcomes, for every series.
///
/// It holds no clock, no seed of its own and no connection: the same readings, models and times give the same outcomes.
#[derive(Debug)]
pub struct Pipeline {
    specs: Vec<Arc<SeriesSpec>>,
    series_max: usize,
    lives: Lives,
    /// Shared models whose calibration grows, or has grown, by the rows of all that they judge: once each.
    pooled: HashSet<String>,
    together: Together,
}

/// Boxed: a table of ten thousand has room for half as many more.
pub(super) type Lives = HashMap<SeriesId, Box<SeriesLife>>;

/// The readings of one message, all of one series, for [`Pipeline::on_messages`].
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Which spec the series follows when it is new.
    pub spec_index: usize,
    /// What the message says.
    pub readings: &'a [Reading],
    /// When it came.
    pub received_at: Timestamp,
}

/// Another series that is judged by the same model.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Which.
    pub series: SeriesId,
    /// Its channels in frame order.
    pub channels: Vec<ChannelName>,
    /// Spans `[start, end)` in which an alert was open.
    pub excluded: Vec<(Timestamp, Timestamp)>,
}

/// What became of one message.
#[derive(Debug, Default)]
pub struct Processed {
    /// What must be written and told, in order.
    pub outcomes: Vec<Outcome>,
    /// What became of its readings.
    pub heard: Heard,
    /// Readings refused because there are as many series as allowed.
    pub over_series_limit: u64,
    /// True when nobody of that name is known, and the readings were too old or too far ahead to make one known.
    pub is_refused_stranger: bool,
}

impl Pipeline {
    /// A pipeline whose series follow one of `specs` each; at most `series_max` series are taken in.
    ///
    /// # Panics
    /// When there is no spec.
    pub fn new(specs: Vec<SeriesSpec>, series_max: usize) -> Self {
        assert!(!specs.is_empty(), "a pipeline needs at least one spec");
        Self {
            specs: specs.into_iter().map(Arc::new).collect(),
            series_max,
            lives: HashMap::new(),
            pooled: HashSet::new(),
            together: Together::default(),
        }
    }

    /// One reading, as a message of its own. A series that is new follows spec 0.
    pub fn on_reading(&mut self, reading: &Reading, now: Timestamp) -> Vec<Outcome> {
        self.on_message(0, std::slice::from_ref(reading), now).outcomes
    }

    /// The readings of one message, all of one series. A series that is new follows spec `spec_index`.
    ///
    /// # Panics
    /// When there is no spec of that index.
    pub fn on_message(&mut self, spec_index: usize, readings: &[Reading], received_at: Timestamp) -> Processed {
        let mut outcomes = Vec::new();
        let processed = self.on_message_into(spec_index, readings, received_at, &mut outcomes);
        Processed { outcomes, ..processed }
    }

    /// As [`Pipeline::on_message`], with the outcomes appended to those of earlier messages instead of given back.
    ///
    /// # Panics
    /// When there is no spec of that index.
    pub fn on_message_into(
        &mut self,
        spec_index: usize,
        readings: &[Reading],
        received_at: Timestamp,
        outcomes: &mut Vec<Outcome>,
    ) -> Processed {
        let mut processed = Processed::default();
        let Some(first) = readings.first() else { return processed };
        if !self.lives.contains_key(&first.series) {
            if self.lives.len() >= self.series_max {
                processed.over_series_limit = readings.len() as u64;
                return processed;
            }
            let spec = Arc::clone(&self.specs[spec_index]);
            let mut refused = Counts::default();
            let is_refused = |reading: &Reading| !spec.grid.is_timely(reading.at, received_at, 1, &mut refused);
            // What the broker retained of a machine long gone takes no place.
            if readings.iter().map(is_refused).filter(|is_refused| *is_refused).count() == readings.len() {
                processed.heard.counts = refused;
                processed.is_refused_stranger = true;
                return processed;
            }
            let series = first.series.clone();
            outcomes.push(Outcome::SeriesSeen { series: series.clone(), at: first.at });
            let mut life = SeriesLife::new(series.clone(), spec, received_at);
            // A restart must know what the series follows before its first row has closed.
            life.checkpoint(outcomes);
            self.lives.insert(series, Box::new(life));
        }
        if let Some(life) = self.lives.get_mut(&first.series) {
            processed.heard = life.on_message(readings, received_at, outcomes);
        }
        processed
    }

    /// Messages that came together, in order: the same outcomes, in the same order, as [`Pipeline::on_message_into`] gives
    /// for one after the other. Windows that one network judges are asked for at once, those of many series and those of
    /// one.
    ///
    /// # Panics
    /// As [`Pipeline::on_message`].
    pub fn on_messages(&mut self, messages: &[Incoming<'_>], outcomes: &mut Vec<Outcome>) -> Vec<Processed> {
        let mut processed = Vec::with_capacity(messages.len());
        let mut waiting: Vec<Waiting<'_>> = Vec::with_capacity(messages.len());
        for message in messages {
            let Incoming { spec_index, readings, received_at } = *message;
            let heard = readings.first().and_then(|first| {
                let life = self.lives.get_mut(&first.series)?;
                Some((&first.series, life.hear(readings, received_at)?))
            });
            match heard {
                Some((series, (heard, pushed))) => {
                    waiting.push(Waiting { series, pushed });
                    processed.push(Processed { heard, ..Processed::default() });
                }
                // A series or a channel is new: what came before it comes first.
                None => {
                    self.judge(&mut waiting, outcomes);
                    processed.push(self.on_message_into(spec_index, readings, received_at, outcomes));
                }
            }
        }
        self.judge(&mut waiting, outcomes);
        processed
    }

    fn judge(&mut self, waiting: &mut Vec<Waiting<'_>>, outcomes: &mut Vec<Outcome>) {
        self.together.foresee(waiting, &mut self.lives);
        for Waiting { series, pushed } in waiting.drain(..) {
            if let Some(life) = self.lives.get_mut(series) {
                life.on_pushed(pushed, outcomes);
            }
        }
    }

    /// Time has passed without a message.
    pub fn on_idle(&mut self, now: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for life in self.lives.values_mut() {
            life.on_idle(now, &mut outcomes);
        }
        outcomes
    }

    /// The input is over: every row that is still open closes as it is.
    pub fn finish(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for life in self.lives.values_mut() {
            life.finish(&mut outcomes);
        }
        outcomes
    }

    /// Settled scores of the rows that still wait for their settle delay, with the look-ahead there is: for the end of
    /// a recording.
    pub fn settle_rest(&self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for life in self.lives.values() {
            life.settle_rest(&mut outcomes);
        }
        outcomes
    }

    /// Messages could not arrive before `now` (the broker was away): silence counts from here.
    pub fn listening_since(&mut self, now: Timestamp) {
        for life in self.lives.values_mut() {
            life.listening_since(now);
        }
    }

    /// A person picks which stored model judges a series; false when the series is unknown or has no row yet.
    pub fn activate(&mut self, series: &SeriesId, model_id: &str) -> (bool, Vec<Outcome>) {
        let mut outcomes = Vec::new();
        let is_known = self.lives.get_mut(series).is_some_and(|life| life.activate(model_id, &mut outcomes));
        (is_known, outcomes)
    }

    /// A person has acknowledged or labelled an alert: what it does next is told with that.
    pub fn amend(&mut self, said: &Alert) {
        if let Some(life) = self.lives.get_mut(&said.series) {
            life.amend(said);
        }
    }

    /// Which alerts of a series people call false now, in place of those told before.
    pub fn on_false_alarms(&mut self, series: &SeriesId, false_alarms: Vec<FalseAlarm>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Some(life) = self.lives.get_mut(series) {
            life.on_false_alarms(false_alarms, &mut outcomes);
        }
        outcomes
    }

    /// A model that was asked for has been fitted.
    pub fn on_trained(&mut self, trained: Trained) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Some(life) = self.lives.get_mut(&trained.wanted.series.clone()) {
            life.on_trained(trained, &mut outcomes);
        }
        outcomes
    }

    /// A person takes back the level shifts that a series has accepted.
    pub fn undo_shift(&mut self, series: &SeriesId, now: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Some(life) = self.lives.get_mut(series) {
            life.undo_shift(now, &mut outcomes);
        }
        outcomes
    }

    /// What a model would see has been measured.
    pub fn on_power(&mut self, measured: MeasuredPower) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Some(life) = self.lives.get(&measured.series) {
            life.on_power(measured, &mut outcomes);
        }
        outcomes
    }

    /// A model that was asked for could not be fitted.
    pub fn on_fit_failed(&mut self, wanted: &FitWanted, reason: &str, now: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Some(model_id) = &wanted.recalibrates {
            self.pooled.remove(model_id);
        }
        if let Some(life) = self.lives.get_mut(&wanted.series) {
            life.on_fit_failed(wanted, reason, now, &mut outcomes);
        }
        outcomes
    }

    /// Continues a series from what the store kept. Outcomes may repeat what is already stored.
    pub fn restore(&mut self, restored: Restored, now: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let name = restored.checkpoint.as_ref().map(|checkpoint| checkpoint.spec_name.as_str());
        let spec = self.specs.iter().find(|spec| Some(spec.name.as_str()) == name).unwrap_or(&self.specs[0]);
        let series = restored.series.clone();
        let life = SeriesLife::restore(restored, Arc::clone(spec), now, &mut outcomes);
        self.lives.insert(series, Box::new(life));
        outcomes
    }

    /// The state of every series, for a shutdown that needs no replay.
    pub fn checkpoint_all(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for life in self.lives.values_mut() {
            life.checkpoint(&mut outcomes);
        }
        outcomes
    }

    /// Channels of a series in frame order, and what it is judged by.
    pub fn describe(&self, series: &SeriesId) -> Option<(&[ChannelName], &Arc<SeriesSpec>)> {
        self.lives.get(series).map(|life| (life.channels(), life.spec()))
    }

    /// The model in charge of a series.
    pub fn bundle_of(&self, series: &SeriesId) -> Option<Arc<ModelBundle>> {
        self.lives.get(series)?.bundle().cloned()
    }

    /// Closed rows of a series so far that can be learned from.
    pub fn usable_rows(&self, series: &SeriesId) -> u64 {
        self.lives.get(series).map_or(0, |life| life.n_usable())
    }

    /// Whose rows join those of a series that wants a larger calibration: as many of the others that share its model as
    /// its budget needs, spread evenly over their names. None when the rows of its kind were asked for already.
    pub fn pool(&mut self, wanted: &FitWanted) -> Option<Vec<Peer>> {
        let life = self.lives.get(&wanted.series)?;
        let (spec, model_id) = (life.spec(), wanted.recalibrates.as_deref()?);
        if !spec.shares_model {
            return Some(Vec::new());
        }
        if !self.pooled.insert(model_id.to_owned()) {
            return None;
        }
        let is_judged_by = |life: &SeriesLife| life.bundle().is_some_and(|bundle| bundle.id() == model_id);
        let mut peers: Vec<&SeriesId> = self
            .lives
            .iter()
            .filter(|(id, life)| **id != wanted.series && is_judged_by(life))
            .map(|(id, _)| id)
            .collect();
        peers.sort();
        let (_, n_series) = pool_size(spec, peers.len() + 1);
        let every = peers.len().div_ceil(n_series).max(1);
        let peer = |series: &SeriesId| {
            let life = self.lives.get(series)?;
            let (channels, excluded) = (life.channels().to_vec(), life.unlearnable(wanted.from));
            Some(Peer { series: series.clone(), channels, excluded })
        };
        Some(peers.into_iter().step_by(every).filter_map(peer).collect())
    }

    /// The models that series of a kind are judged by now.
    pub fn shared_models(&self) -> SharedModels {
        let mut shared = SharedModels::default();
        for life in self.lives.values() {
            if let Some(bundle) = life.bundle() {
                shared.keep(life.spec(), bundle);
            }
        }
        shared
    }

    /// Rows that windows and held values reach back at most: what a restart needs of each series.
    pub fn rows_reached_back(&self) -> usize {
        self.specs
            .iter()
            .map(|spec| spec.detector.window_rows.max(spec.grid.hold_limit as usize + 1))
            .max()
            .unwrap_or_default()
    }

    /// Number of series.
    pub fn n_series(&self) -> usize {
        self.lives.len()
    }
}
