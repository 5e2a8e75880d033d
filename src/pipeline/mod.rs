//! The pure, synchronous path from a reading to what must be written and told.
//!
//! [`Pipeline`] holds every series; each lives in its own state machine that gathers rows, asks for models, judges by
//! them and follows its alerts. What it wants done comes out as [`Outcome`]s; it does nothing itself, knows no clock
//! and no connection, and the same input gives the same output.

mod chain;
mod checkpoint;
mod explain;
mod fleet;
mod life;
mod outcome;
mod power;
mod preview;
mod rebuild;
mod recalibration;
mod replay;
mod shared_models;
mod spec;
mod together;
mod training;
mod watches;

pub use chain::{Chain, Judged, Phase, RestoreError};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use explain::{AlertContext, ExplainedRow, Explanation, Rejudged, RowPhase, StoredRow, explain};
pub use fleet::{Incoming, Peer, Pipeline, Processed};
pub use life::{FalseAlarm, Heard, Restored};
pub use outcome::{BudgetRow, FitWanted, Outcome, PowerRow, ScoreRow, SettledRow, ShiftDeed, TakeOver};
pub use power::{MeasuredPower, ModelPower, PowerSpec, PowerWanted, measure_power_of};
pub use preview::{LabelEffect, preview_label};
pub use recalibration::{Unlearned, go_on_with, pool_size, recalibrate};
pub use replay::Replay;
pub use shared_models::{SHARED_WARM_ROWS, SharedModels};
pub use spec::{LADDER_ROWS, SeriesSpec, WarmUp};
pub use training::{AdoptError, Trained, adopt, train, train_with};
pub use watches::WatchSpec;
