//! What normal looks like: the residuals of held-out training rows, and the levels drawn from them.

use std::sync::{Arc, OnceLock};

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

/// What is known of each of a row's residuals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerResidual<T> {
    /// Of [`Residual::fused`].
    pub fused: T,
    /// Of [`Residual::runner_up`].
    pub runner_up: T,
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
    /// Medians of the logarithms of the held-out residuals.
    pub log_medians: PerResidual<f64>,
    blocks: Blocks,
}

/// Log block maxima of so many rows a block, sorted upwards. Drawn once and shared by all series that are judged under
/// the calibration: ten thousand copies would not fit an edge box.
#[derive(Debug, Clone, Default)]
struct Blocks(OnceLock<(usize, PerResidual<Arc<[f64]>>)>);

impl PartialEq for Blocks {
    /// They follow from the rows.
    fn eq(&self, _: &Self) -> bool {
        true
    }
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
            log_medians: PerResidual {
                fused: log_median(&rows, |row| row.fused),
                runner_up: log_median(&rows, |row| row.runner_up),
            },
            rows,
            smoothing,
            blocks: Blocks::default(),
        }
    }

    /// Held-out rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Share of held-out rows whose live level is at least this.
    pub fn p_value(&self, live_level: f64) -> PValue {
        PValue::among(&self.live_sorted, live_level)
    }

    /// The `share` quantile of the held-out live levels.
    pub fn live_quantile(&self, share: f64) -> f64 {
        quantile_sorted(&self.live_sorted, share)
    }

    /// Logarithms of the block maxima of the held-out residuals, sorted upwards.
    pub fn block_maxima(&self, block_rows: usize) -> PerResidual<Arc<[f64]>> {
        let draw = || PerResidual {
            fused: self.sorted_maxima(block_rows, |row| row.fused),
            runner_up: self.sorted_maxima(block_rows, |row| row.runner_up),
        };
        let (kept_rows, kept) = self.blocks.0.get_or_init(|| (block_rows, draw()));
        if *kept_rows == block_rows { kept.clone() } else { draw() }
    }

    fn sorted_maxima(&self, block_rows: usize, of: fn(&Residual) -> f64) -> Arc<[f64]> {
        let blocks = self.rows.chunks_exact(block_rows.max(1));
        sorted(blocks.map(|block| log_maximum(block, of)).collect()).into()
    }
}

/// Logarithm of the highest of one of the residuals of a block.
pub(super) fn log_maximum(block: &[Residual], of: fn(&Residual) -> f64) -> f64 {
    block.iter().map(of).fold(f64::MIN_POSITIVE, f64::max).ln()
}

fn log_median(rows: &[Residual], of: fn(&Residual) -> f64) -> f64 {
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
        assert_eq!(calibration.block_maxima(8).fused.len(), 125);
    }

    #[test]
    fn an_empty_or_constant_calibration_divides_by_no_zero() {
        let empty = Calibration::fit(Vec::new(), SmoothingSpec::default());
        assert!(empty.live_notable > 0.0 && empty.p_value(1.0).value() == 1.0);
        let flat = Calibration::fit(vec![Residual::alone(0.0); 50], SmoothingSpec::default());
        assert!(flat.live_notable > 0.0 && flat.block_maxima(8).runner_up[0].is_finite());
    }

    #[test]
    fn all_judges_under_a_calibration_share_its_block_maxima() {
        let calibration = Calibration::fit(vec![Residual::alone(1.0); 64], SmoothingSpec::default());
        let (first, second) = (calibration.block_maxima(16), calibration.block_maxima(16));
        assert!(Arc::ptr_eq(&first.fused, &second.fused) && Arc::ptr_eq(&first.runner_up, &second.runner_up));
        assert_eq!(calibration.block_maxima(8).fused.len(), 8, "another size of block is drawn anew");
    }
}
