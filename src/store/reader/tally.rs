//! How many there are: what the metrics say of the whole store.

use std::collections::BTreeMap;

use super::state_from;
use crate::store::{ReadError, Reader};
use crate::verdict::SeriesState;

/// Counts over the whole store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Series by state; every state is there.
    pub series: BTreeMap<&'static str, u64>,
    /// Alerts that are open.
    pub n_open_alerts: u64,
}

impl Reader {
    /// Counts series by state and open alerts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tally(&self) -> Result<Tally, ReadError> {
        let found: Vec<(String, i64)> =
            sqlx::query_as("SELECT state, count(*) FROM series GROUP BY state").fetch_all(&self.pool).await?;
        let mut series: BTreeMap<&'static str, u64> =
            SeriesState::ALL.iter().map(|state| (state.as_str(), 0)).collect();
        for (state, n) in found {
            series.insert(state_from(&state)?.as_str(), n.unsigned_abs());
        }
        let n_open: i64 =
            sqlx::query_scalar("SELECT count(*) FROM alerts WHERE state = 'open'").fetch_one(&self.pool).await?;
        Ok(Tally { series, n_open_alerts: n_open.unsigned_abs() })
    }
}
