//! Models and the rows at which they took over.

use serde::Serialize;

use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::{ReadError, Reader};

/// A fitted model, without its bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// First 16 hex digits of the SHA-256 of its bundle.
    pub id: String,
    /// The series it was fitted on; none when shared.
    pub series: Option<SeriesId>,
    /// When the fit was done.
    pub created_at: Timestamp,
    /// Size of the bundle, bytes.
    pub n_bytes: u64,
    /// Its channels, in the order of its contributions.
    pub channels: Vec<ChannelName>,
    /// Its members, in the order of their contributions.
    pub members: Vec<String>,
    /// Data span, seed, version and parameters of the fit.
    pub provenance: serde_json::Value,
    /// Series that it judges now.
    pub active_on: Vec<SeriesId>,
}

/// A model began to judge a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakeOverRow {
    /// First row that it judges.
    pub from: Timestamp,
    /// Index of that row among the closed rows of the series.
    pub from_row: u64,
    /// The model.
    pub model_id: String,
}

impl Reader {
    /// Models, newest first; only those fitted on or judging `series` when one is given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn models(&self, series: Option<&SeriesId>) -> Result<Vec<ModelRow>, ReadError> {
        let _ = series;
        todo!()
    }

    /// One model, if there is one of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn model(&self, id: &str) -> Result<Option<ModelRow>, ReadError> {
        let _ = id;
        todo!()
    }

    /// The bytes of a model, checked against their checksum; none when there is no such model.
    ///
    /// # Errors
    /// When the bytes do not match the checksum, or the store cannot be read.
    pub async fn bundle(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let _ = id;
        todo!()
    }

    /// Take-overs of a series, oldest first.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn take_overs(&self, series: &SeriesId) -> Result<Vec<TakeOverRow>, ReadError> {
        let _ = series;
        todo!()
    }
}
