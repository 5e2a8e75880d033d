//! What alerts that people called false teach a judge: how high residuals may rise and still be ordinary.
//!
//! Under the betting rule the block maxima of a false alarm join the held-out ones, with the same weight together, so
//! that blocks like them are no longer surprising: the next one like it gathers little evidence, one that stays at its
//! height for longer, or goes higher, still opens an alert. Under
//! a threshold on the live score the threshold rises to the highest live score of the false alarms. The SPOT rule, which
//! refits itself on the stream, takes nothing in.

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, log_maximum};
use crate::stats::{Ewma, Residual};

/// What the false alarms of one series come to under its model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FalseAlarms {
    /// Logarithms of the block maxima of their fused residuals.
    pub log_maxima: Vec<f64>,
    /// The same of their runners-up.
    pub runner_up_log_maxima: Vec<f64>,
    /// Highest live score; 1.0 is the notable level.
    pub live_peak: f64,
}

impl FalseAlarms {
    /// From the residuals of each false alarm's rows, in time order, and the rows of a block.
    pub fn gather(calibration: &Calibration, block_rows: usize, spans: &[Vec<Residual>]) -> Self {
        let mut found = Self::default();
        for span in spans {
            for block in span.chunks(block_rows.max(1)) {
                found.log_maxima.push(log_maximum(block, |row| row.fused));
                found.runner_up_log_maxima.push(log_maximum(block, |row| row.runner_up));
            }
            let mut live = Ewma::new(calibration.smoothing.live_alpha);
            let highest = span.iter().map(|row| live.push(row.fused)).fold(0.0, f64::max);
            found.live_peak = found.live_peak.max(highest / calibration.live_notable);
        }
        found
    }
}
