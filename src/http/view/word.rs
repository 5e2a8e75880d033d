//! Schemas of the words that the domain types turn into.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::verdict::{AlertKind, AlertState, SeriesState, Severity, TransitionKind};

fn one_of(words: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// `anomaly`, `stuck`, …
pub(in crate::http) fn alert_kind() -> RefOr<Schema> {
    one_of(AlertKind::ALL.iter().map(|word| word.as_str()))
}

/// `open`, `resolved`.
pub(in crate::http) fn alert_state() -> RefOr<Schema> {
    one_of(AlertState::ALL.iter().map(|word| word.as_str()))
}

/// `warning`, `critical`.
pub(in crate::http) fn severity() -> RefOr<Schema> {
    one_of(Severity::ALL.iter().map(|word| word.as_str()))
}

/// `normal`, `anomalous`, …
pub(in crate::http) fn series_state() -> RefOr<Schema> {
    one_of(SeriesState::ALL.iter().map(|word| word.as_str()))
}

/// `opened`, `resolved`.
pub(in crate::http) fn transition_kind() -> RefOr<Schema> {
    one_of(TransitionKind::ALL.iter().map(|word| word.as_str()))
}
