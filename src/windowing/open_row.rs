//! A row that still waits for readings.

use serde::{Deserialize, Serialize};

use super::IndexedReading;
use crate::series::{Cell, Frame, Quality, Timestamp};

/// An unfinished row: its frame so far, and when each cell was heard.
///
/// The offsets are what makes a restart exact: with them the assembler still knows which of two readings in a cell
/// is the newer one, which cells heard "no value", and how far the event time of the series has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenRow {
    /// The row so far; cells are [`Cell::Measured`] or [`Cell::Missing`].
    pub frame: Frame,
    /// Per channel, milliseconds from the start of the row to the event time of the reading that stands in the
    /// cell; −1 when nothing was heard. Heard but missing means that the sender said "no value".
    pub heard_ms: Vec<i32>,
}

/// Not heard yet.
const UNHEARD: i32 = -1;

/// How an open row took a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// Into an empty cell.
    First,
    /// Into a cell that had a reading; the newer of the two stands now.
    Crowded,
    /// Not at all: the cell has the reading of this event time.
    Duplicate,
}

impl OpenRow {
    pub(super) fn new(at: Timestamp, n_channels: usize) -> Self {
        let frame = Frame { at, values: vec![0.0; n_channels], cells: vec![Cell::Missing; n_channels] };
        Self { frame, heard_ms: vec![UNHEARD; n_channels] }
    }

    /// True when a reading of the channel, with a value or without, is in the row.
    pub fn is_heard(&self, channel_index: usize) -> bool {
        self.heard_ms.get(channel_index).is_some_and(|ms| *ms != UNHEARD)
    }

    /// The readings in the row.
    pub fn readings(&self) -> impl Iterator<Item = IndexedReading> + '_ {
        let cells = self.heard_ms.iter().zip(&self.frame.values).zip(&self.frame.cells).enumerate();
        cells.filter(|(_, ((ms, _), _))| **ms != UNHEARD).map(|(channel_index, ((ms, value), cell))| IndexedReading {
            channel_index,
            at: self.frame.at.plus_ms(i64::from(*ms)),
            value: *value,
            quality: if cell.is_present() { Quality::Good } else { Quality::Missing },
        })
    }

    pub(super) fn grow(&mut self, n_channels: usize) {
        if self.heard_ms.len() < n_channels {
            self.frame.values.resize(n_channels, 0.0);
            self.frame.cells.resize(n_channels, Cell::Missing);
            self.heard_ms.resize(n_channels, UNHEARD);
        }
    }

    pub(super) fn fill(&mut self, reading: &IndexedReading) -> Filled {
        let i = reading.channel_index;
        self.grow(i + 1);
        let offset = i32::try_from(reading.at.ms_since(self.frame.at)).unwrap_or(i32::MAX);
        let before = self.heard_ms[i];
        if offset == before {
            return Filled::Duplicate;
        }
        if offset > before {
            let has_value = reading.has_value();
            self.heard_ms[i] = offset;
            self.frame.values[i] = if has_value { reading.value } else { 0.0 };
            self.frame.cells[i] = if has_value { Cell::Measured } else { Cell::Missing };
        }
        if before == UNHEARD { Filled::First } else { Filled::Crowded }
    }
}
