//! The pure, synchronous path from a reading to what must be written and told.

mod outcome;

pub use outcome::{FitWanted, Outcome, ScoreRow, SettledRow, TakeOver};
