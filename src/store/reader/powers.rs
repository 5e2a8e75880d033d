//! Which faults models would see.

use super::{json_from, name_from};
use crate::pipeline::{ModelPower, PowerRow};
use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, Reader};

impl Reader {
    /// What a model would see, as measured last; none when that was never measured.
    ///
    /// # Errors
    /// When the store cannot be read, or holds a damaged row.
    pub async fn power(&self, model_id: &str) -> Result<Option<PowerRow>, ReadError> {
        let row: Option<(String, i64, String)> = sqlx::query_as(
            "SELECT s.name, p.at_ms, p.body FROM powers AS p JOIN series AS s ON s.id = p.series_id \
             WHERE p.model_id = ? ORDER BY p.at_ms DESC LIMIT 1",
        )
        .bind(model_id)
        .fetch_optional(&self.pool)
        .await?;
        let Some((name, at_ms, body)) = row else { return Ok(None) };
        Ok(Some(PowerRow {
            series: name_from("series", &name, SeriesId::parse)?,
            model_id: model_id.to_owned(),
            at: Timestamp::from_ms(at_ms),
            power: json_from::<ModelPower>("powers", &body)?,
        }))
    }

    /// The skill of each series' model as measured last, for the metric.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn skills(&self) -> Result<Vec<(SeriesId, f64)>, ReadError> {
        // SQLite gives the bare columns of the row that holds the maximum.
        let rows: Vec<(String, Option<f64>, i64)> = sqlx::query_as(
            "SELECT s.name, p.model_skill, max(p.at_ms) FROM powers AS p JOIN series AS s ON s.id = p.series_id \
             GROUP BY p.series_id",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut skills = Vec::with_capacity(rows.len());
        for (name, skill, _) in rows {
            if let Some(skill) = skill {
                skills.push((name_from("series", &name, SeriesId::parse)?, skill));
            }
        }
        Ok(skills)
    }
}
