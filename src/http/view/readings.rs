//! What was measured.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;
use crate::series::{Cell, Frame};
use crate::store::FrameBucket;

/// Closed rows of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadingsView {
    /// The channels, in the order of the values.
    pub channels: Vec<String>,
    /// The rows, oldest first.
    pub data: Vec<ReadingRow>,
    /// Path and query of the next part; null when this is the last.
    pub next: Option<String>,
}

/// One closed row; with `step`, the rows of one step summed up so that no spike disappears.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadingRow {
    /// Start of the grid cell, event time of the message (row grid), or start of the step.
    pub at: Moment,
    /// Value of each channel in the sender's unit; null where nothing is known. With `step`: the mean.
    pub values: Vec<Option<f64>>,
    /// True for each value that was measured, false for one that was held or interpolated or is missing; null with
    /// `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Vec<bool>>,
    /// Least value of the step; only with `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Vec<Option<f64>>>,
    /// Greatest value of the step; only with `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Vec<Option<f64>>>,
    /// Rows in the step; only with `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_rows: Option<u64>,
}

impl ReadingRow {
    /// A row with a value, or null, for each of `n_channels` channels: a row from before a channel spoke is shorter.
    pub fn new(frame: &Frame, n_channels: usize) -> Self {
        let cell = |channel: usize| frame.cells.get(channel).copied().unwrap_or(Cell::Missing);
        let value = |channel: usize| frame.values.get(channel).copied().filter(|_| cell(channel).is_present());
        Self {
            at: frame.at.into(),
            values: (0..n_channels).map(value).collect(),
            measured: Some((0..n_channels).map(|channel| cell(channel) == Cell::Measured).collect()),
            min: None,
            max: None,
            n_rows: None,
        }
    }

    /// The rows of a step.
    pub fn from_bucket(bucket: FrameBucket, n_channels: usize) -> Self {
        let padded = |mut values: Vec<Option<f64>>| {
            values.resize(n_channels, None);
            values
        };
        Self {
            at: bucket.at.into(),
            values: padded(bucket.mean),
            measured: None,
            min: Some(padded(bucket.min)),
            max: Some(padded(bucket.max)),
            n_rows: Some(bucket.n_rows),
        }
    }
}
