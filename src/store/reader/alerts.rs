//! Alerts, and what they did.

use serde::Serialize;

use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, Reader};
use crate::verdict::{Alert, AlertId, AlertState, Transition};

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

impl Reader {
    /// Alerts, newest opening first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Vec<Alert>, ReadError> {
        let _ = query;
        todo!()
    }

    /// One alert, if there is one of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn alert(&self, id: &AlertId) -> Result<Option<Alert>, ReadError> {
        let _ = id;
        todo!()
    }

    /// Transitions written after the one of id `after` (0 for all), oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn transitions(&self, after: i64, limit: u32) -> Result<Vec<StoredTransition>, ReadError> {
        let _ = (after, limit);
        todo!()
    }

    /// Id of the last transition written; 0 when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_transition_id(&self) -> Result<i64, ReadError> {
        todo!()
    }
}
