//! `alerts`, `alerts/{id}`, and what a person may do to one.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, Problem};
use super::extract::{Body, Path, Query};
use super::paging::{Link, check_limit, check_range};
use super::series::parse_series;
use super::state::AppState;
use super::view::{AlertView, Moment, Page};
use crate::store::{AlertQuery, NewLabel, Store};
use crate::verdict::{Alert, AlertId, AlertState};

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AlertParameters {
    /// Only alerts in this state.
    #[param(schema_with = super::view::word::alert_state)]
    state: Option<AlertState>,
    /// Only alerts of this series.
    series: Option<String>,
    /// Opened at or after; `since` is read as well.
    #[serde(alias = "since")]
    start: Option<Moment>,
    /// Opened before; `until` is read as well.
    #[serde(alias = "until")]
    end: Option<Moment>,
    /// Most alerts in the answer; 100 when left out. Alerts that opened at the same moment stay together, so an answer
    /// may be longer or shorter.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Alerts, newest opening first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", params(AlertParameters), responses(
    (status = 200, description = "Alerts", body = Page<AlertView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(parameters): Query<AlertParameters>,
) -> Result<Json<Page<AlertView>>, ApiError> {
    let limit = check_limit(parameters.limit, LIMIT, LIMIT_MAX)?;
    let (start, end) = check_range(parameters.start, parameters.end)?;
    let series = parameters.series.as_deref().map(parse_series).transpose()?;
    if let Some(series) = &series {
        // An unknown name is a mistake worth an answer of its own, not an empty list.
        state.reader.one_series(series).await?;
    }
    let mut query = AlertQuery { state: parameters.state, series, start, end, limit: limit + 1 };
    let (alerts, has_more) = loop {
        let found = state.reader.alerts(&query).await?;
        let asked = query.limit as usize;
        match cut(found, asked - 1) {
            Cut::All(alerts) => break (alerts, false),
            Cut::Part(alerts) => break (alerts, true),
            Cut::OneMoment => query.limit = query.limit.saturating_mul(2),
        }
    };
    let next = alerts.last().filter(|_| has_more).map(|last| {
        Link::new("/api/v1/alerts")
            .with("state", parameters.state)
            .with("series", query.series.as_ref())
            .with("start", start)
            .with("end", Some(last.opened_at))
            .with("limit", parameters.limit)
            .build()
    });
    Ok(Json(Page { data: views(&state, alerts).await?, next }))
}

/// What a list of at most `limit + 1` alerts becomes as a page of about `limit`.
#[derive(Debug, PartialEq)]
enum Cut {
    /// There are no more.
    All(Vec<Alert>),
    /// There are more, and all of them opened before the last one here.
    Part(Vec<Alert>),
    /// All of them opened at the same moment, so a page cannot end here.
    OneMoment,
}

/// Cuts a list, newest opening first, where the opening time changes, because the next page starts at a time.
fn cut(mut alerts: Vec<Alert>, limit: usize) -> Cut {
    let Some(over) = alerts.get(limit).map(|alert| alert.opened_at) else { return Cut::All(alerts) };
    match alerts.iter().rposition(|alert| alert.opened_at != over) {
        Some(last) => {
            alerts.truncate(last + 1);
            Cut::Part(alerts)
        }
        None => Cut::OneMoment,
    }
}

pub(super) fn unknown(id: &str) -> ApiError {
    ApiError::Unknown { what: "alert", found: id.chars().take(64).collect() }
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "The alert", body = AlertView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such alert", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<AlertView>, ApiError> {
    let alert = state.reader.alert(&AlertId(id.clone())).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(view(&state, alert).await?))
}

/// Alerts with the silences that hold them.
pub(super) async fn views(state: &AppState, alerts: Vec<Alert>) -> Result<Vec<AlertView>, ApiError> {
    let silences = state.reader.silences(None).await?;
    let now = Moment::now().0;
    Ok(alerts.into_iter().map(|alert| AlertView::new(alert, &silences, now)).collect())
}

async fn view(state: &AppState, alert: Alert) -> Result<AlertView, ApiError> {
    let silences = state.reader.silences(None).await?;
    Ok(AlertView::new(alert, &silences, Moment::now().0))
}

pub(super) fn writer(state: &AppState) -> Result<&Store, ApiError> {
    state.store.as_ref().ok_or_else(|| ApiError::Unavailable("this service only reads".to_owned()))
}

/// Says that a person has seen an alert. The first time counts; the alert stays open.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts",
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "The alert, acknowledged", body = AlertView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Sent by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such alert", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store cannot be written", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn acknowledge(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<AlertView>, ApiError> {
    let done = writer(&state)?.acknowledge(&AlertId(id.clone()), Moment::now().0).await?;
    Ok(Json(view(&state, done.ok_or_else(|| unknown(&id))?).await?))
}

/// What a person says an alert was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// True for a true alert, false for a false alarm, null to take the label back.
    #[serde(deserialize_with = "present")]
    #[schema(required = true)]
    pub label: Option<bool>,
    /// Anything to remember about it.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
    /// Who says so.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub author: Option<String>,
    /// True puts this label in the place of another one that stands; false when left out.
    #[serde(default)]
    pub replace: bool,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Option::deserialize(deserializer)
}

/// Says what an alert was: a true alert, a false alarm, or takes that back. Saying again what is said changes nothing;
/// another label than the one that stands is refused, unless `replace` is true.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/label", tag = "alerts", request_body = LabelRequest,
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "The alert, labelled", body = AlertView),
    (status = 400, description = "The path or the body is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Sent by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such alert", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The alert carries another label", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body is not a label", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store cannot be written", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn label(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Body(request): Body<LabelRequest>,
) -> Result<Json<AlertView>, ApiError> {
    let LabelRequest { label, note, author, replace: replaces } = request;
    let new = NewLabel { label, note, author, replaces };
    let done = writer(&state)?.label(&AlertId(id.clone()), &new, Moment::now().0).await?;
    Ok(Json(view(&state, done.ok_or_else(|| unknown(&id))?).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{SeriesId, Timestamp};
    use crate::verdict::{AlertKind, Severity};

    fn opened_at(seconds: &[i64]) -> Vec<Alert> {
        let series = SeriesId::parse("pump").unwrap();
        seconds
            .iter()
            .map(|&s| Alert {
                id: AlertId(format!("{s}")),
                kind: AlertKind::Anomaly,
                series: series.clone(),
                state: AlertState::Open,
                severity: Severity::Warning,
                opened_at: Timestamp::from_ms(s * 1000),
                resolved_at: None,
                peak_score: 1.0,
                p_value: 0.01,
                evidence: 1.0,
                alarm_budget: "1 per day".to_owned(),
                channels: Vec::new(),
                model_id: None,
                acknowledged_at: None,
                label: None,
                note: None,
                labelled_by: None,
                labelled_at: None,
                openings: 1,
            })
            .collect()
    }

    #[test]
    fn a_page_of_alerts_ends_where_the_opening_time_changes() {
        let check = |seconds: &[i64], limit, expected: Cut| assert_eq!(cut(opened_at(seconds), limit), expected);
        check(&[9, 8], 2, Cut::All(opened_at(&[9, 8])));
        check(&[9, 8, 7], 2, Cut::Part(opened_at(&[9, 8])));
        check(&[9, 8, 8], 2, Cut::Part(opened_at(&[9])));
        check(&[8, 8, 8], 2, Cut::OneMoment);
    }
}
