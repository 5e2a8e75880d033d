//! The trivial baseline: every channel is expected at its mean, so the squared residual is the squared z-score.

use super::{FittedMember, Member, MemberParts, MemberScratch};

/// Expects the mean of every channel, which is 0 after scaling.
#[derive(Debug, Clone, Default)]
pub struct Baseline;

impl Baseline {
    /// The baseline; it learns nothing beyond the scaler.
    pub fn new() -> Self {
        Self
    }
}

impl FittedMember for Baseline {
    fn member(&self) -> Member {
        Member::Baseline
    }

    fn reconstruct_last(&self, _window: &[f32], _scratch: &mut MemberScratch, out: &mut [f32]) {
        out.fill(0.0);
    }

    fn parts(&self) -> MemberParts {
        MemberParts { member: Member::Baseline, facts: serde_json::Value::Null, tensors: Vec::new() }
    }
}
