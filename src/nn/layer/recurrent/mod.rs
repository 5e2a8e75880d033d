//! Recurrent layers: one loop over time, any cell, many-to-one, one-to-many and many-to-many.
//!
//! A cell is one step and lives in its own file; [`CellKind`] lists them, one line each. What differs between GRU and
//! LSTM is the arithmetic of `step` and `step_backward` and three widths, nothing else.

mod bidirectional;
mod cell;
mod gru;
mod gru_reset_before;
mod layer;
mod lstm;
mod simple;

pub use bidirectional::{Bidirectional, Merge};
pub use cell::{Cell, CellKind, Gradients, Step, StepBackward, Weights};
pub use layer::{Recurrent, RecurrentSpec};
