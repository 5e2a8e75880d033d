//! `silences`, `silences/{id}`: alerts that tell nobody for a while, in Alertmanager's shape.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::writer;
use super::error::{ApiError, Problem};
use super::extract::{Body, Path, Query};
use super::state::AppState;
use super::view::{MatcherView, Moment, Page, ScheduleView, SilenceView};
use crate::notify::SilenceRequest;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SilenceParameters {
    /// True also gives those that are over.
    #[serde(default)]
    expired: bool,
}

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSilence {
    /// All of them must match an alert.
    #[schema(min_items = 1, max_items = 32)]
    pub matchers: Vec<MatcherView>,
    /// First moment; now when left out.
    #[serde(default)]
    pub starts_at: Option<Moment>,
    /// First moment after it.
    pub ends_at: Moment,
    /// Only at these local times, again and again within the span.
    #[serde(default)]
    pub schedule: Option<ScheduleView>,
    /// Who says so.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub created_by: String,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub comment: String,
}

impl From<NewSilence> for SilenceRequest {
    fn from(new: NewSilence) -> Self {
        Self {
            matchers: new.matchers.into_iter().map(Into::into).collect(),
            starts_at: new.starts_at.map(|at| at.to_string()),
            ends_at: new.ends_at.to_string(),
            schedule: new.schedule.map(Into::into),
            created_by: new.created_by,
            comment: new.comment,
        }
    }
}

/// Silences, the one that ends last first.
#[utoipa::path(get, path = "/api/v1/silences", tag = "silences", params(SilenceParameters), responses(
    (status = 200, description = "Silences", body = Page<SilenceView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(parameters): Query<SilenceParameters>,
) -> Result<Json<Page<SilenceView>>, ApiError> {
    let now = Moment::now().0;
    let silences = state.reader.silences((!parameters.expired).then_some(now)).await?;
    Ok(Json(Page { data: silences.iter().map(|silence| SilenceView::new(silence, now)).collect(), next: None }))
}

fn unknown(id: &str) -> ApiError {
    ApiError::Unknown { what: "silence", found: id.chars().take(64).collect() }
}

/// One silence.
#[utoipa::path(get, path = "/api/v1/silences/{id}", tag = "silences",
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "The silence", body = SilenceView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such silence", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<SilenceView>, ApiError> {
    let silence = state.reader.silence(&id).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(SilenceView::new(&silence, Moment::now().0)))
}

/// Makes a silence.
#[utoipa::path(post, path = "/api/v1/silences", tag = "silences", request_body = NewSilence, responses(
    (status = 201, description = "The silence", body = SilenceView),
    (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Sent by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The body is no silence", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store cannot be written", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn add(
    State(state): State<AppState>,
    Body(new): Body<NewSilence>,
) -> Result<(StatusCode, Json<SilenceView>), ApiError> {
    let now = Moment::now().0;
    let spec = SilenceRequest::from(new).check(now).map_err(|error| ApiError::Body(error.to_string()))?;
    let silence = writer(&state)?.add_silence(spec, now).await?;
    Ok((StatusCode::CREATED, Json(SilenceView::new(&silence, now))))
}

/// Ends a silence now. Alerts it held that are still open are told.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", tag = "silences",
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "The silence, over", body = SilenceView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Sent by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such silence", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store cannot be written", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn expire(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<SilenceView>, ApiError> {
    let now = Moment::now().0;
    let silence = writer(&state)?.expire_silence(&id, now).await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(SilenceView::new(&silence, now)))
}
