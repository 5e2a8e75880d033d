//! Scores of a series, row by row or summed up in buckets.

use serde::Serialize;

use super::RowQuery;
use crate::series::{ChannelName, SeriesId, Timestamp};
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

/// Judged rows in `[at, at + step)`, summed up so that no spike disappears.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreBucket {
    /// Start of the bucket.
    pub at: Timestamp,
    /// Judged rows in it.
    pub n_rows: u64,
    /// Least live score.
    pub live_min: f64,
    /// Greatest live score.
    pub live_max: f64,
    /// Mean live score.
    pub live_mean: f64,
    /// Greatest settled score; none when none is issued yet.
    pub settled_max: Option<f64>,
    /// Greatest evidence.
    pub evidence_max: f64,
    /// Smallest p-value.
    pub p_value_min: f64,
    /// Greatest error of the autoencoder.
    pub autoencoder_max: Option<f64>,
    /// Greatest error of the PCA.
    pub pca_max: Option<f64>,
    /// Greatest smoothed squared z-score.
    pub baseline_max: f64,
    /// Rows on which an alert was open.
    pub n_anomalous: u64,
}

impl Reader {
    /// Judged rows of a series, oldest first unless asked otherwise.
    ///
    /// # Errors
    /// When there is no such series, or the store cannot be read.
    pub async fn scores(&self, series: &SeriesId, query: &RowQuery) -> Result<Vec<ScoreView>, ReadError> {
        let _ = (series, query);
        todo!()
    }

    /// Judged rows of `[start, end)` in buckets of `step_ms`, oldest first, empty buckets left out. Steps of a minute
    /// or more are answered from the sums kept at commit, and are then rounded up to whole minutes or hours.
    /// Newest-first order is refused.
    ///
    /// # Errors
    /// When there is no such series, the step is below 1 ms, or the store cannot be read.
    pub async fn score_buckets(
        &self,
        series: &SeriesId,
        query: &RowQuery,
        step_ms: i64,
    ) -> Result<Vec<ScoreBucket>, ReadError> {
        let _ = (series, query, step_ms);
        todo!()
    }
}
