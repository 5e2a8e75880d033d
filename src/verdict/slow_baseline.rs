//! The slow baseline: a lasting change of level becomes the new normal, at a stated speed, and says so.

use serde::{Deserialize, Serialize};

/// It runs ahead of the data by at most this much downwards, in log units.
const LEVEL_MIN: f64 = -1.0;
/// Fewest rows in which a lasting rise by one log unit is accepted.
const ACCEPTANCE_ROWS_MIN: f64 = 200.0;
/// The same as a share of the calibration rows, when that is more.
const ACCEPTANCE_SHARE: f64 = 0.1;
/// A shift is told when the level passes ln 2 (residuals doubled for good) and may be told again below half of it.
const SHIFT_TOLD: f64 = std::f64::consts::LN_2;

/// A lasting change of level that the baseline has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelShift {
    /// How many times larger residuals now count as normal.
    pub factor: f64,
}

/// Follows the median of log residuals by fixed steps up or down.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SlowBaseline {
    level: f64,
    is_told: bool,
}

impl SlowBaseline {
    /// What a log residual is judged against: rises are forgiven, falls are not held against it.
    pub fn forgiven(&self) -> f64 {
        self.level.max(0.0)
    }

    /// Moves by `step` towards a log residual, whose calibration median is given.
    pub fn follow(&mut self, log_residual: f64, median: f64, step: f64) {
        let ahead = log_residual - median - self.level;
        let sign = if ahead > 0.0 {
            1.0
        } else if ahead < 0.0 {
            -1.0
        } else {
            0.0
        };
        self.level = (self.level + step * sign).max(LEVEL_MIN);
    }

    /// A residual without the lasting rise accepted before it, which then counts towards the next.
    pub fn forgive(&mut self, residual: f64, median: f64, step: f64) -> f64 {
        let shown = residual * (-self.forgiven()).exp();
        self.follow(residual.max(f64::MIN_POSITIVE).ln(), median, step);
        shown
    }

    /// The shift just accepted, once per shift.
    pub fn tell(&mut self) -> Option<LevelShift> {
        if self.level < SHIFT_TOLD / 2.0 {
            self.is_told = false;
        }
        if self.level < SHIFT_TOLD || self.is_told {
            return None;
        }
        self.is_told = true;
        Some(LevelShift { factor: self.level.exp() })
    }

    /// Takes back what was accepted.
    pub fn undo(&mut self) {
        *self = Self::default();
    }
}

/// Step per row, in log units: one over the acceptance time. By default that is 200 rows, or 10 % of the
/// calibration rows when those are more; 0 switches the baseline off.
pub(super) fn step_per_row(acceptance_rows: Option<f64>, calibration_rows: usize) -> f64 {
    match acceptance_rows {
        Some(rows) if rows <= 0.0 => 0.0,
        Some(rows) => 1.0 / rows.max(1.0),
        None => 1.0 / ACCEPTANCE_ROWS_MIN.max(ACCEPTANCE_SHARE * calibration_rows as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_rise_is_accepted_in_the_stated_time_and_told_once() {
        let mut baseline = SlowBaseline::default();
        let step = step_per_row(Some(100.0), 0);
        let mut told = Vec::new();
        for row in 0..200 {
            baseline.follow(1.0, 0.0, step);
            told.extend(baseline.tell().map(|shift| (row, shift.factor)));
        }
        assert!((baseline.forgiven() - 1.0).abs() < 0.02);
        assert_eq!(told.len(), 1);
        // ln 2 of the way at one log unit per 100 rows
        assert_eq!(told[0].0, 69);
        baseline.undo();
        assert_eq!(baseline.forgiven(), 0.0);
    }

    #[test]
    fn a_fall_is_not_held_against_what_comes_after_it() {
        let mut baseline = SlowBaseline::default();
        (0..40).for_each(|_| baseline.follow(9.0, 0.0, 0.01));
        assert!((baseline.forgiven() - 0.4).abs() < 1e-9);
        (0..1000).for_each(|_| baseline.follow(-9.0, 0.0, 0.01));
        assert_eq!(baseline.forgiven(), 0.0);
        // It ran ahead by one log unit and no further: 100 steps bring it back.
        (0..110).for_each(|_| baseline.follow(9.0, 0.0, 0.01));
        assert!((baseline.forgiven() - 0.1).abs() < 1e-9);
    }
}
