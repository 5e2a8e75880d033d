//! Series with their state.

use serde::Serialize;

use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::{ReadError, Reader};
use crate::verdict::SeriesState;

/// Which series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Only those in this state.
    pub state: Option<SeriesState>,
    /// Only those after this name: the last name of the page before.
    pub after: Option<SeriesId>,
    /// Most series in the answer.
    pub limit: u32,
}

impl Default for SeriesQuery {
    fn default() -> Self {
        Self { state: None, after: None, limit: 10_000 }
    }
}

/// A series as the fleet view shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesRow {
    /// The series.
    pub series: SeriesId,
    /// What it is doing.
    pub state: SeriesState,
    /// Since when.
    pub state_at: Timestamp,
    /// Why, in a sentence.
    pub state_reason: String,
    /// Its channels in the order of its frames.
    pub channels: Vec<ChannelName>,
    /// Event time of the first reading ever.
    pub first_at: Timestamp,
    /// Last closed row.
    pub last_at: Option<Timestamp>,
    /// Closed rows so far.
    pub n_rows: u64,
    /// The model that judges it.
    pub model_id: Option<String>,
    /// Live score of the last judged row; 1.0 is the notable level.
    pub live_score: Option<f64>,
    /// Evidence at the last judged row; an alert opens at 1.0.
    pub evidence: Option<f64>,
    /// Alerts that are open.
    pub n_open_alerts: u32,
}

impl Reader {
    /// Series by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Vec<SeriesRow>, ReadError> {
        let _ = query;
        todo!()
    }

    /// One series.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn one_series(&self, series: &SeriesId) -> Result<SeriesRow, ReadError> {
        let _ = series;
        todo!()
    }
}
