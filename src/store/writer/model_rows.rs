//! The tables `take_overs` and `checkpoints`.

use sqlx::{Arguments, SqliteConnection};

use super::batch::Batch;
use super::rows::{ManyRows, Texts, execute_rows};
use crate::store::CommitError;

const CHECKPOINTS: ManyRows = ManyRows {
    head: "INSERT INTO checkpoints (series_id, at_ms, bytes) VALUES",
    n_columns: 3,
    tail: "ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, bytes = excluded.bytes \
           WHERE excluded.at_ms >= checkpoints.at_ms",
};

/// Two take-overs before the same row: the second counts, as no row was judged by the first.
const TAKE_OVER: &str = "INSERT INTO take_overs (series_id, from_ms, from_row, model_id) VALUES (?, ?, ?, ?) \
    ON CONFLICT DO UPDATE SET from_row = excluded.from_row, model_id = excluded.model_id";

/// Writes what judges from now on, and how far each judge has come.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(), CommitError> {
    for (number, take_over) in &batch.take_overs {
        sqlx::query(TAKE_OVER)
            .bind(number)
            .bind(take_over.from.as_ms())
            .bind(take_over.from_row as i64)
            .bind(&take_over.model_id)
            .execute(&mut *conn)
            .await?;
    }
    let checkpoints: Vec<_> = batch.checkpoints.iter().collect();
    execute_rows(conn, texts, &CHECKPOINTS, &checkpoints, |(number, (at, bytes)), a| {
        a.add(**number)?;
        a.add(at.as_ms())?;
        a.add(*bytes)
    })
    .await?;
    Ok(())
}
