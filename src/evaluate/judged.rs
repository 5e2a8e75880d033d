//! A recorded series judged by the daemon's own pipeline, brought back to its input rows.
//!
//! The pipeline fits on the first rows and judges the rest, exactly as it does live. Its rows lie on a grid and the
//! first ones have no window yet; here every *input* row gets the judgement of its grid row, and where that has
//! none (before the first full window, or with every reading missing) the nearest earlier one, else the first.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::SeriesRows;
use super::clock::ThreadClock;
use crate::bundle::{FitError, FitProgress, ModelBundle, ROWS_MIN};
use crate::pipeline::{Chain, Outcome, Phase, Pipeline, Replay, ScoreRow, SeriesSpec, SettledRow, WarmUp};
use crate::series::{ChannelName, Frame, Timestamp};
use crate::verdict::{AlertKind, SeriesState, Transition};
use crate::windowing::{Assembler, GridKind, IndexedReading};

/// Rows between two looks at the clock.
const ROWS_PER_LAP: u32 = 64;

/// What is said about one input row. Every number is finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JudgedRow {
    /// True when the model learned from the row.
    pub is_training: bool,
    /// From nothing later than the row; 1.0 is the notable level.
    pub live_score: f64,
    /// With the look-ahead of the settle delay; 1.0 is the notable level.
    pub settled_score: f64,
    /// What the decision rule has gathered; an alert opens at 1.0.
    pub evidence: f64,
    /// In (0, 1].
    pub p_value: f64,
    /// Mean squared residual of the autoencoder, in scaled units; 0 when it is not among the members.
    pub autoencoder_error: f64,
    /// The same for the PCA.
    pub pca_error: f64,
    /// Smoothed squared z-score.
    pub baseline_error: f64,
    /// True while an alert is open.
    pub is_anomalous: bool,
    /// The channel most to blame, among the model's channels.
    pub top_channel: usize,
}

/// A judged series.
#[derive(Debug, Clone)]
pub struct JudgedSeries {
    /// One entry per input row.
    pub rows: Vec<JudgedRow>,
    /// The model that judged.
    pub bundle: Arc<ModelBundle>,
    /// The budget it really ran at, in openings per row.
    pub openings_per_row: f64,
    /// Alerts that opened and resolved, in order.
    pub transitions: Vec<Transition>,
    /// Seconds of processor time that the fit took.
    pub fit_seconds: f64,
    /// Rows judged in a second of processor time by the whole pipeline, one at a time.
    pub rows_per_second: f64,
}

impl JudgedSeries {
    /// Name of the channel most to blame for a row.
    pub fn top_channel(&self, row: &JudgedRow) -> &ChannelName {
        &self.bundle.channels[row.top_channel]
    }
}

/// Why a series could not be judged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JudgeError {
    /// The training rows are more than there are rows.
    #[error("{wanted} training rows are wanted, the recording has {found} rows")]
    TrainRows {
        /// Rows found.
        found: usize,
        /// Rows wanted.
        wanted: usize,
    },
    /// No model could be fitted.
    #[error("no model could be fitted: {reason}")]
    NoModel {
        /// What the pipeline said.
        reason: String,
    },
    /// A model was fitted, but no row ended a full window.
    #[error("no row could be judged: none ends a window of {n_time} rows without a gap{hint}")]
    NothingJudged {
        /// Rows of a window.
        n_time: usize,
        /// What to change.
        hint: &'static str,
    },
    /// The fit failed or was cancelled.
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// Fits on the first `train_rows` input rows and judges all rows, by `spec` with its warm-up set accordingly.
///
/// # Errors
/// When there are fewer rows than that, nothing can be fitted on them, none can be judged, or `progress` asks to stop.
pub fn judge_rows(
    rows: &SeriesRows,
    train_rows: usize,
    spec: &SeriesSpec,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<JudgedSeries, JudgeError> {
    if train_rows > rows.n_rows() || train_rows == 0 {
        return Err(JudgeError::TrainRows { found: rows.n_rows(), wanted: train_rows });
    }
    let usable = usable_rows(rows, train_rows, spec);
    if usable < ROWS_MIN as u64 {
        return Err(FitError::TooFewRows { found: usable as usize, needed: ROWS_MIN }.into());
    }
    let spec = SeriesSpec { warm_up: WarmUp::Rows(usable), ..spec.clone() };
    let mut replay = Replay::new(Pipeline::new(vec![spec.clone()], 1));
    let mut progress = |_: &_, step| progress(step);
    let mut heard = Heard::default();
    let (mut fit_seconds, mut judging_seconds, mut n_judged) = (0.0, 0.0, 0_u32);
    let (mut clock, mut since_lap) = (ThreadClock::start(), 0);
    for row in 0..rows.n_rows() {
        let outcomes = replay.on_message(0, &rows.readings(row), rows.at[row], &mut progress)?;
        since_lap += 1;
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Model { .. })) {
            fit_seconds += clock.lap();
            since_lap = 0;
        } else if since_lap == ROWS_PER_LAP || row + 1 == rows.n_rows() {
            let seconds = clock.lap();
            let n_rows = std::mem::take(&mut since_lap);
            if heard.bundle.is_some() {
                judging_seconds += seconds;
                n_judged += n_rows;
            }
        }
        heard.take(outcomes);
    }
    heard.take(replay.finish(&mut progress)?);
    let rows_per_second = f64::from(n_judged) / f64::max(judging_seconds, f64::MIN_POSITIVE);
    let Some(bundle) = heard.bundle.clone() else { return Err(JudgeError::NoModel { reason: heard.reason }) };
    heard.judge_training(&bundle, rows, &spec);
    let openings_per_row = spec.decision_for(bundle.calibration.n_rows()).openings_per_row;
    let judged = heard.on_input_rows(rows, &spec, bundle.provenance.last_at);
    if judged.is_empty() {
        let hint = match spec.grid.grid {
            GridKind::Time => "; set `stride` to the distance of the rows, or judge each row as it is on the row grid",
            GridKind::Row => "; is `silence_after` shorter than the distance of the rows?",
        };
        return Err(JudgeError::NothingJudged { n_time: bundle.n_time(), hint });
    }
    Ok(JudgedSeries {
        rows: judged,
        bundle,
        openings_per_row,
        transitions: heard.transitions,
        fit_seconds,
        rows_per_second,
    })
}

/// Grid rows with a usable value among the first `train_rows` input rows.
fn usable_rows(rows: &SeriesRows, train_rows: usize, spec: &SeriesSpec) -> u64 {
    let mut assembler = Assembler::new(spec.grid.clone());
    let mut usable = 0;
    let mut count = |closed: Vec<crate::windowing::Closed>| {
        usable += closed.iter().filter(|closed| closed.frame.n_present() > 0).count() as u64;
    };
    for row in 0..train_rows {
        let readings: Vec<IndexedReading> = rows
            .readings(row)
            .into_iter()
            .enumerate()
            .map(|(channel_index, r)| IndexedReading { channel_index, at: r.at, value: r.value, quality: r.quality })
            .collect();
        count(assembler.push_message(&readings, rows.at[row]).closed);
    }
    count(assembler.finish().closed);
    usable
}

/// What the pipeline said, by event time of the grid row.
#[derive(Default)]
struct Heard {
    frames: Vec<Frame>,
    scores: BTreeMap<Timestamp, ScoreRow>,
    settled: BTreeMap<Timestamp, f64>,
    transitions: Vec<Transition>,
    bundle: Option<Arc<ModelBundle>>,
    reason: String,
}

impl Heard {
    fn take(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Frame { frame, .. } => self.frames.push(frame),
                Outcome::Score { score, .. } => drop(self.scores.insert(score.at, score)),
                Outcome::Settled { settled, .. } => self.take_settled(settled),
                // Labels are held against what the score claims; stuck, silent and impossible channels have their own kinds.
                Outcome::Transition(transition) if transition.alert.kind == AlertKind::Anomaly => {
                    self.transitions.push(transition);
                }
                Outcome::Model { bundle, .. } => self.bundle = Some(bundle),
                Outcome::State { state: SeriesState::WarmingUp, reason, .. } => self.reason = reason,
                _ => {}
            }
        }
    }

    fn take_settled(&mut self, settled: SettledRow) {
        self.settled.insert(settled.at, settled.settled_score);
    }

    /// The rows that the model learned from, as the chain saw them while it warmed up. The service does not store
    /// these: they flatter the model.
    fn judge_training(&mut self, bundle: &Arc<ModelBundle>, rows: &SeriesRows, spec: &SeriesSpec) {
        let position = |channel| rows.channels.iter().position(|known| known == channel);
        let Some(indexes) = bundle.channels.iter().map(position).collect::<Option<Vec<_>>>() else { return };
        let mut chain = Chain::new(Arc::clone(bundle), &spec.decision_for(bundle.calibration.n_rows()), indexes);
        let n_training = self.frames.partition_point(|frame| frame.at <= bundle.provenance.last_at);
        let mut before = None;
        for index in 0..n_training {
            let frame = &self.frames[index];
            if before.replace(frame.at).is_some_and(|before| spec.is_gap(before, frame.at)) {
                chain.on_gap();
            }
            let judged = chain.push(frame, Phase::Training);
            if let Some(score) = judged.score {
                self.scores.insert(score.at, score);
            }
            if let Some(settled) = judged.settled {
                self.take_settled(settled);
            }
        }
        if n_training == self.frames.len() {
            chain.settle_rest().into_iter().for_each(|settled| self.take_settled(settled));
        }
    }

    fn on_input_rows(&self, rows: &SeriesRows, spec: &SeriesSpec, trained_to: Timestamp) -> Vec<JudgedRow> {
        let mut judged = Vec::with_capacity(self.frames.len());
        let mut last = self.scores.values().next();
        let mut settled = self.settled.values().next().copied().unwrap_or(0.0);
        for frame in &self.frames {
            last = self.scores.get(&frame.at).or(last);
            settled = self.settled.get(&frame.at).copied().unwrap_or(settled);
            let Some(score) = last else { continue };
            judged.push((frame.at, judged_row(score, settled, frame.at <= trained_to)));
        }
        let Some(first) = judged.first().map(|(_, row)| *row) else { return Vec::new() };
        let grid_row = |at: Timestamp| match spec.grid.grid {
            GridKind::Row => at,
            GridKind::Time => spec.grid.stride.floor(at),
        };
        rows.at
            .iter()
            .map(|at| match judged.partition_point(|(grid_at, _)| *grid_at <= grid_row(*at)) {
                0 => first,
                after => judged[after - 1].1,
            })
            .collect()
    }
}

fn judged_row(score: &ScoreRow, settled_score: f64, is_training: bool) -> JudgedRow {
    let blame = |best: (usize, f32), (channel, share): (usize, &f32)| match *share > best.1 {
        true => (channel, *share),
        false => best,
    };
    JudgedRow {
        is_training,
        live_score: score.live_score,
        settled_score,
        evidence: score.evidence,
        p_value: score.p_value,
        autoencoder_error: score.autoencoder_error.unwrap_or(0.0),
        pca_error: score.pca_error.unwrap_or(0.0),
        baseline_error: score.baseline_error,
        is_anomalous: score.is_anomalous,
        top_channel: score.contributions.iter().enumerate().fold((0, f32::MIN), blame).0,
    }
}
