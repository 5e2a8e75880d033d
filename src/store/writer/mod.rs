//! The one connection that writes.

mod alert_rows;
mod arrivals;
mod batch;
mod budget_rows;
mod commit;
mod deeds;
mod encoded;
mod frame_rows;
mod known;
mod label;
mod model;
mod model_rows;
mod outbox;
mod power_rows;
mod retention;
mod rollups;
mod rows;
mod score_rows;
mod series_rows;
mod shift_rows;
mod silence_rows;
mod write_back;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, RwLock, Weak};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::{Mutex, mpsc, watch};

pub use commit::Committed;
pub use deeds::Deed;
pub use label::{LabelError, NewLabel};
pub use model::NewModel;
pub(super) use model::checksum;
pub use retention::Forgotten;
pub(super) use rollups::{HOUR_MS, MINUTE_MS};
pub use write_back::WrittenBack;

use super::connect::{checkpoint_pages, found_version, migrate, not_usable, write_options};
use super::{CommitError, DiskRoom, OpenError, Reader, StoreConfig};
use crate::series::Timestamp;
use arrivals::{Arrivals, Behind};
use known::Known;
use rows::Texts;

/// Writes the store. Cheap to clone; all clones share the one writing connection and take turns.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: StoreConfig,
    reader: Reader,
    writer: Mutex<Writer>,
    /// Series with rows that wait to be sorted in.
    behind: RwLock<Behind>,
    changes: watch::Sender<u64>,
    /// Who wants to know what people do.
    watchers: std::sync::Mutex<Vec<mpsc::UnboundedSender<Deed>>>,
    /// Held as long as the store is open, so that a second Kilter refuses to write the same file.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    /// Taken out for each transaction and put back after its commit. A transaction that fails or is dropped half-way
    /// takes its connection with it: closing is the one rollback that works after every fault, and the next
    /// transaction opens another.
    connection: Option<SqliteConnection>,
    known: Known,
    arrivals: Arrivals,
    texts: Texts,
    /// Pages of write-ahead log after which the connection writes it back.
    checkpoint_pages: u32,
}

impl Store {
    /// Opens the database for writing, makes it when there is none, and brings an older one up to date.
    ///
    /// # Errors
    /// When another Kilter writes it, a newer one wrote it, it is another program's, or it cannot be written.
    pub async fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        let path = config.url.path();
        let lock = lock_file(path)?;
        let mut conn = write_options(config, true).connect().await.map_err(|e| not_usable(path, e))?;
        found_version(&mut conn, path).await?;
        migrate(&mut conn, path).await?;
        let mut known = Known::load(&mut conn).await.map_err(|e| not_usable(path, e))?;
        let unusable = |cause| OpenError::Unusable { path: path.to_owned(), cause };
        if arrivals::sort_in_leftovers(&mut conn, &known).await.map_err(unusable)? {
            known = Known::load(&mut conn).await.map_err(|e| not_usable(path, e))?;
        }
        let writer = Writer {
            connection: Some(conn),
            known,
            arrivals: Arrivals::default(),
            texts: Texts::default(),
            checkpoint_pages: checkpoint_pages(0),
        };
        let inner = Arc::new_cyclic(|inner| Inner {
            config: config.clone(),
            reader: Reader::lazily(config).behind(WaitingRows { inner: Weak::clone(inner) }),
            writer: Mutex::new(writer),
            behind: RwLock::default(),
            changes: watch::Sender::new(0),
            watchers: std::sync::Mutex::default(),
            _lock: lock,
        });
        Ok(Self { inner })
    }

    /// Asks the same database, on connections of its own.
    pub fn reader(&self) -> &Reader {
        &self.inner.reader
    }

    /// What the database takes on its disk, and what is left there.
    pub fn disk(&self) -> DiskRoom {
        DiskRoom::of(self.inner.config.url.path())
    }

    /// Finishes the write-ahead log and closes the connections.
    ///
    /// # Errors
    /// When the log cannot be written back; nothing committed is lost by that.
    pub async fn close(&self) -> Result<(), CommitError> {
        self.inner.reader.close().await;
        self.sort_in_all().await?;
        match self.inner.writer.lock().await.connection.take() {
            Some(conn) => Ok(conn.close().await?),
            None => Ok(()),
        }
    }

    /// A connection in a transaction. It is the caller's until [`finish`] puts it back.
    async fn begin(&self, writer: &mut Writer) -> Result<SqliteConnection, CommitError> {
        let mut conn = match writer.connection.take() {
            Some(conn) => conn,
            None => {
                writer.checkpoint_pages = checkpoint_pages(0);
                write_options(&self.inner.config, false).connect().await?
            }
        };
        let pages = checkpoint_pages(writer.known.numbers.len());
        if 4 * pages >= 5 * writer.checkpoint_pages {
            sqlx::query(AssertSqlSafe(format!("PRAGMA wal_autocheckpoint = {pages}"))).execute(&mut conn).await?;
            writer.checkpoint_pages = pages;
        }
        // At once for writing: a transaction that starts by reading may be refused the lock half-way.
        conn.execute("BEGIN IMMEDIATE").await?;
        Ok(conn)
    }
}

/// Rows that the writer holds back, as a reader sees them.
#[derive(Debug, Clone)]
pub(super) struct WaitingRows {
    inner: Weak<Inner>,
}

impl WaitingRows {
    /// Has the rows of a series written into their tables, or its closed rows before `end`. What cannot be written waits
    /// on: a question is then answered from the rows that are there.
    pub(super) async fn sort_in(&self, number: i64, end: Option<Timestamp>) {
        let Some(inner) = self.inner.upgrade().filter(|inner| !inner.is_complete(number, end)) else { return };
        let store = Store { inner };
        // In a task of its own: a question that nobody waits for any more must not leave half a transaction.
        let sorted = tokio::spawn(async move { store.sort_in(number, end).await });
        if let Ok(Err(fault)) = sorted.await {
            tracing::debug!(%fault, "rows wait on");
        }
    }
}

/// Commits, and puts the connection back.
async fn finish(slot: &mut Option<SqliteConnection>, mut conn: SqliteConnection) -> Result<(), CommitError> {
    conn.execute("COMMIT").await?;
    *slot = Some(conn);
    Ok(())
}

fn lock_file(database: &Path) -> Result<File, OpenError> {
    let directory = |path: &Path, cause| OpenError::Directory { path: path.to_owned(), cause };
    if let Some(parent) = database.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|e| directory(parent, e))?;
    }
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = Path::new(&path);
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|e| directory(path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: database.to_owned() }),
        Err(std::fs::TryLockError::Error(cause)) => Err(directory(path, cause)),
    }
}
