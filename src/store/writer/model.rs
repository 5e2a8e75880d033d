//! Model bundles on their way in and out.

use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::{CommitError, ReadError, Store};

/// A model to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    /// First 16 hex digits of the SHA-256 of `bundle`.
    pub id: String,
    /// The series it was fitted on; none when shared.
    pub series: Option<SeriesId>,
    /// When the fit was done.
    pub created_at: Timestamp,
    /// Its bytes.
    pub bundle: Vec<u8>,
    /// Its channels, in the order of its contributions.
    pub channels: Vec<ChannelName>,
    /// Its members, in the order of their contributions.
    pub members: Vec<String>,
    /// Data span, seed, version and parameters of the fit.
    pub provenance: serde_json::Value,
}

impl Store {
    /// Keeps a model. The same bytes again change nothing.
    ///
    /// # Errors
    /// As [`Store::commit`]; refused when the id is not that of the bytes.
    pub async fn save_bundle(&self, model: &NewModel) -> Result<(), CommitError> {
        let _ = model;
        todo!()
    }

    /// The bytes of a model, checked against their checksum; none when there is no such model.
    ///
    /// # Errors
    /// When the bytes do not match the checksum, or the store cannot be read.
    pub async fn load_bundle(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let _ = id;
        todo!()
    }
}
