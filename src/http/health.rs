//! `/healthz`, `/readyz` and `/metrics`: for supervisors and Prometheus; `health` under the API: for the page.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::about::About;
use super::readiness::Readiness;
use super::state::AppState;

/// Answers as long as the process serves requests.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "Alive", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether the service does its work: restored, store writable, broker connected.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "Every condition holds", body = Readiness),
    (status = 503, description = "At least one condition does not hold", body = Readiness),
))]
pub(super) async fn readyz(State(state): State<AppState>) -> Response {
    let readiness = state.readiness.borrow().clone();
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(state): State<AppState>) -> Response {
    state.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render()).into_response()
}

/// The service at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// What is running.
    pub about: About,
    /// True when every check holds.
    pub is_ready: bool,
    /// Whether it does its work.
    pub readiness: Readiness,
}

/// The service at a glance: version, start, broker, checks.
#[utoipa::path(get, path = "/api/v1/health", tag = "health", responses((status = 200, description = "The service at a glance", body = Health)))]
pub(super) async fn health(State(state): State<AppState>) -> Json<Health> {
    let readiness = state.readiness.borrow().clone();
    Json(Health { about: state.about.as_ref().clone(), is_ready: readiness.is_ready(), readiness })
}
