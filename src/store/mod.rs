//! The store: frames, scores, alerts, models and the outbox in one SQLite file.
//!
//! One connection writes, behind [`Store`]; everything that a batch of outcomes says is committed in one transaction,
//! idempotently: a redelivered batch changes nothing. Any number of connections read, behind [`Reader`], and never
//! wait for the writer. SQL lives here and nowhere else, one file per table. The store knows no topic, route or
//! clock: the time of a deed is an argument.
//!
//! * [`StoreConfig`], [`Retention`], [`Age`]: the sections `[store]` and `[retention]`.
//! * [`Store`]: open, commit, restore, models, outbox, what people do to alerts, retention.
//! * [`Reader`] and its rows: series, scores, readings, alerts, transitions, models.

mod age;
mod blob;
mod config;
mod connect;
mod disk;
mod fault;
mod reader;
mod restore;
mod writer;

pub use age::Age;
pub use config::{DATABASE_FILE, Retention, StoreConfig, StoreUrl, StoreUrlError, Synchronous};
pub use disk::DiskRoom;
pub use fault::{CommitError, OpenError, Reaction, ReadError};
pub use reader::{
    AlertQuery, DeadLetter, ExpectedBuckets, FrameBucket, HeldNotice, LabelContext, LatentRow, ModelRow, Reader,
    RowQuery, ScoreBucket, ScoreRef, ScoreView, SeriesBudget, SeriesQuery, SeriesRow, ShiftRow, StoredTransition,
    TakeOverRow, Tally, TargetRow,
};
pub use restore::{Checkpoint, RestoredAlert, RestoredSeries};
pub use writer::{Committed, Deed, Forgotten, LabelError, NewLabel, NewModel, Store, WrittenBack};
