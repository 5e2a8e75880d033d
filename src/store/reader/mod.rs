//! Questions to the store, on connections of their own that only read: they never wait for the writer and see the
//! last commit.

mod alerts;
mod connection;
mod models;
mod readings;
mod scores;
mod series;

use serde::{Deserialize, Serialize};

pub use alerts::{AlertQuery, StoredTransition};
pub use connection::Reader;
pub use models::{ModelRow, TakeOverRow};
pub use readings::FrameBucket;
pub use scores::{ScoreBucket, ScoreView};
pub use series::{SeriesQuery, SeriesRow};

use crate::series::Timestamp;

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
