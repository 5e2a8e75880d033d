//! Forgetting by age, in bounded steps between commits, so that no batch waits long for it.
//!
//! What is looked up is read on a reader's connection; the writer only deletes. The file does not shrink, its free
//! pages are used again.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{HOUR_MS, MINUTE_MS};
use crate::series::Timestamp;
use crate::store::{Age, CommitError, Retention, Store};

/// What one step has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Rows removed, of all tables.
    pub n_rows: u64,
    /// True when nothing more is old enough.
    pub is_done: bool,
}

/// A table whose rows belong to a series and a time.
struct Aged {
    table: &'static str,
    /// Its column of time.
    at: &'static str,
    /// The column of `series` that says where the newest row is: ages count from there, so that a machine that was
    /// silent for a year keeps its last rows.
    newest: &'static str,
    /// Of one level of sums only.
    level_ms: Option<i64>,
    /// Newest rows that stay whatever their age.
    kept_min: u32,
    age: Age,
}

fn aged_tables(retention: &Retention) -> Vec<Aged> {
    let rows = |table, newest, age, kept_min| Aged { table, at: "at_ms", newest, level_ms: None, kept_min, age };
    let sums = |table, newest, level_ms| {
        let age = if level_ms == MINUTE_MS { retention.minutes } else { retention.hours };
        Aged { table, at: "bucket_ms", newest, level_ms: Some(level_ms), kept_min: 0, age }
    };
    let mut tables = vec![
        rows("frames", "last_closed_ms", retention.frames, retention.frames_kept_min),
        rows("scores", "last_scored_ms", retention.scores, 0),
        rows("latents", "last_scored_ms", retention.scores, 0),
        rows("settled_scores", "last_settled_ms", retention.scores, 0),
    ];
    for level_ms in [MINUTE_MS, HOUR_MS] {
        tables.push(sums("frame_rollups", "last_closed_ms", level_ms));
        tables.push(sums("score_rollups", "last_scored_ms", level_ms));
        tables.push(sums("settled_rollups", "last_settled_ms", level_ms));
    }
    tables
}

impl Aged {
    /// Condition on rows of series `?1` in this table.
    fn of_series(&self) -> String {
        match self.level_ms {
            Some(level_ms) => format!("series_id = ?1 AND level_ms = {level_ms}"),
            None => "series_id = ?1".to_owned(),
        }
    }

    /// Series with rows older than the age, each with the time before which they may go.
    async fn spans(&self, store: &Store) -> Result<Vec<(i64, i64)>, sqlx::Error> {
        let Some(age_ms) = self.age.as_ms() else { return Ok(Vec::new()) };
        let of_series = self.of_series().replace("?1", "s.id");
        let (table, at, newest) = (self.table, self.at, self.newest);
        let text = format!(
            "SELECT id, before_ms FROM (SELECT s.id, s.{newest} - ?1 AS before_ms, \
             (SELECT min({at}) FROM {table} WHERE {of_series}) AS oldest_ms FROM series AS s) \
             WHERE oldest_ms < before_ms ORDER BY id"
        );
        let pool = &store.inner.reader.pool;
        let mut spans: Vec<(i64, i64)> = sqlx::query_as(AssertSqlSafe(text)).bind(age_ms).fetch_all(pool).await?;
        if self.kept_min > 0 {
            let text = format!("SELECT {at} FROM {table} WHERE series_id = ? ORDER BY {at} DESC LIMIT 1 OFFSET ?");
            let text: std::sync::Arc<str> = text.into();
            for (number, before_ms) in &mut spans {
                let oldest_kept: Option<i64> = sqlx::query_scalar(AssertSqlSafe(text.clone()))
                    .bind(*number)
                    .bind(self.kept_min - 1)
                    .fetch_optional(pool)
                    .await?;
                // Rows since the last checkpoint are replayed at a restart: they stay too.
                let checkpoint: Option<i64> = sqlx::query_scalar("SELECT at_ms FROM checkpoints WHERE series_id = ?")
                    .bind(*number)
                    .fetch_optional(pool)
                    .await?;
                *before_ms = (*before_ms).min(oldest_kept.unwrap_or(0)).min(checkpoint.unwrap_or(i64::MAX));
            }
        }
        Ok(spans)
    }

    /// Removes at most `rows_max` of the oldest rows before a time.
    async fn delete(
        &self,
        conn: &mut SqliteConnection,
        (number, before_ms): (i64, i64),
        rows_max: u64,
    ) -> Result<u64, sqlx::Error> {
        let (table, at, of_series) = (self.table, self.at, self.of_series());
        let text = format!(
            "DELETE FROM {table} WHERE {of_series} AND {at} IN \
             (SELECT {at} FROM {table} WHERE {of_series} AND {at} < ?2 ORDER BY {at} LIMIT ?3)"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(number).bind(before_ms);
        Ok(query.bind(i64::try_from(rows_max).unwrap_or(i64::MAX)).execute(conn).await?.rows_affected())
    }
}

impl Store {
    /// Removes what is older than `retention` allows, at most about `rows_max` rows in one transaction. Call it again,
    /// with commits between, until it is done. `now` is the wall clock, for alerts.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn forget(&self, retention: &Retention, now: Timestamp, rows_max: u64) -> Result<Forgotten, CommitError> {
        let tables = aged_tables(retention);
        let mut work = Vec::new();
        for aged in &tables {
            work.extend(aged.spans(self).await?.into_iter().map(|span| (aged, span)));
        }
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        let mut n_rows = 0;
        for (aged, span) in work {
            if n_rows >= rows_max {
                break;
            }
            n_rows += aged.delete(&mut conn, span, rows_max - n_rows).await?;
        }
        if n_rows < rows_max {
            n_rows += forget_alerts(&mut conn, retention.alerts, now, rows_max - n_rows).await?;
        }
        super::finish(&mut writer.connection, conn).await?;
        Ok(Forgotten { n_rows, is_done: n_rows < rows_max })
    }
}

/// Resolved alerts, with their transitions and dead letters, never one that a target has yet to be told about; and
/// silences that have been over for as long.
async fn forget_alerts(
    conn: &mut SqliteConnection,
    age: Age,
    now: Timestamp,
    rows_max: u64,
) -> Result<u64, sqlx::Error> {
    let Some(age_ms) = age.as_ms() else { return Ok(0) };
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM alerts AS a WHERE resolved_at_ms < ?1 AND NOT EXISTS (SELECT 1 FROM transitions AS t, \
         targets AS d WHERE t.alert_id = a.id AND t.id > d.delivered_id) ORDER BY opened_at_ms LIMIT ?2",
    )
    .bind(now.as_ms().saturating_sub(age_ms))
    .bind(i64::try_from(rows_max).unwrap_or(i64::MAX))
    .fetch_all(&mut *conn)
    .await?;
    for id in &ids {
        for text in [
            "DELETE FROM held_notices WHERE alert_id = ?",
            "DELETE FROM alert_checkpoints WHERE alert_id = ?",
            "DELETE FROM dead_letters WHERE transition_id IN (SELECT id FROM transitions WHERE alert_id = ?)",
            "DELETE FROM transitions WHERE alert_id = ?",
            "DELETE FROM alerts WHERE id = ?",
        ] {
            sqlx::query(text).bind(id).execute(&mut *conn).await?;
        }
    }
    let silences = sqlx::query("DELETE FROM silences WHERE ends_at_ms < ?")
        .bind(now.as_ms().saturating_sub(age_ms))
        .execute(&mut *conn)
        .await?;
    Ok(ids.len() as u64 + silences.rows_affected())
}
