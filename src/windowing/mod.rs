//! Readings to rows: the time grid and the row grid, gaps, late and duplicate readings.
//!
//! An [`Assembler`] per series takes the readings of one message after another and gives back the rows that
//! nothing more can change ([`Closed`]) and the rows that this message changed but did not close ([`OpenRow`]),
//! so that both can be stored before the message is acknowledged. Time comes in as arguments; there is no clock here.
//!
//! * [`grid`](GridSpec): the policies as a user writes them.
//! * [`OpenRow`]: a row that still waits for readings, exact enough to go on after a restart.
//! * [`Counts`]: what became of each reading and each cell.

mod assembler;
mod counts;
mod fill;
mod grid;
mod laws;
mod open_row;

pub use assembler::{Assembler, Closed, IndexedReading, Pushed};
pub use counts::Counts;
pub use grid::{FillPolicy, GridKind, GridSpec};
pub use open_row::OpenRow;
