//! The table `budgets`: promised against realised, one row a series.

use sqlx::SqliteConnection;

use super::batch::Batch;
use crate::store::CommitError;

const BUDGET: &str = "INSERT INTO budgets \
    (series_id, at_ms, asked, explanation, openings_per_row, n_judged, n_promised, n_openings) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms, asked = excluded.asked, \
    explanation = excluded.explanation, openings_per_row = excluded.openings_per_row, n_judged = excluded.n_judged, \
    n_promised = excluded.n_promised, n_openings = excluded.n_openings WHERE excluded.at_ms >= budgets.at_ms";

/// Writes the last word on each series' budget.
pub(super) async fn write(conn: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), CommitError> {
    for (number, row) in &batch.budgets {
        sqlx::query(BUDGET)
            .bind(number)
            .bind(row.at.as_ms())
            .bind(&row.asked)
            .bind(&row.explanation)
            .bind(row.openings_per_row)
            .bind(row.n_judged as i64)
            .bind(row.n_promised)
            .bind(row.n_openings as i64)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
