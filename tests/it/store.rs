//! The store from outside: what is committed comes back, redelivery changes nothing, faults are told apart.

use std::path::Path;

use kilter::pipeline::{Outcome, SettledRow, TakeOver};
use kilter::series::Timestamp;
use kilter::store::{
    Age, AlertQuery, CommitError, Committed, LabelError, NewLabel, NewModel, OpenError, Reaction, ReadError, Reader,
    Retention, RowQuery, SeriesQuery, Store, StoreConfig,
};
use kilter::verdict::{Alert, AlertId, AlertState, SeriesState, Severity};
use kilter::windowing::OpenRow;
use proptest::prelude::*;
use sqlx::{ConnectOptions, Connection, Executor};

use crate::outcomes::{NOON_MS, at, channel, frame, rows, score, series, transition};

/// Every row of every table, as text; ids of transitions left out, since they count attempts too.
pub(crate) async fn dump(path: &Path) -> Vec<String> {
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
         AND name NOT LIKE 'sqlite%' ORDER BY name",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(tables.len() >= 12, "{tables:?}");
    let mut lines = Vec::new();
    for table in tables {
        let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
            .bind(&table)
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let kept = columns.iter().filter(|c| !(table == "transitions" && *c == "id"));
        let quoted: Vec<_> = kept.map(|c| format!("quote({c})")).collect();
        let text = format!("SELECT concat_ws('|', {}) AS line FROM {table} ORDER BY line", quoted.join(","));
        let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(&mut conn).await.unwrap();
        lines.extend(found.into_iter().map(|line| format!("{table}: {line}")));
    }
    conn.close().await.unwrap();
    lines
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn any_range_of_rows_comes_in_either_order_with_its_settled_scores() {
    // Seconds with a row, those with a settled score, and one (8) that has been settled without a score.
    const ROWS: [i64; 8] = [0, 1, 2, 5, 6, 7, 11, 12];
    const SETTLED: [i64; 4] = [1, 5, 8, 11];
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    let pump = series("pump");
    let mut outcomes = vec![Outcome::SeriesSeen { series: pump.clone(), at: at(NOON_MS) }];
    for second in ROWS {
        outcomes.push(Outcome::Frame { series: pump.clone(), frame: frame(NOON_MS + 1000 * second) });
        outcomes.push(Outcome::Score { series: pump.clone(), score: score(NOON_MS + 1000 * second) });
    }
    for second in SETTLED {
        let settled = SettledRow { at: at(NOON_MS + 1000 * second), settled_score: second as f64 / 4.0 };
        outcomes.push(Outcome::Settled { series: pump.clone(), settled });
    }
    // Another series, at the same moments, is not taken for it.
    let reader = store.reader();
    store.commit(&rows("fan", 0, 40)).await.unwrap();
    assert!(matches!(reader.scores(&pump, &RowQuery::default()).await, Err(ReadError::NoSuchSeries { .. })));
    store.commit(&outcomes).await.unwrap();
    let bounds = || (-1..=13).map(|second| (second >= 0).then_some(second));
    for (start, end) in bounds().flat_map(|start| bounds().map(move |end| (start, end))) {
        for (limit, newest_first) in [(1, false), (1, true), (3, false), (3, true), (100, false), (100, true)] {
            let moment = |second: Option<i64>| second.map(|second| at(NOON_MS + 1000 * second));
            let query = RowQuery { start: moment(start), end: moment(end), limit, newest_first };
            let is_inside = |second: &i64| *second >= start.unwrap_or(0) && *second < end.unwrap_or(100);
            let mut expected: Vec<_> = ROWS.into_iter().filter(is_inside).collect();
            if newest_first {
                expected.reverse();
            }
            expected.truncate(limit as usize);
            let settled = |second: &i64| SETTLED.contains(second).then_some(*second as f64 / 4.0);
            let expected: Vec<_> = expected.iter().map(|second| (NOON_MS + 1000 * second, settled(second))).collect();
            let scores = reader.scores(&pump, &query).await.unwrap();
            let found: Vec<_> = scores.iter().map(|row| (row.at.as_ms(), row.settled_score)).collect();
            assert_eq!(found, expected, "{query:?}");
            let frames = reader.frames(&pump, &query).await.unwrap();
            let expected: Vec<_> = expected.iter().map(|(at_ms, _)| frame(*at_ms)).collect();
            assert_eq!(frames, expected, "{query:?}");
        }
    }
}

#[tokio::test]
async fn what_is_committed_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    let pump = series("hall 1/pump");
    let committed = store.commit(&rows("hall 1/pump", 0, 200)).await.unwrap();
    assert_eq!(committed, Committed { n_frames: 199, n_scores: 199, n_settled: 168, n_transitions: 8 });

    let reader = store.reader();
    let all = RowQuery::default();
    let frames = reader.frames(&pump, &all).await.unwrap();
    assert_eq!(frames, (0..199).map(|row| frame(NOON_MS + 1000 * row)).collect::<Vec<_>>());

    let views = reader.scores(&pump, &all).await.unwrap();
    assert_eq!(views.len(), 199);
    assert_eq!((views[3].live_score, views[3].settled_score, views[3].pca_error), (3.0, Some(35.0), None));
    assert_eq!(views[198].settled_score, None);
    assert_eq!(views[0].contributions, [0.25, 0.75]);
    assert_eq!(views[0].expected, [3.0, 4.0]);

    let page = RowQuery { start: Some(at(NOON_MS + 5_000)), limit: 2, ..all };
    let times: Vec<_> = reader.scores(&pump, &page).await.unwrap().iter().map(|v| v.at.as_ms() - NOON_MS).collect();
    assert_eq!(times, [5_000, 6_000]);
    let page = RowQuery { end: Some(at(NOON_MS + 5_000)), limit: 2, newest_first: true, ..all };
    let times: Vec<_> = reader.scores(&pump, &page).await.unwrap().iter().map(|v| v.at.as_ms() - NOON_MS).collect();
    assert_eq!(times, [4_000, 3_000]);

    let listed = reader.series(&SeriesQuery::default()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0], reader.one_series(&pump).await.unwrap());
    assert_eq!(listed[0].channels, [channel("load"), channel("pressure")]);
    assert_eq!((listed[0].n_rows, listed[0].n_open_alerts), (199, 0));
    assert_eq!((listed[0].state, listed[0].state_reason.as_str()), (SeriesState::Normal, "row 177"));
    assert_eq!(listed[0].live_score, Some(score(NOON_MS + 198_000).live_score));

    let alerts = reader.alerts(&AlertQuery::default()).await.unwrap();
    assert_eq!(alerts.len(), 4);
    assert!(alerts.is_sorted_by(|a, b| a.opened_at >= b.opened_at));
    assert_eq!(alerts[3], transition("hall 1/pump", NOON_MS + 7_000, 2).alert);
    let told = reader.transitions(0, 100).await.unwrap();
    assert_eq!(told.len(), 8);
    assert_eq!(told[0].transition, transition("hall 1/pump", NOON_MS + 7_000, 1));
    assert!(matches!(reader.frames(&series("fan"), &all).await, Err(ReadError::NoSuchSeries { .. })));
}

#[tokio::test]
async fn a_restart_finds_where_every_series_stood() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(dir.path());
    let store = Store::open(&config).await.unwrap();
    store.commit(&rows("pump", 0, 60)).await.unwrap();
    store.commit(&rows("fan", 0, 10)).await.unwrap();
    let take_over = TakeOver { series: series("pump"), model_id: "m".to_owned(), from: at(NOON_MS), from_row: 0 };
    store.commit(&[Outcome::TakeOver(take_over.clone())]).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = Store::open(&config).await.unwrap();
    let restored = store.restore().await.unwrap();
    assert_eq!(restored.iter().map(|r| r.series.as_str()).collect::<Vec<_>>(), ["fan", "pump"]);
    let pump = &restored[1];
    assert_eq!(pump.channels, [channel("load"), channel("pressure")]);
    assert_eq!(pump.last_closed_at, Some(at(NOON_MS + 58_000)));
    assert_eq!(pump.n_closed, 59);
    assert_eq!(pump.last_settled_at, Some(at(NOON_MS + 27_000)));
    assert_eq!(pump.open_rows, [OpenRow { frame: frame(NOON_MS + 59_000), heard_ms: vec![3, -1] }]);
    assert_eq!(pump.checkpoint.as_ref().map(|c| (c.at, c.bytes.clone())), Some((at(NOON_MS + 50_000), vec![50; 4])));
    assert_eq!(pump.take_over, Some(take_over));
    assert_eq!(pump.open_alerts.len(), 1, "the one of row 57");
    assert_eq!(pump.open_alerts[0].sequence, 1);
    assert_eq!(pump.state, SeriesState::Anomalous);
    assert_eq!(restored[0].open_alerts.len(), 1);
    let frames = store.frames_between(&series("pump"), at(NOON_MS + 1_000), at(NOON_MS + 3_000)).await.unwrap();
    assert_eq!(frames.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// At-least-once delivery: after a crash anything from some point on comes again, cut into other batches.
    #[test]
    fn redelivery_changes_no_byte(cuts in prop::collection::vec(1_usize..40, 1..12), back in 0_usize..600, seed in 0_i64..100) {
        let mut outcomes = rows("pump", seed, seed + 100);
        outcomes.extend(rows("fan", 0, 70));
        runtime().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let once = StoreConfig::in_dir(&dir.path().join("once"));
            let store = Store::open(&once).await.unwrap();
            store.commit(&outcomes).await.unwrap();
            store.close().await.unwrap();

            let twice = StoreConfig::in_dir(&dir.path().join("twice"));
            let mut store = Store::open(&twice).await.unwrap();
            let mut rest = outcomes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                store.commit(now).await.unwrap();
                rest = later;
            }
            for is_restarted in [false, true] {
                if is_restarted {
                    store.close().await.unwrap();
                    drop(store);
                    store = Store::open(&twice).await.unwrap();
                }
                let committed = store.commit(&outcomes[outcomes.len().saturating_sub(back)..]).await.unwrap();
                prop_assert_eq!(committed, Committed::default());
            }
            store.close().await.unwrap();
            prop_assert_eq!(dump(once.url.path()).await, dump(twice.url.path()).await);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn buckets_keep_every_spike_whichever_sums_answer() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    let outcomes = rows("pump", 0, 3 * 3600 + 100);
    for batch in outcomes.chunks(977) {
        store.commit(batch).await.unwrap();
    }
    let pump = series("pump");
    let reader = store.reader();
    let all = RowQuery { limit: 100_000, ..RowQuery::default() };
    let views = reader.scores(&pump, &all).await.unwrap();
    let frames = reader.frames(&pump, &all).await.unwrap();
    for step_ms in [10_000, 60_000, 90_000, 300_000, 3_600_000] {
        let buckets = reader.score_buckets(&pump, &all, step_ms).await.unwrap();
        let step_ms = if step_ms == 90_000 { 120_000 } else { step_ms };
        let sums = reader.frame_buckets(&pump, &all, step_ms).await.unwrap();
        assert_eq!(buckets.len(), sums.len());
        assert_eq!(buckets.iter().map(|b| b.n_rows).sum::<u64>(), views.len() as u64);
        for (bucket, sum) in buckets.iter().zip(&sums) {
            let start_ms = bucket.at.as_ms();
            assert_eq!((start_ms % step_ms, sum.at), (0, bucket.at));
            let inside = |at: Timestamp| (start_ms..start_ms + step_ms).contains(&at.as_ms());
            let rows: Vec<_> = views.iter().filter(|v| inside(v.at)).collect();
            assert_eq!(bucket.n_rows, rows.len() as u64, "step {step_ms}");
            assert_eq!(bucket.live_max, rows.iter().map(|v| v.live_score).fold(f64::MIN, f64::max));
            assert_eq!(bucket.live_min, rows.iter().map(|v| v.live_score).fold(f64::MAX, f64::min));
            let mean = rows.iter().map(|v| v.live_score).sum::<f64>() / rows.len() as f64;
            assert!((bucket.live_mean - mean).abs() < 1e-12);
            let settled = rows
                .iter()
                .filter_map(|v| v.settled_score)
                .fold(None, |m: Option<f64>, v| Some(m.map_or(v, |m| m.max(v))));
            assert_eq!(bucket.settled_max, settled, "step {step_ms} at {}", bucket.at);
            let values: Vec<_> = frames.iter().filter(|f| inside(f.at)).map(|f| f.values[1]).collect();
            assert_eq!(sum.n_rows, values.len() as u64);
            assert_eq!(sum.max[1], values.iter().copied().reduce(f64::max));
            assert_eq!(sum.min[1], values.iter().copied().reduce(f64::min));
        }
    }
    assert!(matches!(reader.score_buckets(&pump, &all, 0).await, Err(ReadError::BadQuery { .. })));
}

#[tokio::test]
async fn a_model_comes_back_only_undamaged() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(dir.path());
    let store = Store::open(&config).await.unwrap();
    store.commit(&rows("pump", 0, 5)).await.unwrap();
    let mut model = NewModel {
        id: "0000000000000000".to_owned(),
        series: Some(series("pump")),
        trained_to: at(NOON_MS),
        bundle: b"abc".to_vec(),
        channels: vec![channel("load"), channel("pressure")],
        members: vec!["pca".to_owned()],
        provenance: serde_json::json!({"seed": 1}),
    };
    assert!(matches!(store.save_bundle(&model).await, Err(CommitError::Refused { .. })));
    // SHA-256 of "abc", FIPS 180-2 appendix B.1.
    model.id = "ba7816bf8f01cfea".to_owned();
    store.save_bundle(&model).await.unwrap();
    store.save_bundle(&model).await.unwrap();
    assert_eq!(store.load_bundle(&model.id).await.unwrap(), Some(b"abc".to_vec()));
    assert_eq!(store.load_bundle("ffffffffffffffff").await.unwrap(), None);

    let take_over =
        TakeOver { series: series("pump"), model_id: model.id.clone(), from: at(NOON_MS + 2_000), from_row: 2 };
    store.commit(&[Outcome::TakeOver(take_over)]).await.unwrap();
    let row = store.reader().model(&model.id).await.unwrap().unwrap();
    assert_eq!((row.n_bytes, &row.active_on), (3, &vec![series("pump")]));
    assert_eq!(store.reader().models(Some(&series("pump"))).await.unwrap(), [row]);
    let views = store.reader().scores(&series("pump"), &RowQuery::default()).await.unwrap();
    assert_eq!(views.iter().map(|v| v.model_id.is_some()).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(views[2].top_channel, Some(channel("pressure")));

    store.close().await.unwrap();
    drop(store);
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(config.url.path()).connect().await.unwrap();
    conn.execute("UPDATE models SET bundle = x'616264'").await.unwrap();
    conn.close().await.unwrap();
    let reader = Reader::open(&config).await.unwrap();
    let error = reader.bundle(&model.id).await.unwrap_err().to_string();
    assert!(error.contains("expected ba7816bf"), "{error}");
}

#[tokio::test]
async fn a_locked_database_is_tried_again_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig { busy_timeout_ms: 50, ..StoreConfig::in_dir(dir.path()) };
    let store = Store::open(&config).await.unwrap();
    store.commit(&rows("pump", 0, 5)).await.unwrap();
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(config.url.path()).connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let batch = rows("fan", 0, 5);
    let error = store.commit(&batch).await.unwrap_err();
    assert!(matches!(error, CommitError::Locked { .. }), "{error}");
    assert_eq!(error.reaction(), Reaction::TryAgain);
    assert_eq!(store.reader().series(&SeriesQuery::default()).await.unwrap().len(), 1, "readers do not wait");
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.commit(&batch).await.unwrap().n_frames, 4);
}

#[tokio::test]
async fn a_full_disk_stops_the_batch_whole_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    // SQLite's own limit answers as a full disk does.
    let config = StoreConfig { size_max_mib: 1, ..StoreConfig::in_dir(dir.path()) };
    let store = Store::open(&config).await.unwrap();
    store.commit(&rows("pump", 0, 5)).await.unwrap();
    let batch = rows("fan", 0, 10_000);
    for _ in 0..2 {
        let error = store.commit(&batch).await.unwrap_err();
        assert!(matches!(error, CommitError::DiskFull { .. }), "{error}");
        assert_eq!(error.reaction(), Reaction::TryAgain);
        assert_eq!(store.reader().series(&SeriesQuery::default()).await.unwrap().len(), 1, "nothing of it is there");
    }
    assert_eq!(store.commit(&rows("fan", 0, 50)).await.unwrap().n_frames, 49, "there is room for this one");
    store.close().await.unwrap();
    drop(store);
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    assert_eq!(store.commit(&batch).await.unwrap().n_frames, 9_950);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_row_that_the_store_refuses_takes_its_whole_batch_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(dir.path());
    let store = Store::open(&config).await.unwrap();
    store.commit(&rows("pump", 0, 5)).await.unwrap();
    let before = dump(config.url.path()).await;
    // SQLite stores not-a-number as null, which the column refuses; rows stand before and after it in one statement.
    let mut batch = rows("fan", 0, 1000);
    let bad = batch.iter_mut().filter_map(|outcome| match outcome {
        Outcome::Score { score, .. } => Some(&mut score.live_score),
        _ => None,
    });
    *bad.into_iter().nth(300).unwrap() = f64::NAN;
    let error = store.commit(&batch).await.unwrap_err();
    assert!(matches!(error, CommitError::Refused { .. }), "{error}");
    assert_eq!(error.reaction(), Reaction::Stop);
    assert_eq!(dump(config.url.path()).await, before);
    assert_eq!(store.commit(&rows("fan", 0, 1000)).await.unwrap().n_scores, 999);
}

#[tokio::test]
async fn a_torn_log_loses_at_most_whole_batches_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(&dir.path().join("a"));
    let store = Store::open(&config).await.unwrap();
    let batches: Vec<_> = (0..12).map(|n| rows("pump", 10 * n, 10 * n + 10)).collect();
    for batch in &batches {
        store.commit(batch).await.unwrap();
    }
    let name = |dir: &Path, tail: &str| dir.join(format!("kilter.db{tail}"));
    let log = std::fs::read(name(&dir.path().join("a"), "-wal")).unwrap();
    for n in 0..40_usize {
        let torn = dir.path().join(format!("torn-{n}"));
        std::fs::create_dir(&torn).unwrap();
        std::fs::copy(name(&dir.path().join("a"), ""), name(&torn, "")).unwrap();
        let mut bytes = log.clone();
        let cut = log.len() * n / 40;
        if n % 2 == 0 {
            bytes.truncate(cut)
        } else {
            bytes[cut..].fill(0xa5)
        }
        std::fs::write(name(&torn, "-wal"), bytes).unwrap();
        let torn = StoreConfig::in_dir(&torn);
        let store = Store::open(&torn).await.unwrap();
        let n_closed = store.restore().await.unwrap().first().map_or(0, |pump| pump.n_closed);
        assert!(n_closed == 0 || n_closed % 10 == 9, "whole batches, found {n_closed} rows");
        for batch in &batches {
            store.commit(batch).await.unwrap();
        }
        assert_eq!(store.restore().await.unwrap()[0].n_closed, 119);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn two_writers_never_share_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig::in_dir(dir.path());
    let store = Store::open(&config).await.unwrap();
    assert!(matches!(Store::open(&config).await, Err(OpenError::InUse { .. })));
    drop(store);
    Store::open(&config).await.unwrap();
}

#[tokio::test]
async fn people_outlast_transitions() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    let opened = transition("pump", NOON_MS, 1);
    store.commit(&[Outcome::Transition(opened.clone())]).await.unwrap();
    let id = &opened.alert.id;
    let seen = store.acknowledge(id, at(NOON_MS + 5)).await.unwrap().unwrap();
    assert_eq!(seen.acknowledged_at, Some(at(NOON_MS + 5)));
    let again = store.acknowledge(id, at(NOON_MS + 9)).await.unwrap().unwrap();
    assert_eq!(again.acknowledged_at, Some(at(NOON_MS + 5)), "the first time counts");
    let label = async |label, note: Option<&str>| {
        let new = NewLabel { label, note: note.map(str::to_owned), ..NewLabel::default() };
        store.label(id, &new, at(NOON_MS + 7)).await
    };
    let called_false = label(Some(false), Some("cleaning")).await.unwrap().unwrap();
    assert_eq!((called_false.label, called_false.labelled_at), (Some(false), Some(at(NOON_MS + 7))));
    let mut deeds = store.deeds();
    for note in [None, Some("cleaning")] {
        assert_eq!(
            label(Some(false), note).await.unwrap(),
            Some(called_false.clone()),
            "said again, it changes nothing"
        );
    }
    assert!(deeds.try_recv().is_err(), "and nobody is told");
    for (other, note) in [(Some(true), None), (Some(false), Some("a leak"))] {
        assert!(matches!(label(other, note).await, Err(LabelError::Stands(alert)) if *alert == called_false));
    }
    store.commit(&[Outcome::Transition(transition("pump", NOON_MS, 2))]).await.unwrap();
    store.commit(&[Outcome::Transition(opened.clone())]).await.unwrap();
    let now = store.reader().alert(id).await.unwrap().unwrap();
    assert_eq!((now.state, now.label, now.peak_score), (AlertState::Resolved, Some(false), 4.0));
    assert_eq!(now.acknowledged_at, Some(at(NOON_MS + 5)));
    let free = label(None, None).await.unwrap().unwrap();
    assert_eq!((free.label, free.note, free.labelled_at), (None, None, None));
    assert_eq!(store.acknowledge(&AlertId("nobody".to_owned()), at(0)).await.unwrap(), None);
}

#[tokio::test]
async fn an_open_alert_is_raised_and_never_lowered() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    let [opened, ended] = [1, 2].map(|sequence| transition("pump", NOON_MS, sequence));
    let raised = |peak_score, severity, sequence| {
        let alert = Alert { peak_score, severity, ..opened.alert.clone() };
        [Outcome::AlertRaised { alert: Box::new(alert), sequence }]
    };
    let now = async || {
        let alert = store.reader().alert(&opened.alert.id).await.unwrap().unwrap();
        (alert.peak_score, alert.severity, alert.state)
    };
    let peak = opened.alert.peak_score;
    store.commit(&raised(peak + 1.0, Severity::Critical, 1)).await.unwrap();
    assert!(store.reader().alert(&opened.alert.id).await.unwrap().is_none(), "nothing is raised that is not there");
    store.commit(&[Outcome::Transition(opened.clone())]).await.unwrap();
    store.label(&opened.alert.id, &NewLabel { label: Some(true), ..NewLabel::default() }, at(0)).await.unwrap();
    store.commit(&raised(peak + 2.0, Severity::Critical, 1)).await.unwrap();
    let higher = (peak + 2.0, Severity::Critical, AlertState::Open);
    assert_eq!(now().await, higher);
    store.commit(&raised(peak + 1.0, Severity::Warning, 1)).await.unwrap();
    assert_eq!(now().await, higher, "a row judged again takes nothing back");
    assert_eq!(store.reader().alert(&opened.alert.id).await.unwrap().unwrap().label, Some(true));
    assert_eq!(store.reader().transitions(0, 9).await.unwrap().len(), 1, "and nobody is told of another transition");
    store.commit(&[Outcome::Transition(ended.clone())]).await.unwrap();
    let over = now().await;
    store.commit(&raised(99.0, Severity::Critical, 1)).await.unwrap();
    assert_eq!(now().await, over, "what is over stands");
}

#[tokio::test]
async fn a_target_that_is_configured_no_longer_is_forgotten_and_holds_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    for target in ["mqtt", "webhook:old"] {
        store.add_target(target).await.unwrap();
    }
    let both = [1, 2].map(|sequence| Outcome::Transition(transition("pump", NOON_MS, sequence)));
    store.commit(&both).await.unwrap();
    let pending = store.pending("mqtt", 10).await.unwrap();
    store.bury("webhook:old", pending[0].id, 3, "404", at(NOON_MS)).await.unwrap();
    store.mark_delivered("mqtt", pending[1].id, at(NOON_MS)).await.unwrap();
    let retention = Retention { alerts: "1d".parse().unwrap(), ..Retention::default() };
    let later = at(NOON_MS + 9 * 86_400_000);
    let names = async || -> Vec<String> {
        store.reader().targets().await.unwrap().into_iter().map(|target| target.name).collect()
    };
    let n_alerts =
        async || store.reader().alerts(&AlertQuery { limit: 9, ..AlertQuery::default() }).await.unwrap().len();
    store.forget(&retention, later, 500).await.unwrap();
    assert_eq!(n_alerts().await, 1, "a receiver that waits keeps the alert");

    assert_eq!(store.keep_targets(&["mqtt".to_owned()]).await.unwrap(), ["webhook:old"]);
    assert_eq!(names().await, ["mqtt"]);
    assert_eq!(store.keep_targets(&["mqtt".to_owned()]).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.reader().dead_letters(9).await.unwrap().len(), 1, "what it refused can still be read");
    store.forget(&retention, later, 500).await.unwrap();
    assert_eq!(n_alerts().await, 0, "nobody waits any more");
    // Configured once more it is told what happens from then on.
    store.add_target("webhook:old").await.unwrap();
    assert_eq!(store.pending("webhook:old", 10).await.unwrap(), []);
}

#[tokio::test]
async fn old_rows_go_in_steps_and_what_is_needed_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    // Two hours of pump, ten minutes of a fan that then fell silent.
    store.commit(&rows("pump", 0, 7_201)).await.unwrap();
    store.commit(&rows("fan", 0, 601)).await.unwrap();
    store.add_target("mqtt").await.unwrap();
    let late =
        [Outcome::Transition(transition("pump", NOON_MS, 1)), Outcome::Transition(transition("pump", NOON_MS, 2))];
    store.commit(&late).await.unwrap();
    let retention = Retention {
        frames: "10m".parse().unwrap(),
        scores: "30m".parse().unwrap(),
        minutes: "1h".parse().unwrap(),
        hours: Age::FOREVER,
        alerts: "1d".parse().unwrap(),
        frames_kept_min: 1_000,
    };
    let now = at(NOON_MS + 3 * 86_400_000);
    let mut n_steps = 0;
    loop {
        let forgotten = store.forget(&retention, now, 500).await.unwrap();
        assert!(forgotten.n_rows <= 500);
        n_steps += 1;
        if forgotten.is_done {
            break;
        }
    }
    assert!(n_steps > 10);
    let (pump, fan) = (series("pump"), series("fan"));
    let all = RowQuery { limit: 100_000, ..RowQuery::default() };
    assert_eq!(store.reader().frames(&pump, &all).await.unwrap().len(), 1_000, "ten minutes are fewer than are kept");
    // Last judged row 7199: from 30 minutes before it on.
    let scores = store.reader().scores(&pump, &all).await.unwrap();
    assert_eq!(scores.first().map(|s| s.at), Some(at(NOON_MS + (7_199 - 1_800) * 1_000)));
    assert_eq!(scores.len(), 1_801);
    assert_eq!(store.reader().frames(&fan, &all).await.unwrap().len(), 600, "ages count from a series' own last row");
    let minutes = store.reader().score_buckets(&pump, &all, 60_000).await.unwrap();
    assert_eq!(minutes.first().map(|b| b.at), Some(at(NOON_MS + 3_600_000)), "an hour before 13:59:59, whole minutes");
    let hours = store.reader().score_buckets(&pump, &all, 3_600_000).await.unwrap();
    assert_eq!(
        hours.iter().map(|b| b.n_rows).collect::<Vec<_>>(),
        [3_600, 1_801],
        "hours stay; the last one is not over"
    );
    let alerts = store.reader().alerts(&AlertQuery::default()).await.unwrap();
    assert_eq!(alerts.len(), 1, "the one that nobody was told about yet");
    assert_eq!(store.pending("mqtt", 10).await.unwrap().len(), 2);
    assert!(store.forget(&retention, now, 500).await.unwrap().is_done);
}
