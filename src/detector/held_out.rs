//! Out-of-fold residuals: what every member leaves over on rows it has not seen.
//!
//! The training rows are cut into contiguous folds by the end row of their windows; for each fold the members are
//! fitted on windows that share no row with it. In-sample residuals are far too small for strong members, so levels
//! and calibration come from these alone.

use std::sync::Arc;

use super::fusion::{FusedRow, fuse};
use super::{FittedMember, MemberError, MemberScratch, Normaliser, Switches, TrainingRows};
use crate::stats::Residual;

/// Fewest windows from which a fold's members are fitted.
const WINDOWS_MIN: usize = 12;
/// Residuals of learned windows are raised at most so much: beyond that the validation windows are another regime.
const RAISE_MAX: f64 = 10.0;

/// Held-out squared residuals of several members over the training rows.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// The rows judged, ascending.
    pub rows: Vec<usize>,
    /// Squared residuals per member, `[member][row, channel]`.
    pub residuals: Vec<Vec<f32>>,
    /// `[row, channel]`, true = present.
    pub mask: Vec<bool>,
    n_channels: usize,
}

impl HeldOut {
    /// Mean squared residual per channel over the present cells of a member.
    pub fn means(&self, member: usize) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_channels];
        let mut counts = vec![0_usize; self.n_channels];
        for (index, (residual, present)) in self.residuals[member].iter().zip(&self.mask).enumerate() {
            if *present {
                sums[index % self.n_channels] += f64::from(*residual);
                counts[index % self.n_channels] += 1;
            }
        }
        sums.iter().zip(&counts).map(|(sum, n)| sum / (*n).max(1) as f64).collect()
    }

    /// Puts a trained member at a position among the others, though it was fitted once, on all windows but the last
    /// `validation_share`, which chose when to stop.
    ///
    /// Its residuals there stand as they are; those on windows it learned from are raised per channel to the level of
    /// the validation windows. Training it once per fold would cost five times as much for a member that the others
    /// outvote four to one.
    pub fn insert_trained(
        &mut self,
        position: usize,
        member: &dyn FittedMember,
        training: &TrainingRows,
        validation_share: f64,
    ) {
        let (n_channels, last) = (self.n_channels, training.n_time - 1);
        let mut scratch = MemberScratch::default();
        let mut residuals = Vec::with_capacity(self.mask.len());
        for row in &self.rows {
            push_residuals(member, training.window(row - last), n_channels, &mut scratch, &mut residuals);
        }
        let starts: Vec<usize> = training.window_starts().collect();
        let n_learned = starts.len() - ((starts.len() as f64 * validation_share) as usize).clamp(1, starts.len());
        let first_unseen = starts.get(n_learned).copied().unwrap_or(0) + last;
        for c in 0..n_channels {
            let mean = |is_wanted: &dyn Fn(usize) -> bool| {
                let cells =
                    || (0..self.rows.len()).filter(|i| is_wanted(self.rows[*i]) && self.mask[i * n_channels + c]);
                cells().map(|i| f64::from(residuals[i * n_channels + c])).sum::<f64>() / cells().count().max(1) as f64
            };
            let (learned, unseen) = (mean(&|row| row < first_unseen), mean(&|row| row >= first_unseen + last));
            let raise = if learned > 0.0 { (unseen / learned).clamp(1.0, RAISE_MAX) } else { 1.0 };
            for (index, row) in self.rows.iter().enumerate() {
                if *row < first_unseen {
                    residuals[index * n_channels + c] *= raise as f32;
                }
            }
        }
        self.residuals.insert(position, residuals);
    }

    /// The residual of every judged row, in which switches do not count: the training rows show nothing else of
    /// them than off and on. Rows without another present cell are left out.
    pub fn row_residuals(&self, normaliser: &Normaliser, switches: &Switches) -> Vec<Residual> {
        let (n_channels, n_members) = (self.n_channels, self.residuals.len());
        let mut row = FusedRow::default();
        let mut cells = vec![0.0; n_members * n_channels];
        let mut counted = vec![false; n_channels];
        (0..self.rows.len())
            .filter_map(|index| {
                let range = index * n_channels..(index + 1) * n_channels;
                for (m, residuals) in self.residuals.iter().enumerate() {
                    cells[m * n_channels..(m + 1) * n_channels].copy_from_slice(&residuals[range.clone()]);
                }
                for ((counted, present), is_switch) in
                    counted.iter_mut().zip(&self.mask[range]).zip(&switches.is_switch)
                {
                    *counted = *present && !is_switch;
                }
                fuse(&cells, &counted, &normaliser.levels, &mut row);
                counted.contains(&true).then_some(row.residual)
            })
            .collect()
    }
}

/// Fits all members of a series on training windows.
pub type FitMembers<'a> = dyn FnMut(&TrainingRows) -> Result<Vec<Arc<dyn FittedMember>>, MemberError> + 'a;

/// Residuals of members on rows they were not fitted on; `fit` is asked once per fold, `progress` after each.
///
/// # Errors
/// What `fit` or `progress` report; [`MemberError::TooFewWindows`] when no fold can be held out.
pub fn hold_out(
    training: &TrainingRows,
    n_folds: usize,
    fit: &mut FitMembers<'_>,
    progress: &mut dyn FnMut(usize, usize) -> Result<(), MemberError>,
) -> Result<HeldOut, MemberError> {
    let (n_time, n_channels, n_rows) = (training.n_time, training.n_channels, training.n_rows());
    let mut held_out = HeldOut { rows: Vec::new(), residuals: Vec::new(), mask: Vec::new(), n_channels };
    let mut scratch = MemberScratch::default();
    let first = n_time - 1;
    for fold in 0..n_folds {
        let edge = |fold: usize| first + (n_rows - first) * fold / n_folds;
        let (from, to) = (edge(fold), edge(fold + 1));
        let Some(rest) = rest_of(training, from, to) else { continue };
        let members = fit(&rest)?;
        held_out.residuals.resize(members.len(), Vec::new());
        for end in training.window_starts().map(|start| start + first).filter(|end| (from..to).contains(end)) {
            let present = &training.mask[end * n_channels..(end + 1) * n_channels];
            if present.contains(&true) {
                held_out.rows.push(end);
                held_out.mask.extend_from_slice(present);
                for (member, out) in members.iter().zip(&mut held_out.residuals) {
                    push_residuals(member.as_ref(), training.window(end - first), n_channels, &mut scratch, out);
                }
            }
        }
        progress(fold + 1, n_folds)?;
    }
    if held_out.rows.is_empty() {
        let found = training.n_windows();
        return Err(MemberError::TooFewWindows { member: super::Member::Baseline, found, needed: 2 * WINDOWS_MIN });
    }
    Ok(held_out)
}

/// The windows that share no row with the rows `[from, to)`; when those are fewer than T, the windows that end
/// elsewhere; none when that leaves too few.
fn rest_of(training: &TrainingRows, from: usize, to: usize) -> Option<TrainingRows> {
    let last = training.n_time - 1;
    let mut rest = training.keeping(|start| start + last < from || start >= to);
    if rest.n_windows() < training.n_time {
        rest = training.keeping(|start| start + last < from || start + last >= to);
    }
    (rest.n_windows() >= WINDOWS_MIN).then_some(rest)
}

/// Appends the squared residuals `[C]` of a window's last row.
pub(super) fn push_residuals(
    member: &dyn FittedMember,
    window: &[f32],
    n_channels: usize,
    scratch: &mut MemberScratch,
    out: &mut Vec<f32>,
) {
    let from = out.len();
    out.resize(from + n_channels, 0.0);
    let mut expected = vec![0.0; n_channels];
    member.judge_last(window, scratch, &mut expected, &mut out[from..]);
}
