//! What the writer remembers of each series, so that a batch needs no lookup: its number, and how far its rows go.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::SqliteConnection;

use crate::series::SeriesId;

/// How far the rows of a series go, as the table `series` keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    pub(super) last_closed_ms: Option<i64>,
    pub(super) n_closed: i64,
    pub(super) last_scored_ms: Option<i64>,
    pub(super) last_settled_ms: Option<i64>,
}

impl Progress {
    /// Goes on to a closed row; false when the rows go that far already.
    pub(super) fn close(&mut self, at_ms: i64) -> bool {
        let is_new = self.last_closed_ms < Some(at_ms);
        if is_new {
            self.last_closed_ms = Some(at_ms);
            self.n_closed += 1;
        }
        is_new
    }

    /// Goes on to a row with a live score.
    pub(super) fn score(&mut self, at_ms: i64) {
        self.last_scored_ms = self.last_scored_ms.max(Some(at_ms));
    }

    /// Goes on to a row with a settled score.
    pub(super) fn settle(&mut self, at_ms: i64) {
        self.last_settled_ms = self.last_settled_ms.max(Some(at_ms));
    }
}

/// What a transaction makes of the table `open_rows`: series and time, ms, of each row.
#[derive(Debug, Default)]
pub(super) struct OpenChanges {
    pub(super) written: Vec<(i64, i64)>,
    pub(super) finished: Vec<(i64, i64)>,
}

/// The writer's memory. It changes only after a commit, so a failed one leaves nothing to undo.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) numbers: HashMap<SeriesId, i64>,
    pub(super) progress: HashMap<i64, Progress>,
    /// Times of the rows in `open_rows`; empty ones are left out.
    pub(super) open: HashMap<i64, BTreeSet<i64>>,
    /// Models written since the start: one that many series share is encoded once.
    pub(super) models: HashSet<String>,
}

type ProgressRow = (i64, String, Option<i64>, i64, Option<i64>, Option<i64>);

impl Known {
    /// Reads the memory from the store.
    pub(super) async fn load(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut known = Self::default();
        let rows: Vec<ProgressRow> =
            sqlx::query_as("SELECT id, name, last_closed_ms, n_closed, last_scored_ms, last_settled_ms FROM series")
                .fetch_all(&mut *conn)
                .await?;
        for (number, name, last_closed_ms, n_closed, last_scored_ms, last_settled_ms) in rows {
            let series = SeriesId::parse(&name).map_err(|e| sqlx::Error::Decode(Box::new(e)))?;
            known.numbers.insert(series, number);
            known.progress.insert(number, Progress { last_closed_ms, n_closed, last_scored_ms, last_settled_ms });
        }
        let open: Vec<(i64, i64)> = sqlx::query_as("SELECT series_id, at_ms FROM open_rows").fetch_all(conn).await?;
        for (number, at_ms) in open {
            known.open.entry(number).or_default().insert(at_ms);
        }
        Ok(known)
    }

    /// Brings the memory up to what has become of the table `open_rows`.
    pub(super) fn remember_open(&mut self, changes: &OpenChanges) {
        for (number, at_ms) in &changes.written {
            self.open.entry(*number).or_default().insert(*at_ms);
        }
        for (number, at_ms) in &changes.finished {
            if let Some(stored) = self.open.get_mut(number) {
                stored.remove(at_ms);
                if stored.is_empty() {
                    self.open.remove(number);
                }
            }
        }
    }

    /// The number the next new series gets.
    pub(super) fn next_number(&self) -> i64 {
        self.progress.keys().max().map_or(1, |last| last + 1)
    }
}
