//! One closed row of a series' grid.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Where the value of a cell comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Cell {
    /// Nothing is known; the value is 0.0 and must not be used.
    Missing = 0,
    /// A reading fell into the cell.
    Measured = 1,
    /// The last reading was held, within the hold limit.
    Held = 2,
    /// Drawn on the line between the readings before and after.
    Interpolated = 3,
}

impl Cell {
    /// True when the cell has a value that may be used.
    pub fn is_present(self) -> bool {
        self != Cell::Missing
    }

    /// The cell kind for a stored byte, if it is one.
    pub fn from_byte(byte: u8) -> Option<Cell> {
        [Cell::Missing, Cell::Measured, Cell::Held, Cell::Interpolated].into_iter().find(|c| *c as u8 == byte)
    }
}

/// One row of a series' grid: a value and its origin per channel, in the series' channel order (the order
/// in which channels were discovered, which only ever grows).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Start of the grid cell (time grid) or the event time of the message (row grid).
    pub at: Timestamp,
    /// Values in the sender's unit, `[channel]`; 0.0 where missing. Always finite.
    pub values: Vec<f64>,
    /// Origin of each value, `[channel]`.
    pub cells: Vec<Cell>,
}

impl Frame {
    /// Number of channels the row has cells for.
    pub fn n_channels(&self) -> usize {
        self.values.len()
    }

    /// Number of cells with a usable value.
    pub fn n_present(&self) -> usize {
        self.cells.iter().filter(|c| c.is_present()).count()
    }
}
