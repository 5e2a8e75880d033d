//! The tables `silences` and `held_notices`.

use super::Deed;
use crate::series::Timestamp;
use crate::store::reader::silence;
use crate::store::writer::checksum;
use crate::store::{CommitError, ReadError, Store};
use crate::verdict::{AlertId, Silence, SilenceSpec};

/// Hex digits of an id.
const ID_DIGITS: usize = 16;

fn refused(error: impl std::fmt::Display) -> CommitError {
    CommitError::Refused { detail: error.to_string() }
}

fn unreadable(error: ReadError) -> CommitError {
    match error {
        ReadError::Unusable { cause } => cause,
        other => CommitError::Damaged { detail: other.to_string() },
    }
}

impl Store {
    /// Makes a silence that has been checked; `now` is the wall clock. The same silence made twice at one moment is one.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn add_silence(&self, spec: SilenceSpec, now: Timestamp) -> Result<Silence, CommitError> {
        let matchers = serde_json::to_string(&spec.matchers).map_err(refused)?;
        let schedule = spec.schedule.as_ref().map(serde_json::to_string).transpose().map_err(refused)?;
        let told = format!(
            "{matchers}\n{schedule:?}\n{}\n{}\n{}\n{}\n{}",
            spec.starts_at, spec.ends_at, spec.created_by, spec.comment, now
        );
        let id: String = checksum(told.as_bytes()).chars().take(ID_DIGITS).collect();
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query(
            "INSERT INTO silences (id, matchers, starts_at_ms, ends_at_ms, schedule, created_by, comment, updated_at_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&id)
        .bind(matchers)
        .bind(spec.starts_at.as_ms())
        .bind(spec.ends_at.as_ms())
        .bind(schedule)
        .bind(&spec.created_by)
        .bind(&spec.comment)
        .bind(now.as_ms())
        .execute(&mut conn)
        .await?;
        super::finish(&mut writer.connection, conn).await?;
        drop(writer);
        self.tell(Deed::Silenced);
        Ok(Silence { id, spec, updated_at: now })
    }

    /// Ends a silence now; one that has not begun never will, one that is over stays as it is. The silence as it then
    /// is, or none when there is none of that id.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn expire_silence(&self, id: &str, now: Timestamp) -> Result<Option<Silence>, CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query(
            "UPDATE silences SET starts_at_ms = min(starts_at_ms, ?1), ends_at_ms = ?1, updated_at_ms = ?1 \
             WHERE id = ?2 AND ends_at_ms > ?1",
        )
        .bind(now.as_ms())
        .bind(id)
        .execute(&mut conn)
        .await?;
        let found = silence(&mut conn, id).await.map_err(unreadable)?;
        super::finish(&mut writer.connection, conn).await?;
        drop(writer);
        self.tell(Deed::Silenced);
        Ok(found)
    }

    /// A target is not told an opening for now; everything before it counts as delivered.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn hold_notice(
        &self,
        target: &str,
        alert_id: &AlertId,
        transition_id: i64,
        now: Timestamp,
    ) -> Result<(), CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query(
            "INSERT INTO held_notices (target, alert_id, transition_id, held_at_ms) VALUES (?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(target)
        .bind(&alert_id.0)
        .bind(transition_id)
        .bind(now.as_ms())
        .execute(&mut conn)
        .await?;
        pass(&mut conn, target, transition_id).await?;
        super::finish(&mut writer.connection, conn).await
    }

    /// A held opening was told, or is no longer worth telling; with `up_to`, everything up to that transition counts as
    /// delivered too.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn release_notice(
        &self,
        target: &str,
        alert_id: &AlertId,
        up_to: Option<i64>,
    ) -> Result<(), CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        sqlx::query("DELETE FROM held_notices WHERE target = ? AND alert_id = ?")
            .bind(target)
            .bind(&alert_id.0)
            .execute(&mut conn)
            .await?;
        if let Some(id) = up_to {
            pass(&mut conn, target, id).await?;
        }
        super::finish(&mut writer.connection, conn).await
    }
}

async fn pass(conn: &mut sqlx::SqliteConnection, target: &str, id: i64) -> Result<(), CommitError> {
    sqlx::query("UPDATE targets SET delivered_id = max(delivered_id, ?) WHERE name = ?")
        .bind(id)
        .bind(target)
        .execute(conn)
        .await?;
    Ok(())
}
