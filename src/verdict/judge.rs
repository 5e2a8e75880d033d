//! The judge of one series: residuals in; live score, p-value, evidence and settled scores out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::betting::{Betting, BettingState};
use super::slow_baseline::{LevelShift, SlowBaseline};
use super::spot::{Spot, SpotState};
use super::threshold::{ThresholdRule, ThresholdState};
use super::{Calibration, DecisionRule, DecisionSpec, FalseAlarms};
use crate::series::Timestamp;
use crate::stats::{Ewma, PValue, Residual, SettledKernel};

/// What is known about a row the moment it is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowJudgement {
    /// Smoothed residual; 1.0 is the notable level.
    pub live_score: f64,
    /// Share of held-out live levels at least as high.
    pub p_value: PValue,
    /// What the decision rule has gathered; an alert opens at 1.0.
    pub evidence: f64,
    /// True while an alert is open.
    pub is_anomalous: bool,
    /// The settled score of an earlier row, once there is one.
    pub settled: Option<(Timestamp, f64)>,
    /// A lasting change that counts as normal from this row on.
    pub accepted_shift: Option<LevelShift>,
}

/// The decision rule at work.
#[derive(Debug, Clone)]
enum Rule {
    Betting(Box<Betting>),
    Spot(Spot),
    Threshold(ThresholdRule),
}

/// State of a decision rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum RuleState {
    Betting(Box<BettingState>),
    Spot(SpotState),
    Threshold(ThresholdState),
}

/// All that changes while judging; a judge resumed from it continues bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgeState {
    forgiving: SlowBaseline,
    live: Ewma,
    settled: SettledKernel<Timestamp>,
    rule: RuleState,
}

/// Judges the rows of one series, in time order, under one calibration.
#[derive(Debug, Clone)]
pub struct Judge {
    calibration: Arc<Calibration>,
    /// The lasting rise that the scores no longer show.
    forgiving: SlowBaseline,
    live: Ewma,
    settled: SettledKernel<Timestamp>,
    rule: Rule,
}

impl Judge {
    /// A judge who has seen nothing.
    pub fn new(calibration: Arc<Calibration>, spec: &DecisionSpec) -> Self {
        let rule = match spec.rule {
            DecisionRule::Betting => {
                Rule::Betting(Box::new(Betting::new(&calibration, &spec.betting, spec.openings_per_row)))
            }
            DecisionRule::Spot => Rule::Spot(Spot::new(&calibration, &spec.spot, spec.openings_per_row)),
            DecisionRule::Quantile => {
                Rule::Threshold(ThresholdRule::quantile(&calibration, &spec.quantile, spec.openings_per_row))
            }
            DecisionRule::Fixed => Rule::Threshold(ThresholdRule::fixed(&spec.fixed)),
        };
        let smoothing = &calibration.smoothing;
        Self {
            forgiving: SlowBaseline::default(),
            live: Ewma::new(smoothing.live_alpha),
            settled: SettledKernel::new(smoothing.settled_alpha, smoothing.settle_delay_rows),
            rule,
            calibration,
        }
    }

    /// Takes in a training row: it warms the smoothing and leaves the decision rule alone.
    pub fn warm(&mut self, at: Timestamp, residual: Residual) -> RowJudgement {
        self.judge(at, residual, false)
    }

    /// Judges a row.
    pub fn on_row(&mut self, at: Timestamp, residual: Residual) -> RowJudgement {
        self.judge(at, residual, true)
    }

    fn judge(&mut self, at: Timestamp, residual: Residual, is_scoring: bool) -> RowJudgement {
        let fused = residual.fused;
        let shown = if is_scoring { self.forgive(fused) } else { fused };
        let level = self.live.push(shown);
        let live_score = level / self.calibration.live_notable;
        let notable = self.calibration.settled_notable;
        let settled = self.settled.push(at, shown).map(|(at, level)| (at, level / notable));
        let accepted_shift = match &mut self.rule {
            _ if !is_scoring => None,
            Rule::Betting(rule) => rule.push(residual),
            Rule::Spot(rule) => rule.push(fused),
            Rule::Threshold(rule) => {
                rule.push(live_score);
                None
            }
        };
        let (evidence, is_anomalous) = match &self.rule {
            Rule::Betting(rule) => (rule.evidence(), rule.is_open()),
            Rule::Spot(rule) => (rule.evidence(), rule.is_open()),
            Rule::Threshold(rule) => (rule.evidence(), rule.is_open()),
        };
        RowJudgement {
            live_score,
            p_value: self.calibration.p_value(level),
            evidence,
            is_anomalous,
            settled,
            accepted_shift,
        }
    }

    /// A residual as the scores take it in: without the lasting rise accepted before it.
    fn forgive(&mut self, fused: f64) -> f64 {
        let rows = self.calibration.smoothing.acceptance_rows;
        let step = if rows == 0 { 0.0 } else { 1.0 / rows as f64 };
        self.forgiving.forgive(fused, self.calibration.log_medians.fused, step)
    }

    /// Settled scores of the rows still waiting, with the look-ahead there is. For the end of a recording.
    pub fn settle_rest(&self) -> Vec<(Timestamp, f64)> {
        let notable = self.calibration.settled_notable;
        self.settled.settle_rest().into_iter().map(|(at, level)| (at, level / notable)).collect()
    }

    /// Takes what false alarms have taught, in place of what was told before. No state changes by that: the next row is
    /// judged by it.
    pub fn learn(&mut self, false_alarms: &FalseAlarms) {
        match &mut self.rule {
            Rule::Betting(rule) => rule.learn(&false_alarms.log_maxima, &false_alarms.runner_up_log_maxima),
            Rule::Threshold(rule) => rule.learn(false_alarms.live_peak),
            Rule::Spot(_) => {}
        }
    }

    /// True while the alert that is open may be on its way to its end: nothing surprises any more.
    pub fn is_calming(&self) -> bool {
        match &self.rule {
            Rule::Betting(rule) => rule.is_calming(),
            Rule::Spot(rule) => rule.is_calming(),
            Rule::Threshold(rule) => rule.is_calming(),
        }
    }

    /// Takes back an accepted level shift: the learned level counts as normal again.
    pub fn undo_shift(&mut self) {
        self.forgiving.undo();
        match &mut self.rule {
            Rule::Betting(rule) => rule.undo_shift(),
            Rule::Spot(rule) => rule.undo_shift(),
            Rule::Threshold(_) => {}
        }
    }

    /// All that changes while judging.
    pub fn state(&self) -> JudgeState {
        let rule = match &self.rule {
            Rule::Betting(rule) => RuleState::Betting(Box::new(rule.state.clone())),
            Rule::Spot(rule) => RuleState::Spot(rule.state.clone()),
            Rule::Threshold(rule) => RuleState::Threshold(rule.state.clone()),
        };
        JudgeState { forgiving: self.forgiving.clone(), live: self.live.clone(), settled: self.settled.clone(), rule }
    }

    /// Continues from a saved state. When the decision rule has changed since, it starts anew and the smoothing goes on.
    pub fn resume(&mut self, state: JudgeState) {
        self.forgiving = state.forgiving;
        self.live = state.live;
        self.settled = state.settled;
        match (&mut self.rule, state.rule) {
            (Rule::Betting(rule), RuleState::Betting(state)) => rule.state = *state,
            (Rule::Spot(rule), RuleState::Spot(state)) => rule.state = state,
            (Rule::Threshold(rule), RuleState::Threshold(state)) => rule.state = state,
            _ => {}
        }
    }
}
