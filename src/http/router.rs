//! Every route, and the OpenAPI document made from the same list.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, BODY_BYTES_MAX};
use super::state::AppState;
use super::{
    alerts, assets, docs, explanation, health, incidents, latents, models, preview, scores, series, shifts, silences,
    stream, targets,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kilter",
        description = "Anomaly detection for sensors: series, scores, alerts and models. Times are RFC 3339 in UTC. \
                       Series ids are percent-encoded where they stand in a path. Errors are application/problem+json.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "series", description = "Monitored things, their scores and readings"),
        (name = "alerts", description = "Episodes somebody should see"),
        (name = "silences", description = "Alerts that tell nobody for a while"),
        (name = "models", description = "What judges each series"),
        (name = "health", description = "The service itself"),
    )
)]
struct ApiDoc;

fn routes_and_document() -> (Router<AppState>, Document) {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(health::health))
        .routes(routes!(series::list))
        .routes(routes!(series::one))
        .routes(routes!(shifts::list))
        .routes(routes!(shifts::undo))
        .routes(routes!(scores::scores))
        .routes(routes!(scores::readings))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::one))
        .routes(routes!(alerts::acknowledge))
        .routes(routes!(alerts::label))
        .routes(routes!(preview::label_preview))
        .routes(routes!(explanation::explanation))
        .routes(routes!(incidents::list))
        .routes(routes!(targets::targets))
        .routes(routes!(targets::dead_letters))
        .routes(routes!(silences::list, silences::add))
        .routes(routes!(silences::one, silences::expire))
        .routes(routes!(stream::alerts))
        .routes(routes!(stream::live))
        .routes(routes!(models::list))
        .routes(routes!(models::one))
        .routes(routes!(models::activate))
        .routes(routes!(models::power))
        .routes(routes!(models::take_overs))
        .routes(routes!(latents::latents))
        .routes(routes!(docs::openapi_json))
        .routes(routes!(docs::docs))
        .split_for_parts()
}

/// The OpenAPI document of the API.
pub fn openapi() -> Document {
    routes_and_document().1
}

async fn no_route(request: Request) -> ApiError {
    ApiError::NoRoute { found: request.uri().path().to_owned() }
}

async fn wrong_method(request: Request) -> ApiError {
    ApiError::WrongMethod { method: request.method().to_string(), path: request.uri().path().to_owned() }
}

/// Headers every answer carries: nothing is guessed, framed or fetched from elsewhere.
async fn guard(request: Request, next: Next) -> Response {
    const GUARDS: [(header::HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
            ),
        ),
    ];
    // Browsers say where a request comes from; a page of another site may not act in the name of a person who happens
    // to reach this service.
    let is_foreign =
        request.headers().get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let mut response = match request.method().is_safe() || !is_foreign {
        true => next.run(request).await,
        false => ApiError::Foreign.into_response(),
    };
    for (name, value) in GUARDS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

pub(super) fn router(state: AppState) -> Router {
    routes_and_document()
        .0
        .route("/", get(assets::index))
        .route("/assets/{*path}", get(assets::asset))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(guard))
        .with_state(state)
}
