//! `targets` and `dead_letters`: who is told of alerts, and what they refused.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::{ApiError, Problem};
use super::extract::Query;
use super::paging::check_limit;
use super::state::AppState;
use super::view::{DeadLetterView, Page, TargetView};

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// Who is told of alerts, and how far, by name.
#[utoipa::path(get, path = "/api/v1/targets", tag = "alerts", responses(
    (status = 200, description = "Targets", body = Page<TargetView>),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn targets(State(state): State<AppState>) -> Result<Json<Page<TargetView>>, ApiError> {
    let rows = state.reader.targets().await?;
    Ok(Json(Page { data: rows.into_iter().map(TargetView::from).collect(), next: None }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadLetterParameters {
    /// Most of them in the answer; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Notices that receivers have refused for good, the newest first.
#[utoipa::path(get, path = "/api/v1/dead_letters", tag = "alerts", params(DeadLetterParameters), responses(
    (status = 200, description = "Dead letters", body = Page<DeadLetterView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn dead_letters(
    State(state): State<AppState>,
    Query(parameters): Query<DeadLetterParameters>,
) -> Result<Json<Page<DeadLetterView>>, ApiError> {
    let limit = check_limit(parameters.limit, LIMIT, LIMIT_MAX)?;
    let letters = state.reader.dead_letters(limit).await?;
    Ok(Json(Page { data: letters.into_iter().map(DeadLetterView::from).collect(), next: None }))
}
