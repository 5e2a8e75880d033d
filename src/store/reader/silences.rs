//! Silences, and notices that wait for one to end.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use super::json_from;
use crate::series::Timestamp;
use crate::store::{ReadError, Reader};
use crate::verdict::{AlertId, Silence, SilenceSpec};

/// An opening that a target has not been told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldNotice {
    /// Of which alert.
    pub alert_id: AlertId,
    /// The transition to tell.
    pub transition_id: i64,
    /// Wall clock since when it is held.
    pub held_at: Timestamp,
}

fn silence_from_row(row: &SqliteRow) -> Result<Silence, ReadError> {
    let at = |column: &str| -> Result<Timestamp, sqlx::Error> { Ok(Timestamp::from_ms(row.try_get(column)?)) };
    let schedule: Option<String> = row.try_get("schedule")?;
    Ok(Silence {
        id: row.try_get("id")?,
        spec: SilenceSpec {
            matchers: json_from("silences", row.try_get("matchers")?)?,
            starts_at: at("starts_at_ms")?,
            ends_at: at("ends_at_ms")?,
            schedule: schedule.map(|text| json_from("silences", &text)).transpose()?,
            created_by: row.try_get("created_by")?,
            comment: row.try_get("comment")?,
        },
        updated_at: at("updated_at_ms")?,
    })
}

/// One silence, asked on any connection.
pub(in crate::store) async fn silence(
    executor: impl SqliteExecutor<'_>,
    id: &str,
) -> Result<Option<Silence>, ReadError> {
    let row = sqlx::query("SELECT * FROM silences WHERE id = ?").bind(id).fetch_optional(executor).await?;
    row.as_ref().map(silence_from_row).transpose()
}

impl Reader {
    /// Silences that end after a time, the one that ends last first; all of them when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn silences(&self, ending_after: Option<Timestamp>) -> Result<Vec<Silence>, ReadError> {
        let rows = sqlx::query("SELECT * FROM silences WHERE ends_at_ms > ? ORDER BY ends_at_ms DESC, id")
            .bind(ending_after.map_or(i64::MIN, Timestamp::as_ms))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(silence_from_row).collect()
    }

    /// One silence, if there is one of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn silence(&self, id: &str) -> Result<Option<Silence>, ReadError> {
        silence(&self.pool, id).await
    }

    /// Openings that a target has not been told yet, the one held longest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn held_notices(&self, target: &str) -> Result<Vec<HeldNotice>, ReadError> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT alert_id, transition_id, held_at_ms FROM held_notices WHERE target = ? ORDER BY held_at_ms, alert_id",
        )
        .bind(target)
        .fetch_all(&self.pool)
        .await?;
        let held = |(id, transition_id, ms)| HeldNotice {
            alert_id: AlertId(id),
            transition_id,
            held_at: Timestamp::from_ms(ms),
        };
        Ok(rows.into_iter().map(held).collect())
    }
}
