//! Lasting changes of level that were accepted.

use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, Reader};

/// A lasting change of level that counts as normal, or did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftRow {
    /// The row from which on it counts as normal.
    pub at: Timestamp,
    /// How many times larger residuals count as normal from then on.
    pub factor: f64,
    /// When a person took it back.
    pub undone_at: Option<Timestamp>,
}

impl Reader {
    /// Accepted level shifts of a series, newest first.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn level_shifts(&self, series: &SeriesId) -> Result<Vec<ShiftRow>, ReadError> {
        let number = self.series_number(series).await?;
        let rows: Vec<(i64, f64, Option<i64>)> = sqlx::query_as(
            "SELECT at_ms, factor, undone_at_ms FROM level_shifts WHERE series_id = ? ORDER BY at_ms DESC LIMIT 1000",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await?;
        let row = |(at_ms, factor, undone_at_ms): (i64, f64, Option<i64>)| ShiftRow {
            at: Timestamp::from_ms(at_ms),
            factor,
            undone_at: undone_at_ms.map(Timestamp::from_ms),
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
