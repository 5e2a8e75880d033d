//! Writing the write-ahead log back into the file beside the commits.
//!
//! A large fleet's log holds some 100 MiB of pages, and the commit that finds it full would write them back before it
//! returns: half a second in which nothing is acknowledged. So another connection writes them back while commits go on,
//! again until little has come meanwhile; the rest takes the writer some milliseconds between two commits, and with
//! nothing left in it the log begins anew. Where nobody does this, or the disk is slower than what comes, the writer
//! still does when the log is full.
//!
//! A connection that writes back beside another that commits needs SQLite 3.51.3, which mended how they share the log.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::arrivals::Arrivals;
use crate::store::connect::write_options;
use crate::store::{CommitError, Store};

/// A pass that takes no longer leaves the writer little to do.
const SHORT: Duration = Duration::from_millis(25);

/// Each pass writes what came during the one before.
const PASSES_MAX: usize = 6;

/// How a log was found that was written back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenBack {
    /// Pages in the log.
    pub n_pages: u32,
    /// With so many the writer writes them back itself.
    pub n_pages_max: u32,
    /// Counts how often the log has begun anew, by whomever it was written back.
    pub generation: u32,
}

impl Store {
    /// Writes the log back while commits go on; nothing for few series, whose log is short.
    ///
    /// # Errors
    /// When the disk refuses; what was committed is safe in the log.
    pub async fn write_back(&self) -> Result<Option<WrittenBack>, CommitError> {
        let (n_series, n_pages_max) = {
            let writer = self.inner.writer.lock().await;
            (writer.known.numbers.len(), writer.checkpoint_pages)
        };
        if !Arrivals::are_wanted(n_series) {
            return Ok(None);
        }
        let beside = write_options(&self.inner.config, false).thread_name(|_| "store-log".to_owned());
        let mut conn = beside.connect().await?;
        let generation = generation(self.inner.config.url.path());
        let (mut first, mut is_short) = (None, false);
        for _ in 0..PASSES_MAX {
            let begun = Instant::now();
            let n_pages = write_back(&mut conn).await?;
            // None: the writer is at it, because the log is full.
            first.get_or_insert(n_pages.unwrap_or(n_pages_max));
            is_short = begun.elapsed() <= SHORT;
            if is_short {
                break;
            }
        }
        conn.close().await?;
        if let Some(conn) = self.inner.writer.lock().await.connection.as_mut().filter(|_| is_short) {
            write_back(conn).await?;
        }
        Ok(first.map(|n_pages| WrittenBack { n_pages, n_pages_max, generation }))
    }
}

/// Writes back what no reader still needs in the log, without making anyone wait; returns the pages in the log, or none
/// while another connection does the same.
async fn write_back(conn: &mut SqliteConnection) -> Result<Option<u32>, sqlx::Error> {
    let (_, n_pages, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(conn).await?;
    Ok(u32::try_from(n_pages).ok())
}

/// The "checkpoint sequence number" of the log beside a database, bytes 12 to 15 of its header
/// (<https://www.sqlite.org/walformat.html>); 0 without a log.
fn generation(database: &Path) -> u32 {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let mut header = [0; 16];
    let read = std::fs::File::open(log).and_then(|mut log| log.read_exact(&mut header));
    read.map_or(0, |()| u32::from_be_bytes([header[12], header[13], header[14], header[15]]))
}
