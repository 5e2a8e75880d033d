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

    /// Id of the last transition written; 0 when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_transition_id(&self) -> Result<i64, ReadError> {
        Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM transitions").fetch_one(&self.pool).await?)
    }
}
