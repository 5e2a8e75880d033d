//! `models`, `models/{id}`, `models/{id}/activate` and `series/{series}/models`: what judges each series.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::IntoParams;

use super::activation::Activation;
use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::series::parse_series;
use super::state::AppState;
use super::view::{ActivationView, ModelView, Page, PowerView, TakeOverView};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ModelParameters {
    /// Only models fitted on, or judging, this series.
    series: Option<String>,
}

/// Models, newest first.
#[utoipa::path(get, path = "/api/v1/models", tag = "models", params(ModelParameters), responses(
    (status = 200, description = "Models", body = Page<ModelView>),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Query(parameters): Query<ModelParameters>,
) -> Result<Json<Page<ModelView>>, ApiError> {
    let series = parameters.series.as_deref().map(parse_series).transpose()?;
    if let Some(series) = &series {
        state.reader.one_series(series).await?;
    }
    let rows = state.reader.models(series.as_ref()).await?;
    Ok(Json(Page { data: rows.into_iter().map(ModelView::from).collect(), next: None }))
}

/// One model.
#[utoipa::path(get, path = "/api/v1/models/{id}", tag = "models",
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "The model", body = ModelView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such model", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<ModelView>, ApiError> {
    let model = state.reader.model(&id).await?;
    let unknown = || ApiError::Unknown { what: "model", found: id.chars().take(64).collect() };
    Ok(Json(model.ok_or_else(unknown)?.into()))
}

/// Lets a person pick which stored model judges a series: its own series when none is named.
///
/// It takes over with the next row, whether an alert is open or not, survives a restart, and no later fit of the warm-up
/// replaces it; a new channel does.
#[utoipa::path(post, path = "/api/v1/models/{id}/activate", tag = "models",
    params(("id" = String, Path, description = "Its id"), ModelParameters),
    responses(
    (status = 202, description = "The model will judge from the next row on", body = ActivationView),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Sent by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such model or series", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The model does not fit the series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Nothing judges here", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn activate(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(parameters): Query<ModelParameters>,
) -> Result<(StatusCode, Json<ActivationView>), ApiError> {
    let unavailable = || ApiError::Unavailable("nothing judges here: this service only reads".to_owned());
    let pipeline = state.activations.as_ref().ok_or_else(unavailable)?;
    let unknown = || ApiError::Unknown { what: "model", found: id.chars().take(64).collect() };
    let model = state.reader.model(&id).await?.ok_or_else(unknown)?;
    let series = parameters.series.as_deref().map(parse_series).transpose()?.or(model.series);
    let series = series.ok_or_else(|| ApiError::Parameter {
        parameter: "series",
        found: "nothing".to_owned(),
        expected: "a series, because this model is shared by several".to_owned(),
    })?;
    let channels = state.reader.one_series(&series).await?.channels;
    if let Some(channel) = model.channels.iter().find(|channel| !channels.contains(channel)) {
        return Err(ApiError::Conflict(format!("model {id} judges channel {channel}, which series {series} lacks")));
    }
    let (answer, answered) = oneshot::channel();
    let activation = Activation { series: series.clone(), model_id: id.clone(), answer };
    pipeline.send(activation).await.map_err(|_| unavailable())?;
    if !answered.await.map_err(|_| unavailable())? {
        return Err(ApiError::Conflict(format!("series {series} has no closed row yet")));
    }
    Ok((StatusCode::ACCEPTED, Json(ActivationView { series: series.to_string(), model_id: id })))
}

/// Which faults a model would see, as measured last.
#[utoipa::path(get, path = "/api/v1/models/{id}/power", tag = "models",
    params(("id" = String, Path, description = "Its id")),
    responses(
    (status = 200, description = "What it would see", body = PowerView),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such model, or its power was never measured", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn power(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<PowerView>, ApiError> {
    let power = state.reader.power(&id).await?;
    let unknown = || ApiError::Unknown { what: "measured power of a model", found: id.chars().take(64).collect() };
    Ok(Json(power.ok_or_else(unknown)?.into()))
}

/// Which model judged a series from which row on, oldest first.
#[utoipa::path(get, path = "/api/v1/series/{series}/models", tag = "models",
    params(("series" = String, Path, description = "Its name, percent-encoded")),
    responses(
    (status = 200, description = "Take-overs", body = Page<TakeOverView>),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn take_overs(
    State(state): State<AppState>,
    Path(series): Path<String>,
) -> Result<Json<Page<TakeOverView>>, ApiError> {
    let rows = state.reader.take_overs(&parse_series(&series)?).await?;
    Ok(Json(Page { data: rows.into_iter().map(TakeOverView::from).collect(), next: None }))
}
