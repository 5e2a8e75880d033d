//! The autoencoder as a member of the fused score.

use super::fitted::{Autoencoder, AutoencoderScratch};
use super::spec::{AutoencoderSpec, VariationalScore, VariationalSpec};
use super::trainer::FitAutoencoderError;
use crate::detector::member::squared_residuals;
use crate::detector::{FittedMember, Member, MemberError, MemberParts, MemberScratch};

impl FittedMember for Autoencoder {
    fn member(&self) -> Member {
        Member::Autoencoder
    }

    fn reconstruct_last(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        self.reconstruct_last_rows(window, scratch.autoencoder(), out);
    }

    fn judge_last(&self, window: &[f32], scratch: &mut MemberScratch, expected: &mut [f32], residuals: &mut [f32]) {
        if let Some(VariationalSpec { score: VariationalScore::Likelihood, n_samples, .. }) = self.spec().variational {
            return self.sampled_last_row(window, n_samples, scratch.autoencoder(), expected, residuals);
        }
        self.reconstruct_last(window, scratch, expected);
        squared_residuals(window, expected, residuals);
    }

    fn n_latent(&self) -> usize {
        Autoencoder::n_latent(self)
    }

    fn latent(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        self.latents(window, scratch.autoencoder(), out);
    }

    fn sample(&self, n: usize, seed: u64) -> Option<Vec<f32>> {
        self.spec().variational?;
        Some(Autoencoder::sample(self, n, seed, &mut AutoencoderScratch::default()))
    }

    fn as_autoencoder(&self) -> Option<&Autoencoder> {
        Some(self)
    }

    fn parts(&self) -> MemberParts {
        // A spec of plain numbers and words always has a JSON form.
        let facts = serde_json::to_value(self.spec()).unwrap_or_default();
        MemberParts { member: Member::Autoencoder, facts, tensors: self.tensors() }
    }
}

impl Autoencoder {
    /// True when its judgement of a row is that of the one reconstruction, so that windows may be reconstructed together
    /// beforehand.
    pub(in crate::detector) fn judges_by_reconstruction(&self) -> bool {
        !matches!(self.spec().variational, Some(VariationalSpec { score: VariationalScore::Likelihood, .. }))
    }

    /// Rebuilds the member from its parts, for windows `[n_time, n_channels]`.
    ///
    /// # Errors
    /// When the stored spec is unreadable or faulty, or a tensor is missing, misshapen or not finite.
    pub fn from_member_parts(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Self, MemberError> {
        let unreadable = |reason: String| MemberError::Facts { member: Member::Autoencoder, reason };
        let spec: AutoencoderSpec =
            serde_json::from_value(parts.facts.clone()).map_err(|error| unreadable(error.to_string()))?;
        Autoencoder::from_tensors(&spec, n_time, n_channels, &parts.tensors)
            .map_err(|error| unreadable(error.to_string()))
    }
}

impl From<FitAutoencoderError> for MemberError {
    fn from(error: FitAutoencoderError) -> Self {
        let member = Member::Autoencoder;
        match error {
            FitAutoencoderError::Cancelled { .. } => MemberError::Cancelled,
            FitAutoencoderError::TooFewWindows { found, expected } => {
                MemberError::TooFewWindows { member, found, needed: expected }
            }
            FitAutoencoderError::Spec(error) => MemberError::Facts { member, reason: error.to_string() },
            error => MemberError::NotFinite { member, reason: error.to_string() },
        }
    }
}
