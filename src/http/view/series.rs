//! A series.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Moment, word};
use crate::http::live::WarmUp;
use crate::store::{SeriesBudget, SeriesRow};
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
    /// How it keeps its alarm budget; null until a model judges it.
    pub budget: Option<BudgetView>,
    /// How far the warm-up is; null when it is over or nothing is known.
    pub warm_up: Option<WarmUpView>,
}

/// How far the gathering of rows for a first model is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WarmUpView {
    /// Usable rows so far.
    pub n_rows: u64,
    /// Usable rows at which the first model is fitted.
    pub n_wanted: u64,
    /// About how long it will take, in seconds of event time, at the pace so far; null when there is no pace yet.
    pub seconds_left: Option<f64>,
}

/// Promised against realised: how many false openings a series was allowed so far, and how many openings there were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetView {
    /// The alarm budget as asked for.
    pub alarm_budget: String,
    /// Why it runs at a looser one, in the same unit; null when it runs as asked.
    pub explanation: Option<String>,
    /// False openings per row that it runs at now.
    pub openings_per_row: f64,
    /// Rows judged so far.
    pub n_judged: u64,
    /// Openings promised for these rows.
    pub n_promised: f64,
    /// Openings of anomaly alerts on these rows, true ones included.
    pub n_openings: u64,
}

impl From<SeriesBudget> for BudgetView {
    fn from(budget: SeriesBudget) -> Self {
        let SeriesBudget { asked, explanation, openings_per_row, n_judged, n_promised, n_openings } = budget;
        Self { alarm_budget: asked, explanation, openings_per_row, n_judged, n_promised, n_openings }
    }
}

impl SeriesView {
    /// A stored series with what is known about its warm-up.
    pub fn new(row: SeriesRow, warm_up: Option<WarmUp>) -> Self {
        let seconds_per_row = match (row.last_at, row.n_rows) {
            (Some(last), n_rows @ 2..) => Some(last.ms_since(row.first_at) as f64 / 1e3 / (n_rows - 1) as f64),
            _ => None,
        };
        let warm_up = warm_up.filter(|_| row.state == SeriesState::WarmingUp).map(|progress| WarmUpView {
            n_rows: progress.n_rows,
            n_wanted: progress.n_wanted,
            seconds_left: seconds_per_row.map(|pace| pace * progress.n_wanted.saturating_sub(progress.n_rows) as f64),
        });
        Self {
            series: row.series.into(),
            state: row.state,
            // Nothing is said about a series' state before the first change.
            state_since: row.state_at.max(row.first_at).into(),
            reason: match row.state_reason.as_str() {
                "" => "rows are gathered for a first model".to_owned(),
                _ => row.state_reason,
            },
            channels: row.channels.into_iter().map(String::from).collect(),
            first_at: row.first_at.into(),
            last_at: row.last_at.map(Moment),
            n_rows: row.n_rows,
            model_id: row.model_id,
            live_score: row.live_score,
            evidence: row.evidence,
            n_open_alerts: row.n_open_alerts,
            budget: row.budget.map(BudgetView::from),
            warm_up,
        }
    }
}
