//! A judged row, or several summed up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;
use crate::store::{ScoreBucket, ScoreRef};

/// A judged row; with `step`, the judged rows of one step summed up so that no spike disappears.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScoreRowView {
    /// Event time of the row, or start of the step.
    pub at: Moment,
    /// From nothing later than the row; 1.0 is the notable level. With `step`: the greatest.
    pub live_score: f64,
    /// Issued after the settle delay; null until then. With `step`: the greatest.
    pub settled_score: Option<f64>,
    /// What the decision rule has gathered; an alert opens at 1.0. With `step`: the greatest.
    pub evidence: f64,
    /// Share of calibration scores at least as high. With `step`: the smallest.
    pub p_value: f64,
    /// Mean squared residual of the autoencoder; null while it is off. With `step`: the greatest.
    pub autoencoder_error: Option<f64>,
    /// The same for the PCA.
    pub pca_error: Option<f64>,
    /// Smoothed squared z-score, the trivial baseline. With `step`: the greatest.
    pub baseline_error: f64,
    /// True when an alert is open on the row. With `step`: on any row.
    pub is_anomalous: bool,
    /// The channel with the largest contribution; null with `step`.
    pub top_channel: Option<String>,
    /// The model that judged the row; null with `step`.
    pub model_id: Option<String>,
    /// Share of the score owed to each channel, sums to 1; only with `detail=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contributions: Option<BTreeMap<String, f32>>,
    /// What the members would have expected, in the sender's unit; only with `detail=true`. With `step`: the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<BTreeMap<String, f64>>,
    /// Least live score of the step; only with `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_score_min: Option<f64>,
    /// Judged rows in the step; only with `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_rows: Option<u64>,
}

impl ScoreRowView {
    /// A row; with `detail` also its contributions and expected values, where its model is still kept.
    pub fn new(row: &ScoreRef<'_>, detail: bool) -> Self {
        let names = || row.channels().filter(|_| detail).map(|names| names.iter().map(ToString::to_string));
        Self {
            at: row.at.into(),
            live_score: row.live_score,
            settled_score: row.settled_score,
            evidence: row.evidence,
            p_value: row.p_value,
            autoencoder_error: row.autoencoder_error,
            pca_error: row.pca_error,
            baseline_error: row.baseline_error,
            is_anomalous: row.is_anomalous,
            top_channel: row.top_channel().map(ToString::to_string),
            model_id: row.model_id().map(str::to_owned),
            contributions: names().map(|names| names.zip(row.contributions()).collect()),
            expected: names().map(|names| names.zip(row.expected()).filter(|(_, value)| value.is_finite()).collect()),
            live_score_min: None,
            n_rows: None,
        }
    }
}

impl From<ScoreBucket> for ScoreRowView {
    fn from(bucket: ScoreBucket) -> Self {
        Self {
            at: bucket.at.into(),
            live_score: bucket.live_max,
            settled_score: bucket.settled_max,
            evidence: bucket.evidence_max,
            p_value: bucket.p_value_min,
            autoencoder_error: bucket.autoencoder_max,
            pca_error: bucket.pca_max,
            baseline_error: bucket.baseline_max,
            is_anomalous: bucket.n_anomalous > 0,
            top_channel: None,
            model_id: None,
            contributions: None,
            expected: None,
            live_score_min: Some(bucket.live_min),
            n_rows: Some(bucket.n_rows),
        }
    }
}
