//! The seam of all detectors: a member reconstructs the last row of a scaled window.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::autoencoder::{Autoencoder, AutoencoderScratch};
pub use crate::nn::parameter::Tensor;

/// One detector inside the fused score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// Recurrent autoencoder, trained by gradient descent.
    Autoencoder,
    /// Window PCA: linear subspaces.
    Pca,
    /// Random-feature autoencoder: a smooth non-linear bottleneck.
    RandomFeatures,
    /// K-means on centred windows: a memory of shapes, blind to level.
    Kmeans,
    /// Ridge vector autoregression: what the past predicts.
    Var,
    /// Kernel PCA of windows.
    KernelPca,
    /// The mean of every channel: the squared z-score. Judges alone in the first rows of a series.
    Baseline,
}

impl Member {
    /// All members, in order.
    pub const ALL: &'static [Member] = &[
        Member::Autoencoder,
        Member::Pca,
        Member::RandomFeatures,
        Member::Kmeans,
        Member::Var,
        Member::KernelPca,
        Member::Baseline,
    ];

    /// The word used in configuration, JSON and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Member::Autoencoder => "autoencoder",
            Member::Pca => "pca",
            Member::RandomFeatures => "random_features",
            Member::Kmeans => "kmeans",
            Member::Var => "var",
            Member::KernelPca => "kernel_pca",
            Member::Baseline => "baseline",
        }
    }

    /// The member of a name, if there is one.
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|member| member.as_str() == text)
    }

    /// True for members fitted by gradient descent rather than in closed form.
    pub fn is_trained(self) -> bool {
        matches!(self, Member::Autoencoder)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Working memory of one scoring path, reused from row to row so that scoring allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct MemberScratch {
    floats: Vec<f32>,
    autoencoder: AutoencoderScratch,
}

impl MemberScratch {
    /// Exactly `n` floats of unspecified content. Grows on first use only.
    pub fn floats(&mut self, n: usize) -> &mut [f32] {
        if self.floats.len() < n {
            self.floats.resize(n, 0.0);
        }
        &mut self.floats[..n]
    }

    /// Buffers of the network.
    pub fn autoencoder(&mut self) -> &mut AutoencoderScratch {
        &mut self.autoencoder
    }
}

/// All of a fitted member as plain data.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberParts {
    /// Which member.
    pub member: Member,
    /// What besides the tensors is needed to rebuild it, as JSON; null when nothing is.
    pub facts: serde_json::Value,
    /// Its arrays.
    pub tensors: Vec<Tensor>,
}

/// Why a member could not be fitted or rebuilt.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MemberError {
    /// Too few training windows.
    #[error("{member} needs at least {needed} training windows, found {found}")]
    TooFewWindows {
        /// Which member.
        member: Member,
        /// Windows found.
        found: usize,
        /// Windows needed.
        needed: usize,
    },
    /// The arithmetic gave something that is not finite.
    #[error("{member} found no finite solution: {reason}")]
    NotFinite {
        /// Which member.
        member: Member,
        /// What went wrong.
        reason: String,
    },
    /// A stored array is missing or has another shape.
    #[error("{member}: array {name:?} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Which member.
        member: Member,
        /// The array.
        name: String,
        /// Shape found; empty when the array is missing.
        found: Vec<usize>,
        /// Shape expected.
        expected: Vec<usize>,
    },
    /// The stored facts do not describe this member.
    #[error("{member}: stored facts are unreadable: {reason}")]
    Facts {
        /// Which member.
        member: Member,
        /// What is wrong.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("fitting was cancelled")]
    Cancelled,
}

impl MemberParts {
    /// The array of a name and shape.
    ///
    /// # Errors
    /// When it is missing, has another shape, or is not finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, MemberError> {
        let wrong = |found: Vec<usize>| MemberError::Shape {
            member: self.member,
            name: name.to_owned(),
            found,
            expected: shape.to_vec(),
        };
        let tensor = self.tensors.iter().find(|t| t.name == name).ok_or_else(|| wrong(Vec::new()))?;
        if tensor.shape != shape || tensor.values.len() != shape.iter().product::<usize>() {
            return Err(wrong(tensor.shape.clone()));
        }
        if !tensor.values.iter().all(|v| v.is_finite()) {
            return Err(MemberError::NotFinite { member: self.member, reason: format!("array {name:?}") });
        }
        Ok(tensor.values.clone())
    }
}

/// Squared residuals `[C]` of a window's last row from what is expected of it, `[C]`.
pub(super) fn squared_residuals(window: &[f32], expected: &[f32], residuals: &mut [f32]) {
    let last = &window[window.len() - expected.len()..];
    for ((residual, value), expected) in residuals.iter_mut().zip(last).zip(expected) {
        *residual = (value - expected) * (value - expected);
    }
}

/// A fitted detector of windows `[T, C]`.
pub trait FittedMember: Send + Sync + fmt::Debug {
    /// Which member it is.
    fn member(&self) -> Member;

    /// Reconstructs the last row of a scaled window `[T, C]` (row-major, missing cells 0) into `out` `[C]`.
    fn reconstruct_last(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]);

    /// Judges the last row of a scaled window `[T, C]`: what is expected of it, `[C]`, and how far it is off, as squared
    /// residuals `[C]`. By default those of the reconstruction; a member with another measure of surprise writes that.
    fn judge_last(&self, window: &[f32], scratch: &mut MemberScratch, expected: &mut [f32], residuals: &mut [f32]) {
        self.reconstruct_last(window, scratch, expected);
        squared_residuals(window, expected, residuals);
    }

    /// Width of the member's latent of a window; 0 when it has none.
    fn n_latent(&self) -> usize {
        0
    }

    /// The latent of a scaled window `[T, C]` into `out` `[Z]`; nothing is written when there is none.
    fn latent(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        let _ = (window, scratch, out);
    }

    /// Draws `n` new scaled windows `[n, T, C]`, when the member is a model that generates.
    fn sample(&self, n: usize, seed: u64) -> Option<Vec<f32>> {
        let _ = (n, seed);
        None
    }

    /// The network behind the member, when it is one.
    fn as_autoencoder(&self) -> Option<&Autoencoder> {
        None
    }

    /// Everything it learned, as plain data; [`rebuild`] is the way back.
    fn parts(&self) -> MemberParts;
}

/// Rebuilds a member of windows `[T, C]` from its parts.
///
/// # Errors
/// When arrays or facts are missing, misshapen or not finite.
pub fn rebuild(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Arc<dyn FittedMember>, MemberError> {
    match parts.member {
        Member::Pca => Ok(Arc::new(super::Pca::from_parts(parts, n_time, n_channels)?)),
        Member::RandomFeatures => Ok(Arc::new(super::RandomFeatures::from_parts(parts, n_time, n_channels)?)),
        Member::Var => Ok(Arc::new(super::Var::from_parts(parts, n_time, n_channels)?)),
        Member::Autoencoder => Ok(Arc::new(Autoencoder::from_member_parts(parts, n_time, n_channels)?)),
        Member::Kmeans => Ok(Arc::new(super::Kmeans::from_parts(parts, n_time, n_channels)?)),
        Member::KernelPca => Ok(Arc::new(super::KernelPca::from_parts(parts, n_time, n_channels)?)),
        Member::Baseline => Ok(Arc::new(super::Baseline::new())),
    }
}
