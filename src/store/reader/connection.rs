//! The read-only connections.

use std::path::Path;

use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use super::rows::RowConnections;
use crate::series::{SeriesId, Timestamp};
use crate::store::connect::{found_version, known_version, not_usable, read_options};
use crate::store::writer::WaitingRows;
use crate::store::{OpenError, ReadError, StoreConfig};

/// Asks the store. Cheap to clone; every clone shares the same few connections.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(in crate::store) pool: SqlitePool,
    pub(super) rows: RowConnections,
    /// Rows that the writer of this store holds back; none for a reader without a writer.
    waiting: Option<WaitingRows>,
}

impl Reader {
    /// Opens the database of a store for reading.
    ///
    /// # Errors
    /// When there is none, it is another program's, was written by a newer or an older Kilter, or cannot be read.
    pub async fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let path = config.url.path();
        if !path.is_file() {
            return Err(OpenError::Absent { path: path.to_owned() });
        }
        let reader = Self::lazily(config);
        reader.check(path).await?;
        Ok(reader)
    }

    /// A reader of a database that the writer has just opened; connects when first asked.
    pub(in crate::store) fn lazily(config: &StoreConfig) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(config.read_connections.max(1))
            .connect_lazy_with(read_options(config));
        Self { pool, rows: RowConnections::new(config), waiting: None }
    }

    /// The reader of a store that is written: what the writer holds back of a series is sorted in before a question
    /// about it.
    pub(in crate::store) fn behind(self, waiting: WaitingRows) -> Self {
        Self { waiting: Some(waiting), ..self }
    }

    async fn check(&self, path: &Path) -> Result<(), OpenError> {
        let known = known_version();
        let mut conn = self.pool.acquire().await.map_err(|e| not_usable(path, e))?;
        match found_version(&mut conn, path).await? {
            Some(found) if found == known => Ok(()),
            found => Err(OpenError::Older { path: path.to_owned(), found: found.unwrap_or(0), known }),
        }
    }

    /// Closes the connections; later questions fail.
    pub async fn close(&self) {
        self.rows.close().await;
        self.pool.close().await;
    }

    /// The number that stands for a series in the big tables, whose rows of it are then complete.
    pub(in crate::store) async fn series_number(&self, series: &SeriesId) -> Result<i64, ReadError> {
        self.series_number_until(series, None).await
    }

    /// The same where closed rows before `end` are enough.
    pub(in crate::store) async fn series_number_until(
        &self,
        series: &SeriesId,
        end: Option<Timestamp>,
    ) -> Result<i64, ReadError> {
        let number = sqlx::query_scalar("SELECT id FROM series WHERE name = ?")
            .bind(series.as_str())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| ReadError::NoSuchSeries { series: series.clone() })?;
        if let Some(waiting) = &self.waiting {
            waiting.sort_in(number, end).await;
        }
        Ok(number)
    }
}
