//! One value of one channel at one time.

use serde::{Deserialize, Serialize};

use super::{ChannelName, SeriesId, Timestamp};

/// What the sender said about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// A finite number.
    #[default]
    Good,
    /// The sender said "no value" (JSON `null`, NaN or an infinity): the cell counts as heard but missing.
    Missing,
}

/// One value of one channel at one time, as decoded from a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The monitored thing.
    pub series: SeriesId,
    /// The measured quantity.
    pub channel: ChannelName,
    /// Event time: when it was measured.
    pub at: Timestamp,
    /// The value in the sender's unit; finite when `quality` is [`Quality::Good`], 0.0 otherwise.
    pub value: f64,
    /// What the sender said about it.
    pub quality: Quality,
}
