//! The table `level_shifts`: what the slow baseline has accepted, and what was taken back.

use sqlx::SqliteConnection;

use super::batch::Batch;
use crate::pipeline::ShiftDeed;
use crate::store::CommitError;

const ACCEPTED: &str = "INSERT INTO level_shifts (series_id, at_ms, factor) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
/// All that stands is taken back: the baseline begins anew.
const UNDONE: &str = "UPDATE level_shifts SET undone_at_ms = ?2 WHERE series_id = ?1 AND undone_at_ms IS NULL";

/// Writes what was accepted and taken back, in order.
pub(super) async fn write(conn: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), CommitError> {
    for (number, deed) in &batch.shifts {
        match deed {
            ShiftDeed::Accepted { at, factor } => {
                sqlx::query(ACCEPTED).bind(number).bind(at.as_ms()).bind(factor).execute(&mut *conn).await?;
            }
            ShiftDeed::Undone { undone_at } => {
                sqlx::query(UNDONE).bind(number).bind(undone_at.as_ms()).execute(&mut *conn).await?;
            }
        }
    }
    Ok(())
}
