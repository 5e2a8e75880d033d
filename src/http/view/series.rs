//! A series.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Moment, word};
use crate::store::SeriesRow;
use crate::verdict::SeriesState;

/// One monitored thing and what it is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeriesView {
    /// Its name.
    pub series: String,
    /// What it is doing.
    #[schema(schema_with = word::series_state)]
    pub state: SeriesState,
    /// Since when.
    pub state_since: Moment,
    /// Why, or how far the warm-up is, in one sentence.
    pub reason: String,
    /// Its channels.
    pub channels: Vec<String>,
    /// Event time of its first reading.
    pub first_at: Moment,
    /// Event time of its last closed row.
    pub last_at: Option<Moment>,
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

impl From<SeriesRow> for SeriesView {
    fn from(row: SeriesRow) -> Self {
        Self {
            series: row.series.into(),
            state: row.state,
            state_since: row.state_at.into(),
            reason: row.state_reason,
            channels: row.channels.into_iter().map(String::from).collect(),
            first_at: row.first_at.into(),
            last_at: row.last_at.map(Moment),
            n_rows: row.n_rows,
            model_id: row.model_id,
            live_score: row.live_score,
            evidence: row.evidence,
            n_open_alerts: row.n_open_alerts,
        }
    }
}
