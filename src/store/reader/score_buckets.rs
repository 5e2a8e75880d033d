//! Scores of a series, summed up in buckets.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::FromRow;

use super::{RowQuery, level_for};
use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, Reader};

/// Judged rows in `[at, at + step)`, summed up so that no spike disappears.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreBucket {
    /// Start of the bucket.
    pub at: Timestamp,
    /// Judged rows in it.
    pub n_rows: u64,
    /// Least live score.
    pub live_min: f64,
    /// Greatest live score.
    pub live_max: f64,
    /// Mean live score.
    pub live_mean: f64,
    /// Greatest settled score; none when none is issued yet.
    pub settled_max: Option<f64>,
    /// Greatest evidence.
    pub evidence_max: f64,
    /// Smallest p-value.
    pub p_value_min: f64,
    /// Greatest error of the autoencoder.
    pub autoencoder_max: Option<f64>,
    /// Greatest error of the PCA.
    pub pca_max: Option<f64>,
    /// Greatest smoothed squared z-score.
    pub baseline_max: f64,
    /// Rows on which an alert was open.
    pub n_anomalous: u64,
}

/// Raw rows summed up. The settled scores are joined bucket by bucket, not row by row.
const RAW_BUCKETS: &str = "SELECT s.at_ms / ?4 * ?4 AS bucket_ms, count(*) AS n_rows, min(live_score) AS live_min, \
    max(live_score) AS live_max, sum(live_score) AS live_sum, max(evidence) AS evidence_max, \
    min(p_value) AS p_value_min, max(autoencoder_error) AS autoencoder_max, max(pca_error) AS pca_max, \
    max(baseline_error) AS baseline_max, sum(is_anomalous) AS n_anomalous \
    FROM scores AS s WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 GROUP BY bucket_ms ORDER BY bucket_ms LIMIT ?5";

const RAW_SETTLED: &str = "SELECT at_ms / ?4 * ?4 AS bucket_ms, max(settled_score) AS settled_max \
    FROM settled_scores WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 GROUP BY bucket_ms ORDER BY bucket_ms \
    LIMIT ?5";

/// Sums kept at commit, summed up further.
const ROLLED_BUCKETS: &str = "SELECT s.bucket_ms / ?4 * ?4 AS bucket_ms, sum(n_rows) AS n_rows, \
    min(live_min) AS live_min, max(live_max) AS live_max, sum(live_sum) AS live_sum, \
    max(evidence_max) AS evidence_max, min(p_value_min) AS p_value_min, max(autoencoder_max) AS autoencoder_max, \
    max(pca_max) AS pca_max, max(baseline_max) AS baseline_max, sum(n_anomalous) AS n_anomalous \
    FROM score_rollups AS s WHERE series_id = ?1 AND level_ms = ?6 AND s.bucket_ms >= ?2 AND s.bucket_ms < ?3 \
    GROUP BY 1 ORDER BY 1 LIMIT ?5";

const ROLLED_SETTLED: &str = "SELECT s.bucket_ms / ?4 * ?4 AS bucket_ms, max(settled_max) AS settled_max \
    FROM settled_rollups AS s WHERE series_id = ?1 AND level_ms = ?6 AND s.bucket_ms >= ?2 AND s.bucket_ms < ?3 \
    GROUP BY 1 ORDER BY 1 LIMIT ?5";

#[derive(FromRow)]
struct Sums {
    bucket_ms: i64,
    n_rows: i64,
    live_min: f64,
    live_max: f64,
    live_sum: f64,
    evidence_max: f64,
    p_value_min: f64,
    autoencoder_max: Option<f64>,
    pca_max: Option<f64>,
    baseline_max: f64,
    n_anomalous: i64,
}

impl Sums {
    /// The sums of both, which are of the same bucket.
    fn merge(self, other: Sums) -> Sums {
        let greatest = |a: Option<f64>, b: Option<f64>| a.map_or(b, |a| Some(b.map_or(a, |b| a.max(b))));
        Sums {
            bucket_ms: self.bucket_ms,
            n_rows: self.n_rows + other.n_rows,
            live_min: self.live_min.min(other.live_min),
            live_max: self.live_max.max(other.live_max),
            live_sum: self.live_sum + other.live_sum,
            evidence_max: self.evidence_max.max(other.evidence_max),
            p_value_min: self.p_value_min.min(other.p_value_min),
            autoencoder_max: greatest(self.autoencoder_max, other.autoencoder_max),
            pca_max: greatest(self.pca_max, other.pca_max),
            baseline_max: self.baseline_max.max(other.baseline_max),
            n_anomalous: self.n_anomalous + other.n_anomalous,
        }
    }

    fn bucket(self, settled_max: Option<f64>) -> ScoreBucket {
        ScoreBucket {
            at: Timestamp::from_ms(self.bucket_ms),
            n_rows: self.n_rows.unsigned_abs(),
            live_min: self.live_min,
            live_max: self.live_max,
            live_mean: self.live_sum / self.n_rows as f64,
            settled_max,
            evidence_max: self.evidence_max,
            p_value_min: self.p_value_min,
            autoencoder_max: self.autoencoder_max,
            pca_max: self.pca_max,
            baseline_max: self.baseline_max,
            n_anomalous: self.n_anomalous.unsigned_abs(),
        }
    }
}

impl Reader {
    /// Judged rows of `[start, end)` in buckets of `step_ms`, oldest first, empty buckets left out. Steps of a minute
    /// or more are answered from the sums kept at commit, and are then rounded up to whole minutes or hours; a bucket
    /// at either end then covers whole minutes or hours too.
    ///
    /// # Errors
    /// When there is no such series, the step is below 1 ms, newest-first order is asked for, or the store cannot be
    /// read.
    pub async fn score_buckets(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        step_ms: i64,
    ) -> Result<Vec<ScoreBucket>, ReadError> {
        let (level_ms, step_ms) = level_for(query, step_ms)?;
        let number = self.series_number(series).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let Some(level_ms) = level_ms else {
            let range = Range { number, start_ms, end_ms, step_ms, limit: query.limit, level_ms: 0 };
            let sums = self.sums(RAW_BUCKETS, &range).await?;
            let settled = self.settled(RAW_SETTLED, &range).await?;
            return Ok(join(sums, &settled));
        };
        // Sums are complete before the bucket of the last row; from there on the rows themselves answer.
        let last: (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT last_scored_ms, last_settled_ms FROM series WHERE id = ?")
                .bind(number)
                .fetch_one(&self.pool)
                .await?;
        let floor = |at_ms: i64| at_ms - at_ms.rem_euclid(level_ms);
        let start_ms = floor(start_ms);
        let rolled_to = |last: Option<i64>| end_ms.min(last.map_or(0, floor));
        let range = |start_ms: i64, end_ms| Range { number, start_ms, end_ms, step_ms, limit: query.limit, level_ms };
        let mut sums = self.sums(ROLLED_BUCKETS, &range(start_ms, rolled_to(last.0))).await?;
        for tail in self.sums(RAW_BUCKETS, &range(start_ms.max(rolled_to(last.0)), end_ms)).await? {
            match sums.pop_if(|head| head.bucket_ms == tail.bucket_ms) {
                Some(head) => sums.push(head.merge(tail)),
                None => sums.push(tail),
            }
        }
        sums.truncate(query.limit as usize);
        let mut settled = self.settled(ROLLED_SETTLED, &range(start_ms, rolled_to(last.1))).await?;
        for (at_ms, max) in self.settled(RAW_SETTLED, &range(start_ms.max(rolled_to(last.1)), end_ms)).await? {
            settled.entry(at_ms).and_modify(|m: &mut f64| *m = m.max(max)).or_insert(max);
        }
        Ok(join(sums, &settled))
    }

    async fn sums(&self, text: &'static str, range: &Range) -> Result<Vec<Sums>, ReadError> {
        let query = sqlx::query_as(text).bind(range.number).bind(range.start_ms).bind(range.end_ms);
        Ok(query.bind(range.step_ms).bind(range.limit).bind(range.level_ms).fetch_all(&self.pool).await?)
    }

    async fn settled(&self, text: &'static str, range: &Range) -> Result<HashMap<i64, f64>, ReadError> {
        let query = sqlx::query_as(text).bind(range.number).bind(range.start_ms).bind(range.end_ms);
        let rows: Vec<(i64, f64)> =
            query.bind(range.step_ms).bind(range.limit).bind(range.level_ms).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().collect())
    }
}

struct Range {
    number: i64,
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
    limit: u32,
    level_ms: i64,
}

fn join(sums: Vec<Sums>, settled: &HashMap<i64, f64>) -> Vec<ScoreBucket> {
    sums.into_iter()
        .map(|sum| {
            let settled_max = settled.get(&sum.bucket_ms).copied();
            sum.bucket(settled_max)
        })
        .collect()
}
