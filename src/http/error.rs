//! What a handler may fail with, and the one place where it becomes a status and `application/problem+json`.

use axum::Json;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::{CommitError, LabelError, ReadError};

/// RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Which problem it is: a section of `/docs`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem in a few words, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was found and what was expected.
    pub detail: String,
}

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nothing has this name.
    #[error("there is no {what} {found:?}")]
    Unknown {
        /// `series`, `alert`, …
        what: &'static str,
        /// The name asked for.
        found: String,
    },
    /// No route has this path.
    #[error("there is no {found:?}; /docs lists every path")]
    NoRoute {
        /// The path.
        found: String,
    },
    /// The path exists, the method does not.
    #[error("{path:?} does not take {method}")]
    WrongMethod {
        /// The method.
        method: String,
        /// The path.
        path: String,
    },
    /// A parameter cannot be read or makes no sense.
    #[error("{parameter}: found {found}, expected {expected}")]
    Parameter {
        /// Its name.
        parameter: &'static str,
        /// What was sent.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// The query string cannot be read.
    #[error("{0}")]
    Query(String),
    /// The body is not what the route takes.
    #[error("{0}")]
    Body(String),
    /// The body says something other than `application/json`.
    #[error("the body must be application/json")]
    MediaType,
    /// The body is too long.
    #[error("a body has at most {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// A page of another site sent the request.
    #[error("a page of another site may read but not act")]
    Foreign,
    /// What is kept is damaged.
    #[error("{0}")]
    Damaged(String),
    /// What is asked for does not fit what is.
    #[error("{0}")]
    Conflict(String),
    /// The service cannot answer now.
    #[error("{0}")]
    Unavailable(String),
}

/// Longest body that is read, in bytes: requests are a few fields and a note.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

impl ApiError {
    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unknown { .. } => (StatusCode::NOT_FOUND, "unknown", "Nothing has this name"),
            Self::NoRoute { .. } => (StatusCode::NOT_FOUND, "no-route", "No such path"),
            Self::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "Wrong method"),
            Self::Parameter { .. } | Self::Query(_) => (StatusCode::BAD_REQUEST, "parameter", "Unusable parameter"),
            Self::Body(_) => (StatusCode::UNPROCESSABLE_ENTITY, "body", "Unusable body"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Wrong media type"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Body too large"),
            Self::Foreign => (StatusCode::FORBIDDEN, "foreign", "Sent by another site"),
            Self::Damaged(_) => (StatusCode::INTERNAL_SERVER_ERROR, "damaged", "What is kept is damaged"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Does not fit the present state"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Cannot answer now"),
        }
    }

    /// The body of the answer.
    pub fn problem(&self) -> Problem {
        let (status, name, title) = self.parts();
        Problem {
            kind: format!("/docs#{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, name, _) = self.parts();
        if status.is_server_error() {
            tracing::warn!(error = %self, problem = name, "request not answered");
        }
        let mut response = (status, Json(self.problem())).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoSuchSeries { series } => Self::Unknown { what: "series", found: series.to_string() },
            ReadError::BadQuery { detail } => Self::Query(detail),
            ReadError::DamagedRow { .. } => Self::Damaged(error.to_string()),
            ReadError::Unusable { .. } => Self::Unavailable(error.to_string()),
        }
    }
}

impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> Self {
        Self::Unavailable(format!("nothing was changed: {error}"))
    }
}

impl From<LabelError> for ApiError {
    fn from(error: LabelError) -> Self {
        match error {
            LabelError::TooLong { .. } => Self::Body(error.to_string()),
            LabelError::Stands(_) => Self::Conflict(error.to_string()),
            LabelError::Commit(error) => error.into(),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Query(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::Query(rejection.body_text())
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge { limit: BODY_BYTES_MAX },
            _ => Self::Body(rejection.body_text()),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::MediaType,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge { limit: BODY_BYTES_MAX },
            _ => Self::Body(rejection.body_text()),
        }
    }
}

/// Every kind of problem with its title, for `/docs`.
pub(super) fn kinds() -> Vec<(&'static str, StatusCode, &'static str)> {
    let text = String::new;
    [
        ApiError::Unknown { what: "series", found: text() },
        ApiError::NoRoute { found: text() },
        ApiError::WrongMethod { method: text(), path: text() },
        ApiError::Query(text()),
        ApiError::Body(text()),
        ApiError::MediaType,
        ApiError::TooLarge { limit: BODY_BYTES_MAX },
        ApiError::Foreign,
        ApiError::Damaged(text()),
        ApiError::Conflict(text()),
        ApiError::Unavailable(text()),
    ]
    .iter()
    .map(|error| {
        let (status, name, title) = error.parts();
        (name, status, title)
    })
    .collect()
}
