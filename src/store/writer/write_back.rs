//! Writing the write-ahead log back into the file beside the commits.
//!
//! A large fleet's log holds some 100 MiB of pages, and the commit that finds it full would write them back before it
//! returns: half a second in which nothing is acknowledged. So another connection writes them back while commits go on,
//! again until little has come meanwhile; the rest takes the writer a few milliseconds between two commits, and with
//! nothing left in it the log begins anew. Should nobody do this, the writer still does when the log is full.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::arrivals::Arrivals;
use crate::store::connect::{checkpoint_pages, write_options};
use crate::store::{CommitError, Store};

/// A pass that takes no longer leaves the writer little to do.
const SHORT: Duration = Duration::from_millis(25);

/// Each pass writes what came during the one before; on a disk that is slower than what comes this does not end.
const PASSES_MAX: usize = 6;

/// Pages of the log that were written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenBack {
    /// Pages in the log at first.
    pub n_pages: u32,
    /// With so many the writer writes them back itself.
    pub n_pages_max: u32,
}

impl Store {
    /// Writes the log back while commits go on; nothing for few series, whose log is short.
    ///
    /// # Errors
    /// When the disk refuses; what was committed is safe in the log.
    pub async fn write_back(&self) -> Result<Option<WrittenBack>, CommitError> {
        let n_series = self.inner.writer.lock().await.known.numbers.len();
        if !Arrivals::are_wanted(n_series) {
            return Ok(None);
        }
        let beside = write_options(&self.inner.config, false).thread_name(|_| "store-log".to_owned());
        let mut conn = beside.connect().await?;
        let mut n_pages = 0;
        for pass in 0..PASSES_MAX {
            let begun = Instant::now();
            let found = write_back(&mut conn).await?;
            if pass == 0 {
                n_pages = found;
            }
            if begun.elapsed() <= SHORT {
                break;
            }
        }
        conn.close().await?;
        if let Some(conn) = &mut self.inner.writer.lock().await.connection {
            write_back(conn).await?;
        }
        Ok(Some(WrittenBack { n_pages, n_pages_max: checkpoint_pages(n_series) }))
    }
}

/// Writes back what no reader still needs in the log, without making anyone wait; returns the pages in the log.
async fn write_back(conn: &mut SqliteConnection) -> Result<u32, sqlx::Error> {
    let (_, n_pages, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(conn).await?;
    Ok(u32::try_from(n_pages).unwrap_or(0))
}
