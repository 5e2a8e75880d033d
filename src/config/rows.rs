//! Counts of rows as people write them: `32`, `"31 rows"`, `"ladder"`, or a length of time on the time grid.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pipeline::WarmUp;
use crate::series::{HumanDuration, Stride};

/// A count of rows, or a length of time that the stride turns into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum RowSpan {
    /// So many rows.
    Rows(u32),
    /// So long; needs the time grid.
    Time(HumanDuration),
}

/// Why a value is not a count of rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowSpanError {
    /// It has another form.
    #[error("{found} is not a count of rows; allowed: \"32 rows\", 32, or a length of time such as \"5m\"")]
    Unreadable {
        /// The value.
        found: String,
    },
    /// It is a length of time, but rows have no spacing.
    #[error("{found} needs the time grid; allowed: a count such as \"32 rows\"")]
    NeedsStride {
        /// The length of time.
        found: HumanDuration,
    },
}

impl RowSpan {
    /// The count; a length of time is rounded up to whole rows.
    ///
    /// # Errors
    /// When it is a length of time and the rows have no stride.
    pub fn rows(self, stride: Option<Stride>) -> Result<usize, RowSpanError> {
        match (self, stride) {
            (RowSpan::Rows(rows), _) => Ok(rows as usize),
            (RowSpan::Time(time), Some(stride)) => Ok((time.as_ms() as usize).div_ceil(stride.as_ms() as usize)),
            (RowSpan::Time(found), None) => Err(RowSpanError::NeedsStride { found }),
        }
    }
}

impl fmt::Display for RowSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowSpan::Rows(rows) => write!(f, "{rows} rows"),
            RowSpan::Time(time) => write!(f, "{time}"),
        }
    }
}

impl TryFrom<toml::Value> for RowSpan {
    type Error = RowSpanError;
    fn try_from(value: toml::Value) -> Result<Self, RowSpanError> {
        let read = match &value {
            toml::Value::Integer(rows) => u32::try_from(*rows).ok().map(RowSpan::Rows),
            toml::Value::String(text) => match text.trim().split_once(' ') {
                Some((number, "rows" | "row")) => number.parse().ok().map(RowSpan::Rows),
                _ => HumanDuration::parse(text).ok().map(RowSpan::Time),
            },
            _ => None,
        };
        read.ok_or_else(|| RowSpanError::Unreadable { found: value.to_string() })
    }
}

impl From<RowSpan> for toml::Value {
    fn from(span: RowSpan) -> Self {
        toml::Value::String(span.to_string())
    }
}

/// When models are fitted: `"ladder"`, or once at so many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub struct WarmUpRows(pub WarmUp);

/// Rows of the shortest and the longest single warm-up.
const WARM_UP_ROWS: std::ops::RangeInclusive<i64> = 50..=1_000_000;

impl TryFrom<toml::Value> for WarmUpRows {
    type Error = String;
    fn try_from(value: toml::Value) -> Result<Self, String> {
        match &value {
            toml::Value::String(text) if text == "ladder" => Ok(Self(WarmUp::Ladder)),
            toml::Value::Integer(rows) if WARM_UP_ROWS.contains(rows) => Ok(Self(WarmUp::Rows(rows.unsigned_abs()))),
            _ => {
                Err(format!("allowed: \"ladder\", or a count from {} to {}", WARM_UP_ROWS.start(), WARM_UP_ROWS.end()))
            }
        }
    }
}

impl From<WarmUpRows> for toml::Value {
    fn from(rows: WarmUpRows) -> Self {
        match rows.0 {
            WarmUp::Ladder => toml::Value::String("ladder".to_owned()),
            WarmUp::Rows(rows) => toml::Value::Integer(rows.min(i64::MAX as u64) as i64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_a_count_or_as_a_length_of_time() {
        let minute = Stride::from_ms(60_000).ok();
        let check = |value: toml::Value, stride, expected: Option<usize>| {
            let rows = RowSpan::try_from(value.clone()).and_then(|span| span.rows(stride)).ok();
            assert_eq!(rows, expected, "{value}");
        };
        check(toml::Value::Integer(32), None, Some(32));
        check("31 rows".into(), None, Some(31));
        check("1 row".into(), None, Some(1));
        check("30m".into(), minute, Some(30));
        check("90s".into(), minute, Some(2));
        check("30m".into(), None, None);
        check("many rows".into(), minute, None);
        check(toml::Value::Integer(-1), None, None);
        check(toml::Value::Float(1.5), None, None);
    }
}
