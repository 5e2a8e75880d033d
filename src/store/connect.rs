//! Connections: how the file is opened, recognised and brought up to date.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use super::{OpenError, StoreConfig, Synchronous};

/// The schema, as `migrations/` states it.
static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// "KILT", set by the first migration.
const APPLICATION_ID: i64 = 0x4B49_4C54;

/// Pages of write-ahead log (4 KiB each) after which it is written back: 16 MiB, so that a busy writer rewrites a
/// page that several batches touch once instead of once a batch.
const CHECKPOINT_PAGES: u32 = 4_096;

/// Pages of write-ahead log for so many series: each row of a series lies in pages of its own, so the log must be longer
/// than the pages that all series touch in a second for a page to be written back seldomer than it changes. 256 MiB at
/// most.
pub(super) fn checkpoint_pages(n_series: usize) -> u32 {
    u32::try_from(6 * n_series).unwrap_or(u32::MAX).clamp(CHECKPOINT_PAGES, 65_536)
}

/// Prepared statements kept: about a dozen tables times ten sizes of multi-row statement.
const STATEMENTS_KEPT: usize = 256;

/// Schema version this program knows.
pub(super) fn known_version() -> i64 {
    MIGRATOR.iter().map(|m| m.version).max().unwrap_or(0)
}

fn shared_options(config: &StoreConfig, cache_mib: u32) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(config.url.path())
        .busy_timeout(Duration::from_millis(config.busy_timeout_ms.into()))
        .pragma("cache_size", format!("-{}", u64::from(cache_mib) * 1024))
        .pragma("temp_store", "memory")
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging()
}

/// The writer's connection.
pub(super) fn write_options(config: &StoreConfig, create: bool) -> SqliteConnectOptions {
    shared_options(config, config.cache_mib)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match config.synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        })
        // Series numbers come from the writer's own memory, so the check would find nothing and cost a lookup a row.
        .foreign_keys(false)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("journal_size_limit", "67108864")
        .pragma("max_page_count", pages_max(config).to_string())
        .thread_name(|_| "store-writer".to_owned())
}

/// Pages (4 KiB each) that the file may have; SQLite's own limit for no limit.
fn pages_max(config: &StoreConfig) -> u64 {
    match config.size_max_mib {
        0 => 4_294_967_294,
        mib => u64::from(mib) * 256,
    }
}

/// A reader's connection.
pub(super) fn read_options(config: &StoreConfig) -> SqliteConnectOptions {
    shared_options(config, config.cache_mib.div_ceil(4)).read_only(true).thread_name(|n| format!("store-reader-{n}"))
}

/// Version of the schema in the file; none for a file without one.
pub(super) async fn found_version(conn: &mut SqliteConnection, path: &Path) -> Result<Option<i64>, OpenError> {
    let unusable = |e: sqlx::Error| not_usable(path, e);
    let application_id: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *conn).await.map_err(unusable)?;
    let n_tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *conn).await.map_err(unusable)?;
    if n_tables == 0 {
        return Ok(None);
    }
    // A file whose first migration was cut off has sqlx's table and nothing else.
    let migrated: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'")
            .fetch_one(&mut *conn)
            .await
            .map_err(unusable)?;
    if migrated == 0 || (application_id != APPLICATION_ID && n_tables > 2) {
        let detail = format!("application id {application_id:#x}, expected {APPLICATION_ID:#x}");
        return Err(OpenError::Foreign { path: path.to_owned(), detail });
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(conn).await.map_err(unusable)?;
    let known = known_version();
    match version {
        Some(found) if found > known => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        version => Ok(version),
    }
}

/// Brings the schema up to date, each migration in a transaction of its own.
pub(super) async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    MIGRATOR.run(conn).await.map_err(|error| match error {
        MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => not_usable(path, e),
        other => OpenError::Foreign { path: path.to_owned(), detail: other.to_string() },
    })
}

/// A failed connection or first question, told from another program's file.
pub(super) fn not_usable(path: &Path, error: sqlx::Error) -> OpenError {
    const NOT_A_DATABASE: &str = "26";
    match &error {
        sqlx::Error::Database(e) if e.code().as_deref() == Some(NOT_A_DATABASE) => {
            OpenError::Foreign { path: path.to_owned(), detail: e.to_string() }
        }
        _ => OpenError::Unusable { path: path.to_owned(), cause: error.into() },
    }
}
