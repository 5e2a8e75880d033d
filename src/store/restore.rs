//! What a restart needs, read in one go.

use std::collections::BTreeMap;

use sqlx::{FromRow, Row};

use super::reader::{alert_from_row, name_from, state_from};
use super::{ReadError, Store};
use crate::pipeline::TakeOver;
use crate::series::{ChannelName, Frame, SeriesId, Timestamp};
use crate::store::blob::decode_open_row;
use crate::verdict::{Alert, SeriesState};
use crate::windowing::OpenRow;

/// State of a series' chain after a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last row it includes.
    pub at: Timestamp,
    /// Versioned bytes.
    pub bytes: Vec<u8>,
}

/// An open alert with the sequence of its last transition.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredAlert {
    /// The alert.
    pub alert: Alert,
    /// Sequence of its last transition, from 1.
    pub sequence: u32,
}

/// Where a series stood when the last commit ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredSeries {
    /// The series.
    pub series: SeriesId,
    /// Its channels, `[channel_index]`.
    pub channels: Vec<ChannelName>,
    /// What it was doing.
    pub state: SeriesState,
    /// Why, in a sentence.
    pub state_reason: String,
    /// Event time of the first reading ever.
    pub first_at: Timestamp,
    /// Last closed row; none when no row has closed.
    pub last_closed_at: Option<Timestamp>,
    /// Closed rows so far, those that retention has removed included.
    pub n_closed: u64,
    /// Last row with a live score.
    pub last_scored_at: Option<Timestamp>,
    /// Last row with a settled score.
    pub last_settled_at: Option<Timestamp>,
    /// Rows being filled, oldest first.
    pub open_rows: Vec<OpenRow>,
    /// State of the chain, if one was ever kept.
    pub checkpoint: Option<Checkpoint>,
    /// The latest take-over.
    pub take_over: Option<TakeOver>,
    /// Alerts that are open.
    pub open_alerts: Vec<RestoredAlert>,
}

#[derive(FromRow)]
struct SeriesColumns {
    id: i64,
    name: String,
    first_at_ms: i64,
    state: String,
    state_reason: String,
    last_closed_ms: Option<i64>,
    n_closed: i64,
    last_scored_ms: Option<i64>,
    last_settled_ms: Option<i64>,
}

impl SeriesColumns {
    fn restore(self) -> Result<RestoredSeries, ReadError> {
        Ok(RestoredSeries {
            series: name_from("series", &self.name, SeriesId::parse)?,
            channels: Vec::new(),
            state: state_from(&self.state)?,
            state_reason: self.state_reason,
            first_at: Timestamp::from_ms(self.first_at_ms),
            last_closed_at: self.last_closed_ms.map(Timestamp::from_ms),
            n_closed: self.n_closed.unsigned_abs(),
            last_scored_at: self.last_scored_ms.map(Timestamp::from_ms),
            last_settled_at: self.last_settled_ms.map(Timestamp::from_ms),
            open_rows: Vec::new(),
            checkpoint: None,
            take_over: None,
            open_alerts: Vec::new(),
        })
    }
}

impl Store {
    /// All that a restart needs: where every series stood when the last commit ended, by name. One question a table,
    /// whatever the number of series; frames are not touched.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn restore(&self) -> Result<Vec<RestoredSeries>, ReadError> {
        self.sort_in_all().await?;
        // One snapshot for all the questions.
        let mut snapshot = self.reader().pool.begin().await?;
        let conn = &mut *snapshot;
        let mut all: BTreeMap<i64, RestoredSeries> = BTreeMap::new();
        for columns in sqlx::query_as::<_, SeriesColumns>("SELECT * FROM series").fetch_all(&mut *conn).await? {
            all.insert(columns.id, columns.restore()?);
        }
        let channels = sqlx::query_as::<_, (i64, String)>(
            "SELECT series_id, name FROM channels ORDER BY series_id, channel_index",
        );
        for (number, name) in channels.fetch_all(&mut *conn).await? {
            if let Some(series) = all.get_mut(&number) {
                series.channels.push(name_from("channels", &name, ChannelName::parse)?);
            }
        }
        let open_rows = sqlx::query_as::<_, (i64, i64, Vec<u8>, Vec<u8>, Vec<u8>)>(
            "SELECT series_id, at_ms, channel_values, cells, heard_ms FROM open_rows ORDER BY series_id, at_ms",
        );
        for (number, at_ms, values, cells, heard_ms) in open_rows.fetch_all(&mut *conn).await? {
            if let Some(series) = all.get_mut(&number) {
                let row = decode_open_row(at_ms, &values, &cells, &heard_ms)
                    .map_err(|detail| ReadError::DamagedRow { table: "open_rows", detail })?;
                series.open_rows.push(row);
            }
        }
        let checkpoints = sqlx::query_as::<_, (i64, i64, Vec<u8>)>("SELECT series_id, at_ms, bytes FROM checkpoints");
        for (number, at_ms, bytes) in checkpoints.fetch_all(&mut *conn).await? {
            if let Some(series) = all.get_mut(&number) {
                series.checkpoint = Some(Checkpoint { at: Timestamp::from_ms(at_ms), bytes });
            }
        }
        // SQLite gives the bare columns of the row that holds the maximum.
        let take_overs = sqlx::query_as::<_, (i64, i64, i64, String)>(
            "SELECT series_id, max(from_ms), from_row, model_id FROM take_overs GROUP BY series_id",
        );
        for (number, from_ms, from_row, model_id) in take_overs.fetch_all(&mut *conn).await? {
            if let Some(series) = all.get_mut(&number) {
                let from = Timestamp::from_ms(from_ms);
                let from_row = from_row.unsigned_abs();
                series.take_over = Some(TakeOver { series: series.series.clone(), model_id, from, from_row });
            }
        }
        let alerts = sqlx::query(
            "SELECT alerts.*, series.name FROM alerts JOIN series ON series.id = alerts.series_id \
             WHERE alerts.state = 'open' ORDER BY opened_at_ms, alerts.id",
        );
        for row in alerts.fetch_all(&mut *conn).await? {
            if let Some(series) = all.get_mut(&row.try_get::<i64, _>("series_id")?) {
                let restored = RestoredAlert { alert: alert_from_row(&row)?, sequence: row.try_get("sequence")? };
                series.open_alerts.push(restored);
            }
        }
        let mut restored: Vec<_> = all.into_values().collect();
        restored.sort_by(|a, b| a.series.cmp(&b.series));
        Ok(restored)
    }

    /// Closed rows of a series in `[from, to]`, both included, oldest first: what a fit or a replay needs. A series
    /// that has never spoken has none.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn frames_between(
        &self,
        series: &SeriesId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Frame>, ReadError> {
        let query =
            super::RowQuery { start: Some(from), end: Some(to.plus_ms(1)), limit: u32::MAX, newest_first: false };
        match self.reader().frames(series, &query).await {
            Err(ReadError::NoSuchSeries { .. }) => Ok(Vec::new()),
            answer => answer,
        }
    }
}
