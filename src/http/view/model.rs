//! What judges a series.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;
use crate::store::{LatentRow, ModelRow, TakeOverRow};

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelView {
    /// First 16 hex digits of the SHA-256 of its bytes.
    pub id: String,
    /// The series it was fitted on; null when shared.
    pub series: Option<String>,
    /// Event time of the last row it was fitted on.
    pub trained_to: Moment,
    /// Size, bytes.
    pub n_bytes: u64,
    /// Its channels.
    pub channels: Vec<String>,
    /// Its members.
    pub members: Vec<String>,
    /// Data span, seed, version and parameters of the fit.
    #[schema(value_type = Object)]
    pub provenance: serde_json::Value,
    /// Series that it judges now.
    pub active_on: Vec<String>,
    /// Event time of the last row that its power was measured on; null when it never was.
    #[serde(default)]
    pub power_measured_to: Option<Moment>,
    /// Mean area under the curve over injected shifts, drifts and noise, less that of the PCA alone, as measured last;
    /// null without a PCA.
    #[serde(default)]
    pub model_skill: Option<f64>,
}

impl From<ModelRow> for ModelView {
    fn from(row: ModelRow) -> Self {
        Self {
            id: row.id,
            series: row.series.map(String::from),
            trained_to: row.trained_to.into(),
            n_bytes: row.n_bytes,
            channels: row.channels.into_iter().map(String::from).collect(),
            members: row.members,
            provenance: row.provenance,
            active_on: row.active_on.into_iter().map(String::from).collect(),
            power_measured_to: row.power_to.map(Moment),
            model_skill: row.model_skill,
        }
    }
}

/// A model began to judge a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakeOverView {
    /// First row that it judges.
    pub from: Moment,
    /// Index of that row among the closed rows of the series.
    pub from_row: u64,
    /// The model.
    pub model_id: String,
}

impl From<TakeOverRow> for TakeOverView {
    fn from(row: TakeOverRow) -> Self {
        Self { from: row.from.into(), from_row: row.from_row, model_id: row.model_id }
    }
}

/// A pick that is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivationView {
    /// The series.
    pub series: String,
    /// The model that judges it from the next row on.
    pub model_id: String,
}

/// The latent of the window that ends with a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatentView {
    /// Event time of the row.
    pub time: Moment,
    /// The latent; its axes mean something within one model only.
    pub latent: Vec<f32>,
}

impl From<LatentRow> for LatentView {
    fn from(row: LatentRow) -> Self {
        Self { time: row.at.into(), latent: row.latent }
    }
}
