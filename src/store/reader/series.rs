//! Series with their state.

use serde::Serialize;
use sqlx::FromRow;

use super::{json_from, name_from, state_from};
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
    /// How it keeps its alarm budget; none until a model judges it.
    pub budget: Option<SeriesBudget>,
}

/// Promised against realised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesBudget {
    /// The budget as asked for, in the user's unit.
    pub asked: String,
    /// Why it runs at a looser one, in the user's unit; none when it runs as asked.
    pub explanation: Option<String>,
    /// False openings per row that it runs at now.
    pub openings_per_row: f64,
    /// Rows judged so far.
    pub n_judged: u64,
    /// Openings promised for them.
    pub n_promised: f64,
    /// Openings of anomaly alerts.
    pub n_openings: u64,
}

/// The fleet view: one seek a series and table.
macro_rules! select_series {
    ($which:literal) => {
        concat!(
            "SELECT s.name, s.state, s.state_at_ms, s.state_reason, s.first_at_ms, s.last_closed_ms, s.n_closed, ",
            "sc.live_score, sc.evidence, b.asked, b.explanation, b.openings_per_row, b.n_judged, b.n_promised, ",
            "b.n_openings, ",
            "(SELECT json_group_array(name) FROM (SELECT name FROM channels AS c WHERE c.series_id = s.id ",
            "ORDER BY channel_index)) AS channels, ",
            "(SELECT model_id FROM take_overs AS t WHERE t.series_id = s.id ORDER BY from_ms DESC LIMIT 1) AS model_id, ",
            "(SELECT count(*) FROM alerts AS a WHERE a.series_id = s.id AND a.state = 'open') AS n_open_alerts ",
            "FROM series AS s LEFT JOIN scores AS sc ON sc.series_id = s.id AND sc.at_ms = s.last_scored_ms ",
            "LEFT JOIN budgets AS b ON b.series_id = s.id ",
            $which
        )
    };
}

const SERIES: &str = select_series!("WHERE s.name > ?1 AND (?2 IS NULL OR s.state = ?2) ORDER BY s.name LIMIT ?3");
const ONE_SERIES: &str = select_series!("WHERE s.name = ?1");

#[derive(FromRow)]
struct Columns {
    name: String,
    state: String,
    state_at_ms: i64,
    state_reason: String,
    first_at_ms: i64,
    last_closed_ms: Option<i64>,
    n_closed: i64,
    live_score: Option<f64>,
    evidence: Option<f64>,
    channels: String,
    model_id: Option<String>,
    n_open_alerts: u32,
    asked: Option<String>,
    explanation: Option<String>,
    openings_per_row: Option<f64>,
    n_judged: Option<i64>,
    n_promised: Option<f64>,
    n_openings: Option<i64>,
}

impl Columns {
    fn row(self) -> Result<SeriesRow, ReadError> {
        let budget = self.asked.map(|asked| SeriesBudget {
            asked,
            explanation: self.explanation,
            openings_per_row: self.openings_per_row.unwrap_or_default(),
            n_judged: self.n_judged.unwrap_or_default().unsigned_abs(),
            n_promised: self.n_promised.unwrap_or_default(),
            n_openings: self.n_openings.unwrap_or_default().unsigned_abs(),
        });
        Ok(SeriesRow {
            series: name_from("series", &self.name, SeriesId::parse)?,
            state: state_from(&self.state)?,
            state_at: Timestamp::from_ms(self.state_at_ms),
            state_reason: self.state_reason,
            channels: json_from("channels", &self.channels)?,
            first_at: Timestamp::from_ms(self.first_at_ms),
            last_at: self.last_closed_ms.map(Timestamp::from_ms),
            n_rows: self.n_closed.unsigned_abs(),
            model_id: self.model_id,
            live_score: self.live_score,
            evidence: self.evidence,
            n_open_alerts: self.n_open_alerts,
            budget,
        })
    }
}

impl Reader {
    /// Series by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn series(&self, query: &SeriesQuery) -> Result<Vec<SeriesRow>, ReadError> {
        let found: Vec<Columns> = sqlx::query_as(SERIES)
            .bind(query.after.as_ref().map_or("", SeriesId::as_str))
            .bind(query.state.map(SeriesState::as_str))
            .bind(query.limit)
            .fetch_all(&self.pool)
            .await?;
        found.into_iter().map(Columns::row).collect()
    }

    /// Of every series that a model judges: the false openings per row that it runs at, its openings so far, and the
    /// rows judged so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn alarm_rates(&self) -> Result<Vec<(SeriesId, f64, u64, u64)>, ReadError> {
        let found: Vec<(String, f64, i64, i64)> = sqlx::query_as(
            "SELECT s.name, b.openings_per_row, b.n_openings, b.n_judged \
             FROM budgets AS b JOIN series AS s ON s.id = b.series_id",
        )
        .fetch_all(&self.pool)
        .await?;
        let rates = |(name, openings_per_row, n_openings, n_judged): (String, f64, i64, i64)| {
            let series = name_from("series", &name, SeriesId::parse)?;
            Ok((series, openings_per_row, n_openings.unsigned_abs(), n_judged.unsigned_abs()))
        };
        found.into_iter().map(rates).collect()
    }

    /// One series.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn one_series(&self, series: &SeriesId) -> Result<SeriesRow, ReadError> {
        self.series_number(series).await?;
        sqlx::query_as::<_, Columns>(ONE_SERIES)
            .bind(series.as_str())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| ReadError::NoSuchSeries { series: series.clone() })?
            .row()
    }
}
