//! What people do to alerts.

use crate::series::Timestamp;
use crate::store::{CommitError, ReadError, Store};
use crate::verdict::{Alert, AlertId};

impl Store {
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
        self.alert_now(id).await
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
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query("UPDATE alerts SET label = ?, label_note = ? WHERE id = ?")
            .bind(label)
            .bind(note)
            .bind(&id.0)
            .execute(&mut conn)
            .await?;
        super::finish(&mut writer.connection, conn).await?;
        self.alert_now(id).await
    }

    async fn alert_now(&self, id: &AlertId) -> Result<Option<Alert>, CommitError> {
        self.inner.reader.alert(id).await.map_err(|error| match error {
            ReadError::Unusable { cause } => cause,
            other => CommitError::Damaged { detail: other.to_string() },
        })
    }
}
