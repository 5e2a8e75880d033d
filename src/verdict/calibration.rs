//! What normal looks like: the residuals of held-out training rows, and the levels drawn from them.

use serde::{Deserialize, Serialize};

use crate::stats::{Ewma, PValue, Residual, SettledKernel, median, quantile_sorted, sorted};

/// Share of held-out rows below the notable level, 1.0 on the display scale.
const NOTABLE_SHARE: f64 = 0.995;
/// The display scale never divides by less.
const NOTABLE_MIN: f64 = 1e-9;

/// How fused residuals are smoothed into scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SmoothingSpec {
    /// Weight of the newest row in the live score, in (0, 1].
    pub live_alpha: f64,
    /// The same for the settled score.
    pub settled_alpha: f64,
    /// Rows the settled score looks ahead.
    pub settle_delay_rows: usize,
    /// Rows in which a lasting rise of the residual by one log unit leaves the scores; 0 for never.
    pub acceptance_rows: usize,
}

impl Default for SmoothingSpec {
    fn default() -> Self {
        Self { live_alpha: 0.03, settled_alpha: 0.02, settle_delay_rows: 31, acceptance_rows: 1000 }
    }
}

/// Held-out residuals in time order, with the notable levels of both scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// Residuals of the held-out rows, in time order.
    pub rows: Vec<Residual>,
    /// How they are smoothed.
    pub smoothing: SmoothingSpec,
    /// Live level that counts as 1.0.
    pub live_notable: f64,
    /// Settled level that counts as 1.0.
    pub settled_notable: f64,
    /// Live levels of the held-out rows, sorted upwards.
    live_sorted: Vec<f64>,
    /// Median of the logarithms of the held-out fused residuals.
    pub(super) median_log: f64,
}

impl Calibration {
    /// Draws the levels from held-out residuals in time order.
    pub fn fit(rows: Vec<Residual>, smoothing: SmoothingSpec) -> Self {
        let mut live = Ewma::new(smoothing.live_alpha);
        let live_sorted = sorted(rows.iter().map(|row| live.push(row.fused)).collect());
        let mut kernel = SettledKernel::new(smoothing.settled_alpha, smoothing.settle_delay_rows);
        let mut settled: Vec<f64> = rows.iter().filter_map(|row| kernel.push((), row.fused)).map(|(_, s)| s).collect();
        settled.extend(kernel.settle_rest().into_iter().map(|(_, s)| s));
        let notable = |sorted: &[f64]| quantile_sorted(sorted, NOTABLE_SHARE).max(NOTABLE_MIN);
        Self {
            live_notable: notable(&live_sorted),
            settled_notable: notable(&sorted(settled)),
            live_sorted,
            median_log: median_log(&rows, |row| row.fused),
            rows,
            smoothing,
        }
    }

    /// Held-out rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Median of the logarithms of one of the held-out residuals.
    pub fn median_log(&self, of: impl Fn(&Residual) -> f64) -> f64 {
        median_log(&self.rows, of)
    }

    /// Share of held-out rows whose live level is at least this.
    pub fn p_value(&self, live_level: f64) -> PValue {
        PValue::among(&self.live_sorted, live_level)
    }

    /// The `share` quantile of the held-out live levels.
    pub fn live_quantile(&self, share: f64) -> f64 {
        quantile_sorted(&self.live_sorted, share)
    }

    /// Logarithms of the block maxima of one of the held-out residuals, sorted upwards.
    pub fn block_maxima(&self, block_rows: usize, of: impl Fn(&Residual) -> f64) -> Vec<f64> {
        let maximum = |block: &[Residual]| block.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(of(b))).ln();
        sorted(self.rows.chunks_exact(block_rows.max(1)).map(maximum).collect())
    }
}

fn median_log(rows: &[Residual], of: impl Fn(&Residual) -> f64) -> f64 {
    median(&rows.iter().map(|row| of(row).max(f64::MIN_POSITIVE).ln()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_quantiles_of_the_same_smoothing() {
        let rows = (0..1000).map(|i| Residual::alone(f64::from(i * 7919 % 1000))).collect();
        let none = SmoothingSpec { live_alpha: 1.0, settled_alpha: 1.0, settle_delay_rows: 0, acceptance_rows: 0 };
        let calibration = Calibration::fit(rows, none);
        // Without smoothing the levels are quantiles of 0..999 themselves.
        assert!((calibration.live_notable - 0.995 * 999.0).abs() < 1e-9);
        assert!((calibration.settled_notable - 0.995 * 999.0).abs() < 1e-9);
        assert!((calibration.p_value(990.0).value() - 11.0 / 1001.0).abs() < 1e-12);
        assert_eq!(calibration.block_maxima(8, |row| row.fused).len(), 125);
    }

    #[test]
    fn an_empty_or_constant_calibration_divides_by_no_zero() {
        let empty = Calibration::fit(Vec::new(), SmoothingSpec::default());
        assert!(empty.live_notable > 0.0 && empty.p_value(1.0).value() == 1.0);
        let flat = Calibration::fit(vec![Residual::alone(0.0); 50], SmoothingSpec::default());
        assert!(flat.live_notable > 0.0 && flat.block_maxima(8, |row| row.runner_up)[0].is_finite());
    }
}
