//! Why a message gives no readings.

use super::PAYLOAD_BYTES_MAX;
use crate::series::{NameError, TimeError};

/// Why a message gives no readings. The message is counted by [`reason`](Self::reason) and acknowledged: sending it
/// again would not help.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// No topic template fits.
    #[error("no topic template matches {topic:?}")]
    NoTemplate {
        /// The topic, at most 200 characters of it.
        topic: String,
    },
    /// A template fits, but a level is not a name.
    #[error("topic {topic:?}: {error}")]
    BadName {
        /// The topic, at most 200 characters of it.
        topic: String,
        /// What is wrong with the level.
        error: NameError,
    },
    /// Nothing in it.
    #[error("the payload is empty")]
    Empty,
    /// More than [`PAYLOAD_BYTES_MAX`].
    #[error("the payload has {found} bytes, allowed are {PAYLOAD_BYTES_MAX}")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// Not a number in text.
    #[error("{found:?} is not a number")]
    NotANumber {
        /// The payload, at most 64 characters of it.
        found: String,
    },
    /// Not JSON.
    #[error("malformed JSON: {found}")]
    MalformedJson {
        /// What the parser says.
        found: String,
    },
    /// JSON, but not what is expected at this place.
    #[error("at {pointer:?}: expected {expected}, found {found}")]
    WrongType {
        /// The place.
        pointer: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The pointer leads nowhere.
    #[error("there is nothing at {pointer:?}")]
    ValueMissing {
        /// The pointer.
        pointer: String,
    },
    /// The pointer to the event time leads nowhere.
    #[error("there is no event time at {pointer:?}")]
    TimeMissing {
        /// The pointer.
        pointer: String,
    },
    /// The event time is none.
    #[error(transparent)]
    TimeUnreadable(#[from] TimeError),
    /// An object without any number.
    #[error("no member of the object is a number")]
    NoChannels,
    /// More members than a series may have channels.
    #[error("the object has more than {allowed} numbers")]
    TooManyChannels {
        /// The limit.
        allowed: usize,
    },
    /// A retained message without an event time of its own: nothing says how old its value is.
    #[error("a retained message without event time: nothing says how old it is")]
    RetainedWithoutTime,
}

impl DecodeError {
    /// The stable label of the cause, for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoTemplate { .. } => "no_template",
            Self::BadName { .. } => "bad_name",
            Self::Empty => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::NotANumber { .. } => "not_a_number",
            Self::MalformedJson { .. } => "malformed_json",
            Self::WrongType { .. } => "wrong_type",
            Self::ValueMissing { .. } => "value_missing",
            Self::TimeMissing { .. } => "time_missing",
            Self::TimeUnreadable(_) => "time_unreadable",
            Self::NoChannels => "no_channels",
            Self::TooManyChannels { .. } => "too_many_channels",
            Self::RetainedWithoutTime => "retained",
        }
    }

    /// Every label, so that counters can begin at 0.
    pub const REASONS: [&str; 13] = [
        "no_template",
        "bad_name",
        "empty",
        "too_large",
        "not_a_number",
        "malformed_json",
        "wrong_type",
        "value_missing",
        "time_missing",
        "time_unreadable",
        "no_channels",
        "too_many_channels",
        "retained",
    ];
}
