//! Learning a bundle from rows: scale, hold out, normalise, calibrate, then fit once more on everything.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::{ModelBundle, Provenance, TrainingCurve};
use crate::detector::autoencoder::export::{ImportError, from_keras, from_safetensors};
use crate::detector::autoencoder::{self, TrainingProgress, TrainingWindows};
use crate::detector::{
    Baseline, Detector, DetectorSpec, FittedMember, HeldOut, KernelPca, Kmeans, Member, MemberError, Normaliser, Pca,
    RandomFeatures, Scaler, Switches, TrainingRows, Var, hold_out,
};
use crate::series::{ChannelName, Timestamp};
use crate::verdict::{Calibration, SmoothingSpec, StuckCalibration, StuckSpec};

/// Below this many usable rows nothing can be said.
pub const ROWS_MIN: usize = 50;
/// A window may be learned from when at least this share of its cells is present.
const PRESENT_SHARE_MIN: f64 = 0.5;

/// Rows to learn from.
#[derive(Debug, Clone)]
pub struct FitInput {
    /// Channels, sorted by name.
    pub channels: Vec<ChannelName>,
    /// Values in the sender's unit, `[N, C]`.
    pub values: Vec<f64>,
    /// `[N, C]`, true = present.
    pub mask: Vec<bool>,
    /// Event time of the first row.
    pub first_at: Timestamp,
    /// Event time of the last row.
    pub last_at: Timestamp,
    /// Rows on which an alert was open: never learned.
    pub excluded: Vec<Range<usize>>,
    /// How the stuck-value rule is calibrated.
    pub stuck: StuckSpec,
}

/// How far a fit is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FitProgress {
    /// A fold was held out and judged.
    Fold {
        /// Folds done.
        done: usize,
        /// Folds in all.
        of: usize,
    },
    /// A trained member finished an epoch.
    Epoch {
        /// Epochs done.
        epoch: usize,
        /// Epochs at most.
        epochs: usize,
        /// Mean loss of the training windows.
        loss: f64,
        /// Mean loss of the validation windows, at the end of an epoch.
        validation_loss: Option<f64>,
    },
}

/// Why nothing was fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Too few rows that may be learned from.
    #[error("{needed} usable rows are needed, {found} are there")]
    TooFewRows {
        /// Usable rows found.
        found: usize,
        /// Usable rows needed.
        needed: usize,
    },
    /// Arrays do not fit together.
    #[error("{found} values and {masked} mask cells are not rows of {channels} channels")]
    Shape {
        /// Values found.
        found: usize,
        /// Mask cells found.
        masked: usize,
        /// Channels.
        channels: usize,
    },
    /// A present value is NaN or infinite.
    #[error("the value of channel {channel} in row {row} is not finite")]
    NotFinite {
        /// The channel.
        channel: ChannelName,
        /// The row.
        row: usize,
    },
    /// A member failed.
    #[error(transparent)]
    Member(MemberError),
    /// The caller asked to stop.
    #[error("fitting was cancelled")]
    Cancelled,
}

impl From<MemberError> for FitError {
    fn from(error: MemberError) -> Self {
        if error == MemberError::Cancelled { FitError::Cancelled } else { FitError::Member(error) }
    }
}

/// Learns a bundle.
///
/// The ladder: below 50 usable rows nothing, below `members_from_rows` the baseline alone, below
/// `autoencoder_from_rows` the closed-form members, then all of them. `progress` may stop the fit.
///
/// # Errors
/// When there are too few usable rows, arrays do not fit together, or the caller stops.
pub fn fit(
    input: &FitInput,
    spec: &DetectorSpec,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<ModelBundle, FitError> {
    fit_with(input, spec, None, progress)
}

/// Weights of an autoencoder that was trained elsewhere: a safetensors file.
#[derive(Debug, Clone, Copy)]
pub struct ForeignWeights<'a> {
    /// The file's bytes.
    pub bytes: &'a [u8],
    /// Whose names and layouts it has.
    pub layout: WeightLayout,
}

/// Names and layouts of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightLayout {
    /// PyTorch's, `encoder.0.weight_ih_l0`.
    Pytorch,
    /// Keras's, `encoder_0/kernel`.
    Keras,
}

/// As [`fit`], with an autoencoder whose weights are given instead of trained: scaler, levels and calibration are learned
/// from the rows all the same. The autoencoder must be among the members; it takes part whatever the number of rows.
///
/// # Errors
/// As [`fit`], and when the weights do not make the autoencoder of `spec`.
pub fn fit_with(
    input: &FitInput,
    spec: &DetectorSpec,
    weights: Option<ForeignWeights<'_>>,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<ModelBundle, FitError> {
    check(input)?;
    let n_channels = input.channels.len();
    let n_rows = input.values.len() / n_channels;
    let is_used = used_rows(input, n_rows);
    let n_used = is_used.iter().filter(|used| **used).count();
    if n_used < ROWS_MIN {
        return Err(FitError::TooFewRows { found: n_used, needed: ROWS_MIN });
    }
    let members = members_for(spec, n_used);
    let n_time = if members == [Member::Baseline] { 1 } else { spec.n_time(n_used) };
    let scaler = Scaler::fit(&input.values, &input.mask, n_channels, |row| is_used[row]);
    let training = training_rows(input, &scaler, n_time);
    let closed_form: Vec<Member> = members.iter().copied().filter(|member| !member.is_trained()).collect();
    let mut fit_all = |training: &TrainingRows| fit_members(training, &closed_form, spec);
    let mut folds = |done, of| go_on(progress(FitProgress::Fold { done, of }));
    let mut held_out = hold_out(&training, spec.n_folds, &mut fit_all, &mut folds)?;
    let mut fitted = fit_all(&training)?;
    let (mut curve, mut curve_kept) = (TrainingCurve::default(), None);
    if let Some(position) = members.iter().position(|member| *member == Member::Autoencoder)
        && let Some(member) = match weights {
            Some(weights) => Some(import_autoencoder(weights, spec, n_time, n_channels)?),
            None => fit_autoencoder(&training, spec, &mut |report| {
                curve.on_progress(&report);
                progress(report)
            })?,
        }
    {
        curve_kept = Some(curve).filter(|curve| !curve.losses.is_empty());
        held_out.insert_trained(position, member.as_ref(), &training, spec.autoencoder.validation_split);
        fitted.insert(position, member);
    }
    let normaliser = normaliser(&held_out, &training);
    let switches = Switches::fit(&input.values, &input.mask, n_channels, |row| is_used[row]);
    let smoothing = SmoothingSpec {
        live_alpha: spec.live_alpha,
        settled_alpha: spec.settled_alpha,
        settle_delay_rows: spec.settle_delay_rows,
        acceptance_rows: spec.score_acceptance(n_used),
    };
    let calibration = Calibration::fit(held_out.row_residuals(&normaliser, &switches), smoothing);
    let detector = Detector { scaler, members: fitted, normaliser, switches, n_time, n_channels };
    let stuck = stuck(input, &is_used);
    let provenance = Provenance {
        first_at: input.first_at,
        last_at: input.last_at,
        n_rows,
        n_excluded: n_rows - is_used.iter().filter(|used| **used).count(),
        spec: spec.clone(),
        calibrated_to: None,
        calibrated_on: None,
        switched_off: None,
        kilter_version: env!("CARGO_PKG_VERSION").to_owned(),
        training: curve_kept,
    };
    Ok(ModelBundle::from_parts(input.channels.clone(), detector, calibration, stuck, provenance))
}

fn check(input: &FitInput) -> Result<(), FitError> {
    let channels = input.channels.len();
    let (found, masked) = (input.values.len(), input.mask.len());
    if channels == 0 || found != masked || found % channels != 0 {
        return Err(FitError::Shape { found, masked, channels });
    }
    match input.values.iter().zip(&input.mask).position(|(value, present)| *present && !value.is_finite()) {
        Some(cell) => {
            Err(FitError::NotFinite { channel: input.channels[cell % channels].clone(), row: cell / channels })
        }
        None => Ok(()),
    }
}

/// Rows that may be learned from: not excluded, and at least one cell present.
fn used_rows(input: &FitInput, n_rows: usize) -> Vec<bool> {
    let mut is_used: Vec<bool> =
        input.mask.chunks_exact(input.channels.len()).map(|present| present.contains(&true)).collect();
    for range in &input.excluded {
        is_used[range.start.min(n_rows)..range.end.min(n_rows)].fill(false);
    }
    is_used
}

/// The members of so many usable rows.
fn members_for(spec: &DetectorSpec, n_used: usize) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::new();
    for member in &spec.members {
        let is_ready = !member.is_trained() || n_used >= spec.autoencoder_from_rows;
        if is_ready && !members.contains(member) {
            members.push(*member);
        }
    }
    if n_used < spec.members_from_rows || members.is_empty() {
        members = vec![Member::Baseline];
    }
    members
}

/// Scaled rows and the windows that hold no excluded row and enough present cells.
pub(super) fn training_rows(input: &FitInput, scaler: &Scaler, n_time: usize) -> TrainingRows {
    let n_channels = input.channels.len();
    let n_rows = input.values.len() / n_channels;
    let mut rows = vec![0.0; input.values.len()];
    scaler.scale_rows(&input.values, &input.mask, &mut rows);
    let mut is_excluded = vec![false; n_rows];
    for range in &input.excluded {
        is_excluded[range.start.min(n_rows)..range.end.min(n_rows)].fill(true);
    }
    let all = TrainingRows { mask: input.mask.clone(), ..TrainingRows::complete(rows, n_channels, n_time) };
    let enough = PRESENT_SHARE_MIN * (n_time * n_channels) as f64;
    all.keeping(|start| {
        let cells = &input.mask[start * n_channels..(start + n_time) * n_channels];
        !is_excluded[start..start + n_time].contains(&true)
            && cells.iter().filter(|present| **present).count() as f64 >= enough
    })
}

pub(super) fn fit_members(
    training: &TrainingRows,
    members: &[Member],
    spec: &DetectorSpec,
) -> Result<Vec<Arc<dyn FittedMember>>, MemberError> {
    members
        .iter()
        .map(|member| -> Result<Arc<dyn FittedMember>, MemberError> {
            Ok(match member {
                Member::Pca => Arc::new(Pca::fit(training, &spec.pca)?),
                Member::RandomFeatures => Arc::new(RandomFeatures::fit(training, &spec.random_features, spec.seed)?),
                Member::Var => Arc::new(Var::fit(training, &spec.var)?),
                Member::KernelPca => Arc::new(KernelPca::fit(training, &spec.kernel_pca)?),
                Member::Kmeans => Arc::new(Kmeans::fit(training, &spec.kmeans, spec.seed)?),
                _ => Arc::new(Baseline::new()),
            })
        })
        .collect()
}

fn stuck(input: &FitInput, is_used: &[bool]) -> StuckCalibration {
    let n_channels = input.channels.len();
    let mask: Vec<bool> =
        input.mask.iter().enumerate().map(|(cell, present)| *present && is_used[cell / n_channels]).collect();
    StuckCalibration::fit(&input.values, &mask, n_channels, &input.stuck)
}

fn go_on(answer: ControlFlow<()>) -> Result<(), MemberError> {
    match answer {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(MemberError::Cancelled),
    }
}

/// The autoencoder of a spec with weights from elsewhere.
fn import_autoencoder(
    weights: ForeignWeights<'_>,
    spec: &DetectorSpec,
    n_time: usize,
    n_channels: usize,
) -> Result<Arc<dyn FittedMember>, MemberError> {
    let read = match weights.layout {
        WeightLayout::Pytorch => from_safetensors,
        WeightLayout::Keras => from_keras,
    };
    let fault = |error: ImportError| MemberError::Facts { member: Member::Autoencoder, reason: error.to_string() };
    Ok(Arc::new(read(weights.bytes, &spec.autoencoder, n_time, n_channels).map_err(fault)?))
}

/// Trains the autoencoder; none when its training fails, because the others judge as well without it.
fn fit_autoencoder(
    training: &TrainingRows,
    spec: &DetectorSpec,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<Option<Arc<dyn FittedMember>>, MemberError> {
    let starts = training.window_starts().collect();
    let windows = TrainingWindows::sliding(&training.rows, training.n_channels, training.n_time, starts);
    let mut tell = |report: TrainingProgress| {
        let TrainingProgress { epoch, epochs, loss, validation_loss } = report;
        progress(FitProgress::Epoch { epoch, epochs, loss, validation_loss })
    };
    match autoencoder::fit(&windows, &spec.autoencoder, spec.seed, &mut tell).map_err(MemberError::from) {
        Ok(member) => Ok(Some(Arc::new(member))),
        Err(error @ (MemberError::Cancelled | MemberError::Facts { .. })) => Err(error),
        // Alone it has no stand-in.
        Err(error) if spec.members.iter().all(|member| member.is_trained()) => Err(error),
        Err(_) => Ok(None),
    }
}

fn normaliser(held_out: &HeldOut, training: &TrainingRows) -> Normaliser {
    let levels = (0..held_out.residuals.len()).map(|m| Normaliser::level(&held_out.means(m))).collect();
    let n_channels = training.n_channels;
    let mut squares = vec![0.0; n_channels];
    let mut counts = vec![0_usize; n_channels];
    for (cell, (z, present)) in training.rows.iter().zip(&training.mask).enumerate() {
        if *present {
            squares[cell % n_channels] += f64::from(*z) * f64::from(*z);
            counts[cell % n_channels] += 1;
        }
    }
    let means: Vec<f64> = squares.iter().zip(&counts).map(|(sum, n)| sum / (*n).max(1) as f64).collect();
    Normaliser { levels, baseline: Normaliser::level(&means) }
}
