//! Latents of judged windows.

use serde::Serialize;

use super::RowQuery;
use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, Reader};

/// The latent of the window that ends with a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatentRow {
    /// Event time of the row.
    pub at: Timestamp,
    /// The latent, `[Z]`.
    pub latent: Vec<f32>,
}

impl Reader {
    /// Kept latents of a series, oldest first.
    ///
    /// # Errors
    /// When there is no such series, a row is damaged, or the store cannot be read.
    pub async fn latents(&self, series: &SeriesId, query: &RowQuery) -> Result<Vec<LatentRow>, ReadError> {
        let number = self.series_number(series).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT at_ms, latent FROM latents WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 \
             ORDER BY at_ms LIMIT ?4",
        )
        .bind(number)
        .bind(start_ms)
        .bind(end_ms)
        .bind(query.limit)
        .fetch_all(&self.pool)
        .await?;
        let row = |(at_ms, bytes): (i64, Vec<u8>)| {
            let (numbers, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                let detail = format!("a latent of {} bytes at {at_ms} ms", bytes.len());
                return Err(ReadError::DamagedRow { table: "latents", detail });
            }
            let latent = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            Ok(LatentRow { at: Timestamp::from_ms(at_ms), latent })
        };
        rows.into_iter().map(row).collect()
    }
}
