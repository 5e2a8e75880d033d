//! A calibration that grows: clean rows judged by a frozen model become held-out rows of its calibration.
//!
//! A budget can be promised only as far as the calibration has seen normal rows. The members stay as they are; rows that
//! came after the fit, on which no alert was open, are scored again and added. They are residuals of rows that no member
//! has learned from, as the decision rule takes them in: without the lasting rise that the slow baseline had accepted
//! by then.

use std::sync::Arc;

use super::chain::Chain;
use super::training::channel_indexes;
use super::{FitWanted, SeriesSpec, Trained};
use crate::bundle::{FitError, ModelBundle};
use crate::detector::RowScratch;
use crate::series::{ChannelName, Frame, Timestamp, WindowBuffer};
use crate::stats::Residual;
use crate::verdict::{Calibration, SlowBaseline};

/// A model with the clean rows of `frames`, oldest first, added to its calibration. Its chain has seen nothing: the one in
/// charge goes on with the new calibration.
///
/// # Errors
/// When a channel of the model is unknown, or no row is clean.
pub fn recalibrate(
    wanted: FitWanted,
    frames: &[Frame],
    channels: &[ChannelName],
    spec: &SeriesSpec,
    bundle: &Arc<ModelBundle>,
) -> Result<Trained, FitError> {
    let nothing = FitError::TooFewRows { found: 0, needed: 1 };
    let indexes = channel_indexes(&bundle.channels, channels).ok_or(nothing.clone())?;
    let added = clean_residuals(bundle, frames, &indexes, &wanted.excluded, spec);
    if added.is_empty() {
        return Err(nothing);
    }
    let to = wanted.to;
    let rows: Vec<Residual> = bundle.calibration.rows.iter().copied().chain(added).collect();
    let calibration = Calibration::fit(rows, bundle.calibration.smoothing.clone());
    let bundle = Arc::new(bundle.with_calibration(calibration, to));
    let decision = spec.decision_for(bundle.calibration.n_rows());
    let chain = Chain::new(Arc::clone(&bundle), &decision, indexes);
    Ok(Trained { wanted, bundle, chain })
}

/// Residuals of the rows on whose windows no alert was open, in time order.
fn clean_residuals(
    bundle: &ModelBundle,
    frames: &[Frame],
    indexes: &[usize],
    excluded: &[(Timestamp, Timestamp)],
    spec: &SeriesSpec,
) -> Vec<Residual> {
    let mut window = WindowBuffer::new(bundle.n_time(), indexes.to_vec());
    let mut scratch = RowScratch::default();
    let calibration = &bundle.calibration;
    let step = spec.decision.betting.baseline_step(calibration.n_rows());
    let mut fused =
        Forgiven { baseline: SlowBaseline::default(), median: calibration.median_log(|row| row.fused), step };
    let median = calibration.median_log(|row| row.runner_up);
    let mut runner_up = Forgiven { baseline: SlowBaseline::default(), median, step };
    let mut before = None;
    let mut clean = Vec::with_capacity(frames.len());
    for frame in frames {
        let is_after_gap = before.replace(frame.at).is_some_and(|before| spec.is_gap(before, frame.at));
        if is_after_gap || excluded.iter().any(|(start, end)| (*start..*end).contains(&frame.at)) {
            // Windows that reach back into an alert are no clean ones either.
            window.clear();
        }
        if excluded.iter().any(|(start, end)| (*start..*end).contains(&frame.at)) {
            continue;
        }
        let Some(window) = window.push(frame) else { continue };
        if bundle.detector.score(window, &mut scratch) {
            let row = scratch.row.residual;
            clean.push(Residual { fused: fused.take(row.fused), runner_up: runner_up.take(row.runner_up) });
        }
    }
    clean
}

/// A residual as the decision rule takes it in: without the lasting rise accepted before it.
struct Forgiven {
    baseline: SlowBaseline,
    median: f64,
    step: f64,
}

impl Forgiven {
    fn take(&mut self, residual: f64) -> f64 {
        let taken = residual * (-self.baseline.forgiven()).exp();
        self.baseline.follow(residual.max(f64::MIN_POSITIVE).ln(), self.median, self.step);
        taken
    }
}
