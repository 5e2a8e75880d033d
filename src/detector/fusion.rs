//! The one scoring path: scale a window, ask the members, normalise, fuse, explain.
//!
//! ```text
//! u[t] = mean over c of exp( mean over m of ln( q_m[t, c] / v[m, c] + 1e-4 ) )
//! ```
//! q is the squared residual of the row's cell, v its mean over held-out rows. The geometric mean asks the members to
//! agree. Beside it stands the runner-up, the second highest over m of the mean over c of q_m[t, c] / v[m, c]: what two
//! members see plainly and the others do not see at all is little in the geometric mean and much in this one. Missing cells enter the window as 0 (the mean) and leave every average; [`Switches`] enter it as they are and
//! leave the mean over c.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::member::squared_residuals;
use super::together::joining;
use super::{FittedMember, MemberScratch, Scaler, Switches};
use crate::series::Window;
use crate::stats::{Residual, median};

/// Added to every normalised residual: a member that is exactly right must not veto the others.
const AGREEMENT_FLOOR: f64 = 1e-4;
/// A channel's level is at least this share of the median level over channels.
const LEVEL_SHARE_MIN: f64 = 0.01;
/// And at least this, in squared scaled units.
const LEVEL_MIN: f64 = 1e-6;

/// Mean held-out squared residuals, the unit in which residuals are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normaliser {
    /// Per member and channel, `[member][channel]`.
    pub levels: Vec<Vec<f64>>,
    /// Of the trivial baseline, per channel.
    pub baseline: Vec<f64>,
}

impl Normaliser {
    /// Levels from mean squared residuals per channel: at least a hundredth of their median plus 1e-6.
    pub fn level(means: &[f64]) -> Vec<f64> {
        let floor = LEVEL_SHARE_MIN * median(means) + LEVEL_MIN;
        means.iter().map(|mean| mean.max(floor)).collect()
    }
}

/// What the members say about one row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FusedRow {
    /// The fused residual u and the runner-up.
    pub residual: Residual,
    /// Mean normalised squared z-score, not smoothed.
    pub baseline: f64,
    /// Mean squared residual over the present channels, in scaled units, `[member]`.
    pub member_errors: Vec<f64>,
    /// Mean over the present channels of the residuals in units of their levels, `[member]`.
    pub member_residuals: Vec<f64>,
    /// Share of u owed to each channel, `[channel]`; sums to 1; 0 where missing.
    pub contributions: Vec<f32>,
    /// Share of each member in the normalised residuals, `[member]`; sums to 1.
    pub member_contributions: Vec<f32>,
    /// Mean reconstruction of the members in the sender's unit, `[channel]`.
    pub expected: Vec<f64>,
}

/// Working memory of [`Detector::score`] and its result.
#[derive(Debug, Clone, Default)]
pub struct RowScratch {
    scaled: Vec<f32>,
    /// Cells of the last row that are judged, `[channel]`.
    counted: Vec<bool>,
    pub(super) member: MemberScratch,
    reconstruction: Vec<f32>,
    /// Squared residuals `[member, channel]`.
    residuals: Vec<f32>,
    /// Sum of the reconstructions, `[channel]`.
    expected: Vec<f64>,
    /// The last row scored.
    pub row: FusedRow,
}

/// Fitted members of one series with all that is needed to fuse them.
#[derive(Debug, Clone)]
pub struct Detector {
    /// Per-channel transform.
    pub scaler: Scaler,
    /// The members.
    pub members: Vec<Arc<dyn FittedMember>>,
    /// Their held-out levels.
    pub normaliser: Normaliser,
    /// Channels that are conditions and not judged.
    pub switches: Switches,
    /// Rows of a window, T.
    pub n_time: usize,
    /// Channels, C.
    pub n_channels: usize,
}

impl Detector {
    /// Scores the last row of a window into `scratch.row`; false when no cell of that row can be judged: none is
    /// present, or only switches are.
    ///
    /// Allocates nothing once `scratch` has seen a row. The same window gives the same bits, whatever came before.
    ///
    /// # Panics
    /// When the window is not `[T, C]`.
    pub fn score(&self, window: Window<'_>, scratch: &mut RowScratch) -> bool {
        self.score_with(window, None, scratch)
    }

    /// As [`Detector::score`]; the network is not asked when what it expects of the row is known already, by
    /// [`Detector::expect_together`].
    ///
    /// # Panics
    /// When the window is not `[T, C]`, or `expected` not `[C]`.
    pub fn score_with(&self, window: Window<'_>, expected: Option<&[f32]>, scratch: &mut RowScratch) -> bool {
        assert!(
            window.n_time == self.n_time && window.n_channels == self.n_channels,
            "a detector of [{}, {}] windows was given [{}, {}]",
            self.n_time,
            self.n_channels,
            window.n_time,
            window.n_channels
        );
        let last = (self.n_time - 1) * self.n_channels;
        let present = &window.mask[last..];
        self.switches.counted(&window.values[last..], present, &mut scratch.counted);
        if !scratch.counted.contains(&true) {
            return false;
        }
        scratch.scaled.resize(window.values.len(), 0.0);
        self.scaler.scale_rows(window.values, window.mask, &mut scratch.scaled);
        self.ask_members(expected, scratch);
        let normaliser = &self.normaliser;
        fuse(&scratch.residuals, &scratch.counted, &normaliser.levels, &mut scratch.row);
        scratch.row.baseline = baseline_residual(&scratch.scaled[last..], present, &normaliser.baseline);
        scratch.row.expected.clear();
        let n_members = self.members.len() as f64;
        let scaler = &self.scaler;
        scratch
            .row
            .expected
            .extend(scratch.expected.iter().enumerate().map(|(c, sum)| scaler.unscale(c, sum / n_members)));
        true
    }

    /// The latent `[Z]` of a window by the first member that has one.
    pub fn latent(&self, window: Window<'_>, scratch: &mut RowScratch) -> Option<Vec<f32>> {
        let member = self.members.iter().find(|member| member.n_latent() > 0)?;
        scratch.scaled.resize(window.values.len(), 0.0);
        self.scaler.scale_rows(window.values, window.mask, &mut scratch.scaled);
        let mut latent = vec![0.0; member.n_latent()];
        member.latent(&scratch.scaled, &mut scratch.member, &mut latent);
        Some(latent)
    }

    /// Squared residuals and reconstructions of every member for the scaled window in `scratch`.
    fn ask_members(&self, known: Option<&[f32]>, scratch: &mut RowScratch) {
        let n_channels = self.n_channels;
        scratch.reconstruction.resize(n_channels, 0.0);
        scratch.residuals.resize(self.members.len() * n_channels, 0.0);
        scratch.expected.clear();
        scratch.expected.resize(n_channels, 0.0);
        for (member, residuals) in self.members.iter().zip(scratch.residuals.chunks_exact_mut(n_channels)) {
            match known.filter(|_| joining(member.as_ref()).is_some()) {
                Some(known) => {
                    scratch.reconstruction.copy_from_slice(known);
                    squared_residuals(&scratch.scaled, known, residuals);
                }
                None => member.judge_last(&scratch.scaled, &mut scratch.member, &mut scratch.reconstruction, residuals),
            }
            for (sum, expected) in scratch.expected.iter_mut().zip(&scratch.reconstruction) {
                *sum += f64::from(*expected);
            }
        }
    }
}

/// Fuses squared residuals `[M, C]` of one row, of which the `present` cells count, into `out`.
pub(super) fn fuse(residuals: &[f32], present: &[bool], levels: &[Vec<f64>], out: &mut FusedRow) {
    let n_channels = present.len();
    let n_members = levels.len();
    let n_present = present.iter().filter(|p| **p).count().max(1) as f64;
    out.member_errors.clear();
    out.member_errors.resize(n_members, 0.0);
    out.member_residuals.clear();
    out.member_residuals.resize(n_members, 0.0);
    out.member_contributions.clear();
    out.member_contributions.resize(n_members, 0.0);
    out.contributions.clear();
    out.contributions.resize(n_channels, 0.0);
    let mut sum = 0.0;
    for c in (0..n_channels).filter(|c| present[*c]) {
        let mut log_sum = 0.0;
        for m in 0..n_members {
            let residual = f64::from(residuals[m * n_channels + c]);
            let in_levels = residual / levels[m][c];
            let normalised = in_levels + AGREEMENT_FLOOR;
            log_sum += normalised.ln();
            out.member_errors[m] += residual;
            out.member_residuals[m] += in_levels;
            out.member_contributions[m] += normalised as f32;
        }
        let term = (log_sum / n_members as f64).exp();
        out.contributions[c] = term as f32;
        sum += term;
    }
    for mean in out.member_errors.iter_mut().chain(&mut out.member_residuals) {
        *mean /= n_present;
    }
    out.residual = Residual { fused: sum / n_present, runner_up: runner_up(&out.member_residuals) };
    share_out(&mut out.contributions);
    share_out(&mut out.member_contributions);
}

/// The second highest of the members' residuals; of a single member its own.
fn runner_up(residuals: &[f64]) -> f64 {
    let (mut highest, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    for &residual in residuals {
        second = second.max(residual.min(highest));
        highest = highest.max(residual);
    }
    if residuals.len() == 1 { highest } else { second }
}

/// Mean over the present cells of a scaled row of z² by its level.
pub(super) fn baseline_residual(scaled: &[f32], present: &[bool], levels: &[f64]) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for c in (0..scaled.len()).filter(|c| present[*c]) {
        let z = f64::from(scaled[c]);
        sum += z * z / levels[c];
        n += 1.0;
    }
    sum / f64::max(n, 1.0)
}

fn share_out(parts: &mut [f32]) {
    let sum: f32 = parts.iter().sum();
    if sum > 0.0 {
        parts.iter_mut().for_each(|part| *part /= sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fusion_is_the_formula_of_the_note() {
        let mut row = FusedRow::default();
        let levels = vec![vec![1.0, 2.0], vec![4.0, 1.0]];
        fuse(&[2.0, 2.0, 8.0, 9.0], &[true, true], &levels, &mut row);
        let term = |a: f64, b: f64| (((a + 1e-4).ln() + (b + 1e-4).ln()) / 2.0).exp();
        let (first, second) = (term(2.0, 2.0), term(1.0, 9.0));
        assert!((row.residual.fused - (first + second) / 2.0).abs() < 1e-9);
        assert!((f64::from(row.contributions[0]) - first / (first + second)).abs() < 1e-6);
        assert_eq!(row.member_errors, vec![2.0, 8.5]);
        // Means in levels are 1.5 and 5.5: the lower of two is the runner-up.
        assert_eq!((row.member_residuals.clone(), row.residual.runner_up), (vec![1.5, 5.5], 1.5));
        fuse(&[2.0, 2.0, 8.0, 9.0], &[true, false], &levels, &mut row);
        assert!((row.residual.fused - first).abs() < 1e-9);
        assert_eq!(row.contributions, vec![1.0, 0.0]);
    }

    #[test]
    fn the_runner_up_is_second_wherever_it_stands() {
        assert_eq!(runner_up(&[7.0]), 7.0);
        for residuals in [[9.0, 4.0, 1.0], [4.0, 9.0, 1.0], [1.0, 4.0, 9.0], [9.0, 1.0, 4.0], [4.0, 4.0, 1.0]] {
            assert_eq!(runner_up(&residuals), 4.0, "{residuals:?}");
        }
    }

    #[test]
    fn levels_have_a_floor_relative_to_their_median() {
        let levels = Normaliser::level(&[0.0, 2.0, 4.0]);
        assert_eq!(levels, vec![0.01 * 2.0 + 1e-6, 2.0, 4.0]);
    }
}
