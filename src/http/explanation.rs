//! `alerts/{id}/explanation`: observed against expected, and the score computed again.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::alerts::unknown;
use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::state::AppState;
use super::view::ExplanationView;
use crate::pipeline::explain;
use crate::verdict::AlertId;

/// Rows shown before and after the alert.
const MARGIN: u32 = 64;
const MARGIN_MAX: u32 = 2_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplanationParameters {
    /// Rows shown before and after the alert; 64 when left out.
    #[param(minimum = 1, maximum = 2000)]
    margin: Option<u32>,
}

/// Why an alert opened: its score computed again from the stored rows, model and calibration, with observed against
/// expected per channel before, during and after it.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/explanation", tag = "alerts",
    params(("id" = String, Path, description = "Its id"), ExplanationParameters),
    responses(
    (status = 200, description = "The explanation", body = ExplanationView),
    (status = 400, description = "The path or a parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such alert", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn explanation(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(parameters): Query<ExplanationParameters>,
) -> Result<Json<ExplanationView>, ApiError> {
    let margin = parameters.margin.unwrap_or(MARGIN);
    if !(1..=MARGIN_MAX).contains(&margin) {
        let expected = format!("a number from 1 to {MARGIN_MAX}");
        return Err(ApiError::Parameter { parameter: "margin", found: margin.to_string(), expected });
    }
    let context = state.reader.alert_context(&AlertId(id.clone()), margin).await?.ok_or_else(|| unknown(&id))?;
    // Judging thousands of rows again is work for another thread.
    let explained = tokio::task::spawn_blocking(move || explain(context)).await;
    Ok(Json(explained.map_err(|error| ApiError::Unavailable(error.to_string()))?.into()))
}
