//! The pure, synchronous path from a reading to what must be written and told.

mod chain;
mod outcome;

pub use chain::{Chain, Judged, Phase, RestoreError};
pub use outcome::{FitWanted, Outcome, ScoreRow, SettledRow, TakeOver};
