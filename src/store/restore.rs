//! What a restart needs, read in one go.

use crate::pipeline::TakeOver;
use crate::series::{ChannelName, Frame, SeriesId, Timestamp};
use crate::verdict::{Alert, SeriesState};

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
    pub unfinished: Vec<Frame>,
    /// State of the chain, if one was ever kept.
    pub checkpoint: Option<Checkpoint>,
    /// The latest take-over.
    pub take_over: Option<TakeOver>,
    /// Alerts that are open.
    pub open_alerts: Vec<RestoredAlert>,
}
