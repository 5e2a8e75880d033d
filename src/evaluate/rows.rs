//! A recorded series as the judge takes it: readings by row, with event times that may or may not rise.

use crate::series::{ChannelName, Quality, Reading, SeriesId, Timestamp};

/// Readings of one series, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesRows {
    /// The series.
    pub series: SeriesId,
    /// Its channels.
    pub channels: Vec<ChannelName>,
    /// Event time of each row; on the row grid they must rise strictly.
    pub at: Vec<Timestamp>,
    /// Values, `[row * channel]`; 0.0 where missing.
    pub values: Vec<f64>,
    /// False where a reading is missing, `[row * channel]`.
    pub present: Vec<bool>,
}

impl SeriesRows {
    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.at.len()
    }

    /// The readings of a row, one per channel, as one message would carry them.
    pub fn readings(&self, row: usize) -> Vec<Reading> {
        let n_channels = self.channels.len();
        let cells = row * n_channels..(row + 1) * n_channels;
        let values = self.values[cells.clone()].iter().zip(&self.present[cells]);
        self.channels
            .iter()
            .zip(values)
            .map(|(channel, (value, is_present))| Reading {
                series: self.series.clone(),
                channel: channel.clone(),
                at: self.at[row],
                value: if *is_present { *value } else { 0.0 },
                quality: if *is_present { Quality::Good } else { Quality::Missing },
            })
            .collect()
    }

    /// The values of one channel, `[row]`.
    pub fn channel(&self, index: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().skip(index).step_by(self.channels.len()).copied()
    }
}
