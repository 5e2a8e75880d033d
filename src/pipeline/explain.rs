//! Why an alert opened: its score computed again from the stored rows, the model and its calibration, through the chain
//! that computed it in the first place, and held against what was stored then.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::chain::{Chain, Judged, Phase};
use super::checkpoint::Checkpoint;
use super::rebuild::{is_gap, resume_chain};
use super::training::channel_indexes;
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Frame, Timestamp};
use crate::stats::Residual;
use crate::verdict::{Alert, DecisionSpec, FalseAlarms};

/// What the store kept around an alert.
#[derive(Debug)]
pub struct AlertContext {
    /// The alert.
    pub alert: Alert,
    /// Channels of its series, in frame order.
    pub channels: Vec<ChannelName>,
    /// The model that judged it; or why there is none.
    pub bundle: Result<Arc<ModelBundle>, String>,
    /// The state of the judge before the alert opened.
    pub checkpoint: Option<Checkpoint>,
    /// A later state of the series: it still knows how it is judged.
    pub later: Option<Checkpoint>,
    /// First row that the model judged.
    pub judged_from: Option<Timestamp>,
    /// First row that the next model judged.
    pub judged_until: Option<Timestamp>,
    /// Closed rows, oldest first: what the state needs, those since, those shown.
    pub frames: Vec<Frame>,
    /// First row to show.
    pub shown_from: Timestamp,
    /// Rows as they were judged then, oldest first, from `shown_from` on.
    pub stored: Vec<StoredRow>,
    /// True when the rows go on beyond what is here.
    pub is_cut: bool,
}

/// A row as it was judged then.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// Event time.
    pub at: Timestamp,
    /// 1.0 is the notable level.
    pub live_score: f64,
    /// An alert opens at 1.0.
    pub evidence: f64,
    /// In (0, 1].
    pub p_value: f64,
    /// What was expected, in the sender's unit, `[channel]` of the model.
    pub expected: Vec<f64>,
    /// Share of the score owed to each channel, `[channel]` of the model.
    pub contributions: Vec<f32>,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowPhase {
    /// Before the alert opened.
    Before,
    /// While it was open.
    During,
    /// After it resolved.
    After,
}

impl RowPhase {
    /// The word used in JSON and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// A row of an explanation; `[channel]` as in [`Explanation::channels`].
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedRow {
    /// Event time.
    pub at: Timestamp,
    /// Where it lies.
    pub phase: RowPhase,
    /// Values seen, in the sender's unit; none where missing.
    pub observed: Vec<Option<f64>>,
    /// Values expected; empty when the row was not judged.
    pub expected: Vec<f64>,
    /// Share of the score owed to each channel; empty when the row was not judged.
    pub contributions: Vec<f32>,
    /// As stored; none when the row was not judged.
    pub live_score: Option<f64>,
    /// As computed again; none when it could not be.
    pub rebuilt_score: Option<f64>,
    /// As stored.
    pub evidence: Option<f64>,
    /// As stored.
    pub p_value: Option<f64>,
}

/// Why an alert opened.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The alert.
    pub alert: Alert,
    /// Channels, in the order of every row.
    pub channels: Vec<ChannelName>,
    /// Rows before, during and after, oldest first.
    pub rows: Vec<ExplainedRow>,
    /// Rows whose score was computed again.
    pub n_rebuilt: usize,
    /// Those of them in which score, evidence, p-value and expected values equal what was stored, to the last bit.
    pub n_equal: usize,
    /// Largest difference of a score from what was stored.
    pub difference_max: f64,
    /// What a reader must know: why rows could not be computed again, or why they differ.
    pub notes: Vec<String>,
}

/// Computes the score of an alert again.
pub fn explain(context: AlertContext) -> Explanation {
    let mut notes = Vec::new();
    if context.is_cut {
        notes.push("the alert is longer than what is shown; `kilter scores` has all of it".to_owned());
    }
    let judged = match rebuild(&context) {
        Ok(judged) => judged,
        Err(reason) => {
            notes.push(format!("the score could not be computed again: {reason}"));
            Vec::new()
        }
    };
    let channels = match &context.bundle {
        Ok(bundle) => bundle.channels.clone(),
        // Values expected are kept in the order of the model, which is by name.
        Err(_) => {
            let mut names = context.channels.clone();
            names.sort();
            names
        }
    };
    let indexes: Vec<Option<usize>> =
        channels.iter().map(|name| context.channels.iter().position(|channel| channel == name)).collect();
    let over = context.alert.resolved_at;
    let shown = context.frames.iter().filter(|frame| frame.at >= context.shown_from);
    let mut explanation = Explanation {
        alert: context.alert.clone(),
        rows: Vec::new(),
        n_rebuilt: 0,
        n_equal: 0,
        difference_max: 0.0,
        notes,
        channels,
    };
    for frame in shown {
        let stored = find(&context.stored, frame.at, |row| row.at);
        let again = find(&judged, frame.at, |(at, _)| *at).and_then(|(_, judged)| judged.score.as_ref());
        let phase = match frame.at {
            at if at < context.alert.opened_at => RowPhase::Before,
            at if over.is_some_and(|over| at >= over) => RowPhase::After,
            _ => RowPhase::During,
        };
        if let Some((stored, again)) = stored.zip(again) {
            explanation.n_rebuilt += 1;
            let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
            let is_equal = same(stored.live_score, again.live_score)
                && same(stored.evidence, again.evidence)
                && same(stored.p_value, again.p_value)
                && stored.expected.len() == again.expected.len()
                && stored.expected.iter().zip(&again.expected).all(|(a, b)| same(*a, *b));
            explanation.n_equal += usize::from(is_equal);
            let difference = (stored.live_score - again.live_score).abs();
            explanation.difference_max = explanation.difference_max.max(difference);
        }
        explanation.rows.push(ExplainedRow {
            at: frame.at,
            phase,
            observed: indexes.iter().map(|index| value(frame, *index)).collect(),
            expected: stored.map(|row| row.expected.clone()).unwrap_or_default(),
            contributions: stored.map(|row| row.contributions.clone()).unwrap_or_default(),
            live_score: stored.map(|row| row.live_score),
            rebuilt_score: again.map(|score| score.live_score),
            evidence: stored.map(|row| row.evidence),
            p_value: stored.map(|row| row.p_value),
        });
    }
    if explanation.n_equal < explanation.n_rebuilt {
        explanation.notes.push(format!(
            "{} of {} rows computed again differ from what was stored, by at most {:.3e}: they were judged on another kind \
             of processor or by another version ({} fitted the model), or rows before them have been removed",
            explanation.n_rebuilt - explanation.n_equal,
            explanation.n_rebuilt,
            explanation.difference_max,
            context.bundle.as_ref().map_or("?", |bundle| bundle.provenance.kilter_version.as_str()),
        ));
    }
    explanation
}

fn value(frame: &Frame, index: Option<usize>) -> Option<f64> {
    let index = index.filter(|index| frame.cells.get(*index).is_some_and(|cell| cell.is_present()))?;
    frame.values.get(index).copied()
}

fn find<T>(rows: &[T], at: Timestamp, time: impl Fn(&T) -> Timestamp) -> Option<&T> {
    rows.binary_search_by_key(&at, time).ok().and_then(|index| rows.get(index))
}

/// The rows judged again, in order, with their times.
fn rebuild(context: &AlertContext) -> Result<Vec<(Timestamp, Judged)>, String> {
    let bundle = context.bundle.as_ref().map_err(Clone::clone)?;
    let until = |at: Timestamp| context.judged_until.is_none_or(|until| at < until);
    let snapshot = context.checkpoint.as_ref().and_then(|checkpoint| {
        let (model_id, _, state) = checkpoint.judging.as_ref()?;
        (model_id == bundle.id()).then_some((checkpoint, checkpoint.last_at?, state))
    });
    let Some((checkpoint, last_at, state)) = snapshot else {
        return from_training(context, bundle);
    };
    let split = context.frames.partition_point(|frame| frame.at <= last_at);
    let (recent, later) = context.frames.split_at(split);
    let told = (&checkpoint.decision, &checkpoint.false_alarms);
    let mut chain = resume_chain(bundle, &context.channels, told, checkpoint.stride, state, recent)?;
    let mut before = Some(last_at);
    let rows = later.iter().take_while(|frame| until(frame.at)).map(|frame| {
        if before.replace(frame.at).is_some_and(|before| is_gap(checkpoint.stride, before, frame.at)) {
            chain.on_gap();
        }
        (frame.at, chain.push(frame, Phase::Scoring))
    });
    Ok(rows.collect())
}

/// Without a state to go on from: from the first row that the model was fitted on.
fn from_training(context: &AlertContext, bundle: &Arc<ModelBundle>) -> Result<Vec<(Timestamp, Judged)>, String> {
    if bundle.provenance.calibrated_to.is_some() {
        return Err(
            "its calibration grew in the middle of judging, and the state it went on from is not kept".to_owned()
        );
    }
    let first_at = bundle.provenance.first_at;
    if context.frames.first().is_none_or(|frame| frame.at > first_at) {
        return Err(format!("rows since {first_at}, from which the model learned, are not kept any more"));
    }
    let judged_from = context.judged_from.ok_or("it is not known from which row on the model judged")?;
    let indexes = channel_indexes(&bundle.channels, &context.channels).ok_or("a channel of the model is unknown")?;
    let (decision, stride) =
        context.later.as_ref().map_or((DecisionSpec::default(), None), |later| (later.decision.clone(), later.stride));
    let mut chain = Chain::new(Arc::clone(bundle), &decision, indexes);
    let mut before = None;
    let rows = context.frames.iter().filter(|frame| frame.at >= first_at);
    let wanted = rows.take_while(|frame| context.judged_until.is_none_or(|until| frame.at < until));
    let judged = wanted.map(|frame| {
        if before.replace(frame.at).is_some_and(|before| is_gap(stride, before, frame.at)) {
            chain.on_gap();
        }
        let phase = if frame.at < judged_from { Phase::Training } else { Phase::Scoring };
        (frame.at, phase, chain.push(frame, phase))
    });
    Ok(judged.filter(|(_, phase, _)| *phase == Phase::Scoring).map(|(at, _, judged)| (at, judged)).collect())
}

/// Whether an alert would open if people had called these alerts false.
#[derive(Debug)]
pub struct Rejudged<'a> {
    /// The model in charge.
    pub bundle: &'a Arc<ModelBundle>,
    /// Channels of the series, in frame order.
    pub channels: &'a [ChannelName],
    /// How it decides.
    pub decision: &'a DecisionSpec,
}

impl Rejudged<'_> {
    /// Residuals of rows, oldest first: one for each row that ends a full window.
    ///
    /// # Errors
    /// When a channel of the model is unknown to the series.
    pub fn residuals(&self, frames: &[Frame]) -> Result<Vec<Residual>, String> {
        let indexes = channel_indexes(&self.bundle.channels, self.channels).ok_or("a channel of it is unknown")?;
        Ok(Chain::new(Arc::clone(self.bundle), self.decision, indexes).residuals_of(frames))
    }

    /// What false alarms come to, from the residuals of each.
    pub fn gather(&self, spans: &[Vec<Residual>]) -> FalseAlarms {
        FalseAlarms::gather(&self.bundle.calibration, self.decision.betting.block_rows, spans)
    }

    /// True when a judge that knows these false alarms opens an alert within rows of these residuals.
    pub fn opens(&self, residuals: &[Residual], false_alarms: &FalseAlarms) -> bool {
        let mut judge = crate::verdict::Judge::new(Arc::clone(&self.bundle.calibration), self.decision);
        judge.learn(false_alarms);
        let rows = residuals.iter().enumerate();
        let mut judged = rows.map(|(row, residual)| judge.on_row(Timestamp::from_ms(row as i64), *residual));
        judged.any(|judgement| judgement.is_anomalous)
    }
}
