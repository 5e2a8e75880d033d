//! Sums by minute and hour, written in the transaction in which a bucket is over, from the rows themselves: the same
//! rows give the same sums however often they are written.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Row, SqliteConnection};

use super::batch::Batch;
use super::known::Progress;
use super::rows::{ManyRows, Texts, execute_rows};
use crate::store::CommitError;
use crate::store::blob::{Summary, decode_frame, decode_summaries, encode_summaries};

/// A minute, ms.
pub(in crate::store) const MINUTE_MS: i64 = 60_000;
/// An hour, ms.
pub(in crate::store) const HOUR_MS: i64 = 3_600_000;

/// Buckets of a series that are now over: `[from, to)`.
#[derive(Debug, Clone, Copy)]
struct Span {
    number: i64,
    from_ms: i64,
    to_ms: i64,
}

const MINUTE_SCORES: ManyRows = ManyRows {
    head: "WITH span (series_id, from_ms, to_ms) AS (VALUES",
    n_columns: 3,
    tail: ") INSERT OR REPLACE INTO score_rollups SELECT s.series_id, 60000, s.at_ms / 60000 * 60000 AS bucket, \
           count(*), min(live_score), max(live_score), sum(live_score), max(evidence), min(p_value), \
           max(autoencoder_error), max(pca_error), max(baseline_error), sum(is_anomalous) \
           FROM span CROSS JOIN scores AS s ON s.series_id = span.series_id AND s.at_ms >= span.from_ms \
           AND s.at_ms < span.to_ms GROUP BY s.series_id, bucket",
};

const HOUR_SCORES: ManyRows = ManyRows {
    head: "WITH span (series_id, from_ms, to_ms) AS (VALUES",
    n_columns: 3,
    tail: ") INSERT OR REPLACE INTO score_rollups SELECT s.series_id, 3600000, s.bucket_ms / 3600000 * 3600000 \
           AS bucket, sum(n_rows), min(live_min), max(live_max), sum(live_sum), max(evidence_max), min(p_value_min), \
           max(autoencoder_max), max(pca_max), max(baseline_max), sum(n_anomalous) \
           FROM span CROSS JOIN score_rollups AS s ON s.series_id = span.series_id AND s.level_ms = 60000 \
           AND s.bucket_ms >= span.from_ms AND s.bucket_ms < span.to_ms GROUP BY s.series_id, bucket",
};

const MINUTE_SETTLED: ManyRows = ManyRows {
    head: "WITH span (series_id, from_ms, to_ms) AS (VALUES",
    n_columns: 3,
    tail: ") INSERT OR REPLACE INTO settled_rollups SELECT s.series_id, 60000, s.at_ms / 60000 * 60000 AS bucket, \
           count(*), max(settled_score) \
           FROM span CROSS JOIN settled_scores AS s ON s.series_id = span.series_id AND s.at_ms >= span.from_ms \
           AND s.at_ms < span.to_ms GROUP BY s.series_id, bucket",
};

const HOUR_SETTLED: ManyRows = ManyRows {
    head: "WITH span (series_id, from_ms, to_ms) AS (VALUES",
    n_columns: 3,
    tail: ") INSERT OR REPLACE INTO settled_rollups SELECT s.series_id, 3600000, s.bucket_ms / 3600000 * 3600000 \
           AS bucket, sum(n_rows), max(settled_max) \
           FROM span CROSS JOIN settled_rollups AS s ON s.series_id = span.series_id AND s.level_ms = 60000 \
           AND s.bucket_ms >= span.from_ms AND s.bucket_ms < span.to_ms GROUP BY s.series_id, bucket",
};

const FRAME_ROLLUPS: ManyRows = ManyRows {
    head: "INSERT OR REPLACE INTO frame_rollups (series_id, level_ms, bucket_ms, n_rows, summaries) VALUES",
    n_columns: 5,
    tail: "",
};

const MINUTE_FRAMES: &str = "SELECT at_ms, channel_values, cells FROM frames \
    WHERE series_id = ? AND at_ms >= ? AND at_ms < ?";

const HOUR_FRAMES: &str = "SELECT bucket_ms, n_rows, summaries FROM frame_rollups \
    WHERE series_id = ? AND level_ms = 60000 AND bucket_ms >= ? AND bucket_ms < ?";

/// Writes the buckets that the batch's rows have left behind.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(), CommitError> {
    let scored_from: BTreeMap<i64, i64> = first_times(batch.scores.iter().map(|(n, s)| (*n, s.at_ms())));
    let settled_from = first_times(batch.settled.iter().map(|(n, s)| (*n, s.at.as_ms())));
    let closed_from = first_times(batch.frames.iter().map(|(n, f)| (*n, f.at_ms())));
    for (level_ms, scores, settled) in
        [(MINUTE_MS, &MINUTE_SCORES, &MINUTE_SETTLED), (HOUR_MS, &HOUR_SCORES, &HOUR_SETTLED)]
    {
        let spans = spans_over(batch, level_ms, &scored_from, |p| p.last_scored_ms);
        execute_rows(conn, texts, scores, &spans, add_span).await?;
        let spans = spans_over(batch, level_ms, &settled_from, |p| p.last_settled_ms);
        execute_rows(conn, texts, settled, &spans, add_span).await?;
        for span in spans_over(batch, level_ms, &closed_from, |p| p.last_closed_ms) {
            let sums = sum_frames(conn, level_ms, span).await?;
            let sums: Vec<_> = sums.iter().collect();
            execute_rows(conn, texts, &FRAME_ROLLUPS, &sums, |(bucket_ms, (n_rows, summaries)), a| {
                a.add(span.number)?;
                a.add(level_ms)?;
                a.add(**bucket_ms)?;
                a.add(*n_rows)?;
                a.add(encode_summaries(summaries))
            })
            .await?;
        }
    }
    Ok(())
}

fn first_times(rows: impl Iterator<Item = (i64, i64)>) -> BTreeMap<i64, i64> {
    let mut first = BTreeMap::new();
    for (number, at_ms) in rows {
        let entry = first.entry(number).or_insert(at_ms);
        *entry = at_ms.min(*entry);
    }
    first
}

/// The buckets that are over now and were not before the batch: all that start before the bucket of the last row, from
/// the bucket on that held the last row before.
fn spans_over(
    batch: &Batch<'_>,
    level_ms: i64,
    first: &BTreeMap<i64, i64>,
    last: impl Fn(&Progress) -> Option<i64>,
) -> Vec<Span> {
    let floor = |at_ms: i64| at_ms - at_ms.rem_euclid(level_ms);
    let span = |(number, (from, to)): (&i64, &(Progress, Progress))| {
        let to_ms = floor(last(to)?);
        let from_ms = floor(last(from).or_else(|| first.get(number).copied())?);
        (from_ms < to_ms).then_some(Span { number: *number, from_ms, to_ms })
    };
    batch.progress.iter().filter_map(span).collect()
}

fn add_span(span: &Span, a: &mut SqliteArguments) -> Result<(), sqlx::error::BoxDynError> {
    a.add(span.number)?;
    a.add(span.from_ms)?;
    a.add(span.to_ms)
}

/// Rows and per-channel summaries of each bucket of a span.
async fn sum_frames(
    conn: &mut SqliteConnection,
    level_ms: i64,
    span: Span,
) -> Result<BTreeMap<i64, (i64, Vec<Summary>)>, CommitError> {
    let text = if level_ms == MINUTE_MS { MINUTE_FRAMES } else { HOUR_FRAMES };
    let mut sums: BTreeMap<i64, (i64, Vec<Summary>)> = BTreeMap::new();
    let mut rows = sqlx::query(AssertSqlSafe(text)).bind(span.number).bind(span.from_ms).bind(span.to_ms).fetch(conn);
    let damaged = |detail: String| CommitError::Damaged { detail };
    while let Some(row) = rows.try_next().await? {
        let at_ms: i64 = row.try_get(0)?;
        let (n_rows, summaries) = if level_ms == MINUTE_MS {
            let frame = decode_frame(at_ms, row.try_get(1)?, row.try_get(2)?).map_err(damaged)?;
            let cells = frame.values.iter().zip(&frame.cells);
            (1, cells.map(|(v, cell)| if cell.is_present() { Summary::of(*v) } else { Summary::EMPTY }).collect())
        } else {
            (row.try_get(1)?, decode_summaries(row.try_get(2)?).map_err(damaged)?)
        };
        let (n_bucket, bucket) = sums.entry(at_ms - at_ms.rem_euclid(level_ms)).or_default();
        *n_bucket += n_rows;
        bucket.resize(bucket.len().max(summaries.len()), Summary::EMPTY);
        bucket.iter_mut().zip(&summaries).for_each(|(sum, summary)| sum.merge(summary));
    }
    Ok(sums)
}
