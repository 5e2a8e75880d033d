//! Scores of a series, row by row.

use serde::Serialize;

use super::rows::{Connection, Row, Rows, Wanted, blob, each_row};
use super::{RowQuery, json_from};
use crate::series::{ChannelName, SeriesId, Timestamp};
use crate::store::blob::{DetailBytes, decode_detail};
use crate::store::{ReadError, Reader};

/// A judged row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreView {
    /// Event time of the row.
    pub at: Timestamp,
    /// From nothing later than this row; 1.0 is the notable level.
    pub live_score: f64,
    /// Issued after the settle delay; none until then.
    pub settled_score: Option<f64>,
    /// What the decision rule has gathered; an alert opens at 1.0.
    pub evidence: f64,
    /// Share of calibration scores at least as high.
    pub p_value: f64,
    /// Mean squared residual; none while the member is off.
    pub autoencoder_error: Option<f64>,
    /// Mean squared residual; none while the member is off.
    pub pca_error: Option<f64>,
    /// Smoothed squared z-score.
    pub baseline_error: f64,
    /// True while an alert is open on this row.
    pub is_anomalous: bool,
    /// The channel with the largest contribution.
    pub top_channel: Option<ChannelName>,
    /// The model that judged the row.
    pub model_id: Option<String>,
    /// Share of the score owed to each channel of that model, `[channel]` of the model, sums to 1.
    pub contributions: Vec<f32>,
    /// Share of the score owed to each member of that model, sums to 1.
    pub member_contributions: Vec<f32>,
    /// What the members would have expected, in the sender's unit, `[channel]` of the model.
    pub expected: Vec<f64>,
}

/// A judged row where it lies in the store.
#[derive(Debug, Clone, Copy)]
pub struct ScoreRef<'a> {
    /// Event time of the row.
    pub at: Timestamp,
    /// From nothing later than this row; 1.0 is the notable level.
    pub live_score: f64,
    /// Issued after the settle delay; none until then.
    pub settled_score: Option<f64>,
    /// What the decision rule has gathered.
    pub evidence: f64,
    /// Share of calibration scores at least as high.
    pub p_value: f64,
    /// Mean squared residual; none while the member is off.
    pub autoencoder_error: Option<f64>,
    /// Mean squared residual; none while the member is off.
    pub pca_error: Option<f64>,
    /// Smoothed squared z-score.
    pub baseline_error: f64,
    /// True while an alert is open on this row.
    pub is_anomalous: bool,
    judge: Option<&'a Judge>,
    detail: DetailBytes<'a>,
}

impl<'a> ScoreRef<'a> {
    /// Channels of the model that judged the row; none when it is not kept any more.
    pub fn channels(&self) -> Option<&'a [ChannelName]> {
        self.judge?.channels.as_deref()
    }

    /// The channel with the largest contribution.
    pub fn top_channel(&self) -> Option<&'a ChannelName> {
        self.channels()?.get(self.detail.largest()?)
    }

    /// The model that judged the row.
    pub fn model_id(&self) -> Option<&'a str> {
        Some(&self.judge?.model_id)
    }

    /// Share of the score owed to each channel of that model, sums to 1.
    pub fn contributions(&self) -> impl Iterator<Item = f32> + 'a {
        self.detail.contributions()
    }

    /// What the members would have expected, in the sender's unit, by channel of the model.
    pub fn expected(&self) -> impl Iterator<Item = f64> + 'a {
        self.detail.expected()
    }

    /// The row, kept.
    pub fn view(&self) -> ScoreView {
        ScoreView {
            at: self.at,
            live_score: self.live_score,
            settled_score: self.settled_score,
            evidence: self.evidence,
            p_value: self.p_value,
            autoencoder_error: self.autoencoder_error,
            pca_error: self.pca_error,
            baseline_error: self.baseline_error,
            is_anomalous: self.is_anomalous,
            top_channel: self.top_channel().cloned(),
            model_id: self.model_id().map(str::to_owned),
            contributions: self.contributions().collect(),
            member_contributions: self.detail.member_contributions().collect(),
            expected: self.expected().collect(),
        }
    }
}

macro_rules! select_scores {
    ($order:literal) => {
        concat!(
            "SELECT at_ms, live_score, evidence, p_value, autoencoder_error, pca_error, baseline_error, is_anomalous, ",
            "detail FROM scores WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ORDER BY at_ms ",
            $order,
            " LIMIT ?4"
        )
    };
}

/// All of the range: read no further than the scores go.
macro_rules! select_settled {
    ($order:literal) => {
        concat!(
            "SELECT at_ms, settled_score FROM settled_scores WHERE series_id = ?1 AND at_ms >= ?2 AND at_ms < ?3 ",
            "ORDER BY at_ms ",
            $order
        )
    };
}

const OLDEST_FIRST: [&str; 2] = [select_scores!("ASC"), select_settled!("ASC")];
const NEWEST_FIRST: [&str; 2] = [select_scores!("DESC"), select_settled!("DESC")];

/// The settled scores beside the rows of a range. Both come in the same order, so each is read once; a join would look
/// each of them up.
struct Settled<'s> {
    rows: Rows<'s>,
    next: Option<(i64, f64)>,
    newest_first: bool,
}

impl<'s> Settled<'s> {
    fn new(rows: Rows<'s>, newest_first: bool) -> Result<Self, ReadError> {
        let mut settled = Self { rows, next: None, newest_first };
        settled.advance()?;
        Ok(settled)
    }

    fn advance(&mut self) -> Result<(), ReadError> {
        self.next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        };
        Ok(())
    }

    /// The settled score of a row, asked for in the order of the range.
    fn of(&mut self, at_ms: i64) -> Result<Option<f64>, ReadError> {
        while let Some((next_ms, settled_score)) = self.next {
            if next_ms == at_ms {
                return Ok(Some(settled_score));
            }
            if (next_ms > at_ms) != self.newest_first {
                return Ok(None);
            }
            self.advance()?;
        }
        Ok(None)
    }
}

/// A model that judged from a row on, with its channels.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) from_ms: i64,
    model_id: String,
    /// None when it is not kept any more.
    pub(super) channels: Option<Vec<ChannelName>>,
}

impl Reader {
    /// Judged rows of a series, oldest first unless asked otherwise.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn scores(&self, series: &SeriesId, query: &RowQuery) -> Result<Vec<ScoreView>, ReadError> {
        self.each_score(series, query, Vec::new(), |views, row| views.push(row.view())).await
    }

    /// As [`Reader::scores`], each row shown to `see` as it is read, on a thread that may block. What has been `seen`
    /// comes back in the end; once nobody waits for that, no more rows are read.
    ///
    /// # Errors
    /// As [`Reader::scores`]; some rows may have been shown by then.
    pub async fn each_score<T: Send + 'static>(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        mut seen: T,
        mut see: impl FnMut(&mut T, &ScoreRef<'_>) + Send + 'static,
    ) -> Result<T, ReadError> {
        let number = self.series_number(series).await?;
        let judges = self.judges(number).await?;
        let (start_ms, end_ms) = query.bounds_ms();
        let RowQuery { limit, newest_first, .. } = *query;
        let [scores, settled] = if newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
        let read = move |connection: &mut Connection, wanted: &Wanted| {
            // Both statements see the same commit.
            let snapshot = connection.transaction()?;
            let mut statement = snapshot.prepare_cached(settled)?;
            let mut settled = Settled::new(statement.query((number, start_ms, end_ms))?, newest_first)?;
            each_row(&snapshot, scores, (number, start_ms, end_ms, limit), wanted, |row| {
                let at_ms = row.get(0)?;
                see(&mut seen, &score(row, settled.of(at_ms)?, &judges)?);
                Ok(())
            })?;
            Ok(seen)
        };
        self.rows.ask(read).await
    }

    /// Who judged a series, oldest first.
    pub(super) async fn judges(&self, number: i64) -> Result<Vec<Judge>, ReadError> {
        let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
            "SELECT t.from_ms, t.model_id, m.channels FROM take_overs AS t LEFT JOIN models AS m ON m.id = t.model_id \
             WHERE t.series_id = ? ORDER BY t.from_ms",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|(from_ms, model_id, channels)| {
                let channels = channels.map(|text| json_from("models", &text)).transpose()?;
                Ok(Judge { from_ms, model_id, channels })
            })
            .collect()
    }
}

fn score<'a>(row: &'a Row<'_>, settled_score: Option<f64>, judges: &'a [Judge]) -> Result<ScoreRef<'a>, ReadError> {
    let at_ms: i64 = row.get(0)?;
    let damaged = |detail| ReadError::DamagedRow { table: "scores", detail };
    Ok(ScoreRef {
        at: Timestamp::from_ms(at_ms),
        live_score: row.get(1)?,
        settled_score,
        evidence: row.get(2)?,
        p_value: row.get(3)?,
        autoencoder_error: row.get(4)?,
        pca_error: row.get(5)?,
        baseline_error: row.get(6)?,
        is_anomalous: row.get(7)?,
        judge: judges[..judges.partition_point(|judge| judge.from_ms <= at_ms)].last(),
        detail: decode_detail(blob(row, 8)?).map_err(damaged)?,
    })
}
