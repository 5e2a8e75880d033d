//! Closed rows of a series: what was measured.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::Row;

use super::rows::{Connection, Wanted, blob, each_row};
use super::{RowQuery, level_for};
use crate::series::{Frame, SeriesId, Timestamp};
use crate::store::blob::{Summary, decode_frame, decode_frame_into, decode_summaries};
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

const OLDEST_FIRST: &str = "SELECT at_ms, channel_values, cells FROM frames \
    WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms LIMIT ?4";

const NEWEST_FIRST: &str = "SELECT at_ms, channel_values, cells FROM frames \
    WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms DESC LIMIT ?4";

const ROLLED: &str = "SELECT bucket_ms, n_rows, summaries FROM frame_rollups \
    WHERE series_id = ?1 AND level_ms = ?2 AND bucket_ms >= ?3 AND bucket_ms < ?4 ORDER BY bucket_ms";

const RAW: &str = "SELECT at_ms, channel_values, cells FROM frames \
    WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms";

/// Rows and per-channel summaries by start of bucket.
#[derive(Default)]
struct Buckets(BTreeMap<i64, (u64, Vec<Summary>)>);

impl Buckets {
    fn add(&mut self, bucket_ms: i64, n_rows: u64, summaries: &[Summary]) {
        let (n_bucket, bucket) = self.0.entry(bucket_ms).or_default();
        *n_bucket += n_rows;
        bucket.resize(bucket.len().max(summaries.len()), Summary::EMPTY);
        bucket.iter_mut().zip(summaries).for_each(|(sum, summary)| sum.merge(summary));
    }

    fn into_rows(self) -> Vec<FrameBucket> {
        let row = |(bucket_ms, (n_rows, summaries)): (i64, (u64, Vec<Summary>))| {
            let each = |value: fn(&Summary) -> f64| {
                summaries.iter().map(|s| (s.n_present > 0).then(|| value(s))).collect::<Vec<_>>()
            };
            FrameBucket {
                at: Timestamp::from_ms(bucket_ms),
                n_rows,
                min: each(|s| s.min),
                max: each(|s| s.max),
                mean: each(|s| s.sum / s.n_present as f64),
            }
        };
        self.0.into_iter().map(row).collect()
    }
}

fn damaged(table: &'static str) -> impl Fn(String) -> ReadError {
    move |detail| ReadError::DamagedRow { table, detail }
}

impl Reader {
    /// Closed rows of a series, oldest first unless asked otherwise.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn frames(&self, series: &SeriesId, query: &RowQuery) -> Result<Vec<Frame>, ReadError> {
        self.each_frame(series, query, Vec::new(), |frames, frame| frames.push(frame.clone())).await
    }

    /// As [`Reader::frames`], each row shown to `see` as it is read, on a thread that may block. What has been `seen`
    /// comes back in the end; once nobody waits for that, no more rows are read.
    ///
    /// # Errors
    /// As [`Reader::frames`]; some rows may have been shown by then.
    pub async fn each_frame<T: Send + 'static>(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        mut seen: T,
        mut see: impl FnMut(&mut T, &Frame) + Send + 'static,
    ) -> Result<T, ReadError> {
        let number = self.series_number_until(series, query.end).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let text = if query.newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
        let range = (number, start_ms, end_ms, query.limit);
        let read = move |connection: &mut Connection, wanted: &Wanted| {
            let mut frame = Frame { at: Timestamp::from_ms(0), values: Vec::new(), cells: Vec::new() };
            each_row(connection, text, range, wanted, |row| {
                decode_frame_into(&mut frame, row.get(0)?, blob(row, 1)?, blob(row, 2)?).map_err(damaged("frames"))?;
                see(&mut seen, &frame);
                Ok(())
            })?;
            Ok(seen)
        };
        self.rows.ask(read).await
    }

    /// Closed rows of `[start, end)` in buckets of `step_ms`, as [`Reader::score_buckets`] does for scores.
    ///
    /// # Errors
    /// When there is no such series, the step is below 1 ms, newest-first order is asked for, or the store cannot be
    /// read.
    pub async fn frame_buckets(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        step_ms: i64,
    ) -> Result<Vec<FrameBucket>, ReadError> {
        let (level_ms, step_ms) = level_for(query, step_ms)?;
        let number = self.series_number(series).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let bucket_of = |at_ms: i64| at_ms - at_ms.rem_euclid(step_ms);
        let mut buckets = Buckets::default();
        let mut raw_from_ms = start_ms;
        if let Some(level_ms) = level_ms {
            let floor = |at_ms: i64| at_ms - at_ms.rem_euclid(level_ms);
            let last_ms: Option<i64> = sqlx::query_scalar("SELECT last_closed_ms FROM series WHERE id = ?")
                .bind(number)
                .fetch_one(&self.pool)
                .await?;
            raw_from_ms = end_ms.min(last_ms.map_or(0, floor)).max(floor(start_ms));
            let mut rows = sqlx::query(ROLLED)
                .bind(number)
                .bind(level_ms)
                .bind(floor(start_ms))
                .bind(raw_from_ms)
                .fetch(&self.pool);
            while let Some(row) = rows.try_next().await? {
                let summaries = decode_summaries(row.try_get(2)?).map_err(damaged("frame_rollups"))?;
                buckets.add(bucket_of(row.try_get(0)?), row.try_get::<i64, _>(1)?.unsigned_abs(), &summaries);
            }
        }
        let mut rows = sqlx::query(RAW).bind(number).bind(raw_from_ms).bind(end_ms).fetch(&self.pool);
        while let Some(row) = rows.try_next().await? {
            let frame = decode_frame(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?).map_err(damaged("frames"))?;
            let of = |(value, cell): (&f64, &crate::series::Cell)| {
                if cell.is_present() { Summary::of(*value) } else { Summary::EMPTY }
            };
            let summaries: Vec<_> = frame.values.iter().zip(&frame.cells).map(of).collect();
            buckets.add(bucket_of(frame.at.as_ms()), 1, &summaries);
            if buckets.0.len() > query.limit as usize {
                buckets.0.pop_last();
                break;
            }
        }
        let mut rows = buckets.into_rows();
        rows.truncate(query.limit as usize);
        Ok(rows)
    }
}
