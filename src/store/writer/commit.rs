//! One batch of outcomes, one transaction.

use std::sync::PoisonError;

use sqlx::SqliteConnection;

use super::arrivals::{Arrivals, Arrived};
use super::batch::Batch;
use super::known::{OpenChanges, Progress};
use super::rows::Texts;
use super::{
    alert_rows, budget_rows, frame_rows, model, model_rows, power_rows, rollups, score_rows, series_rows, shift_rows,
};
use crate::pipeline::Outcome;
use crate::store::{CommitError, Store};

/// What a commit wrote that was not there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Closed rows.
    pub n_frames: u64,
    /// Rows with a live score.
    pub n_scores: u64,
    /// Rows with a settled score.
    pub n_settled: u64,
    /// Transitions of alerts.
    pub n_transitions: u64,
}

impl Store {
    /// Commits a batch: when this returns, all of it is in the store and survives whatever the setting
    /// `synchronous` promises. Committing a batch again changes nothing. Within a batch the last word on a series'
    /// state, an open row or a checkpoint counts.
    ///
    /// # Errors
    /// See [`CommitError::reaction`] for what to do; nothing of the batch is written then.
    pub async fn commit(&self, batch: &[Outcome]) -> Result<Committed, CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        let writer = &mut *writer;
        let batch = Batch::sort(batch, &writer.known);
        let n_series = writer.known.numbers.len();
        let (mut arrived, mut due) = (Arrived::nothing(), Vec::new());
        let mut open_changes = OpenChanges::default();
        let mut committed = write(&mut conn, &mut writer.texts, &batch).await?;
        if Arrivals::are_wanted(n_series) {
            arrived = Arrived::of(&batch)?;
            due = writer.arrivals.due(n_series);
            writer.arrivals.keep(&mut conn, &arrived).await?;
            if !due.is_empty() {
                open_changes = writer.arrivals.sort_in(&mut conn, &mut writer.texts, &due, &writer.known).await?;
                writer.arrivals.forget(&mut conn, &due).await?;
            }
            (committed.n_frames, committed.n_scores, committed.n_settled) = batch.count_new();
        } else {
            (committed.n_frames, committed.n_scores, committed.n_settled) =
                write_rows(&mut conn, &mut writer.texts, &batch).await?;
            open_changes = batch.open_changes();
        }
        super::finish(&mut writer.connection, conn).await?;
        let from = |number| batch.progress.get(&number).map_or_else(Progress::default, |(from, _)| *from);
        let mut behind = self.inner.behind.write().unwrap_or_else(PoisonError::into_inner);
        writer.arrivals.remember(&due, arrived, from, &mut behind);
        drop(behind);
        batch.remember(&mut writer.known);
        writer.known.remember_open(&open_changes);
        if committed.n_transitions > 0 {
            self.inner.changes.send_modify(|n| *n += committed.n_transitions);
        }
        Ok(committed)
    }
}

/// All that is not a row.
async fn write(conn: &mut SqliteConnection, texts: &mut Texts, batch: &Batch<'_>) -> Result<Committed, CommitError> {
    series_rows::write_new(conn, texts, batch).await?;
    model::write_all(conn, batch).await?;
    alert_rows::keep_checkpoints(conn, batch).await?;
    power_rows::write(conn, batch).await?;
    shift_rows::write(conn, batch).await?;
    budget_rows::write(conn, batch).await?;
    model_rows::write(conn, texts, batch).await?;
    let n_transitions = alert_rows::write(conn, batch).await?;
    series_rows::write_states(conn, texts, batch).await?;
    Ok(Committed { n_transitions, ..Committed::default() })
}

/// Rows, closed and open, their scores, what they sum up to and how far they go; returns how many closed rows, live
/// scores and settled scores are new.
pub(super) async fn write_rows(
    conn: &mut SqliteConnection,
    texts: &mut Texts,
    batch: &Batch<'_>,
) -> Result<(u64, u64, u64), CommitError> {
    let n_frames = frame_rows::write_closed(conn, texts, batch).await?;
    frame_rows::write_open(conn, texts, batch).await?;
    let (n_scores, n_settled) = score_rows::write(conn, texts, batch).await?;
    series_rows::write_progress(conn, texts, batch).await?;
    rollups::write(conn, texts, batch).await?;
    Ok((n_frames, n_scores, n_settled))
}
