//! The tables `alerts` and `transitions`: what an alert is now, and what it did.

use sqlx::SqliteConnection;

use super::batch::Batch;
use crate::store::CommitError;
use crate::verdict::{Alert, Transition};

const ALERT: &str = "INSERT INTO alerts (id, series_id, kind, state, severity, opened_at_ms, resolved_at_ms, \
    peak_score, p_value, evidence, alarm_budget, channels, model_id, sequence, openings) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, severity = excluded.severity, \
    resolved_at_ms = excluded.resolved_at_ms, peak_score = excluded.peak_score, p_value = excluded.p_value, \
    evidence = excluded.evidence, channels = excluded.channels, model_id = excluded.model_id, \
    sequence = excluded.sequence, openings = excluded.openings \
    WHERE excluded.sequence > alerts.sequence";

/// Never lowers: rows judged again after a crash raise it as they did before. A later transition knows more.
const RAISE: &str = "UPDATE alerts SET severity = ?, peak_score = ?, p_value = ?, evidence = ?, channels = ? \
    WHERE id = ? AND sequence = ? AND state = 'open' AND peak_score <= ?";

/// The judge's state before an alert opens, from an earlier commit.
const KEEP_CHECKPOINT: &str = "INSERT OR IGNORE INTO alert_checkpoints (alert_id, at_ms, bytes) \
    SELECT ?1, at_ms, bytes FROM checkpoints WHERE series_id = ?2 AND at_ms < ?3";

/// The same from this batch, where it comes before the opening.
const KEEP_NEWER_CHECKPOINT: &str =
    "INSERT OR IGNORE INTO alert_checkpoints (alert_id, at_ms, bytes) VALUES (?1, ?2, ?3)";

/// Keeps what explaining needs. To be called before the checkpoints of the batch are written.
pub(super) async fn keep_checkpoints(conn: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), CommitError> {
    // An alert keeps the first state that is written for it, so the newest comes first.
    for (transition, (at, bytes)) in batch.opened_after.iter().filter(|(t, (at, _))| *at < t.alert.opened_at) {
        sqlx::query(KEEP_NEWER_CHECKPOINT)
            .bind(&transition.alert.id.0)
            .bind(at.as_ms())
            .bind(*bytes)
            .execute(&mut *conn)
            .await?;
    }
    for (number, transition) in batch.transitions.iter().filter(|(_, transition)| transition.sequence == 1) {
        sqlx::query(KEEP_CHECKPOINT)
            .bind(&transition.alert.id.0)
            .bind(number)
            .bind(transition.alert.opened_at.as_ms())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

const TRANSITION: &str = "INSERT INTO transitions (series_id, alert_id, sequence, at_ms, body) \
    VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

/// Writes transitions and the alerts as they then are; returns how many transitions are new. Alerts are rare: a
/// statement each.
pub(super) async fn write(conn: &mut SqliteConnection, batch: &Batch<'_>) -> Result<u64, CommitError> {
    let mut n_new = 0;
    for (number, transition) in &batch.transitions {
        write_alert(conn, *number, &transition.alert, transition.sequence).await?;
        n_new += sqlx::query(TRANSITION)
            .bind(number)
            .bind(&transition.alert.id.0)
            .bind(transition.sequence)
            .bind(transition.at.as_ms())
            .bind(body(transition)?)
            .execute(&mut *conn)
            .await?
            .rows_affected();
    }
    for (alert, sequence) in &batch.raised {
        sqlx::query(RAISE)
            .bind(alert.severity.as_str())
            .bind(alert.peak_score)
            .bind(alert.p_value)
            .bind(alert.evidence)
            .bind(serde_json::to_string(&alert.channels).map_err(refused)?)
            .bind(&alert.id.0)
            .bind(sequence)
            .bind(alert.peak_score)
            .execute(&mut *conn)
            .await?;
    }
    Ok(n_new)
}

async fn write_alert(
    conn: &mut SqliteConnection,
    number: i64,
    alert: &Alert,
    sequence: u32,
) -> Result<(), CommitError> {
    let channels = serde_json::to_string(&alert.channels).map_err(refused)?;
    sqlx::query(ALERT)
        .bind(&alert.id.0)
        .bind(number)
        .bind(alert.kind.as_str())
        .bind(alert.state.as_str())
        .bind(alert.severity.as_str())
        .bind(alert.opened_at.as_ms())
        .bind(alert.resolved_at.map(|at| at.as_ms()))
        .bind(alert.peak_score)
        .bind(alert.p_value)
        .bind(alert.evidence)
        .bind(&alert.alarm_budget)
        .bind(channels)
        .bind(&alert.model_id)
        .bind(sequence)
        .bind(alert.openings)
        .execute(conn)
        .await?;
    Ok(())
}

fn body(transition: &Transition) -> Result<String, CommitError> {
    serde_json::to_string(transition).map_err(refused)
}

fn refused(error: serde_json::Error) -> CommitError {
    CommitError::Refused { detail: error.to_string() }
}
