//! Long ranges of rows: read, and made into what is wanted, on one thread from the first row to the last.
//!
//! sqlx hands each row to another thread, every value of it in memory of its own. Here rows are read through rusqlite, on
//! tokio's threads for work that blocks; both are the same SQLite, and nothing else in the program names rusqlite.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

pub(super) use rusqlite::{Connection, Row, Rows};
use rusqlite::{OpenFlags, Params};
use tokio::sync::Semaphore;

use crate::store::{CommitError, ReadError, StoreConfig};

/// Connections that read ranges of rows, opened when they are first needed. Clones share them.
///
/// Each keeps SQLite's own page cache of 2 MiB: a range reads each page once, and any commit empties the cache.
#[derive(Debug, Clone)]
pub(super) struct RowConnections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    busy_timeout: Duration,
    n_max: u32,
    /// One permit for each connection that may be in use.
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// Whether the answer is still waited for: who asks holds the other end.
#[derive(Debug)]
pub(super) struct Wanted(Weak<()>);

impl Wanted {
    fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl RowConnections {
    /// Connections to the database of a store, none open yet.
    pub(super) fn new(config: &StoreConfig) -> Self {
        let n_max = config.read_connections.max(1);
        Self(Arc::new(Inner {
            path: config.url.path().to_owned(),
            busy_timeout: Duration::from_millis(config.busy_timeout_ms.into()),
            n_max,
            turns: Arc::new(Semaphore::new(n_max as usize)),
            idle: Mutex::default(),
        }))
    }

    /// The answer to a question that may block, on a connection of its own.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection, &Wanted) -> Result<T, ReadError> + Send + 'static,
    {
        let closed = || ReadError::from(sqlx::Error::PoolClosed);
        let turn = Arc::clone(&self.0.turns).acquire_owned().await.map_err(|_| closed())?;
        let asker = Arc::new(());
        let wanted = Wanted(Arc::downgrade(&asker));
        let inner = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || {
            let mut connection = inner.connection()?;
            // After a fault the connection is closed: the one way back that is right after every fault.
            let answer = question(&mut connection, &wanted)?;
            inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(turn);
            Ok(answer)
        });
        match answer.await {
            Ok(answer) => answer,
            Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
            Err(_) => Err(closed()),
        }
    }

    /// Waits for the questions that are being answered and closes the connections; later questions fail.
    pub(super) async fn close(&self) {
        let turns = self.0.turns.acquire_many(self.0.n_max).await;
        self.0.turns.close();
        drop(turns);
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Inner {
    fn connection(&self) -> Result<Connection, ReadError> {
        if let Some(connection) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        Ok(connection)
    }
}

/// Shows the rows of a statement in its order, until nobody waits for them any more.
pub(super) fn each_row(
    connection: &Connection,
    text: &str,
    parameters: impl Params,
    wanted: &Wanted,
    mut see: impl FnMut(&Row<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(text)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        if wanted.is_over() {
            break;
        }
        see(row)?;
    }
    Ok(())
}

/// A blob of a row, where it lies.
pub(super) fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], ReadError> {
    let value = row.get_ref(column)?;
    value.as_blob().map_err(|fault| rusqlite::Error::from(fault).into())
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|fault| fault.extended_code);
        Self::Unusable { cause: CommitError::of_code(code, error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    /// A database of the numbers 1 to 1,000.
    fn numbers() -> (tempfile::TempDir, RowConnections) {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig { read_connections: 1, ..StoreConfig::in_dir(dir.path()) };
        let made = Connection::open(config.url.path()).unwrap();
        made.execute_batch(
            "CREATE TABLE numbers (n INTEGER PRIMARY KEY); INSERT INTO numbers \
             WITH RECURSIVE up (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM up WHERE n < 1000) SELECT n FROM up;",
        )
        .unwrap();
        (dir, RowConnections::new(&config))
    }

    const ALL: &str = "SELECT n FROM numbers ORDER BY n";

    fn sum(connection: &mut Connection, wanted: &Wanted) -> Result<i64, ReadError> {
        let mut sum = 0;
        each_row(connection, ALL, [], wanted, |row| {
            sum += row.get::<_, i64>(0)?;
            Ok(())
        })?;
        Ok(sum)
    }

    #[tokio::test]
    async fn every_row_is_shown_and_the_connection_serves_again() {
        let (_dir, connections) = numbers();
        for _ in 0..2 {
            assert_eq!(connections.ask(sum).await.unwrap(), 500_500);
        }
        assert_eq!(connections.0.idle.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn once_nobody_waits_no_more_rows_are_read() {
        let (_dir, connections) = numbers();
        let (show, shown) = mpsc::channel();
        let (go_on, going_on) = mpsc::channel::<()>();
        let question = connections.ask(move |connection, wanted| {
            each_row(connection, ALL, [], wanted, |row| {
                show.send(row.get::<_, i64>(0)?).unwrap();
                going_on.recv().ok();
                Ok(())
            })
        });
        let mut question = Box::pin(question);
        assert!((&mut question).now_or_never().is_none());
        assert_eq!(shown.recv(), Ok(1));
        // Closing waits for the question, and for nothing else once its thread has gone.
        assert!(connections.close().now_or_never().is_none());
        drop(question);
        drop(go_on);
        assert!(shown.recv().is_err(), "a row is shown to nobody");
        connections.close().await;
        assert!(connections.0.idle.lock().unwrap().is_empty());
        assert!(matches!(connections.ask(sum).await, Err(ReadError::Unusable { .. })));
    }

    #[tokio::test]
    async fn what_sqlite_says_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig::in_dir(dir.path());
        let cause = async |connections: RowConnections| match connections.ask(sum).await {
            Err(ReadError::Unusable { cause }) => cause,
            other => panic!("{other:?}"),
        };
        assert!(matches!(cause(RowConnections::new(&config)).await, CommitError::NotWritable { .. }));
        std::fs::write(config.url.path(), [7; 4096]).unwrap();
        assert!(matches!(cause(RowConnections::new(&config)).await, CommitError::Damaged { .. }));
    }
}
