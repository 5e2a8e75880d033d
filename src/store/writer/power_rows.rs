//! The table `powers`: which faults each model would see.

use sqlx::SqliteConnection;

use super::batch::Batch;
use crate::store::CommitError;

/// Measured again on the same rows, it is the same.
const POWER: &str = "INSERT INTO powers (series_id, model_id, at_ms, model_skill, body) VALUES (?, ?, ?, ?, ?) \
    ON CONFLICT DO NOTHING";
/// The latest measurements of a model tell how its power changes; older ones are forgotten.
const FORGET: &str = "DELETE FROM powers WHERE series_id = ?1 AND at_ms NOT IN \
    (SELECT at_ms FROM powers WHERE series_id = ?1 ORDER BY at_ms DESC LIMIT 100)";

/// Writes what was measured: one statement each, they are rare.
pub(super) async fn write(conn: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), CommitError> {
    for (number, row) in &batch.powers {
        let body = serde_json::to_string(&row.power).map_err(|e| CommitError::Refused { detail: e.to_string() })?;
        sqlx::query(POWER)
            .bind(number)
            .bind(&row.model_id)
            .bind(row.at.as_ms())
            .bind(row.power.report.model_skill)
            .bind(body)
            .execute(&mut *conn)
            .await?;
        sqlx::query(FORGET).bind(number).execute(&mut *conn).await?;
    }
    Ok(())
}
