//! One batch of outcomes, one transaction.

use crate::pipeline::Outcome;
use crate::store::{CommitError, Store};

/// What a commit wrote that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Closed rows.
    pub n_frames: u64,
    /// Rows with a live score.
    pub n_scores: u64,
    /// Rows with a settled score.
    pub n_settled: u64,
    /// Transitions of alerts.
    pub n_transitions: u64,
}

impl Store {
    /// Commits a batch: when this returns, all of it is in the store and survives whatever the setting
    /// `synchronous` promises. Committing a batch again changes nothing. Within a batch the last word on a series'
    /// state, an unfinished row or a checkpoint counts.
    ///
    /// # Errors
    /// See [`CommitError::reaction`] for what to do; nothing of the batch is written then.
    pub async fn commit(&self, batch: &[Outcome]) -> Result<Committed, CommitError> {
        let _ = batch;
        todo!()
    }
}
