//! Stuck, silent and impossible channels: each opens one alert of its own kind, names the channel, and a restart changes
//! nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::{ControlFlow, Range};

use kilter::detector::{DetectorSpec, Member};
use kilter::pipeline::{Outcome, Pipeline, PowerSpec, Replay, SeriesSpec, WarmUp, WatchSpec};
use kilter::series::{ChannelName, Quality, Reading, SeriesId, Stride, Timestamp};
use kilter::verdict::{
    AlarmBudget, AlertKind, AlertSpec, DecisionSpec, Limits, SeriesState, SilentSpec, StuckSpec, Transition,
    TransitionKind,
};
use kilter::windowing::GridSpec;

use crate::kept::Kept;

const FIRST_MS: i64 = 1_795_521_600_000;
const CHANNELS: [&str; 4] = ["flow", "load", "pressure", "temperature"];
const STUCK: Range<i64> = 400..470;
const SILENT: Range<i64> = 520..620;
const IMPOSSIBLE: Range<i64> = 640..643;
const REST: Range<i64> = 700..780;

fn at(row: i64) -> Timestamp {
    Timestamp::from_ms(FIRST_MS + 1000 * row)
}

fn row_of(at: Timestamp) -> i64 {
    (at.as_ms() - FIRST_MS) / 1000
}

fn spec(watches: WatchSpec) -> SeriesSpec {
    SeriesSpec {
        name: "plant/{series}".to_owned(),
        grid: GridSpec::time(Stride::SECOND),
        detector: DetectorSpec { members: vec![Member::Pca, Member::Var], ..DetectorSpec::default() },
        decision: DecisionSpec::default(),
        alarm_budget: AlarmBudget::default(),
        alerts: AlertSpec::default(),
        watches,
        power: PowerSpec::default(),
        units: BTreeMap::new(),
        warm_up: WarmUp::Rows(300),
        channels_max: 64,
        silence_after_ms: 60_000,
        shares_model: false,
        keeps_latents: false,
    }
}

fn watches() -> WatchSpec {
    let flow = ChannelName::parse("flow").unwrap();
    WatchSpec { limits: BTreeMap::from([(flow, Limits { low: Some(0.0), high: Some(50.0) })]), ..WatchSpec::default() }
}

/// Four channels in a rhythm of 40 rows with a little noise, with one fault of each kind and one rest of the machine.
fn message(series: &SeriesId, row: i64) -> Vec<Reading> {
    let wave = |shift: f64| ((row as f64 + shift) * std::f64::consts::TAU / 40.0).sin();
    let noise = |salt: i64| ((row * 7919 + salt * 104_729).rem_euclid(1009) as f64 / 1009.0 - 0.5) * 0.2;
    let mut values =
        [20.0 + 3.0 * wave(2.0) + noise(1), wave(0.0) + noise(2), 4.0 + wave(5.0) + noise(3), 60.0 + wave(9.0)];
    if REST.contains(&row) {
        values = [17.0, 0.0, 4.0, 60.0];
    }
    if STUCK.contains(&row) {
        values[1] = 0.25;
    }
    if IMPOSSIBLE.contains(&row) {
        values[0] = 77.0;
    }
    let is_said = |index: &usize| CHANNELS[*index] != "temperature" || !SILENT.contains(&row);
    (0..CHANNELS.len())
        .filter(is_said)
        .map(|index| Reading {
            series: series.clone(),
            channel: ChannelName::parse(CHANNELS[index]).unwrap(),
            at: at(row),
            value: values[index],
            quality: Quality::Good,
        })
        .collect()
}

fn run(replay: &mut Replay, series: &SeriesId, rows: Range<i64>) -> Vec<Outcome> {
    let mut go_on = |_: &SeriesId, _| ControlFlow::Continue(());
    rows.flat_map(|row| replay.on_message(0, &message(series, row), at(row), &mut go_on).unwrap()).collect()
}

fn transitions(outcomes: &[Outcome]) -> Vec<Transition> {
    let of_rule = |outcome: &Outcome| match outcome {
        Outcome::Transition(transition) if transition.alert.kind != AlertKind::Anomaly => Some(transition.clone()),
        _ => None,
    };
    outcomes.iter().filter_map(of_rule).collect()
}

/// Kind, channel named first, row at which it opened, row at which it resolved.
fn episodes(transitions: &[Transition]) -> Vec<(AlertKind, String, i64, i64)> {
    let resolved = transitions.iter().filter(|t| t.kind == TransitionKind::Resolved);
    let episode = |t: &Transition| {
        let alert = &t.alert;
        let first = alert.channels[0].channel.as_str().to_owned();
        (alert.kind, first, row_of(alert.opened_at), row_of(t.at))
    };
    resolved.map(episode).collect()
}

#[test]
fn each_fault_opens_one_alert_of_its_kind_that_names_the_channel() {
    let series = SeriesId::parse("pump-1").unwrap();
    let mut replay = Replay::new(Pipeline::new(vec![spec(watches())], 10));
    let outcomes = run(&mut replay, &series, 0..900);
    let found = transitions(&outcomes);
    // 32 rows that stand still; no word for a minute; one value outside, then eight inside.
    let expected = [
        (AlertKind::Stuck, "load".to_owned(), 431, 470),
        (AlertKind::Silent, "temperature".to_owned(), 580, 620),
        (AlertKind::OutOfRange, "flow".to_owned(), 640, 650),
    ];
    assert_eq!(episodes(&found), expected, "{found:#?}");
    assert_eq!(found.len(), 6, "each opens once, and nothing is stuck while the machine rests");
    let opened = |kind| &found.iter().find(|t| t.alert.kind == kind).unwrap().alert.channels[0];
    assert_eq!(opened(AlertKind::Stuck).observed, Some(0.25));
    assert!(opened(AlertKind::Stuck).expected.is_some());
    assert_eq!(
        (opened(AlertKind::OutOfRange).observed, opened(AlertKind::OutOfRange).expected),
        (Some(77.0), Some(50.0))
    );
    assert_eq!(opened(AlertKind::Silent).observed, None);
    let is_said = |row: i64, words: &str| {
        let states = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::State { state: SeriesState::Anomalous, at, reason, .. } => Some((row_of(*at), reason.as_str())),
            _ => None,
        });
        let said: Vec<_> = states.collect();
        assert!(said.iter().any(|(at, reason)| *at == row && reason.contains(words)), "{words}: {said:?}");
    };
    is_said(640, "flow is outside its limits");
}

/// Opened and resolved rows of the alerts of one kind, with sequence and openings; a restart at `cut`.
fn flapping(kind: AlertKind, cut: Option<i64>, broken: impl Fn(i64, &mut Vec<Reading>)) -> Vec<(i64, u32, u32)> {
    let series = SeriesId::parse("pump-1").unwrap();
    let mut kept = Kept::default();
    let mut replay = Replay::new(Pipeline::new(vec![spec(watches())], 10));
    let mut told = Vec::new();
    for row in 0..1100 {
        if cut == Some(row) {
            let mut pipeline = Pipeline::new(vec![spec(watches())], 10);
            pipeline.restore(kept.restored(&series), at(row));
            replay = Replay::resume(pipeline, HashMap::from([(series.clone(), kept.frames.clone())]));
        }
        let mut readings = message(&series, 800 + row % 40);
        readings.iter_mut().for_each(|reading| reading.at = at(row));
        broken(row, &mut readings);
        let mut go_on = |_: &SeriesId, _| ControlFlow::Continue(());
        let outcomes = replay.on_message(0, &readings, at(row), &mut go_on).unwrap();
        kept.keep(&outcomes);
        told.extend(transitions(&outcomes).into_iter().filter(|t| t.alert.kind == kind));
    }
    let first = told.first().map(|t| t.alert.id.clone());
    let of_first = told.iter().filter(|t| Some(&t.alert.id) == first.as_ref());
    of_first.map(|t| (row_of(t.at), t.sequence, t.alert.openings)).collect()
}

#[test]
fn what_flaps_is_one_alert_with_a_count_whatever_its_kind_and_over_a_restart() {
    // Each is broken twice with a few sound rows between, and a third time long after.
    let set = |readings: &mut Vec<Reading>, channel: &str, value: f64| {
        readings.iter_mut().filter(|reading| reading.channel.as_str() == channel).for_each(|one| one.value = value);
    };
    let is_in = |row: i64, spans: [Range<i64>; 3]| spans.iter().any(|span| span.contains(&row));
    for cut in [None, Some(655)] {
        let impossible = flapping(AlertKind::OutOfRange, cut, |row, readings| {
            if is_in(row, [640..643, 660..663, 900..903]) {
                set(readings, "flow", 77.0);
            }
        });
        let openings: Vec<u32> = impossible.iter().map(|(.., openings)| *openings).collect();
        assert_eq!(openings, [1, 1, 2, 2], "{impossible:?}");
        assert_eq!(impossible.iter().map(|(_, sequence, _)| *sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!((impossible[0].0, impossible[2].0), (640, 660), "{impossible:?}");
    }
    let stuck = flapping(AlertKind::Stuck, None, |row, readings| {
        if is_in(row, [400..450, 452..500, 900..950]) {
            set(readings, "load", 0.25);
        }
    });
    assert_eq!(stuck.iter().map(|(.., openings)| *openings).collect::<Vec<_>>(), [1, 1, 2, 2], "{stuck:?}");
    let silent = flapping(AlertKind::Silent, None, |row, readings| {
        if is_in(row, [500..570, 580..650, 900..980]) {
            readings.retain(|reading| reading.channel.as_str() != "temperature");
        }
    });
    assert_eq!(silent.first().map(|(.., openings)| *openings), Some(1), "{silent:?}");
    assert_eq!(silent.get(2).map(|(.., openings)| *openings), Some(2), "{silent:?}");
}

#[test]
fn a_restart_at_any_row_changes_no_alert() {
    let series = SeriesId::parse("pump-1").unwrap();
    let mut undisturbed = Replay::new(Pipeline::new(vec![spec(watches())], 10));
    let expected = transitions(&run(&mut undisturbed, &series, 0..900));
    for cut in [301, 425, 431, 450, 470, 471, 560, 590, 600, 621, 640, 641, 646, 651, 740] {
        let mut kept = Kept::default();
        let mut before = Replay::new(Pipeline::new(vec![spec(watches())], 10));
        let first = run(&mut before, &series, 0..cut);
        kept.keep(&first);
        let mut pipeline = Pipeline::new(vec![spec(watches())], 10);
        let repeated = pipeline.restore(kept.restored(&series), at(cut));
        // Some seconds pass before the next message: what is open stays open.
        let idle = pipeline.on_idle(at(cut + 5));
        assert_eq!(transitions(&idle), [], "cut at row {cut}");
        let rows = HashMap::from([(series.clone(), kept.frames.clone())]);
        let rest = run(&mut Replay::resume(pipeline, rows), &series, cut - 1..900);
        let mut all: Vec<Transition> = Vec::new();
        for transition in [first, repeated, rest].iter().flat_map(|outcomes| transitions(outcomes)) {
            if !all.contains(&transition) {
                all.push(transition);
            }
        }
        assert_eq!(all, expected, "cut at row {cut}");
    }
}

#[test]
fn a_series_that_stops_altogether_is_silent_once_and_resolves_with_its_next_word() {
    let series = SeriesId::parse("pump-1").unwrap();
    let spec = SeriesSpec { silence_after_ms: 120_000, ..spec(watches()) };
    let mut pipeline = Pipeline::new(vec![spec], 10);
    for row in 0..200 {
        pipeline.on_message(0, &message(&series, row), at(row));
    }
    let (mut told, mut states) = (Vec::new(), Vec::new());
    for row in 200..400 {
        let idle = pipeline.on_idle(at(row));
        told.extend(transitions(&idle));
        states.extend(idle.into_iter().filter_map(|outcome| match outcome {
            Outcome::State { state: SeriesState::WarmingUp, .. } => None,
            Outcome::State { state, reason, .. } => Some((state, reason)),
            _ => None,
        }));
    }
    // An open alert is never shown as a normal machine; a longer silence is no data.
    assert_eq!(states[0].0, SeriesState::Anomalous, "{states:?}");
    assert!(states[0].1.contains("no longer speaks"), "{states:?}");
    assert_eq!(states.iter().map(|(state, _)| *state).collect::<Vec<_>>()[1..], [SeriesState::NoData]);
    let opened: Vec<_> = told.iter().map(|t| (t.kind, t.alert.kind, t.alert.channels[3].contribution)).collect();
    assert_eq!(opened, [(TransitionKind::Opened, AlertKind::Silent, 0.25)], "all four channels, one alert");
    let after: Vec<Transition> = (410..420)
        .flat_map(|row| transitions(&pipeline.on_message(0, &message(&series, row), at(row)).outcomes))
        .collect();
    assert_eq!(after.iter().map(|t| t.kind).collect::<Vec<_>>(), [TransitionKind::Resolved]);
}

#[test]
fn each_kind_can_be_switched_off() {
    let series = SeriesId::parse("pump-1").unwrap();
    let off = WatchSpec {
        stuck: StuckSpec { enabled: false, ..StuckSpec::default() },
        silent: SilentSpec { enabled: false, ..SilentSpec::default() },
        limits: BTreeMap::new(),
    };
    let mut replay = Replay::new(Pipeline::new(vec![spec(off)], 10));
    assert_eq!(transitions(&run(&mut replay, &series, 0..900)), []);
}

#[test]
fn rows_of_a_stuck_sensor_and_of_impossible_values_are_not_learned() {
    let series = SeriesId::parse("pump-1").unwrap();
    let ladder = SeriesSpec { warm_up: WarmUp::Ladder, ..spec(watches()) };
    let mut replay = Replay::new(Pipeline::new(vec![ladder], 10));
    let outcomes = run(&mut replay, &series, 0..1100);
    let excluded: BTreeSet<usize> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Model { bundle, .. } => Some(bundle.provenance.n_excluded),
            _ => None,
        })
        .collect();
    let stuck_and_impossible = (470 - 431) + (650 - 640);
    assert!(excluded.last().is_some_and(|n| *n >= stuck_and_impossible), "{excluded:?}");
}
