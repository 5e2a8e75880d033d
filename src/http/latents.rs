//! `series/{series}/latents`: what windows become between encoder and decoder.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::paging::{Link, check_limit, check_range, encode};
use super::series::parse_series;
use super::state::AppState;
use super::view::{LatentView, Moment, Page};
use crate::store::RowQuery;

const LIMIT: u32 = 10_000;
const LIMIT_MAX: u32 = 100_000;

#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LatentParameters {
    /// First moment asked for; the oldest row when left out; `since` is read as well.
    #[serde(alias = "since")]
    start: Option<Moment>,
    /// First moment not asked for; no end when left out; `until` is read as well.
    #[serde(alias = "until")]
    end: Option<Moment>,
    /// Most rows in the answer; 10000 when left out.
    #[param(minimum = 1, maximum = 100000)]
    limit: Option<u32>,
}

/// Kept latents of a series (`keep_latents = true`), oldest first.
#[utoipa::path(get, path = "/api/v1/series/{series}/latents", tag = "series",
    params(("series" = String, Path, description = "Its name, percent-encoded"), LatentParameters),
    responses(
    (status = 200, description = "Latents", body = Page<LatentView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn latents(
    State(state): State<AppState>,
    Path(series): Path<String>,
    Query(parameters): Query<LatentParameters>,
) -> Result<Json<Page<LatentView>>, ApiError> {
    let series = parse_series(&series)?;
    let (start, end) = check_range(parameters.start, parameters.end)?;
    let limit = check_limit(parameters.limit, LIMIT, LIMIT_MAX)?;
    let rows = state.reader.latents(&series, &RowQuery { start, end, limit, newest_first: false }).await?;
    let last = rows.last().filter(|_| rows.len() >= limit as usize).map(|row| row.at.plus_ms(1));
    let next = last.map(|start| {
        Link::new(format!("/api/v1/series/{}/latents", encode(series.as_str())))
            .with("start", Some(start))
            .with("end", parameters.end)
            .with("limit", parameters.limit)
            .build()
    });
    Ok(Json(Page { data: rows.into_iter().map(LatentView::from).collect(), next }))
}
