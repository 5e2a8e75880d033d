//! The one connection that writes.

mod commit;
mod deeds;
mod model;
mod outbox;

pub use commit::Committed;
pub use model::NewModel;

use crate::series::{Frame, SeriesId, Timestamp};
use crate::store::restore::RestoredSeries;
use crate::store::{CommitError, OpenError, ReadError, StoreConfig};

/// Writes the store. Cheap to clone; all clones share the one writing connection and take turns.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Opens the database for writing, makes it when there is none, and brings an older one up to date.
    ///
    /// # Errors
    /// When another Kilter writes it, a newer one wrote it, it is another program's, or it cannot be written.
    pub async fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let _ = config;
        todo!()
    }

    /// All that a restart needs: where every series stood when the last commit ended, by name.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn restore(&self) -> Result<Vec<RestoredSeries>, ReadError> {
        todo!()
    }

    /// Closed rows of a series in `[from, to]`, both included, oldest first: what a fit or a replay needs.
    ///
    /// # Errors
    /// When the store cannot be read, or holds damaged rows.
    pub async fn frames_between(
        &self,
        series: &SeriesId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Frame>, ReadError> {
        let _ = (series, from, to);
        todo!()
    }

    /// Finishes the write-ahead log and closes the connection.
    ///
    /// # Errors
    /// When the log cannot be written back; nothing committed is lost by that.
    pub async fn close(&self) -> Result<(), CommitError> {
        todo!()
    }
}
