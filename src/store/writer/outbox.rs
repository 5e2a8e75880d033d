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
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query(
            "INSERT INTO targets (name, delivered_id) SELECT ?, coalesce(max(id), 0) FROM transitions WHERE true \
             ON CONFLICT DO NOTHING",
        )
        .bind(target)
        .execute(&mut conn)
        .await?;
        super::finish(&mut writer.connection, conn).await
    }

    /// Forgets the targets that are not in the list, with what waits for them; gives their names. What they refused stays
    /// readable.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn keep_targets(&self, configured: &[String]) -> Result<Vec<String>, CommitError> {
        let names = serde_json::Value::from(configured).to_string();
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        let gone =
            sqlx::query_scalar("DELETE FROM targets WHERE name NOT IN (SELECT value FROM json_each(?)) RETURNING name")
                .bind(&names)
                .fetch_all(&mut conn)
                .await?;
        sqlx::query("DELETE FROM held_notices WHERE target NOT IN (SELECT value FROM json_each(?))")
            .bind(&names)
            .execute(&mut conn)
            .await?;
        super::finish(&mut writer.connection, conn).await?;
        Ok(gone)
    }

    /// The oldest transitions that a target has not acknowledged, in order; none for an unknown target.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pending(&self, target: &str, limit: u32) -> Result<Vec<StoredTransition>, ReadError> {
        let delivered: Option<i64> = sqlx::query_scalar("SELECT delivered_id FROM targets WHERE name = ?")
            .bind(target)
            .fetch_optional(&self.inner.reader.pool)
            .await?;
        match delivered {
            Some(delivered) => self.inner.reader.transitions(delivered, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// A target has acknowledged every transition up to and including `id`, at a time of the wall clock.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn mark_delivered(&self, target: &str, id: i64, at: Timestamp) -> Result<(), CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query("UPDATE targets SET delivered_id = ?1, delivered_at_ms = ?2 WHERE name = ?3 AND delivered_id < ?1")
            .bind(id)
            .bind(at.as_ms())
            .bind(target)
            .execute(&mut conn)
            .await?;
        super::finish(&mut writer.connection, conn).await
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
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query(
            "INSERT INTO dead_letters (target, transition_id, at_ms, attempts, error) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(target)
        .bind(id)
        .bind(at.as_ms())
        .bind(attempts)
        .bind(error)
        .execute(&mut conn)
        .await?;
        sqlx::query("UPDATE targets SET delivered_id = max(delivered_id, ?) WHERE name = ?")
            .bind(id)
            .bind(target)
            .execute(&mut conn)
            .await?;
        super::finish(&mut writer.connection, conn).await
    }

    /// Changes whenever a commit has written transitions: what a notifier waits for.
    pub fn outbox_changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }
}
