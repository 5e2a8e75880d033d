//! Questions to the store, on connections of their own that only read: they never wait for the writer and see the
//! last commit.

mod alerts;
mod connection;
mod context;
mod expected;
mod latents;
mod models;
mod powers;
mod readings;
mod rows;
mod score_buckets;
mod scores;
mod series;
mod shifts;
mod silences;
mod tally;

use serde::{Deserialize, Serialize};

pub use alerts::{AlertQuery, DeadLetter, StoredTransition, TargetRow};
pub use connection::Reader;
pub use context::LabelContext;
pub use expected::ExpectedBuckets;
pub use latents::LatentRow;
pub use models::{ModelRow, TakeOverRow};
pub use readings::FrameBucket;
pub use score_buckets::ScoreBucket;
pub use scores::{ScoreRef, ScoreView};
pub use series::{SeriesBudget, SeriesQuery, SeriesRow};
pub use shifts::ShiftRow;
pub use silences::HeldNotice;
pub use tally::Tally;

pub(in crate::store) use alerts::alert_from_row;
pub(in crate::store) use silences::silence;

use crate::series::{NameError, Timestamp};
use crate::store::ReadError;
use crate::store::writer::{HOUR_MS, MINUTE_MS};
use crate::verdict::SeriesState;

/// Which rows of a series: `[start, end)`, at most `limit` of them. The next page starts 1 ms after the last row
/// received (with `newest_first`: ends at the last row received).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowQuery {
    /// First moment asked for; none for the oldest row.
    pub start: Option<Timestamp>,
    /// First moment not asked for; none for no end.
    pub end: Option<Timestamp>,
    /// Most rows in the answer.
    pub limit: u32,
    /// Take the newest rows of the range, and give them newest first.
    pub newest_first: bool,
}

impl Default for RowQuery {
    fn default() -> Self {
        Self { start: None, end: None, limit: 10_000, newest_first: false }
    }
}

impl RowQuery {
    /// The bounds as milliseconds, end excluded.
    fn bounds_ms(&self) -> (i64, i64) {
        (self.start.map_or(0, Timestamp::as_ms), self.end.map_or(i64::MAX, Timestamp::as_ms))
    }
}

/// A name that the store holds.
pub(in crate::store) fn name_from<T>(
    table: &'static str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> Result<T, ReadError> {
    parse(text).map_err(|e| ReadError::DamagedRow { table, detail: e.to_string() })
}

/// A series' state that the store holds.
pub(in crate::store) fn state_from(text: &str) -> Result<SeriesState, ReadError> {
    SeriesState::from_name(text)
        .ok_or_else(|| ReadError::DamagedRow { table: "series", detail: format!("state {text:?}") })
}

/// A JSON value that the store holds.
pub(in crate::store) fn json_from<T: serde::de::DeserializeOwned>(
    table: &'static str,
    text: &str,
) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|e| ReadError::DamagedRow { table, detail: e.to_string() })
}

/// The level of sums that answers a question in steps (none: the rows themselves), and the step rounded up to it.
fn level_for(query: &RowQuery, step_ms: i64) -> Result<(Option<i64>, i64), ReadError> {
    if step_ms < 1 {
        return Err(ReadError::BadQuery { detail: format!("a step of {step_ms} ms, allowed: 1 ms or more") });
    }
    if query.newest_first {
        let detail = "steps are given oldest first; newest first is for single rows".to_owned();
        return Err(ReadError::BadQuery { detail });
    }
    let round_up = |level_ms: i64| step_ms.saturating_add(level_ms - 1) / level_ms * level_ms;
    Ok(if step_ms < MINUTE_MS {
        (None, step_ms)
    } else if step_ms < HOUR_MS {
        (Some(MINUTE_MS), round_up(MINUTE_MS))
    } else {
        (Some(HOUR_MS), round_up(HOUR_MS))
    })
}
