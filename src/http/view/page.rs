//! A part of a longer list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a longer list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub data: Vec<T>,
    /// Path and query of the next part; null when this is the last.
    pub next: Option<String>,
}
