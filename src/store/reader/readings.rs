//! Closed rows of a series: what was measured.

use serde::Serialize;

use super::RowQuery;
use crate::series::{Frame, SeriesId, Timestamp};
use crate::store::{ReadError, Reader};

/// Closed rows in `[at, at + step)`, summed up by channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrameBucket {
    /// Start of the bucket.
    pub at: Timestamp,
    /// Closed rows in it.
    pub n_rows: u64,
    /// Least value, `[channel_index]`; none when no cell of the channel was present.
    pub min: Vec<Option<f64>>,
    /// Greatest value.
    pub max: Vec<Option<f64>>,
    /// Mean value.
    pub mean: Vec<Option<f64>>,
}

impl Reader {
    /// Closed rows of a series, oldest first unless asked otherwise.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn frames(&self, series: &SeriesId, query: &RowQuery) -> Result<Vec<Frame>, ReadError> {
        let _ = (series, query);
        todo!()
    }

    /// Closed rows of `[start, end)` in buckets of `step_ms`, as [`Reader::score_buckets`] does for scores.
    ///
    /// # Errors
    /// When there is no such series, the step is below 1 ms, or the store cannot be read.
    pub async fn frame_buckets(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        step_ms: i64,
    ) -> Result<Vec<FrameBucket>, ReadError> {
        let _ = (series, query, step_ms);
        todo!()
    }
}
