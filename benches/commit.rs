//! Committed rows per second: the store beside rusqlite's prepared insert into the same tables, in the same run.
//!
//! `cargo bench --bench commit`. 100 series take turns, a transaction holds 2,000 rows of 8 channels; `rows/s` is
//! criterion's `elem/s`. WAL with synchronous NORMAL for the comparison, and the store's
//! default (FULL, an fsync a batch) beside it.

mod common;

use std::hint::black_box;

use common::{CHANNELS, NOON_MS, frame, score};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kilter::pipeline::Outcome;
use kilter::series::SeriesId;
use kilter::store::{Store, StoreConfig, Synchronous};

const N_SERIES: i64 = 100;
const N_MEMBERS: usize = 5;
const ROWS: i64 = 2_000;

/// The rows of a batch: series number and time, 100 series in turn, 1 Hz.
fn places(batch: i64) -> impl Iterator<Item = (i64, i64)> {
    (batch * ROWS..(batch + 1) * ROWS).map(|row| (row % N_SERIES, NOON_MS + row / N_SERIES * 1000))
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Scores,
    FramesAndScores,
}

fn outcomes(names: &[SeriesId], batch: i64, what: What) -> Vec<Outcome> {
    places(batch)
        .flat_map(|(number, at_ms)| {
            let series = names[number as usize].clone();
            let frame =
                (what == What::FramesAndScores).then(|| Outcome::Frame { series: series.clone(), frame: frame(at_ms) });
            frame.into_iter().chain([Outcome::Score { series, score: score(at_ms, N_MEMBERS) }])
        })
        .collect()
}

fn store(c: &mut Criterion, name: &str, synchronous: Synchronous, what: What) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig { synchronous, ..StoreConfig::in_dir(dir.path()) };
    let store = runtime.block_on(Store::open(&config)).expect("a store");
    let names: Vec<_> = (0..N_SERIES).map(|n| SeriesId::parse(&format!("machine-{n}")).expect("a name")).collect();
    let mut batch = 0;
    let mut group = c.benchmark_group("commit");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(name, |b| {
        b.iter_batched(
            || {
                batch += 1;
                outcomes(&names, batch, what)
            },
            |outcomes| black_box(runtime.block_on(store.commit(&outcomes)).expect("a commit")),
            BatchSize::PerIteration,
        );
    });
}

/// The peer: one prepared statement, a row at a time, in C's own thread.
fn rusqlite(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let db = rusqlite::Connection::open(dir.path().join("peer.db")).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; PRAGMA cache_size = -8192; \
         PRAGMA wal_autocheckpoint = 4096;",
    )
    .expect("settings");
    let schema = std::fs::read_to_string("migrations/0003_scores.sql").expect("the migration");
    db.execute_batch("CREATE TABLE series (id INTEGER PRIMARY KEY); PRAGMA foreign_keys = off;").expect("a table");
    db.execute_batch(&schema).expect("the tables");
    let mut batch = 0;
    let mut group = c.benchmark_group("commit");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("rusqlite prepared, scores, NORMAL", |b| {
        b.iter_batched(
            || {
                batch += 1;
                // The blob as the store writes it: 4 + 12 a channel + 4 a member.
                places(batch)
                    .map(|(n, at_ms)| (n, score(at_ms, N_MEMBERS), vec![7_u8; 4 + 12 * CHANNELS + 4 * N_MEMBERS]))
                    .collect::<Vec<_>>()
            },
            |rows| {
                db.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
                let mut insert = db
                    .prepare_cached("INSERT INTO scores VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
                    .expect("a statement");
                for (number, s, detail) in rows {
                    insert
                        .execute((
                            number,
                            s.at.as_ms(),
                            s.live_score,
                            s.evidence,
                            s.p_value,
                            s.autoencoder_error,
                            s.pca_error,
                            s.baseline_error,
                            s.is_anomalous,
                            detail,
                        ))
                        .expect("a row");
                }
                db.execute_batch("COMMIT").expect("a commit");
            },
            BatchSize::PerIteration,
        );
    });
}

fn commit(c: &mut Criterion) {
    rusqlite(c);
    store(c, "store, scores, NORMAL", Synchronous::Normal, What::Scores);
    store(c, "store, scores, FULL", Synchronous::Full, What::Scores);
    store(c, "store, frames and scores, FULL", Synchronous::Full, What::FramesAndScores);
}

criterion_group!(benches, commit);
criterion_main!(benches);
