//! What people do to alerts.

use crate::series::Timestamp;
use crate::store::{CommitError, Store};
use crate::verdict::{Alert, AlertId};

impl Store {
    /// A person has seen the alert; the first time counts. The alert as it then is, or none when there is none of
    /// that id.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn acknowledge(&self, id: &AlertId, at: Timestamp) -> Result<Option<Alert>, CommitError> {
        let _ = (id, at);
        todo!()
    }

    /// A person says what the alert was: a true alert, a false alarm, or (none) takes that back. The alert as it then
    /// is, or none when there is none of that id.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn label(
        &self,
        id: &AlertId,
        label: Option<bool>,
        note: Option<&str>,
    ) -> Result<Option<Alert>, CommitError> {
        let _ = (id, label, note);
        todo!()
    }
}
