//! What explaining and labelling an alert need: its rows, the model that judged it, and the state of its judge.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::Row;

use super::{AlertQuery, RowQuery, name_from};
use crate::bundle::ModelBundle;
use crate::pipeline::{AlertContext, Checkpoint, FalseAlarm, StoredRow};
use crate::series::{ChannelName, Frame, SeriesId, Timestamp};
use crate::store::{ReadError, Reader};
use crate::verdict::{Alert, AlertId, AlertKind};

/// Rows read for one alert at most: beyond them an explanation is cut.
const ROWS_MAX: u32 = 20_000;
/// Rows of an alert that teach or are judged again at most.
const LABEL_ROWS_MAX: u32 = 2_048;
/// Rows before an opening in which its evidence was gathered.
const GATHERING_ROWS: u32 = 32;
/// Alerts called false that a series learns from at most, the newest.
const FALSE_ALARMS_MAX: usize = 20;

/// What judging past alerts again needs.
#[derive(Debug)]
pub struct LabelContext {
    /// Channels of the series, in frame order.
    pub channels: Vec<ChannelName>,
    /// The model in charge; or why there is none.
    pub bundle: Result<Arc<ModelBundle>, String>,
    /// The state of the series.
    pub checkpoint: Option<Checkpoint>,
    /// Its alerts of the kind, newest opening first, each with its rows; none where they are not kept any more.
    pub alerts: Vec<(Alert, Vec<Frame>)>,
}

impl Reader {
    /// Channels of a series, in frame order.
    async fn channels_of(&self, number: i64) -> Result<Vec<ChannelName>, ReadError> {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT name FROM channels WHERE series_id = ? ORDER BY channel_index")
                .bind(number)
                .fetch_all(&self.pool)
                .await?;
        names.iter().map(|name| name_from("channels", name, ChannelName::parse)).collect()
    }

    /// A model ready for use; or why it is not.
    async fn usable_bundle(&self, id: Option<&str>) -> Result<Result<Arc<ModelBundle>, String>, ReadError> {
        let Some(id) = id else { return Ok(Err("no model judged it".to_owned())) };
        let Some(bytes) = self.bundle(id).await? else {
            return Ok(Err(format!("model {id} is not kept any more")));
        };
        Ok(ModelBundle::decode(&bytes).map(Arc::new).map_err(|fault| format!("model {id} cannot be read: {fault}")))
    }

    async fn last_frames(&self, series: &SeriesId, before: Timestamp, limit: u32) -> Result<Vec<Frame>, ReadError> {
        let query = RowQuery { end: Some(before), limit, newest_first: true, ..RowQuery::default() };
        let mut frames = self.frames(series, &query).await?;
        frames.reverse();
        Ok(frames)
    }

    /// The state of a series' judge after its last checkpoint; none when there is none that this version reads.
    async fn checkpoint_of(&self, number: i64) -> Result<Option<Checkpoint>, ReadError> {
        let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM checkpoints WHERE series_id = ?")
            .bind(number)
            .fetch_optional(&self.pool)
            .await?;
        Ok(bytes.and_then(|bytes| Checkpoint::decode(&bytes).ok()))
    }

    /// What explaining an alert needs, with `margin` rows shown before and after it; none when there is no such alert.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn alert_context(&self, id: &AlertId, margin: u32) -> Result<Option<AlertContext>, ReadError> {
        let Some(alert) = self.alert(id).await? else { return Ok(None) };
        let series = alert.series.clone();
        let number = self.series_number(&series).await?;
        let bundle = self.usable_bundle(alert.model_id.as_deref()).await?;
        let kept = sqlx::query("SELECT at_ms, bytes FROM alert_checkpoints WHERE alert_id = ?").bind(&id.0);
        let kept = kept.fetch_optional(&self.pool).await?;
        let mut checkpoint = None;
        if let Some(row) = kept {
            let bytes: Vec<u8> = row.try_get("bytes")?;
            checkpoint = Checkpoint::decode(&bytes).ok();
        }
        let take_overs = self.take_overs(&series).await?;
        let takes = |row: &&super::TakeOverRow| Some(row.model_id.as_str()) == alert.model_id.as_deref();
        let judged_from =
            take_overs.iter().rev().filter(takes).map(|row| row.from).find(|from| *from <= alert.opened_at);
        let judged_until = take_overs.iter().map(|row| row.from).find(|from| *from > alert.opened_at);
        // Rows before the first one that is judged again: shown, or needed to fill the window.
        let is_usable = checkpoint.as_ref().is_some_and(|checkpoint| {
            checkpoint.judging.as_ref().map(|(model_id, ..)| Some(model_id.as_str())) == Some(alert.model_id.as_deref())
        });
        let n_window = bundle.as_ref().map_or(1, |bundle| bundle.n_time() as u32);
        let shown = self.last_frames(&series, alert.opened_at, margin).await?;
        let shown_from = shown.first().map_or(alert.opened_at, |frame| frame.at);
        let from = match (&checkpoint, &bundle) {
            (Some(checkpoint), _) if is_usable => {
                let last = checkpoint.last_at.unwrap_or(alert.opened_at);
                let back = self.last_frames(&series, last.plus_ms(1), n_window).await?;
                back.first().map_or(last, |frame| frame.at).min(shown_from)
            }
            (_, Ok(bundle)) => bundle.provenance.first_at.min(shown_from),
            (_, Err(_)) => shown_from,
        };
        let mut frames = Vec::new();
        let over = alert.resolved_at;
        let until = RowQuery { start: Some(from), end: over, limit: ROWS_MAX, newest_first: false };
        frames.extend(self.frames(&series, &until).await?);
        let is_cut = frames.len() >= ROWS_MAX as usize;
        if let Some(over) = over.filter(|_| !is_cut) {
            let after = RowQuery { start: Some(over), limit: margin, ..RowQuery::default() };
            frames.extend(self.frames(&series, &after).await?);
        }
        let end = frames.last().map(|frame| frame.at.plus_ms(1));
        let scored = RowQuery { start: Some(shown_from), end, limit: ROWS_MAX + margin, newest_first: false };
        let stored = self.scores(&series, &scored).await?;
        let stored = stored.into_iter().map(|row| StoredRow {
            at: row.at,
            live_score: row.live_score,
            evidence: row.evidence,
            p_value: row.p_value,
            expected: row.expected,
            contributions: row.contributions,
        });
        Ok(Some(AlertContext {
            channels: self.channels_of(number).await?,
            bundle,
            later: self.checkpoint_of(number).await?,
            checkpoint: checkpoint.filter(|_| is_usable),
            judged_from,
            judged_until,
            frames,
            shown_from,
            stored: stored.collect(),
            is_cut,
            alert,
        }))
    }

    /// An alert's rows, with those before it that fill a window of `n_time` rows and gathered its evidence.
    async fn label_frames(&self, alert: &Alert, n_time: usize) -> Result<Vec<Frame>, ReadError> {
        let n_before = n_time as u32 + GATHERING_ROWS;
        let mut frames = self.last_frames(&alert.series, alert.opened_at, n_before).await?;
        let during = RowQuery {
            start: Some(alert.opened_at),
            end: alert.resolved_at.map(|over| over.plus_ms(1)),
            limit: LABEL_ROWS_MAX,
            newest_first: false,
        };
        frames.extend(self.frames(&alert.series, &during).await?);
        Ok(frames)
    }

    /// Alerts of a series that people called false, newest first, each with its rows for windows of at most `n_time`.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn false_alarms(&self, series: &SeriesId, n_time: usize) -> Result<Vec<FalseAlarm>, ReadError> {
        let query = AlertQuery { series: Some(series.clone()), limit: 1_000, ..AlertQuery::default() };
        let alerts = self.alerts(&query).await?;
        let called_false = alerts.iter().filter(|a| a.kind == AlertKind::Anomaly && a.label == Some(false));
        let mut found = Vec::new();
        for alert in called_false.take(FALSE_ALARMS_MAX) {
            let frames = self.label_frames(alert, n_time).await?;
            found.push(FalseAlarm { opened_at: alert.opened_at, frames });
        }
        Ok(found)
    }

    /// Series of which an alert was called false.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn series_with_false_alarms(&self) -> Result<BTreeSet<SeriesId>, ReadError> {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT name FROM series JOIN alerts ON alerts.series_id = series.id WHERE label = 0",
        )
        .fetch_all(&self.pool)
        .await?;
        names.iter().map(|name| name_from("series", name, SeriesId::parse)).collect()
    }

    /// What judging the newest `limit` alerts of a series and kind again needs.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn label_context(
        &self,
        series: &SeriesId,
        kind: AlertKind,
        limit: usize,
    ) -> Result<LabelContext, ReadError> {
        let number = self.series_number(series).await?;
        let checkpoint = self.checkpoint_of(number).await?;
        let model_id = checkpoint.as_ref().and_then(|checkpoint| Some(checkpoint.judging.as_ref()?.0.as_str()));
        let bundle = self.usable_bundle(model_id).await?;
        let n_time = bundle.as_ref().map_or(1, |bundle| bundle.n_time());
        let query = AlertQuery { series: Some(series.clone()), limit: 1_000, ..AlertQuery::default() };
        let mut alerts = Vec::new();
        for alert in self.alerts(&query).await?.into_iter().filter(|alert| alert.kind == kind).take(limit) {
            let frames = self.label_frames(&alert, n_time).await?;
            alerts.push((alert, frames));
        }
        Ok(LabelContext { channels: self.channels_of(number).await?, bundle, checkpoint, alerts })
    }
}
