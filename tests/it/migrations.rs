//! Databases of every age: fresh, older, newer, another program's.

use std::path::Path;

use kilter::store::{OpenError, Reader, Store, StoreConfig};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

async fn raw(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.unwrap()
}

/// Names of tables and indexes with their definitions.
async fn schema(path: &Path) -> Vec<(String, Option<String>)> {
    let mut conn = raw(path).await;
    let rows = sqlx::query_as("SELECT name, sql FROM sqlite_schema ORDER BY name").fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    rows
}

#[tokio::test]
async fn a_fresh_store_has_every_table_and_the_mark_of_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(&dir.path().join("made/on/the/way"));
    assert!(matches!(Reader::open(&config).await, Err(OpenError::Absent { .. })));
    let store = Store::open(&config).await.unwrap();
    assert!(store.restore().await.unwrap().is_empty());
    store.close().await.unwrap();
    let names: Vec<_> = schema(config.url.path()).await.into_iter().map(|(name, _)| name).collect();
    for table in ["series", "channels", "frames", "open_rows", "scores", "settled_scores", "alerts", "transitions"] {
        assert!(names.iter().any(|n| n == table), "{table} in {names:?}");
    }
    // "KILT" in ASCII at bytes 68 to 71, https://www.sqlite.org/fileformat.html
    assert_eq!(&std::fs::read(config.url.path()).unwrap()[68..72], b"KILT");
    Reader::open(&config).await.unwrap();
}

#[tokio::test]
async fn every_older_schema_is_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = StoreConfig::in_dir(&dir.path().join("fresh"));
    Store::open(&fresh).await.unwrap().close().await.unwrap();
    let expected = schema(fresh.url.path()).await;
    let migrations = sqlx::migrate::Migrator::new(Path::new("migrations")).await.unwrap();
    let n_migrations = migrations.iter().count() as i64;
    for version in 1..n_migrations {
        let config = StoreConfig::in_dir(&dir.path().join(version.to_string()));
        std::fs::create_dir_all(config.url.path().parent().unwrap()).unwrap();
        let mut conn = raw(config.url.path()).await;
        migrations.run_to(version, &mut conn).await.unwrap();
        if version == 1 {
            conn.execute("INSERT INTO series (name, first_at_ms, state_at_ms) VALUES ('pump', 5, 0)").await.unwrap();
        }
        conn.close().await.unwrap();
        assert!(matches!(Reader::open(&config).await, Err(OpenError::Older { .. })), "readers do not migrate");
        let store = Store::open(&config).await.unwrap();
        let n_series = store.restore().await.unwrap().len();
        assert_eq!(n_series, usize::from(version == 1), "what was there stays");
        store.close().await.unwrap();
        assert_eq!(schema(config.url.path()).await, expected, "from version {version}");
    }
}

#[tokio::test]
async fn a_newer_store_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(dir.path());
    Store::open(&config).await.unwrap().close().await.unwrap();
    let mut conn = raw(config.url.path()).await;
    conn.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .await
    .unwrap();
    conn.close().await.unwrap();
    let before = std::fs::read(config.url.path()).unwrap();
    let error = Store::open(&config).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9999, .. }), "{error}");
    assert!(error.to_string().contains("newer Kilter"), "{error}");
    assert!(matches!(Reader::open(&config).await, Err(OpenError::Newer { .. })));
    assert_eq!(std::fs::read(config.url.path()).unwrap(), before);
}

#[tokio::test]
async fn another_programs_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(dir.path());
    let mut conn = raw(config.url.path()).await;
    conn.execute("CREATE TABLE songs (title TEXT)").await.unwrap();
    conn.close().await.unwrap();
    assert!(matches!(Store::open(&config).await, Err(OpenError::Foreign { .. })));
    assert!(matches!(Reader::open(&config).await, Err(OpenError::Foreign { .. })));
    assert_eq!(schema(config.url.path()).await.len(), 1);

    std::fs::write(
        config.url.path(),
        "a diary, not a database; long enough to have a header of 100 bytes, which SQLite reads first of all",
    )
    .unwrap();
    let error = Store::open(&config).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&StoreConfig::in_dir(&file.join("below"))).await.unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }), "{error}");
}
