//! The pure chain of one series under one model: a closed row in, its judgement out.
//!
//! This is the only scoring path: the daemon, `score`, `evaluate` and every test push rows through it, so that the
//! same rows give the same bits live, offline, in any batching and after a restart.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ScoreRow, SettledRow};
use crate::bundle::ModelBundle;
use crate::detector::{FusedRow, Member, RowScratch};
use crate::series::{Cell, Frame, Timestamp, WindowBuffer};
use crate::stats::{Ewma, Residual};
use crate::verdict::{DecisionSpec, FalseAlarms, Judge, JudgeState, LevelShift, RowJudgement, StuckWatch, Verdict};
use crate::windowing::Closed;

thread_local! {
    /// Working memory of scoring, one a thread: nothing in it outlives a row, and ten thousand chains need no more.
    static SCRATCH: RefCell<RowScratch> = RefCell::default();
}

/// Version of the saved state; an older one starts the chain anew.
const STATE_VERSION: u32 = 3;

/// Whether a row belongs to the training rows of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The model learned from it: it warms window and smoothing, the decision rule is not fed, evidence is 0.
    Training,
    /// The model judges it.
    Scoring,
}

/// What the chain says about a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The judged row; none until the window is full, and when no cell of the row is present.
    pub score: Option<ScoreRow>,
    /// The settled score of an earlier row.
    pub settled: Option<SettledRow>,
    /// Values seen, in the sender's unit, `[channel]` of the model.
    pub observed: Vec<Option<f64>>,
    /// A lasting change of level that counts as normal from this row on.
    pub accepted_shift: Option<LevelShift>,
    /// Channels that no longer move, `[channel]` of the model; feed it to an alert machine of kind stuck.
    pub stuck: Vec<bool>,
}

impl Judged {
    /// The row as the alert machine sees it.
    pub fn verdict(&self) -> Option<Verdict<'_>> {
        self.score.as_ref().map(|score| Verdict {
            at: score.at,
            live_score: score.live_score,
            p_value: score.p_value,
            evidence: score.evidence,
            is_anomalous: score.is_anomalous,
            contributions: &score.contributions,
            observed: &self.observed,
            expected: &score.expected,
        })
    }
}

/// Why a saved state cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// Unreadable, or of another version.
    #[error("the saved state is unreadable: {reason}")]
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// It belongs to another model.
    #[error("the saved state belongs to model {found}, expected {expected}")]
    OtherModel {
        /// Model in the state.
        found: String,
        /// Model given.
        expected: String,
    },
}

/// All that a restart needs besides the last T - 1 rows.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    version: u32,
    model_id: String,
    judge: JudgeState,
    baseline: Ewma,
    stuck: StuckWatch,
}

/// The chain of one series under one model.
#[derive(Debug, Clone)]
pub struct Chain {
    bundle: Arc<ModelBundle>,
    channel_indexes: Vec<usize>,
    window: WindowBuffer,
    judge: Judge,
    baseline: Ewma,
    stuck: StuckWatch,
    /// Position of the autoencoder and of the PCA among the members.
    reported: [Option<usize>; 2],
    /// What the network expects of rows that come next, asked for together with those of other series.
    ahead: VecDeque<Ahead>,
}

/// A row that is about to come.
#[derive(Debug, Clone)]
struct Ahead {
    at: Timestamp,
    /// What the network expects of it, `[channel]` of the model; empty while there is no full window.
    expected: Vec<f32>,
}

impl Chain {
    /// A chain that has seen nothing; `channel_indexes[i]` is the frame index of the model's channel i.
    ///
    /// # Panics
    /// When there is not one index per channel of the model.
    pub fn new(bundle: Arc<ModelBundle>, decision: &DecisionSpec, channel_indexes: Vec<usize>) -> Self {
        assert_eq!(channel_indexes.len(), bundle.channels.len(), "one frame index per channel of the model");
        let members = bundle.members();
        let position = |wanted: Member| members.iter().position(|member| *member == wanted);
        Self {
            window: WindowBuffer::new(bundle.n_time(), channel_indexes.clone()),
            judge: Judge::new(Arc::clone(&bundle.calibration), decision),
            baseline: Ewma::new(bundle.calibration.smoothing.live_alpha),
            stuck: StuckWatch::new(bundle.channels.len()),
            reported: [position(Member::Autoencoder), position(Member::Pca)],
            channel_indexes,
            bundle,
            ahead: VecDeque::new(),
        }
    }

    /// The latent of the window that ends with the last row, by the first member that has one.
    pub fn latent(&self) -> Option<Vec<f32>> {
        let window = self.window.window()?;
        SCRATCH.with_borrow_mut(|scratch| self.bundle.detector.latent(window, scratch))
    }

    /// The same chain in the middle of its work, under the same members with another calibration.
    pub fn recalibrated(&self, bundle: Arc<ModelBundle>, decision: &DecisionSpec) -> Self {
        let mut chain = Self::new(bundle, decision, self.channel_indexes.clone());
        chain.judge.resume(self.judge.state());
        chain.window = self.window.clone();
        chain.baseline = self.baseline.clone();
        chain.stuck = self.stuck.clone();
        chain
    }

    /// The model.
    pub fn bundle(&self) -> &Arc<ModelBundle> {
        &self.bundle
    }

    /// Takes in a closed row, in time order.
    pub fn push(&mut self, frame: &Frame, phase: Phase) -> Judged {
        SCRATCH.with_borrow_mut(|scratch| self.push_with(frame, phase, scratch))
    }

    fn push_with(&mut self, frame: &Frame, phase: Phase, scratch: &mut RowScratch) -> Judged {
        let observed = self.observed(frame);
        let stuck = self.stuck.push(&self.measured(frame), &self.bundle.stuck).to_vec();
        // Rows come as foreseen. Should one not, the windows foreseen behind it are not those that come.
        let ahead = self.ahead.pop_front().filter(|ahead| ahead.at == frame.at);
        if ahead.is_none() {
            self.ahead.clear();
        }
        let expected = ahead.as_ref().map(|ahead| ahead.expected.as_slice()).filter(|expected| !expected.is_empty());
        let is_scored = match self.window.push(frame) {
            Some(window) => self.bundle.detector.score_with(window, expected, scratch),
            None => false,
        };
        if !is_scored {
            return Judged { score: None, settled: None, observed, accepted_shift: None, stuck };
        }
        let row = &scratch.row;
        let judgement = match phase {
            Phase::Training => self.judge.warm(frame.at, row.residual),
            Phase::Scoring => self.judge.on_row(frame.at, row.residual),
        };
        let baseline_error = self.baseline.push(row.baseline);
        Judged {
            score: Some(self.score_row(frame.at, row, &judgement, baseline_error)),
            settled: judgement.settled.map(|(at, settled_score)| SettledRow { at, settled_score }),
            observed,
            accepted_shift: judgement.accepted_shift,
            stuck,
        }
    }

    /// Residuals of rows, oldest first, one for each that ends a full window; nothing of the chain changes.
    pub fn residuals_of(&self, frames: &[Frame]) -> Vec<Residual> {
        let mut window = WindowBuffer::new(self.bundle.n_time(), self.channel_indexes.clone());
        let mut scratch = RowScratch::default();
        let mut residuals = Vec::with_capacity(frames.len());
        for frame in frames {
            let is_scored = window.push(frame).is_some_and(|window| self.bundle.detector.score(window, &mut scratch));
            if is_scored {
                residuals.push(scratch.row.residual);
            }
        }
        residuals
    }

    /// Takes what false alarms have taught, in place of what was told before.
    pub fn learn(&mut self, false_alarms: &FalseAlarms) {
        self.judge.learn(false_alarms);
    }

    /// After a gap too long to bridge: the window starts anew, smoothing and decision go on.
    pub fn on_gap(&mut self) {
        self.window.clear();
        self.ahead.clear();
    }

    /// Appends the scaled windows that end with rows about to be pushed to `windows`, and says of each row whether it
    /// ends one. [`Chain::expect`] takes what the network makes of them.
    pub(super) fn foresee<'a>(
        &self,
        rows: impl Iterator<Item = &'a Closed>,
        windows: &mut Vec<f32>,
        scaled: &mut Vec<f32>,
    ) -> Vec<(Timestamp, bool)> {
        let detector = &self.bundle.detector;
        let (n_channels, len) = (detector.n_channels, detector.n_channels * detector.n_time);
        let (values, mask) = self.window.last_rows();
        scaled.clear();
        scaled.resize(values.len(), 0.0);
        detector.scaler.scale_rows(values, mask, scaled);
        let mut ends = Vec::new();
        for Closed { frame, after_gap } in rows {
            if *after_gap {
                scaled.clear();
            }
            let cells = self.window.row_of(frame).enumerate();
            scaled.extend(cells.map(|(c, (value, is_present))| match is_present {
                true => detector.scaler.scale(c, value),
                false => 0.0,
            }));
            debug_assert!(scaled.len().is_multiple_of(n_channels));
            let window = scaled.len().checked_sub(len).map(|start| &scaled[start..]);
            windows.extend_from_slice(window.unwrap_or_default());
            ends.push((frame.at, window.is_some()));
        }
        ends
    }

    /// Takes in what the network expects of the rows foreseen, `[channel]` each; empty where no window ends.
    pub(super) fn expect(&mut self, rows: impl Iterator<Item = (Timestamp, Vec<f32>)>) {
        self.ahead.clear();
        self.ahead.extend(rows.map(|(at, expected)| Ahead { at, expected }));
    }

    /// Settled scores of the rows still waiting, with the look-ahead there is. For the end of a recording.
    pub fn settle_rest(&self) -> Vec<SettledRow> {
        self.judge.settle_rest().into_iter().map(|(at, settled_score)| SettledRow { at, settled_score }).collect()
    }

    /// True while the alert that is open may be on its way to its end.
    pub fn is_calming(&self) -> bool {
        self.judge.is_calming()
    }

    /// Takes back an accepted level shift.
    pub fn undo_shift(&mut self) {
        self.judge.undo_shift();
    }

    /// All that changes while judging, except the window.
    pub fn save(&self) -> Vec<u8> {
        let saved = Saved {
            version: STATE_VERSION,
            model_id: self.bundle.id().to_owned(),
            judge: self.judge.state(),
            baseline: self.baseline.clone(),
            stuck: self.stuck.clone(),
        };
        // Plain data into memory: there is nothing that could fail, and an empty state is refused by `restore`.
        postcard::to_allocvec(&saved).unwrap_or_default()
    }

    /// The chain that [`Chain::save`] described. [`Chain::refill`] it with the last T - 1 rows (fewer after a gap) and
    /// it continues bit for bit.
    ///
    /// # Errors
    /// When the bytes are unreadable or belong to another model.
    pub fn restore(
        bundle: Arc<ModelBundle>,
        decision: &DecisionSpec,
        channel_indexes: Vec<usize>,
        saved: &[u8],
    ) -> Result<Self, RestoreError> {
        let saved: Saved =
            postcard::from_bytes(saved).map_err(|e| RestoreError::Unreadable { reason: e.to_string() })?;
        if saved.version != STATE_VERSION {
            return Err(RestoreError::Unreadable { reason: format!("version {}", saved.version) });
        }
        if saved.model_id != bundle.id() {
            return Err(RestoreError::OtherModel { found: saved.model_id, expected: bundle.id().to_owned() });
        }
        let mut chain = Self::new(bundle, decision, channel_indexes);
        chain.judge.resume(saved.judge);
        chain.baseline = saved.baseline;
        chain.stuck = saved.stuck;
        Ok(chain)
    }

    /// Puts an already judged row back into the window after a restart, in time order.
    pub fn refill(&mut self, frame: &Frame) {
        self.window.push(frame);
    }

    fn observed(&self, frame: &Frame) -> Vec<Option<f64>> {
        self.values(frame, Cell::is_present)
    }

    /// Held and interpolated cells say nothing about whether a sensor moves.
    fn measured(&self, frame: &Frame) -> Vec<Option<f64>> {
        self.values(frame, |cell| cell == Cell::Measured)
    }

    fn values(&self, frame: &Frame, is_wanted: impl Fn(Cell) -> bool) -> Vec<Option<f64>> {
        let value = |index: &usize| {
            let is_there = frame.cells.get(*index).copied().is_some_and(&is_wanted);
            is_there.then(|| frame.values[*index])
        };
        self.channel_indexes.iter().map(value).collect()
    }

    fn score_row(&self, at: Timestamp, row: &FusedRow, judgement: &RowJudgement, baseline_error: f64) -> ScoreRow {
        let error = |position: Option<usize>| position.map(|index| row.member_errors[index]);
        ScoreRow {
            at,
            live_score: judgement.live_score,
            evidence: judgement.evidence,
            p_value: judgement.p_value.value(),
            autoencoder_error: error(self.reported[0]),
            pca_error: error(self.reported[1]),
            baseline_error,
            is_anomalous: judgement.is_anomalous,
            contributions: row.contributions.clone(),
            member_contributions: row.member_contributions.clone(),
            expected: row.expected.clone(),
        }
    }
}
