//! The grid and its policies as a user writes them. Every value that can be read is valid.

use serde::{Deserialize, Serialize};

use super::Counts;
use crate::series::{HumanDuration, Stride, Timestamp};

/// What a row of a series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GridKind {
    /// A cell of a time grid: all readings whose event time lies in `[at, at + stride)`.
    #[default]
    Time,
    /// A message: all readings it carries, at its event time.
    Row,
}

/// What stands in a cell that no reading fell into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillPolicy {
    /// The last reading of the channel, for at most `hold_limit` rows; then nothing.
    #[default]
    Hold,
    /// The line between the readings before and after, when at most `hold_limit` cells lie between them. A row
    /// with such a cell closes later: when the next reading is sure, or can no longer come. On the row grid, where
    /// rows never wait, this is the same as `mask`.
    Interpolate,
    /// Nothing: the cell is missing.
    Mask,
}

/// How readings become rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GridSpec {
    /// What a row is.
    pub grid: GridKind,
    /// Spacing of the time grid; the row grid has none.
    #[serde(with = "stride_as_text")]
    pub stride: Stride,
    /// How far behind the newest event time of its series a reading may arrive and still find its row open.
    pub lateness: HumanDuration,
    /// What stands in a cell that no reading fell into.
    pub fill: FillPolicy,
    /// How many cells in a row are held or interpolated at most.
    pub hold_limit: u32,
    /// How many rows without any reading are written at most; a longer silence is skipped and windows start anew.
    pub gap_limit: u32,
    /// A reading further ahead of its arrival than this is refused: one bad clock must not close the grid.
    pub future_limit: HumanDuration,
    /// A reading further behind its arrival than this is refused: a clock that was never set.
    pub past_limit: HumanDuration,
    /// Without any message of the series for this long, rows whose time has passed are closed as they are.
    pub idle_after: HumanDuration,
}

impl Default for GridSpec {
    fn default() -> Self {
        Self {
            grid: GridKind::Time,
            stride: Stride::SECOND,
            lateness: HumanDuration::from_secs(1),
            fill: FillPolicy::Hold,
            hold_limit: 10,
            gap_limit: 32,
            future_limit: HumanDuration::from_secs(10 * 60),
            past_limit: HumanDuration::from_secs(20 * 365 * 86_400),
            idle_after: HumanDuration::from_secs(30),
        }
    }
}

impl GridSpec {
    /// The row grid with the default policies, as for recordings without a steady clock.
    pub fn row() -> Self {
        Self { grid: GridKind::Row, ..Self::default() }
    }

    /// A time grid of this stride with the default policies.
    pub fn time(stride: Stride) -> Self {
        Self { stride, ..Self::default() }
    }

    /// True when an event time is not too far from the arrival; `n_readings` that are refused are counted.
    pub fn is_timely(&self, at: Timestamp, received_at: Timestamp, n_readings: u64, counts: &mut Counts) -> bool {
        let ahead_ms = at.ms_since(received_at);
        if ahead_ms > self.future_limit.as_ms() {
            counts.too_far_future += n_readings;
            return false;
        }
        if -ahead_ms > self.past_limit.as_ms() {
            counts.too_old += n_readings;
            return false;
        }
        true
    }
}

/// A stride in configuration is text with a unit, `"1s"`.
mod stride_as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::series::{HumanDuration, Stride};

    pub(super) fn serialize<S: Serializer>(stride: &Stride, to: S) -> Result<S::Ok, S::Error> {
        HumanDuration::from(*stride).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Stride, D::Error> {
        HumanDuration::deserialize(from)?.to_stride().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_is_read_with_defaults_and_unknown_keys_are_refused() {
        let spec: GridSpec = toml::from_str("grid = \"row\"\nstride = \"1m\"").expect("valid");
        assert_eq!(spec, GridSpec { stride: Stride::from_ms(60_000).expect("valid"), ..GridSpec::row() });
        assert!(toml::from_str::<GridSpec>("strid = \"1m\"").is_err());
        assert!(toml::from_str::<GridSpec>("stride = \"0s\"").is_err());
        assert!(toml::from_str::<GridSpec>("stride = 5").is_err());
        let text = toml::to_string(&GridSpec::default()).expect("serialises");
        assert_eq!(toml::from_str::<GridSpec>(&text), Ok(GridSpec::default()));
    }
}
