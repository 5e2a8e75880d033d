//! Plain thresholds on the live score, with hysteresis: a fixed level, or a quantile of held-out scores.

use serde::{Deserialize, Serialize};

use super::Calibration;

/// An open alert counts a row as quiet below this share of the threshold.
const QUIET_SHARE: f64 = 0.8;

/// Settings of the quantile rule: the threshold is the quantile of held-out live scores at the alarm budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuantileSpec {
    /// Anomalous rows in a row after which an alert opens.
    pub open_after_rows: usize,
    /// Quiet rows in a row after which it resolves.
    pub resolve_after_rows: usize,
}

impl Default for QuantileSpec {
    fn default() -> Self {
        Self { open_after_rows: 3, resolve_after_rows: 16 }
    }
}

/// Settings of the fixed rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixedSpec {
    /// Live score from which a row counts as anomalous; 1.0 is the notable level.
    pub live_score: f64,
    /// Anomalous rows in a row after which an alert opens.
    pub open_after_rows: usize,
    /// Quiet rows in a row after which it resolves.
    pub resolve_after_rows: usize,
}

impl Default for FixedSpec {
    fn default() -> Self {
        Self { live_score: 2.0, open_after_rows: 3, resolve_after_rows: 16 }
    }
}

/// All that changes while judging.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ThresholdState {
    anomalous_rows: usize,
    quiet_rows: usize,
    is_open: bool,
    evidence: f64,
}

/// A threshold on the live score with hysteresis.
#[derive(Debug, Clone)]
pub struct ThresholdRule {
    threshold: f64,
    /// Without what false alarms have taught.
    own_threshold: f64,
    open_after_rows: usize,
    resolve_after_rows: usize,
    /// What changes; save and resume it to continue bit for bit.
    pub state: ThresholdState,
}

impl ThresholdRule {
    /// The quantile of held-out live scores that a share `openings_per_row` of rows exceeds.
    pub fn quantile(calibration: &Calibration, spec: &QuantileSpec, openings_per_row: f64) -> Self {
        let threshold = calibration.live_quantile(1.0 - openings_per_row) / calibration.live_notable;
        Self::new(threshold, spec.open_after_rows, spec.resolve_after_rows)
    }

    /// A fixed live score.
    pub fn fixed(spec: &FixedSpec) -> Self {
        Self::new(spec.live_score, spec.open_after_rows, spec.resolve_after_rows)
    }

    fn new(threshold: f64, open_after_rows: usize, resolve_after_rows: usize) -> Self {
        Self {
            threshold: threshold.max(1e-12),
            own_threshold: threshold.max(1e-12),
            open_after_rows: open_after_rows.max(1),
            resolve_after_rows: resolve_after_rows.max(1),
            state: ThresholdState::default(),
        }
    }

    /// Takes live scores up to this one as ordinary, in place of the one told before.
    pub fn learn(&mut self, live_peak: f64) {
        self.threshold = self.own_threshold.max(live_peak.next_up());
    }

    /// Takes in the live score of a row.
    pub fn push(&mut self, live_score: f64) {
        let state = &mut self.state;
        let height = live_score / self.threshold;
        if state.is_open {
            state.evidence = height;
            state.quiet_rows = if height < QUIET_SHARE { state.quiet_rows + 1 } else { 0 };
            if state.quiet_rows >= self.resolve_after_rows {
                *state = ThresholdState::default();
            }
            return;
        }
        state.anomalous_rows = if height >= 1.0 { state.anomalous_rows + 1 } else { 0 };
        // Rows still to come hold the evidence below 1: it reaches 1 with the row that opens.
        let waited = state.anomalous_rows as f64 / self.open_after_rows as f64;
        state.evidence = if height >= 1.0 { waited } else { height.min(1.0) / self.open_after_rows as f64 };
        if state.anomalous_rows >= self.open_after_rows {
            state.is_open = true;
            state.quiet_rows = 0;
        }
    }

    /// Evidence gathered; an alert opens at 1.0.
    pub fn evidence(&self) -> f64 {
        self.state.evidence
    }

    /// True while the alert that is open may be on its way to its end: the last row was quiet.
    pub fn is_calming(&self) -> bool {
        self.state.quiet_rows > 0
    }

    /// True while an alert is open.
    pub fn is_open(&self) -> bool {
        self.state.is_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_opens_after_enough_rows_and_resolves_after_enough_quiet_ones() {
        let mut rule = ThresholdRule::fixed(&FixedSpec { live_score: 1.0, open_after_rows: 2, resolve_after_rows: 3 });
        let is_open: Vec<bool> = [0.5, 1.5, 0.5, 1.5, 1.5, 0.9, 0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5]
            .into_iter()
            .map(|score| {
                rule.push(score);
                rule.is_open()
            })
            .collect();
        let expected = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0].map(|x| x == 1);
        assert_eq!(is_open, expected);
    }
}
