//! A larger calibration for a model that stays as it is: what a tight budget needs and a frozen model may still gain.
//!
//! Rows judged since the model was fitted, on whose windows no alert was open, join its calibration: residuals that no
//! member has learned from, as the decision rule takes them in: without the lasting rise that the slow baseline had accepted
//! by then. Machines of a kind that share a model pool such rows: a fleet holds in a day the budget that one machine
//! would hold after months.

use std::sync::Arc;

use super::chain::Chain;
use super::training::channel_indexes;
use super::{FitWanted, SeriesSpec, Trained};
use crate::bundle::{FitError, ModelBundle};
use crate::detector::RowScratch;
use crate::series::{ChannelName, Frame, Timestamp, WindowBuffer};
use crate::stats::Residual;
use crate::verdict::{Calibration, SlowBaseline};

/// Fewest rows that are read of each series of a pool: a window must fill, and blocks should not all be cut.
const POOL_ROWS_MIN: usize = 512;

/// Rows of one series that no member of a model has learned from.
#[derive(Debug)]
pub struct Unlearned<'a> {
    /// Oldest first.
    pub frames: &'a [Frame],
    /// Channels in frame order.
    pub channels: &'a [ChannelName],
    /// Spans `[start, end)` in which an alert was open.
    pub excluded: &'a [(Timestamp, Timestamp)],
}

/// How many rows to read of each of `n_series` that share a model, and of how many of them, so that their calibration
/// holds the budget asked for: the same number of each, or of every k-th when there are more than needed.
pub fn pool_size(spec: &SeriesSpec, n_series: usize) -> (usize, usize) {
    let wanted = spec.calibration_rows_wanted();
    let rows_each = wanted.div_ceil(n_series.max(1)).max(POOL_ROWS_MIN);
    (rows_each, wanted.div_ceil(rows_each).clamp(1, n_series.max(1)))
}

/// A model with the clean rows of some series, its own first, added to its calibration. Its chain has seen nothing: the
/// one in charge goes on with the new calibration.
///
/// # Errors
/// When a channel of the model is unknown, or no row is clean.
pub fn recalibrate(
    wanted: FitWanted,
    pool: &[Unlearned<'_>],
    spec: &SeriesSpec,
    bundle: &Arc<ModelBundle>,
) -> Result<Trained, FitError> {
    let mut rows = bundle.calibration.rows.clone();
    for series in pool {
        rows.extend(clean_residuals(bundle, series, spec).unwrap_or_default());
    }
    let Some(own) = pool.first().filter(|_| rows.len() > bundle.calibration.n_rows()) else {
        return Err(FitError::TooFewRows { found: 0, needed: 1 });
    };
    let calibration = Calibration::fit(rows, bundle.calibration.smoothing.clone());
    let bundle = Arc::new(bundle.with_calibration(calibration, wanted.to, pool.len()));
    go_on_with(wanted, bundle, own.channels, spec)
}

/// The answer to a wish for a larger calibration, when there is one.
///
/// # Errors
/// When a channel of the model is unknown.
pub fn go_on_with(
    wanted: FitWanted,
    bundle: Arc<ModelBundle>,
    channels: &[ChannelName],
    spec: &SeriesSpec,
) -> Result<Trained, FitError> {
    let indexes = channel_indexes(&bundle.channels, channels).ok_or(FitError::TooFewRows { found: 0, needed: 1 })?;
    let decision = spec.decision_for(bundle.calibration.n_rows());
    let chain = Chain::new(Arc::clone(&bundle), &decision, indexes);
    Ok(Trained { wanted, bundle, chain })
}

/// Residuals of the rows on whose windows no alert was open, in time order; none when a channel is missing.
fn clean_residuals(bundle: &ModelBundle, series: &Unlearned<'_>, spec: &SeriesSpec) -> Option<Vec<Residual>> {
    let mut window = WindowBuffer::new(bundle.n_time(), channel_indexes(&bundle.channels, series.channels)?);
    let mut scratch = RowScratch::default();
    let calibration = &bundle.calibration;
    let step = spec.decision.betting.baseline_step(calibration.n_rows());
    let medians = calibration.log_medians;
    let (mut fused, mut runner_up) = (SlowBaseline::default(), SlowBaseline::default());
    let mut before = None;
    let mut clean = Vec::with_capacity(series.frames.len());
    for frame in series.frames {
        let is_excluded = series.excluded.iter().any(|(start, end)| (*start..*end).contains(&frame.at));
        let is_after_gap = before.replace(frame.at).is_some_and(|before| spec.is_gap(before, frame.at));
        if is_after_gap || is_excluded {
            // Windows that reach back into an alert are no clean ones either.
            window.clear();
        }
        if is_excluded {
            continue;
        }
        let Some(window) = window.push(frame) else { continue };
        if bundle.detector.score(window, &mut scratch) {
            let row = scratch.row.residual;
            clean.push(Residual {
                fused: fused.forgive(row.fused, medians.fused, step),
                runner_up: runner_up.forgive(row.runner_up, medians.runner_up, step),
            });
        }
    }
    Some(clean)
}
