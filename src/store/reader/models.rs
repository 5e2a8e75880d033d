//! Models and the rows at which they took over.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::FromRow;

use super::{json_from, name_from};
use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::writer::checksum;
use crate::store::{ReadError, Reader};

/// A fitted model, without its bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelRow {
    /// First 16 hex digits of the SHA-256 of its bundle.
    pub id: String,
    /// The series it was fitted on; none when shared.
    pub series: Option<SeriesId>,
    /// Event time of the last row it was fitted on.
    pub trained_to: Timestamp,
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
    /// Event time of the last row that its power was measured on; none when it never was.
    pub power_to: Option<Timestamp>,
    /// How much more it sees of injected faults than the PCA alone, as measured last; none without a PCA.
    pub model_skill: Option<f64>,
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

macro_rules! select_models {
    ($which:literal) => {
        concat!(
            "SELECT m.id, s.name AS series, m.trained_to_ms, length(m.bundle) AS n_bytes, m.channels, m.members, ",
            "m.provenance, p.at_ms AS power_ms, p.model_skill ",
            "FROM models AS m LEFT JOIN series AS s ON s.id = m.series_id ",
            // SQLite gives the bare columns of the row that holds the maximum.
            "LEFT JOIN (SELECT model_id, max(at_ms) AS at_ms, model_skill FROM powers GROUP BY model_id) AS p ",
            "ON p.model_id = m.id ",
            $which
        )
    };
}

const ALL_MODELS: &str = select_models!("ORDER BY m.trained_to_ms DESC, m.id");
const MODELS_OF: &str = select_models!(
    "WHERE m.series_id = ?1 OR m.id IN (SELECT model_id FROM take_overs WHERE series_id = ?1) \
     ORDER BY m.trained_to_ms DESC, m.id"
);
const ONE_MODEL: &str = select_models!("WHERE m.id = ?1");

#[derive(FromRow)]
struct Columns {
    id: String,
    series: Option<String>,
    trained_to_ms: i64,
    n_bytes: i64,
    channels: String,
    members: String,
    provenance: String,
    power_ms: Option<i64>,
    model_skill: Option<f64>,
}

impl Columns {
    fn row(self, judging: &HashMap<String, Vec<SeriesId>>) -> Result<ModelRow, ReadError> {
        let active_on = judging.get(&self.id).cloned().unwrap_or_default();
        Ok(ModelRow {
            id: self.id,
            series: self.series.map(|name| name_from("series", &name, SeriesId::parse)).transpose()?,
            trained_to: Timestamp::from_ms(self.trained_to_ms),
            n_bytes: self.n_bytes.unsigned_abs(),
            channels: json_from("models", &self.channels)?,
            members: json_from("models", &self.members)?,
            provenance: json_from("models", &self.provenance)?,
            active_on,
            power_to: self.power_ms.map(Timestamp::from_ms),
            model_skill: self.model_skill,
        })
    }
}

impl Reader {
    /// Models, newest first; only those fitted on or judging `series` when one is given.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn models(&self, series: Option<&SeriesId>) -> Result<Vec<ModelRow>, ReadError> {
        let rows: Vec<Columns> = match series {
            None => sqlx::query_as(ALL_MODELS).fetch_all(&self.pool).await?,
            Some(series) => {
                let number = self.series_number(series).await?;
                sqlx::query_as(MODELS_OF).bind(number).fetch_all(&self.pool).await?
            }
        };
        let judging = self.judging().await?;
        rows.into_iter().map(|columns| columns.row(&judging)).collect()
    }

    /// One model, if there is one of that id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn model(&self, id: &str) -> Result<Option<ModelRow>, ReadError> {
        let row: Option<Columns> = sqlx::query_as(ONE_MODEL).bind(id).fetch_optional(&self.pool).await?;
        let judging = self.judging().await?;
        row.map(|columns| columns.row(&judging)).transpose()
    }

    /// The series that each model judges now, by name.
    async fn judging(&self) -> Result<HashMap<String, Vec<SeriesId>>, ReadError> {
        // SQLite gives the bare columns of the row that holds the maximum.
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT s.name, t.model_id, max(t.from_ms) FROM take_overs AS t JOIN series AS s ON s.id = t.series_id \
             GROUP BY t.series_id ORDER BY s.name",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut judging: HashMap<String, Vec<SeriesId>> = HashMap::new();
        for (name, model_id, _) in rows {
            judging.entry(model_id).or_default().push(name_from("series", &name, SeriesId::parse)?);
        }
        Ok(judging)
    }

    /// The bytes of a model, checked against their checksum; none when there is no such model.
    ///
    /// # Errors
    /// When the bytes do not match the checksum, or the store cannot be read.
    pub async fn bundle(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let row: Option<(Vec<u8>, String)> = sqlx::query_as("SELECT bundle, checksum FROM models WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        let Some((bundle, expected)) = row else { return Ok(None) };
        let found = checksum(&bundle);
        if found != expected {
            let detail = format!("model {id} has the SHA-256 {found}, expected {expected}");
            return Err(ReadError::DamagedRow { table: "models", detail });
        }
        Ok(Some(bundle))
    }

    /// Take-overs of a series, oldest first.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn take_overs(&self, series: &SeriesId) -> Result<Vec<TakeOverRow>, ReadError> {
        let number = self.series_number(series).await?;
        let rows: Vec<(i64, i64, String)> =
            sqlx::query_as("SELECT from_ms, from_row, model_id FROM take_overs WHERE series_id = ? ORDER BY from_ms")
                .bind(number)
                .fetch_all(&self.pool)
                .await?;
        let row = |(from_ms, from_row, model_id): (i64, i64, String)| TakeOverRow {
            from: Timestamp::from_ms(from_ms),
            from_row: from_row.unsigned_abs(),
            model_id,
        };
        Ok(rows.into_iter().map(row).collect())
    }
}
