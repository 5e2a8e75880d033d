//! Alerts, and what they did.

use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{json_from, name_from};
use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, Reader};
use crate::verdict::{Alert, AlertId, AlertKind, AlertState, Severity, Transition};

/// Which alerts. They come newest opening first; the next page has `end` at the opening of the last one received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertQuery {
    /// Only those in this state.
    pub state: Option<AlertState>,
    /// Only those of this series.
    pub series: Option<SeriesId>,
    /// Opened at or after.
    pub start: Option<Timestamp>,
    /// Opened before.
    pub end: Option<Timestamp>,
    /// Most alerts in the answer.
    pub limit: u32,
}

impl Default for AlertQuery {
    fn default() -> Self {
        Self { state: None, series: None, start: None, end: None, limit: 1_000 }
    }
}

/// A transition with its place in the order of writing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredTransition {
    /// Rises with every transition written, never used twice: what event streams resume from.
    pub id: i64,
    /// What happened.
    pub transition: Transition,
}

/// A transition that a target has refused for good.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Who refused it.
    pub target: String,
    /// Wall clock of the last attempt.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What the receiver said.
    pub error: String,
    /// What it was not told.
    pub told: StoredTransition,
}

/// Who is told, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    /// As in the configuration: `mqtt`, `webhook:<name>`, `email:<name>`.
    pub name: String,
    /// Wall clock of the last acknowledgement; none before the first.
    pub delivered_at: Option<Timestamp>,
    /// Transitions that wait.
    pub n_pending: u64,
    /// Openings that a silence, or the wait for an acknowledgement, holds.
    pub n_held: u64,
    /// Transitions refused for good.
    pub n_dead: u64,
}

const ALERTS: &str = "SELECT alerts.*, series.name FROM alerts JOIN series ON series.id = alerts.series_id \
    WHERE (?1 IS NULL OR alerts.state = ?1) AND (?2 IS NULL OR series.name = ?2) \
    AND opened_at_ms >= ?3 AND opened_at_ms < ?4 ORDER BY opened_at_ms DESC, alerts.id LIMIT ?5";

const ALERT: &str = "SELECT alerts.*, series.name FROM alerts JOIN series ON series.id = alerts.series_id \
    WHERE alerts.id = ?";

/// An alert from a row of `alerts` with the `name` of its series.
pub(in crate::store) fn alert_from_row(row: &SqliteRow) -> Result<Alert, ReadError> {
    let at = |column: &str| -> Result<Option<Timestamp>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_ms))
    };
    Ok(Alert {
        id: AlertId(row.try_get("id")?),
        kind: word(row.try_get("kind")?, AlertKind::from_name)?,
        series: name_from("alerts", row.try_get("name")?, SeriesId::parse)?,
        state: word(row.try_get("state")?, AlertState::from_name)?,
        severity: word(row.try_get("severity")?, Severity::from_name)?,
        opened_at: Timestamp::from_ms(row.try_get("opened_at_ms")?),
        resolved_at: at("resolved_at_ms")?,
        peak_score: row.try_get("peak_score")?,
        p_value: row.try_get("p_value")?,
        evidence: row.try_get("evidence")?,
        alarm_budget: row.try_get("alarm_budget")?,
        channels: json_from("alerts", row.try_get("channels")?)?,
        model_id: row.try_get("model_id")?,
        acknowledged_at: at("acknowledged_at_ms")?,
        label: row.try_get("label")?,
        note: row.try_get("label_note")?,
        labelled_by: row.try_get("labelled_by")?,
        labelled_at: at("labelled_at_ms")?,
        openings: row.try_get("openings")?,
    })
}

fn word<T>(text: &str, from_name: impl Fn(&str) -> Option<T>) -> Result<T, ReadError> {
    from_name(text).ok_or_else(|| ReadError::DamagedRow { table: "alerts", detail: format!("unknown word {text:?}") })
}

impl Reader {
    /// Alerts, newest opening first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Vec<Alert>, ReadError> {
        let rows = sqlx::query(ALERTS)
            .bind(query.state.map(AlertState::as_str))
            .bind(query.series.as_ref().map(SeriesId::as_str))
            .bind(query.start.map_or(0, Timestamp::as_ms))
            .bind(query.end.map_or(i64::MAX, Timestamp::as_ms))
            .bind(query.limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(alert_from_row).collect()
    }

    /// One alert, if there is one of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn alert(&self, id: &AlertId) -> Result<Option<Alert>, ReadError> {
        let row = sqlx::query(ALERT).bind(&id.0).fetch_optional(&self.pool).await?;
        row.as_ref().map(alert_from_row).transpose()
    }

    /// Transitions written after the one of id `after` (0 for all), oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn transitions(&self, after: i64, limit: u32) -> Result<Vec<StoredTransition>, ReadError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, body FROM transitions WHERE id > ? ORDER BY id LIMIT ?")
                .bind(after)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter()
            .map(|(id, body)| Ok(StoredTransition { id, transition: json_from("transitions", &body)? }))
            .collect()
    }

    /// Transitions that targets have refused for good, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, ReadError> {
        let rows: Vec<(String, i64, i64, i64, String, String)> = sqlx::query_as(
            "SELECT d.target, d.transition_id, d.at_ms, d.attempts, d.error, t.body FROM dead_letters AS d \
             JOIN transitions AS t ON t.id = d.transition_id ORDER BY d.at_ms DESC, d.transition_id DESC, d.target LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(target, id, at_ms, attempts, error, body)| {
                Ok(DeadLetter {
                    target,
                    at: Timestamp::from_ms(at_ms),
                    attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
                    error,
                    told: StoredTransition { id, transition: json_from("transitions", &body)? },
                })
            })
            .collect()
    }

    /// Who is told, and how far, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn targets(&self) -> Result<Vec<TargetRow>, ReadError> {
        let rows: Vec<(String, Option<i64>, i64, i64, i64)> = sqlx::query_as(
            "SELECT name, delivered_at_ms, (SELECT count(*) FROM transitions WHERE id > delivered_id), \
             (SELECT count(*) FROM held_notices WHERE target = name), \
             (SELECT count(*) FROM dead_letters WHERE target = name) FROM targets ORDER BY name",
        )
        .fetch_all(&self.pool)
        .await?;
        let row = |(name, delivered_ms, n_pending, n_held, n_dead): (String, Option<i64>, i64, i64, i64)| TargetRow {
            name,
            delivered_at: delivered_ms.map(Timestamp::from_ms),
            n_pending: n_pending.unsigned_abs(),
            n_held: n_held.unsigned_abs(),
            n_dead: n_dead.unsigned_abs(),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// One transition, if it is still kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn transition(&self, id: i64) -> Result<Option<StoredTransition>, ReadError> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM transitions WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        body.map(|body| Ok(StoredTransition { id, transition: json_from("transitions", &body)? })).transpose()
    }

    /// Id of the last transition written; 0 when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_transition_id(&self) -> Result<i64, ReadError> {
        Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM transitions").fetch_one(&self.pool).await?)
    }
}
