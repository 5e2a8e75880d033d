//! SPOT: a peaks-over-threshold level at the alarm budget, refitted as the stream brings new peaks (Siffer et al. 2017).
//!
//! The best plain threshold of the research note: more onsets found than by betting, but tight budgets are broken and
//! a fifth of the normal time is spent in alert. Works on the log of the fused residual less the slow baseline.

use serde::{Deserialize, Serialize};

use super::Calibration;
use super::slow_baseline::{LevelShift, SlowBaseline, step_per_row};
use crate::stats::{GeneralisedPareto, quantile_sorted, sorted};

/// Peaks kept: older ones make room.
const PEAKS_MAX: usize = 1000;

/// Settings of SPOT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpotSpec {
    /// Share of calibration rows below the level from which peaks count.
    pub peak_share: f64,
    /// Rows in which a lasting rise by one log unit is accepted; 0 switches the baseline off.
    pub acceptance_rows: Option<f64>,
    /// Rows below the threshold after which an alert resolves.
    pub resolve_after_rows: usize,
}

impl Default for SpotSpec {
    fn default() -> Self {
        Self { peak_share: 0.98, acceptance_rows: None, resolve_after_rows: 32 }
    }
}

/// All that changes while judging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpotState {
    /// Excesses over the peak level, oldest first.
    peaks: Vec<f64>,
    /// Peaks seen, kept or not.
    n_peaks: u64,
    n_rows: u64,
    threshold: f64,
    baseline: SlowBaseline,
    quiet_rows: usize,
    is_open: bool,
    evidence: f64,
}

/// SPOT over one series.
#[derive(Debug, Clone)]
pub struct Spot {
    peak_level: f64,
    median: f64,
    step: f64,
    openings_per_row: f64,
    resolve_after_rows: usize,
    /// What changes; save and resume it to continue bit for bit.
    pub state: SpotState,
}

impl Spot {
    /// SPOT at a budget of false openings per row.
    pub fn new(calibration: &Calibration, spec: &SpotSpec, openings_per_row: f64) -> Self {
        let logs = sorted(calibration.rows.iter().map(|row| row.fused.max(f64::MIN_POSITIVE).ln()).collect());
        let peak_level = quantile_sorted(&logs, spec.peak_share.clamp(0.5, 0.999));
        let peaks: Vec<f64> = logs.iter().filter(|x| **x > peak_level).map(|x| x - peak_level).collect();
        let mut spot = Self {
            peak_level,
            median: quantile_sorted(&logs, 0.5),
            step: step_per_row(spec.acceptance_rows, calibration.n_rows()),
            openings_per_row,
            resolve_after_rows: spec.resolve_after_rows.max(1),
            state: SpotState {
                n_peaks: peaks.len() as u64,
                peaks,
                n_rows: calibration.n_rows() as u64,
                threshold: 0.0,
                baseline: SlowBaseline::default(),
                quiet_rows: 0,
                is_open: false,
                evidence: 0.0,
            },
        };
        spot.refit();
        spot
    }

    /// Takes in the fused residual of a row. Gives back a level shift on the row on which it counts as accepted.
    pub fn push(&mut self, fused: f64) -> Option<LevelShift> {
        let log_residual = fused.max(f64::MIN_POSITIVE).ln();
        let height = log_residual - self.state.baseline.forgiven();
        let is_above = height >= self.state.threshold;
        // Nothing is learned while an alert is open, also not from the quiet rows that are about to end it.
        if !is_above && !self.state.is_open {
            self.state.n_rows += 1;
            if height > self.peak_level {
                self.take_peak(height - self.peak_level);
            }
        }
        let state = &mut self.state;
        state.evidence = (height - state.threshold).min(50.0).exp();
        state.quiet_rows = if is_above { 0 } else { state.quiet_rows + 1 };
        state.is_open = is_above || (state.is_open && state.quiet_rows < self.resolve_after_rows);
        state.baseline.follow(log_residual, self.median, self.step);
        state.baseline.tell()
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

    /// Takes back what the baseline has accepted.
    pub fn undo_shift(&mut self) {
        self.state.baseline.undo();
    }

    fn take_peak(&mut self, excess: f64) {
        if self.state.peaks.len() == PEAKS_MAX {
            self.state.peaks.remove(0);
        }
        self.state.peaks.push(excess);
        self.state.n_peaks += 1;
        self.refit();
    }

    /// The level that a row exceeds with the probability of the budget, by the tail of the peaks; with too few peaks
    /// an exponential tail of their mean.
    fn refit(&mut self) {
        let state = &mut self.state;
        let mean = state.peaks.iter().sum::<f64>() / state.peaks.len().max(1) as f64;
        let tail =
            GeneralisedPareto::fit(&state.peaks).unwrap_or(GeneralisedPareto { scale: mean.max(1e-3), shape: 0.0 });
        let peak_rate = state.n_peaks.max(1) as f64 / state.n_rows.max(1) as f64;
        let share = (self.openings_per_row / peak_rate).clamp(1e-12, 1.0);
        state.threshold = self.peak_level + tail.quantile_above(share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Residual;
    use crate::verdict::SmoothingSpec;

    /// Even quantiles of the unit exponential in a scrambled order.
    fn exponential(n: usize, shift: usize) -> Vec<f64> {
        (0..n).map(|i| -(1.0 - (((i * 7919 + shift) % n) as f64 + 0.5) / n as f64).ln()).collect()
    }

    #[test]
    fn rows_like_the_calibration_exceed_the_threshold_about_as_often_as_the_budget_says() {
        let calibration =
            Calibration::fit(exponential(5003, 0).into_iter().map(Residual::alone).collect(), SmoothingSpec::default());
        let mut spot = Spot::new(&calibration, &SpotSpec::default(), 1.0 / 500.0);
        let mut n_above = 0;
        for fused in exponential(5003, 11) {
            spot.push(fused);
            n_above += usize::from(spot.evidence() >= 1.0);
        }
        // 5003 rows at 1 per 500
        assert!((5..=20).contains(&n_above), "{n_above}");
    }

    #[test]
    fn an_alert_opens_on_a_wild_row_and_resolves_after_quiet_ones() {
        let calibration =
            Calibration::fit(exponential(1009, 0).into_iter().map(Residual::alone).collect(), SmoothingSpec::default());
        let mut spot = Spot::new(&calibration, &SpotSpec::default(), 1e-4);
        spot.push(1e4);
        assert!(spot.is_open() && spot.evidence() >= 1.0);
        for row in 1..=32 {
            spot.push(0.5);
            assert_eq!(spot.is_open(), row < 32, "{row}");
        }
    }
}
