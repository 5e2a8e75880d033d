//! Model bundles on their way in and out.

use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::batch::Batch;
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::{CommitError, ReadError, Store};

/// A model to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    /// First 16 hex digits of the SHA-256 of `bundle`.
    pub id: String,
    /// The series it was fitted on; none when shared.
    pub series: Option<SeriesId>,
    /// Event time of the last row it was fitted on.
    pub trained_to: Timestamp,
    /// Its bytes.
    pub bundle: Vec<u8>,
    /// Its channels, in the order of its contributions.
    pub channels: Vec<ChannelName>,
    /// Its members, in the order of their contributions.
    pub members: Vec<String>,
    /// Data span, seed, version and parameters of the fit.
    pub provenance: serde_json::Value,
}

impl NewModel {
    /// A bundle with what the store keeps beside it.
    ///
    /// # Errors
    /// When its provenance is no JSON.
    pub fn new(series: &SeriesId, bundle: &ModelBundle) -> Result<Self, CommitError> {
        let provenance = serde_json::to_value(&bundle.provenance);
        Ok(Self {
            id: bundle.id().to_owned(),
            series: Some(series.clone()),
            trained_to: bundle.provenance.last_at,
            bundle: bundle.encode(),
            channels: bundle.channels.clone(),
            members: bundle.members().into_iter().map(|member| member.as_str().to_owned()).collect(),
            provenance: provenance.map_err(|e| CommitError::Refused { detail: e.to_string() })?,
        })
    }
}

impl Store {
    /// Keeps a model. The same bytes again change nothing.
    ///
    /// # Errors
    /// As [`Store::commit`]; refused when the id is not that of the bytes, or the series has never spoken.
    pub async fn save_bundle(&self, model: &NewModel) -> Result<(), CommitError> {
        let mut writer = self.inner.writer.lock().await;
        let number = match &model.series {
            None => None,
            Some(series) => Some(*writer.known.numbers.get(series).ok_or_else(|| CommitError::Refused {
                detail: format!("a model for {series:?}, which is no series of this store"),
            })?),
        };
        let mut conn = self.begin(&mut writer).await?;
        write(&mut conn, number, model).await?;
        super::finish(&mut writer.connection, conn).await
    }

    /// The bytes of a model, checked against their checksum; none when there is no such model.
    ///
    /// # Errors
    /// When the bytes do not match the checksum, or the store cannot be read.
    pub async fn load_bundle(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.reader.bundle(id).await
    }
}

/// The SHA-256 of some bytes, 64 hex digits.
pub(in crate::store) fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn write(conn: &mut SqliteConnection, number: Option<i64>, model: &NewModel) -> Result<(), CommitError> {
    let checksum = checksum(&model.bundle);
    if !checksum.starts_with(&model.id) || model.id.len() != 16 {
        let detail = format!("a model named {:?} whose bytes have the SHA-256 {checksum}", model.id);
        return Err(CommitError::Refused { detail });
    }
    let refused = |e: serde_json::Error| CommitError::Refused { detail: e.to_string() };
    sqlx::query(
        "INSERT INTO models (id, series_id, trained_to_ms, bundle, checksum, channels, members, provenance) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(&model.id)
    .bind(number)
    .bind(model.trained_to.as_ms())
    .bind(&model.bundle)
    .bind(checksum)
    .bind(serde_json::to_string(&model.channels).map_err(refused)?)
    .bind(serde_json::to_string(&model.members).map_err(refused)?)
    .bind(model.provenance.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the models that a batch brings.
pub(super) async fn write_all(conn: &mut SqliteConnection, batch: &Batch<'_>) -> Result<(), CommitError> {
    for (number, series, bundle) in &batch.models {
        write(conn, Some(*number), &NewModel::new(series, bundle)?).await?;
    }
    Ok(())
}
