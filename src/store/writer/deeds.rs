//! What people do to alerts, and who is told of it.

use std::sync::PoisonError;

use tokio::sync::mpsc;

use crate::series::Timestamp;
use crate::store::{CommitError, ReadError, Store};
use crate::verdict::{Alert, AlertId};

/// What a person just did; it is committed.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Acknowledged an alert.
    Acknowledged(Alert),
    /// Labelled an alert, or took a label back.
    Labelled(Alert),
    /// Made or ended a silence.
    Silenced,
}

impl Store {
    /// What people do from now on, through any clone of this store. People are slow: nothing waits, nothing is dropped.
    pub fn deeds(&self) -> mpsc::UnboundedReceiver<Deed> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    pub(super) fn tell(&self, deed: Deed) {
        let mut watchers = self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|watcher| watcher.send(deed.clone()).is_ok());
        // A silence that ends, or an acknowledgement, may set free or settle what a target holds.
        self.inner.changes.send_modify(|n| *n += 1);
    }

    /// A person has seen the alert; the first time counts. The alert as it then is, or none when there is none of
    /// that id.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn acknowledge(&self, id: &AlertId, at: Timestamp) -> Result<Option<Alert>, CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query("UPDATE alerts SET acknowledged_at_ms = coalesce(acknowledged_at_ms, ?) WHERE id = ?")
            .bind(at.as_ms())
            .bind(&id.0)
            .execute(&mut conn)
            .await?;
        super::finish(&mut writer.connection, conn).await?;
        drop(writer);
        let alert = self.alert_now(id).await?;
        alert.iter().for_each(|alert| self.tell(Deed::Acknowledged(alert.clone())));
        Ok(alert)
    }

    pub(super) async fn alert_now(&self, id: &AlertId) -> Result<Option<Alert>, CommitError> {
        self.inner.reader.alert(id).await.map_err(|error| match error {
            ReadError::Unusable { cause } => cause,
            other => CommitError::Damaged { detail: other.to_string() },
        })
    }
}
