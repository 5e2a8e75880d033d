//! A batch of outcomes sorted by table: what each table gets, and how far the rows of each series then go.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::bundle::ModelBundle;
use crate::pipeline::{BudgetRow, Outcome, PowerRow, SettledRow, ShiftDeed, TakeOver};
use crate::series::{SeriesId, Timestamp};
use crate::verdict::{Alert, SeriesState, Transition};

use super::encoded::{Form, FrameForm, LatentForm, OpenForm, ScoreForm};
use super::known::{Known, OpenChanges, Progress};

/// A series' new state: when, which, why.
pub(super) type NewState<'a> = (Timestamp, SeriesState, &'a str);

/// What a batch says, by table; `i64` is the number of the series.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub(super) new_series: Vec<(i64, &'a SeriesId, Timestamp)>,
    pub(super) channels: Vec<(i64, i64, &'a str)>,
    /// Closed rows, by series in the order in which they closed.
    pub(super) frames: Vec<(i64, FrameForm<'a>)>,
    /// Rows being filled, the last word on each.
    pub(super) open: BTreeMap<(i64, i64), OpenForm<'a>>,
    /// Rows that leave `open_rows`, because a row at or after them has closed.
    pub(super) finished: BTreeSet<(i64, i64)>,
    pub(super) scores: Vec<(i64, ScoreForm<'a>)>,
    pub(super) settled: Vec<(i64, &'a SettledRow)>,
    /// Latents by time, ms.
    pub(super) latents: Vec<(i64, i64, LatentForm<'a>)>,
    pub(super) models: Vec<(i64, &'a SeriesId, &'a ModelBundle)>,
    /// The last word on each series' budget.
    pub(super) budgets: HashMap<i64, &'a BudgetRow>,
    pub(super) shifts: Vec<(i64, &'a ShiftDeed)>,
    pub(super) powers: Vec<(i64, &'a PowerRow)>,
    pub(super) take_overs: Vec<(i64, &'a TakeOver)>,
    pub(super) checkpoints: HashMap<i64, (Timestamp, &'a [u8])>,
    pub(super) states: HashMap<i64, NewState<'a>>,
    pub(super) transitions: Vec<(i64, &'a Transition)>,
    /// Open alerts that stand higher than before, with the sequence number of their last transition.
    pub(super) raised: Vec<(&'a Alert, u32)>,
    /// What explaining an opening needs: the alert's transition and the newest checkpoint of this batch before it.
    pub(super) opened_after: Vec<(&'a Transition, (Timestamp, &'a [u8]))>,
    /// Series whose rows went further: from, to.
    pub(super) progress: HashMap<i64, (Progress, Progress)>,
    numbers: HashMap<&'a SeriesId, i64>,
}

impl<'a> Batch<'a> {
    /// Sorts the outcomes. Ones that the store has already, as far as that shows without a lookup, are left out.
    pub(super) fn sort(outcomes: &'a [Outcome], known: &Known) -> Self {
        let mut batch = Self::default();
        let mut last = None;
        for outcome in outcomes {
            let Some((series, at)) = subject(outcome) else { continue };
            // Outcomes of a row follow each other, so most are of the series before.
            let known_number = match last {
                Some((last_series, number)) if last_series == series => Some(number),
                _ => known.numbers.get(series).or_else(|| batch.numbers.get(series)).copied(),
            };
            let number = match known_number {
                Some(number) => number,
                None => {
                    let newest = batch.new_series.last().map(|(number, ..)| number + 1);
                    let number = newest.unwrap_or_else(|| known.next_number());
                    batch.numbers.insert(series, number);
                    batch.new_series.push((number, series, at));
                    number
                }
            };
            last = Some((series, number));
            batch.add(number, outcome, known);
        }
        batch.gather();
        batch
    }

    /// Brings the rows of a series together, in the order they have: a page is then looked up and changed once.
    fn gather(&mut self) {
        self.frames.sort_by_key(|(number, _)| *number);
        self.scores.sort_by_key(|(number, _)| *number);
        self.settled.sort_by_key(|(number, _)| *number);
        self.latents.sort_by_key(|(number, ..)| *number);
    }

    fn add(&mut self, number: i64, outcome: &'a Outcome, known: &Known) {
        match outcome {
            Outcome::SeriesSeen { .. } | Outcome::WarmUp { .. } | Outcome::FitWanted(_) => {}
            Outcome::ChannelSeen { channel_index, channel, .. } => {
                self.channels.push((number, *channel_index as i64, channel.as_str()));
            }
            Outcome::Frame { frame, .. } => self.close(number, Form::Fresh(frame), known),
            Outcome::OpenRow { row, .. } => self.fill(number, Form::Fresh(row), known),
            Outcome::Score { score, .. } => self.score(number, Form::Fresh(score), known),
            Outcome::Settled { settled, .. } => self.settle(number, settled, known),
            Outcome::Latent { at, latent, .. } => self.latents.push((number, at.as_ms(), Form::Fresh(latent))),
            Outcome::Transition(transition) => {
                if let Some(checkpoint) = self.checkpoints.get(&number).filter(|_| transition.sequence == 1) {
                    self.opened_after.push((transition, *checkpoint));
                }
                self.transitions.push((number, transition));
            }
            Outcome::AlertRaised { alert, sequence } => self.raised.push((alert, *sequence)),
            Outcome::State { state, at, reason, .. } => {
                let new = (*at, *state, reason.as_str());
                self.states
                    .entry(number)
                    .and_modify(|old| *old = if new.0 >= old.0 { new } else { *old })
                    .or_insert(new);
            }
            Outcome::Model { series, bundle } => {
                let is_new = self.models.iter().all(|(_, _, other)| other.id() != bundle.id());
                if is_new && !known.models.contains(bundle.id()) {
                    self.models.push((number, series, bundle));
                }
            }
            Outcome::TakeOver(take_over) => self.take_overs.push((number, take_over)),
            Outcome::Budget(row) => drop(self.budgets.insert(number, row)),
            Outcome::Shift { deed, .. } => self.shifts.push((number, deed)),
            Outcome::Power(power) => self.powers.push((number, power)),
            Outcome::Checkpoint { at, bytes, .. } => {
                let new = (*at, bytes.as_slice());
                self.checkpoints
                    .entry(number)
                    .and_modify(|old| *old = if new.0 >= old.0 { new } else { *old })
                    .or_insert(new);
            }
        }
    }

    /// Takes a closed row.
    pub(super) fn close(&mut self, number: i64, frame: FrameForm<'a>, known: &Known) {
        let at_ms = frame.at_ms();
        if self.progress(number, known).close(at_ms) {
            self.frames.push((number, frame));
        }
        while let Some((key, _)) = self.open.range((number, i64::MIN)..=(number, at_ms)).next() {
            let key = *key;
            self.open.remove(&key);
        }
        if let Some(stored) = known.open.get(&number) {
            self.finished.extend(stored.range(..=at_ms).map(|at| (number, *at)));
        }
    }

    /// Takes a live score.
    pub(super) fn score(&mut self, number: i64, score: ScoreForm<'a>, known: &Known) {
        self.progress(number, known).score(score.at_ms());
        self.scores.push((number, score));
    }

    /// Takes a settled score.
    pub(super) fn settle(&mut self, number: i64, settled: &'a SettledRow, known: &Known) {
        self.progress(number, known).settle(settled.at.as_ms());
        self.settled.push((number, settled));
    }

    /// Takes the last word on a row that is being filled.
    pub(super) fn fill(&mut self, number: i64, row: OpenForm<'a>, known: &Known) {
        // A row at or before the last closed one is closed itself, or was skipped by a gap.
        let at_ms = row.at_ms();
        if self.progress(number, known).last_closed_ms.is_none_or(|last| at_ms > last) {
            self.open.insert((number, at_ms), row);
        }
    }

    /// What its rows make of the table `open_rows`.
    pub(super) fn open_changes(&self) -> OpenChanges {
        OpenChanges { written: self.open.keys().copied().collect(), finished: self.finished.iter().copied().collect() }
    }

    fn progress(&mut self, number: i64, known: &Known) -> &mut Progress {
        let start = known.progress.get(&number).copied().unwrap_or_default();
        &mut self.progress.entry(number).or_insert((start, start)).1
    }

    /// Closed rows, live scores and settled scores that the store has not yet: rows of a series come in rising order.
    pub(super) fn count_new(&self) -> (u64, u64, u64) {
        let from = |number: &i64| self.progress.get(number).map_or_else(Progress::default, |(from, _)| *from);
        let n_scores = self.scores.iter().filter(|(n, s)| from(n).last_scored_ms < Some(s.at_ms())).count();
        let n_settled = self.settled.iter().filter(|(n, s)| from(n).last_settled_ms < Some(s.at.as_ms())).count();
        (self.frames.len() as u64, n_scores as u64, n_settled as u64)
    }

    /// Brings the writer's memory up to what is now committed, but for the table `open_rows`.
    pub(super) fn remember(self, known: &mut Known) {
        for (number, series, _) in self.new_series {
            known.numbers.insert(series.clone(), number);
            known.progress.insert(number, Progress::default());
        }
        known.models.extend(self.models.iter().map(|(_, _, bundle)| bundle.id().to_owned()));
        for (number, (_, now)) in self.progress {
            known.progress.insert(number, now);
        }
    }
}

/// The series an outcome is about, and the time that counts as the first one should the series be new; none for
/// outcomes that ask for work instead of rows.
fn subject(outcome: &Outcome) -> Option<(&SeriesId, Timestamp)> {
    match outcome {
        Outcome::SeriesSeen { series, at }
        | Outcome::Latent { series, at, .. }
        | Outcome::State { series, at, .. }
        | Outcome::Checkpoint { series, at, .. } => Some((series, *at)),
        Outcome::ChannelSeen { series, .. } | Outcome::Model { series, .. } | Outcome::Shift { series, .. } => {
            Some((series, Timestamp::from_ms(0)))
        }
        Outcome::Frame { series, frame } => Some((series, frame.at)),
        Outcome::OpenRow { series, row } => Some((series, row.frame.at)),
        Outcome::Score { series, score } => Some((series, score.at)),
        Outcome::Settled { series, settled } => Some((series, settled.at)),
        Outcome::Transition(transition) => Some((&transition.alert.series, transition.at)),
        Outcome::AlertRaised { alert, .. } => Some((&alert.series, alert.opened_at)),
        Outcome::TakeOver(take_over) => Some((&take_over.series, take_over.from)),
        Outcome::Budget(row) => Some((&row.series, row.at)),
        Outcome::Power(power) => Some((&power.series, power.at)),
        Outcome::WarmUp { .. } | Outcome::FitWanted(_) => None,
    }
}
