//! `series` and `series/{series}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::paging::{Link, check_limit};
use super::state::AppState;
use super::view::{Page, SeriesView};
use crate::series::SeriesId;
use crate::store::{SeriesQuery, SeriesRow};
use crate::verdict::SeriesState;

const LIMIT: u32 = 1_000;
const LIMIT_MAX: u32 = 10_000;

/// The series that a path names.
pub(super) fn parse_series(text: &str) -> Result<SeriesId, ApiError> {
    SeriesId::parse(text).map_err(|_| ApiError::Unknown { what: "series", found: text.chars().take(200).collect() })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SeriesParameters {
    /// Only series in this state.
    #[param(schema_with = super::view::word::series_state)]
    state: Option<SeriesState>,
    /// Only series after this name: the last of the part before.
    #[param(max_length = 200, min_length = 1)]
    after: Option<String>,
    /// Most series in the answer; 1000 when left out.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<u32>,
}

/// Every series, by name.
#[utoipa::path(get, path = "/api/v1/series", tag = "series", params(SeriesParameters), responses(
    (status = 200, description = "Series", body = Page<SeriesView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(parameters): Query<SeriesParameters>,
) -> Result<Json<Page<SeriesView>>, ApiError> {
    let limit = check_limit(parameters.limit, LIMIT, LIMIT_MAX)?;
    let after = parameters.after.as_deref().map(SeriesId::parse).transpose().map_err(|error| ApiError::Parameter {
        parameter: "after",
        found: "no series name".to_owned(),
        expected: error.to_string(),
    })?;
    let rows = state.reader.series(&SeriesQuery { state: parameters.state, after, limit }).await?;
    let next = rows.last().filter(|_| rows.len() >= limit as usize).map(|last| {
        Link::new("/api/v1/series")
            .with("state", parameters.state)
            .with("after", Some(&last.series))
            .with("limit", parameters.limit)
            .build()
    });
    let view = |row: SeriesRow| {
        let warm_up = state.live.warm_up(&row.series);
        SeriesView::new(row, warm_up)
    };
    Ok(Json(Page { data: rows.into_iter().map(view).collect(), next }))
}

/// One series.
#[utoipa::path(get, path = "/api/v1/series/{series}", tag = "series",
    params(("series" = String, Path, description = "Its name, percent-encoded")),
    responses(
    (status = 200, description = "The series", body = SeriesView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn one(
    State(state): State<AppState>,
    Path(series): Path<String>,
) -> Result<Json<SeriesView>, ApiError> {
    let series = parse_series(&series)?;
    Ok(Json(SeriesView::new(state.reader.one_series(&series).await?, state.live.warm_up(&series))))
}
