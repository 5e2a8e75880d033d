//! `incidents`: alerts of one site that overlap in time, together.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, Problem};
use super::extract::Query;
use super::paging::{check_limit, check_range};
use super::state::AppState;
use super::view::{IncidentView, Moment, Page};
use crate::store::AlertQuery;
use crate::verdict::{AlertState, incidents};

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;
/// Alerts looked at, newest first.
const ALERTS_MAX: u32 = 10_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct IncidentParameters {
    /// Only incidents in this state: open while any member is.
    #[param(schema_with = super::view::word::alert_state)]
    state: Option<AlertState>,
    /// Only alerts opened at or after; `since` is read as well.
    #[serde(alias = "since")]
    start: Option<Moment>,
    /// Only alerts opened before; `until` is read as well.
    #[serde(alias = "until")]
    end: Option<Moment>,
    /// Most incidents in the answer; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Incidents, newest opening first. The site of a series is what stands before the last `/` of its name.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "alerts", params(IncidentParameters), responses(
    (status = 200, description = "Incidents", body = Page<IncidentView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(parameters): Query<IncidentParameters>,
) -> Result<Json<Page<IncidentView>>, ApiError> {
    let limit = check_limit(parameters.limit, LIMIT, LIMIT_MAX)?;
    let (start, end) = check_range(parameters.start, parameters.end)?;
    let query = AlertQuery { start, end, limit: ALERTS_MAX, ..AlertQuery::default() };
    let alerts = state.reader.alerts(&query).await?;
    let found = incidents(alerts).into_iter();
    let wanted = found.filter(|incident| parameters.state.is_none_or(|state| incident.state == state));
    let (silences, now) = (state.reader.silences(None).await?, Moment::now().0);
    let view = |incident| IncidentView::new(incident, &silences, now);
    Ok(Json(Page { data: wanted.take(limit as usize).map(view).collect(), next: None }))
}
