//! `series/{series}/level-shifts`: what was accepted as a new normal, and taking it back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::error::{ApiError, Problem};
use super::extract::Path;
use super::series::parse_series;
use super::state::{AppState, Deed};
use super::view::{LevelShiftView, Page};

/// Lasting changes of level that were accepted as the new normal, newest first.
#[utoipa::path(get, path = "/api/v1/series/{series}/level-shifts", tag = "series",
    params(("series" = String, Path, description = "Its name, percent-encoded")),
    responses(
    (status = 200, description = "Accepted level shifts", body = Page<LevelShiftView>),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Path(series): Path<String>,
) -> Result<Json<Page<LevelShiftView>>, ApiError> {
    let rows = state.reader.level_shifts(&parse_series(&series)?).await?;
    Ok(Json(Page { data: rows.into_iter().map(LevelShiftView::from).collect(), next: None }))
}

/// Takes back what was accepted: the learned level counts as normal again, so a level that still lasts is judged as it
/// was before. It happens with the next commit.
#[utoipa::path(post, path = "/api/v1/series/{series}/level-shifts/undo", tag = "series",
    params(("series" = String, Path, description = "Its name, percent-encoded")),
    responses(
    (status = 202, description = "It is being taken back", body = Page<LevelShiftView>),
    (status = 400, description = "The path is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Sent by another site's page", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This service only reads", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn undo(
    State(state): State<AppState>,
    Path(series): Path<String>,
) -> Result<(StatusCode, Json<Page<LevelShiftView>>), ApiError> {
    let series = parse_series(&series)?;
    let rows = state.reader.level_shifts(&series).await?;
    let only_reads = || ApiError::Unavailable("this service only reads".to_owned());
    let deeds = state.deeds.as_ref().ok_or_else(only_reads)?;
    // An error means that the service is stopping.
    deeds.send(Deed::UndoShift { series }).map_err(|_| only_reads())?;
    let data = rows.into_iter().map(LevelShiftView::from).collect();
    Ok((StatusCode::ACCEPTED, Json(Page { data, next: None })))
}
