//! What was expected of each channel, summed up in buckets: from every judged row while they are few, and from an even
//! sample of them over long ranges, because each row has to be unpacked.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use sqlx::Row;

use super::{RowQuery, level_for};
use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::blob::decode_detail;
use crate::store::{ReadError, Reader};

/// Judged rows that are all unpacked for one answer: more would take longer than a reader waits.
const ROWS_MAX: i64 = 30_000;
/// Slices of time of which one row each is unpacked instead.
const SLICES: i64 = 10_000;

/// Counts no further than it has to.
const COUNT: &str = "SELECT count(*), min(at_ms) FROM (SELECT at_ms FROM scores WHERE series_id = ? AND at_ms >= ? \
                     AND at_ms < ? ORDER BY at_ms LIMIT ?)";
const LAST: &str = "SELECT max(at_ms) FROM scores WHERE series_id = ? AND at_ms >= ? AND at_ms < ?";

const EVERY_ROW: &str = "SELECT at_ms, detail FROM scores WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3";
/// The first row of each slice of `?4` ms, one seek a slice.
const A_ROW_A_SLICE: &str = "WITH RECURSIVE slices (from_ms) AS \
    (VALUES (?2) UNION ALL SELECT from_ms + ?4 FROM slices WHERE from_ms + ?4 < ?3) \
    SELECT s.at_ms, s.detail FROM slices CROSS JOIN scores AS s ON s.series_id = ?1 AND s.at_ms = \
    (SELECT min(at_ms) FROM scores WHERE series_id = ?1 AND at_ms >= from_ms AND at_ms < from_ms + ?4)";

/// Mean expected values by channel, in the sender's unit, by start of their bucket.
pub type ExpectedBuckets = HashMap<Timestamp, BTreeMap<ChannelName, f64>>;

impl Reader {
    /// Mean of what was expected in `[start, end)`, in the buckets that
    /// [`score_buckets`](Reader::score_buckets) gives for the same step. Where the range holds more than 30,000 judged
    /// rows they are means of an even sample: one row of each of 10,000 slices of time, and of each bucket at least one.
    ///
    /// # Errors
    /// When there is no such series, the step is below 1 ms, or the store cannot be read.
    pub async fn expected_buckets(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        step_ms: i64,
    ) -> Result<ExpectedBuckets, ReadError> {
        let (_, step_ms) = level_for(query, step_ms)?;
        let number = self.series_number(series).await?;
        let judges = self.judges(number).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let (n_rows, first_ms): (i64, Option<i64>) = sqlx::query_as(COUNT)
            .bind(number)
            .bind(start_ms)
            .bind(end_ms)
            .bind(ROWS_MAX + 1)
            .fetch_one(&self.pool)
            .await?;
        let Some(first_ms) = first_ms else { return Ok(ExpectedBuckets::new()) };
        let mut rows = if n_rows > ROWS_MAX {
            let last: i64 =
                sqlx::query_scalar(LAST).bind(number).bind(start_ms).bind(end_ms).fetch_one(&self.pool).await?;
            // No more buckets than the answer has.
            let end_ms = (last + 1).min(first_ms.saturating_add(step_ms.saturating_mul(query.limit.into())));
            let slice_ms = ((end_ms - first_ms) / SLICES).clamp(1, step_ms);
            sqlx::query(A_ROW_A_SLICE).bind(number).bind(first_ms).bind(end_ms).bind(slice_ms).fetch(&self.pool)
        } else {
            sqlx::query(EVERY_ROW).bind(number).bind(start_ms).bind(end_ms).fetch(&self.pool)
        };
        let mut sums: HashMap<i64, HashMap<&ChannelName, (f64, f64)>> = HashMap::new();
        while let Some(row) = rows.try_next().await? {
            let at_ms: i64 = row.try_get(0)?;
            let damaged = |detail| ReadError::DamagedRow { table: "scores", detail };
            let detail = decode_detail(row.try_get(1)?).map_err(damaged)?;
            let Some(judge) = judges[..judges.partition_point(|judge| judge.from_ms <= at_ms)].last() else { continue };
            let bucket = sums.entry(at_ms - at_ms.rem_euclid(step_ms)).or_default();
            let channels = judge.channels.iter().flatten();
            for (channel, value) in channels.zip(detail.expected()).filter(|(_, value)| value.is_finite()) {
                let (sum, n) = bucket.entry(channel).or_default();
                *sum += value;
                *n += 1.0;
            }
        }
        let means = |sums: HashMap<&ChannelName, (f64, f64)>| -> BTreeMap<ChannelName, f64> {
            sums.into_iter().map(|(channel, (sum, n))| (channel.clone(), sum / n)).collect()
        };
        Ok(sums.into_iter().map(|(at_ms, sums)| (Timestamp::from_ms(at_ms), means(sums))).collect())
    }
}
