//! Rows of large fleets wait until a series has several. What the tables hold in the end, and what a question is
//! answered, is as if each had been written at once.

use std::collections::BTreeSet;
use std::path::Path;

use kilter::pipeline::Outcome;
use kilter::series::SeriesId;
use kilter::store::{Committed, RowQuery, Store, StoreConfig};
use sqlx::{ConnectOptions, Connection};

use crate::outcomes::{NOON_MS, at, frame, rows, series};
use crate::store::dump;

/// One more would wait.
const FEW: usize = 255;

fn name(number: usize) -> String {
    format!("machine {number:03}")
}

/// The first sign of life of so many series.
fn seen(n_series: usize) -> Vec<Outcome> {
    (0..n_series).map(|n| Outcome::SeriesSeen { series: series(&name(n)), at: at(NOON_MS) }).collect()
}

/// Batches of a fleet: rows `[from, to)` of every series, ten series a batch, second by second, and some of the series
/// silent from half-way on.
fn batches(n_series: usize, from: i64, to: i64) -> Vec<Vec<Outcome>> {
    let mut batches = Vec::new();
    for row in from..to {
        let speaks = |n: &usize| n % 7 != 3 || row < (from + to) / 2;
        let speaking: Vec<usize> = (0..n_series).filter(speaks).collect();
        for some in speaking.chunks(10) {
            batches.push(some.iter().flat_map(|n| rows(&name(*n), row, row + 1)).collect());
        }
    }
    batches
}

async fn count(path: &Path, text: &'static str) -> i64 {
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let n = sqlx::query_scalar(text).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    n
}

/// A store in which so many series have spoken.
async fn store_of(dir: &Path, n_series: usize) -> (Store, StoreConfig) {
    let config = StoreConfig::in_dir(dir);
    let store = Store::open(&config).await.unwrap();
    store.commit(&seen(n_series)).await.unwrap();
    (store, config)
}

#[tokio::test]
async fn a_large_fleet_ends_with_the_rows_of_a_small_one() {
    let dir = tempfile::tempdir().unwrap();
    let (few, few_config) = store_of(&dir.path().join("few"), FEW).await;
    let (many, many_config) = store_of(&dir.path().join("many"), FEW + 45).await;
    let mut has_waited = false;
    // Four minutes, so that sums by the minute are among it.
    for batch in batches(FEW, 0, 250).into_iter().step_by(3) {
        let committed = few.commit(&batch).await.unwrap();
        assert_eq!(many.commit(&batch).await.unwrap(), committed);
        has_waited |= committed.n_frames > 0;
    }
    assert!(has_waited);
    assert_eq!(count(few_config.url.path(), "SELECT count(*) FROM arrivals").await, 0);
    let waiting = count(many_config.url.path(), "SELECT count(*) FROM arrivals").await;
    assert!(waiting > 0, "nothing waits");
    let sorted_in = count(many_config.url.path(), "SELECT count(*) FROM frames").await;
    assert!(sorted_in > 0, "commits sort nothing in");
    for store in [few, many] {
        store.close().await.unwrap();
    }
    let extra: BTreeSet<String> = (FEW..FEW + 45).map(name).collect();
    let of_few: Vec<_> = dump(few_config.url.path()).await;
    let of_many: Vec<_> = dump(many_config.url.path()).await;
    let of_many: Vec<_> = of_many.into_iter().filter(|line| !extra.iter().any(|name| line.contains(name))).collect();
    assert_eq!(of_many.len(), of_few.len());
    for (many, few) in of_many.iter().zip(&of_few) {
        assert_eq!(many, few);
    }
}

#[tokio::test]
async fn a_question_finds_every_row_and_the_other_series_wait_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, config) = store_of(dir.path(), 300).await;
    for batch in batches(300, 0, 6) {
        store.commit(&batch).await.unwrap();
    }
    let path = config.url.path();
    assert_eq!(count(path, "SELECT count(*) FROM frames").await, 0, "six rows a series are few enough to wait");
    let asked: SeriesId = series(&name(4));
    let all = RowQuery::default();
    let frames = store.reader().frames(&asked, &all).await.unwrap();
    assert_eq!(frames, (0..5).map(|row| frame(NOON_MS + 1000 * row)).collect::<Vec<_>>());
    assert_eq!(store.reader().scores(&asked, &all).await.unwrap().len(), 5);
    assert_eq!(store.reader().one_series(&asked).await.unwrap().n_rows, 5);
    assert_eq!(count(path, "SELECT count(*) FROM frames").await, 5, "those of one series");
    // What is sorted in once is not sorted in again, and rows that come later are found too.
    for batch in batches(300, 6, 8) {
        store.commit(&batch).await.unwrap();
    }
    assert_eq!(store.reader().frames(&asked, &all).await.unwrap().len(), 7);
    store.sort_in_all().await.unwrap();
    assert_eq!(count(path, "SELECT count(*) FROM arrivals").await, 0);
    // Rows 0 to 6 of 257 series; of the 43 that spoke at rows 0, 1, 2 and 6, the rows before those: 0, 1 and 5.
    assert_eq!(count(path, "SELECT count(*) FROM frames").await, 257 * 7 + 43 * 3);
}

#[tokio::test]
async fn rows_that_waited_when_the_process_died_are_there_after_the_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, config) = store_of(&dir.path().join("a"), 300).await;
    let all = batches(300, 0, 50);
    for batch in &all {
        store.commit(batch).await.unwrap();
    }
    let sorted_in = count(config.url.path(), "SELECT count(*) FROM frames").await;
    assert!(sorted_in > 0, "no record holds rows that are in their tables");
    // The files as a killed process leaves them.
    let died = dir.path().join("died");
    std::fs::create_dir(&died).unwrap();
    for tail in ["", "-wal"] {
        let file = format!("kilter.db{tail}");
        std::fs::copy(dir.path().join("a").join(&file), died.join(&file)).unwrap();
    }
    let died = StoreConfig::in_dir(&died);
    assert!(count(died.url.path(), "SELECT count(*) FROM arrivals").await > 0, "nothing waited");
    let again = Store::open(&died).await.unwrap();
    assert_eq!(count(died.url.path(), "SELECT count(*) FROM arrivals").await, 0);
    let restored = again.restore().await.unwrap();
    assert_eq!(restored.len(), 300);
    for (number, kept) in restored.iter().enumerate() {
        let n_rows = if number % 7 == 3 { 24 } else { 49 };
        assert_eq!((kept.n_closed, kept.last_closed_at), (n_rows, Some(at(NOON_MS + 1000 * (n_rows as i64 - 1)))));
        assert_eq!(kept.last_scored_at, kept.last_closed_at);
        let open: Vec<_> = kept.open_rows.iter().map(|row| &row.frame).collect();
        assert_eq!(open, [&frame(NOON_MS + 1000 * n_rows as i64)], "the row that was being filled");
    }
    for batch in &all {
        assert_eq!(again.commit(batch).await.unwrap(), Committed::default(), "a redelivery");
    }
    store.close().await.unwrap();
    again.close().await.unwrap();
    assert_eq!(dump(config.url.path()).await, dump(died.url.path()).await);
}

#[tokio::test]
async fn a_log_written_back_leaves_every_row_in_the_file_and_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (store, config) = store_of(&dir.path().join("a"), 300).await;
    let path = config.url.path();
    let alone = StoreConfig::in_dir(&dir.path().join("alone"));
    std::fs::create_dir(dir.path().join("alone")).unwrap();
    let mut pages = Vec::new();
    for part in 0..6 {
        for batch in batches(300, part * 3, (part + 1) * 3) {
            store.commit(&batch).await.unwrap();
        }
        let written = store.write_back().await.unwrap().expect("a large fleet");
        // The writer has not done it.
        assert!(written.n_pages < written.n_pages_max / 2, "{written:?}");
        pages.push(written.n_pages);
        // The file without its log.
        std::fs::copy(path, alone.url.path()).unwrap();
        for table in ["SELECT count(*) FROM arrivals", "SELECT count(*) FROM frames"] {
            assert_eq!(count(alone.url.path(), table).await, count(path, table).await, "{table}");
        }
    }
    // Six parts in one log would be six times as long.
    assert!(pages[5] < 2 * pages[0], "{pages:?}");
}

#[tokio::test]
async fn this_sqlite_lets_one_connection_write_back_while_another_commits() {
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut conn).await.unwrap();
    let version: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(version >= vec![3, 51, 3], "{version:?}");
}

#[tokio::test]
async fn a_log_is_written_back_while_commits_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (beside, beside_config) = store_of(&dir.path().join("beside"), 300).await;
    let (quiet, quiet_config) = store_of(&dir.path().join("quiet"), 300).await;
    let all = batches(300, 0, 40);
    for batch in &all {
        quiet.commit(batch).await.unwrap();
    }
    let committing = tokio::spawn({
        let beside = beside.clone();
        async move {
            for batch in &all {
                beside.commit(batch).await.unwrap();
            }
        }
    });
    let mut n_times = 0;
    while !committing.is_finished() {
        beside.write_back().await.unwrap().expect("a large fleet");
        n_times += 1;
    }
    committing.await.unwrap();
    assert!(n_times > 1, "{n_times} times");
    for store in [beside, quiet] {
        store.close().await.unwrap();
    }
    assert_eq!(dump(beside_config.url.path()).await, dump(quiet_config.url.path()).await);
}

#[tokio::test]
async fn the_short_log_of_few_series_is_the_writers() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = store_of(dir.path(), FEW).await;
    assert_eq!(store.write_back().await.unwrap(), None);
}
