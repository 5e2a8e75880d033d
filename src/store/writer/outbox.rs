//! The outbox: transitions that a target has not yet acknowledged.

use tokio::sync::watch;

use crate::series::Timestamp;
use crate::store::reader::StoredTransition;
use crate::store::{CommitError, ReadError, Store};

impl Store {
    /// Makes a target known; one seen for the first time is told what happens from now on. Known targets stay.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn add_target(&self, target: &str) -> Result<(), CommitError> {
        let _ = target;
        todo!()
    }

    /// The oldest transitions that a target has not acknowledged, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pending(&self, target: &str, limit: u32) -> Result<Vec<StoredTransition>, ReadError> {
        let _ = (target, limit);
        todo!()
    }

    /// A target has acknowledged every transition up to and including `id`, at a time of the wall clock.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn mark_delivered(&self, target: &str, id: i64, at: Timestamp) -> Result<(), CommitError> {
        let _ = (target, id, at);
        todo!()
    }

    /// A target has refused a transition for good: it is put aside with the reason, and the target goes on.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn bury(
        &self,
        target: &str,
        id: i64,
        attempts: u32,
        error: &str,
        at: Timestamp,
    ) -> Result<(), CommitError> {
        let _ = (target, id, attempts, error, at);
        todo!()
    }

    /// Changes whenever a commit has written transitions: what a notifier waits for.
    pub fn outbox_changes(&self) -> watch::Receiver<u64> {
        todo!()
    }
}
