//! Scores of a series, row by row or summed up in buckets.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::FromRow;

use super::rows::{Connection, Row, Rows, Wanted, blob, each_row};
use super::{RowQuery, json_from, level_for};
use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::blob::{DetailBytes, decode_detail};
use crate::store::{ReadError, Reader};

/// A judged row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreView {
    /// Event time of the row.
    pub at: Timestamp,
    /// From nothing later than this row; 1.0 is the notable level.
    pub live_score: f64,
    /// Issued after the settle delay; none until then.
    pub settled_score: Option<f64>,
    /// What the decision rule has gathered; an alert opens at 1.0.
    pub evidence: f64,
    /// Share of calibration scores at least as high.
    pub p_value: f64,
    /// Mean squared residual; none while the member is off.
    pub autoencoder_error: Option<f64>,
    /// Mean squared residual; none while the member is off.
    pub pca_error: Option<f64>,
    /// Smoothed squared z-score.
    pub baseline_error: f64,
    /// True while an alert is open on this row.
    pub is_anomalous: bool,
    /// The channel with the largest contribution.
    pub top_channel: Option<ChannelName>,
    /// The model that judged the row.
    pub model_id: Option<String>,
    /// Share of the score owed to each channel of that model, `[channel]` of the model, sums to 1.
    pub contributions: Vec<f32>,
    /// Share of the score owed to each member of that model, sums to 1.
    pub member_contributions: Vec<f32>,
    /// What the members would have expected, in the sender's unit, `[channel]` of the model.
    pub expected: Vec<f64>,
}

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

/// A judged row where it lies in the store.
#[derive(Debug, Clone, Copy)]
pub struct ScoreRef<'a> {
    /// Event time of the row.
    pub at: Timestamp,
    /// From nothing later than this row; 1.0 is the notable level.
    pub live_score: f64,
    /// Issued after the settle delay; none until then.
    pub settled_score: Option<f64>,
    /// What the decision rule has gathered.
    pub evidence: f64,
    /// Share of calibration scores at least as high.
    pub p_value: f64,
    /// Mean squared residual; none while the member is off.
    pub autoencoder_error: Option<f64>,
    /// Mean squared residual; none while the member is off.
    pub pca_error: Option<f64>,
    /// Smoothed squared z-score.
    pub baseline_error: f64,
    /// True while an alert is open on this row.
    pub is_anomalous: bool,
    judge: Option<&'a Judge>,
    detail: DetailBytes<'a>,
}

impl<'a> ScoreRef<'a> {
    /// Channels of the model that judged the row; none when it is not kept any more.
    pub fn channels(&self) -> Option<&'a [ChannelName]> {
        self.judge?.channels.as_deref()
    }

    /// The channel with the largest contribution.
    pub fn top_channel(&self) -> Option<&'a ChannelName> {
        self.channels()?.get(self.detail.largest()?)
    }

    /// The model that judged the row.
    pub fn model_id(&self) -> Option<&'a str> {
        Some(&self.judge?.model_id)
    }

    /// Share of the score owed to each channel of that model, sums to 1.
    pub fn contributions(&self) -> impl Iterator<Item = f32> + 'a {
        self.detail.contributions()
    }

    /// What the members would have expected, in the sender's unit, by channel of the model.
    pub fn expected(&self) -> impl Iterator<Item = f64> + 'a {
        self.detail.expected()
    }

    /// The row, kept.
    pub fn view(&self) -> ScoreView {
        ScoreView {
            at: self.at,
            live_score: self.live_score,
            settled_score: self.settled_score,
            evidence: self.evidence,
            p_value: self.p_value,
            autoencoder_error: self.autoencoder_error,
            pca_error: self.pca_error,
            baseline_error: self.baseline_error,
            is_anomalous: self.is_anomalous,
            top_channel: self.top_channel().cloned(),
            model_id: self.model_id().map(str::to_owned),
            contributions: self.contributions().collect(),
            member_contributions: self.detail.member_contributions().collect(),
            expected: self.expected().collect(),
        }
    }
}

macro_rules! select_scores {
    ($order:literal) => {
        concat!(
            "SELECT at_ms, live_score, evidence, p_value, autoencoder_error, pca_error, baseline_error, is_anomalous, ",
            "detail FROM scores WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms ",
            $order,
            " LIMIT ?4"
        )
    };
}

/// All of the range: read no further than the scores go.
macro_rules! select_settled {
    ($order:literal) => {
        concat!(
            "SELECT at_ms, settled_score FROM settled_scores WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ",
            "ORDER BY at_ms ",
            $order
        )
    };
}

const OLDEST_FIRST: [&str; 2] = [select_scores!("ASC"), select_settled!("ASC")];
const NEWEST_FIRST: [&str; 2] = [select_scores!("DESC"), select_settled!("DESC")];

/// The settled scores beside the rows of a range. Both come in the same order, so each is read once; a join would look
/// each of them up.
struct Settled<'s> {
    rows: Rows<'s>,
    next: Option<(i64, f64)>,
    newest_first: bool,
}

impl<'s> Settled<'s> {
    fn new(rows: Rows<'s>, newest_first: bool) -> Result<Self, ReadError> {
        let mut settled = Self { rows, next: None, newest_first };
        settled.advance()?;
        Ok(settled)
    }

    fn advance(&mut self) -> Result<(), ReadError> {
        self.next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        };
        Ok(())
    }

    /// The settled score of a row, asked for in the order of the range.
    fn of(&mut self, at_ms: i64) -> Result<Option<f64>, ReadError> {
        while let Some((next_ms, settled_score)) = self.next {
            if next_ms == at_ms {
                return Ok(Some(settled_score));
            }
            if (next_ms > at_ms) != self.newest_first {
                return Ok(None);
            }
            self.advance()?;
        }
        Ok(None)
    }
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

/// A model that judged from a row on, with its channels.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) from_ms: i64,
    model_id: String,
    /// None when it is not kept any more.
    pub(super) channels: Option<Vec<ChannelName>>,
}

impl Reader {
    /// Judged rows of a series, oldest first unless asked otherwise.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn scores(&self, series: &SeriesId, query: &RowQuery) -> Result<Vec<ScoreView>, ReadError> {
        self.each_score(series, query, Vec::new(), |views, row| views.push(row.view())).await
    }

    /// As [`Reader::scores`], each row shown to `see` as it is read, on a thread that may block. What has been `seen`
    /// comes back in the end; once nobody waits for that, no more rows are read.
    ///
    /// # Errors
    /// As [`Reader::scores`]; some rows may have been shown by then.
    pub async fn each_score<T: Send + 'static>(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        mut seen: T,
        mut see: impl FnMut(&mut T, &ScoreRef<'_>) + Send + 'static,
    ) -> Result<T, ReadError> {
        let number = self.series_number(series).await?;
        let judges = self.judges(number).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let RowQuery { limit, newest_first, .. } = *query;
        let [scores, settled] = if newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
        let read = move |connection: &mut Connection, wanted: &Wanted| {
            // Both statements see the same commit.
            let snapshot = connection.transaction()?;
            let mut statement = snapshot.prepare_cached(settled)?;
            let mut settled = Settled::new(statement.query((number, start_ms, end_ms))?, newest_first)?;
            each_row(&snapshot, scores, (number, start_ms, end_ms, limit), wanted, |row| {
                let at_ms = row.get(0)?;
                see(&mut seen, &score(row, settled.of(at_ms)?, &judges)?);
                Ok(())
            })?;
            Ok(seen)
        };
        self.rows.ask(read).await
    }

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

    /// Who judged a series, oldest first.
    pub(super) async fn judges(&self, number: i64) -> Result<Vec<Judge>, ReadError> {
        let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
            "SELECT t.from_ms, t.model_id, m.channels FROM take_overs AS t LEFT JOIN models AS m ON m.id = t.model_id \
             WHERE t.series_id = ? ORDER BY t.from_ms",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(from_ms, model_id, channels)| {
                let channels = channels.map(|text| json_from("models", &text)).transpose()?;
                Ok(Judge { from_ms, model_id, channels })
            })
            .collect()
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

fn score<'a>(row: &'a Row<'_>, settled_score: Option<f64>, judges: &'a [Judge]) -> Result<ScoreRef<'a>, ReadError> {
    let at_ms: i64 = row.get(0)?;
    let damaged = |detail| ReadError::DamagedRow { table: "scores", detail };
    Ok(ScoreRef {
        at: Timestamp::from_ms(at_ms),
        live_score: row.get(1)?,
        settled_score,
        evidence: row.get(2)?,
        p_value: row.get(3)?,
        autoencoder_error: row.get(4)?,
        pca_error: row.get(5)?,
        baseline_error: row.get(6)?,
        is_anomalous: row.get(7)?,
        judge: judges[..judges.partition_point(|judge| judge.from_ms <= at_ms)].last(),
        detail: decode_detail(blob(row, 8)?).map_err(damaged)?,
    })
}
