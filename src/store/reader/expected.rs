//! What was expected of each channel, summed up in buckets.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use sqlx::Row;

use super::{RowQuery, level_for};
use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::blob::decode_detail;
use crate::store::{ReadError, Reader};

/// Judged rows that are unpacked for one answer at most: beyond, they would take longer than a reader waits.
const ROWS_MAX: u32 = 30_000;

const EXPECTED: &str = "SELECT at_ms, detail FROM scores WHERE series_id = ? AND at_ms >= ? AND at_ms < ? \
                        ORDER BY at_ms LIMIT ?";

/// Mean expected values by channel, in the sender's unit, by start of their bucket.
pub type ExpectedBuckets = HashMap<Timestamp, BTreeMap<ChannelName, f64>>;

impl Reader {
    /// Mean of what was expected in `[start, end)`, in the buckets that
    /// [`score_buckets`](Reader::score_buckets) gives for the same step. None when the range holds more judged rows
    /// than are unpacked for one answer (30,000).
    ///
    /// # Errors
    /// When there is no such series, the step is below 1 ms, or the store cannot be read.
    pub async fn expected_buckets(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        step_ms: i64,
    ) -> Result<Option<ExpectedBuckets>, ReadError> {
        let (_, step_ms) = level_for(query, step_ms)?;
        let number = self.series_number(series).await?;
        let judges = self.judges(number).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let mut rows =
            sqlx::query(EXPECTED).bind(number).bind(start_ms).bind(end_ms).bind(ROWS_MAX + 1).fetch(&self.pool);
        let mut sums: HashMap<i64, HashMap<&ChannelName, (f64, f64)>> = HashMap::new();
        let mut n_rows = 0;
        while let Some(row) = rows.try_next().await? {
            n_rows += 1;
            if n_rows > ROWS_MAX {
                return Ok(None);
            }
            let at_ms: i64 = row.try_get(0)?;
            let damaged = |detail| ReadError::DamagedRow { table: "scores", detail };
            let detail = decode_detail(row.try_get(1)?).map_err(damaged)?;
            let Some(judge) = judges[..judges.partition_point(|judge| judge.from_ms <= at_ms)].last() else { continue };
            let bucket = sums.entry(at_ms - at_ms.rem_euclid(step_ms)).or_default();
            for (channel, value) in judge.channels.iter().zip(detail.expected).filter(|(_, value)| value.is_finite()) {
                let (sum, n) = bucket.entry(channel).or_default();
                *sum += value;
                *n += 1.0;
            }
        }
        let means = |sums: HashMap<&ChannelName, (f64, f64)>| -> BTreeMap<ChannelName, f64> {
            sums.into_iter().map(|(channel, (sum, n))| (channel.clone(), sum / n)).collect()
        };
        Ok(Some(sums.into_iter().map(|(at_ms, sums)| (Timestamp::from_ms(at_ms), means(sums))).collect()))
    }
}
