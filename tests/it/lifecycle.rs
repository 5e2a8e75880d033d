//! The life of a series through the whole pure pipeline: every row is judged once, and a restart changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use kilter::detector::{DetectorSpec, Member};
use kilter::pipeline::{
    FitWanted, Outcome, Pipeline, PowerSpec, Replay, ScoreRow, SeriesSpec, WarmUp, WatchSpec, adopt, train,
};
use kilter::series::{ChannelName, Frame, HumanDuration, Quality, Reading, SeriesId, Stride, Timestamp};
use kilter::verdict::{AlarmBudget, AlertSpec, DecisionSpec, SeriesState};
use kilter::windowing::GridSpec;

use crate::kept::Kept;

const FIRST_MS: i64 = 1_795_521_600_000;

fn spec(warm_up: WarmUp) -> SeriesSpec {
    let members = vec![Member::Pca, Member::RandomFeatures, Member::Kmeans, Member::Var];
    SeriesSpec {
        name: "plant/{series}".to_owned(),
        grid: GridSpec::time(Stride::SECOND),
        detector: DetectorSpec { members, ..DetectorSpec::default() },
        decision: DecisionSpec::default(),
        alarm_budget: AlarmBudget::parse("1 per 1000 windows").unwrap(),
        watches: WatchSpec::default(),
        alerts: AlertSpec::default(),
        power: PowerSpec::default(),
        units: BTreeMap::new(),
        warm_up,
        channels_max: 64,
        silence_after_ms: 60_000,
        shares_model: false,
        keeps_latents: false,
    }
}

/// Two coupled channels with a rhythm of 40 rows and a little noise; `fault` adds 3 to the first channel.
fn message(series: &SeriesId, row: i64, fault: bool) -> Vec<Reading> {
    let phase = row as f64 * std::f64::consts::TAU / 40.0;
    let noise = |salt: i64| ((row * 7919 + salt * 104_729).rem_euclid(1009) as f64 / 1009.0 - 0.5) * 0.2;
    let values = [phase.sin() + noise(1) + if fault { 3.0 } else { 0.0 }, 20.0 + 5.0 * phase.cos() + noise(2)];
    ["load", "temperature"]
        .iter()
        .zip(values)
        .map(|(channel, value)| Reading {
            series: series.clone(),
            channel: ChannelName::parse(channel).unwrap(),
            at: Timestamp::from_ms(FIRST_MS + 1000 * row),
            value,
            quality: Quality::Good,
        })
        .collect()
}

fn run(replay: &mut Replay, series: &SeriesId, rows: std::ops::Range<i64>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for row in rows {
        let readings = message(series, row, (700..760).contains(&row));
        let mut silent = |_: &SeriesId, _| ControlFlow::Continue(());
        outcomes.extend(replay.on_message(0, &readings, readings[0].at, &mut silent).unwrap());
    }
    outcomes
}

fn scores(outcomes: &[Outcome]) -> Vec<ScoreRow> {
    outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Score { score, .. } => Some(score.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn every_row_after_the_first_model_is_judged_once_through_all_refits() {
    let series = SeriesId::parse("pump-1").unwrap();
    let mut replay = Replay::new(Pipeline::new(vec![spec(WarmUp::Ladder)], 10));
    let outcomes = run(&mut replay, &series, 0..1200);
    let closed = outcomes.iter().filter(|o| matches!(o, Outcome::Frame { .. })).count();
    let judged: Vec<i64> = scores(&outcomes).iter().map(|score| (score.at.as_ms() - FIRST_MS) / 1000).collect();
    assert_eq!(judged, (50..closed as i64).collect::<Vec<_>>(), "rows from 50 on, each once");
    let take_overs: Vec<u64> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::TakeOver(take_over) => Some(take_over.from_row),
            _ => None,
        })
        .collect();
    assert_eq!(take_overs, [50, 100, 250, 500, 1000], "a model takes over at the row after its last training row");
    for score in scores(&outcomes) {
        assert!(score.live_score.is_finite() && score.p_value > 0.0 && score.p_value <= 1.0);
        assert!((score.contributions.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{:?}", score.contributions);
    }
}

#[test]
fn a_shift_of_one_channel_opens_an_alert_that_names_it_and_resolves() {
    let series = SeriesId::parse("pump-1").unwrap();
    let mut replay = Replay::new(Pipeline::new(vec![spec(WarmUp::Rows(500))], 10));
    let outcomes = run(&mut replay, &series, 0..1200);
    let alerts: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Transition(transition) => Some(transition),
            _ => None,
        })
        .collect();
    assert_eq!(alerts.iter().map(|t| t.sequence).collect::<Vec<_>>(), [1, 2], "{alerts:#?}");
    let opened_row = (alerts[0].at.as_ms() - FIRST_MS) / 1000;
    assert!((700..720).contains(&opened_row), "opened at row {opened_row}");
    assert_eq!(alerts[0].alert.channels[0].channel.as_str(), "load");
    let channel = &alerts[0].alert.channels[0];
    assert!(channel.observed.unwrap() > channel.expected.unwrap(), "{channel:?}");
}

#[test]
fn a_restart_at_any_row_gives_the_same_scores_to_the_last_bit() {
    let series = SeriesId::parse("pump-1").unwrap();
    let mut undisturbed = Replay::new(Pipeline::new(vec![spec(WarmUp::Rows(300))], 10));
    let expected = scores(&run(&mut undisturbed, &series, 0..900));
    for cut in [301, 333, 430, 705, 764, 765, 850] {
        let mut kept = Kept::default();
        let mut before = Replay::new(Pipeline::new(vec![spec(WarmUp::Rows(300))], 10));
        let first = run(&mut before, &series, 0..cut);
        kept.keep(&first);
        let mut pipeline = Pipeline::new(vec![spec(WarmUp::Rows(300))], 10);
        let repeated = pipeline.restore(kept.restored(&series), Timestamp::from_ms(FIRST_MS + 1000 * cut));
        // The last message comes again, as after a crash before its acknowledgement.
        let stale = repeated.iter().find(|o| matches!(o, Outcome::State { state: SeriesState::ModelStale, .. }));
        assert!(stale.is_none(), "{stale:?}");
        let rows = HashMap::from([(series.clone(), kept.frames.clone())]);
        let rest = run(&mut Replay::resume(pipeline, rows), &series, cut - 1..900);
        let mut all: HashMap<Timestamp, ScoreRow> = HashMap::new();
        for score in scores(&first).into_iter().chain(scores(&repeated)).chain(scores(&rest)) {
            if let Some(known) = all.insert(score.at, score.clone()) {
                assert_eq!(known, score, "a row judged again after the restart at row {cut} gives the same score");
            }
        }
        assert_eq!(all.len(), expected.len(), "cut at row {cut}");
        for score in &expected {
            assert_eq!(all.get(&score.at), Some(score), "cut at row {cut}");
        }
    }
}

#[test]
fn a_restart_before_the_first_row_finds_the_entry_that_the_series_follows() {
    let series = SeriesId::parse("counter-1").unwrap();
    let on_time = SeriesSpec { name: "cell/{series}/{channel}".to_owned(), ..spec(WarmUp::Ladder) };
    let by_row = SeriesSpec { name: "row/{series}".to_owned(), grid: GridSpec::row(), ..spec(WarmUp::Ladder) };
    let specs = || vec![on_time.clone(), by_row.clone()];
    let mut kept = Kept::default();
    let first = Pipeline::new(specs(), 10).on_message(1, &message(&series, 0, false), Timestamp::from_ms(FIRST_MS));
    // All but the row itself: the process was killed between two commits.
    kept.keep(&first.outcomes.into_iter().filter(|o| !matches!(o, Outcome::Frame { .. })).collect::<Vec<_>>());
    let mut pipeline = Pipeline::new(specs(), 10);
    pipeline.restore(kept.restored(&series), Timestamp::from_ms(FIRST_MS));
    let again = pipeline.on_message(1, &message(&series, 0, false), Timestamp::from_ms(FIRST_MS));
    let rows = again.outcomes.iter().filter(|o| matches!(o, Outcome::Frame { .. })).count();
    assert_eq!(rows, 1, "on the row grid a message is a row at once; on the time grid it would wait");
}

/// A pipeline whose fits are answered here: the service's trainer, in a few lines.
struct Attended {
    pipeline: Pipeline,
    kept: Kept,
    series: SeriesId,
}

impl Attended {
    fn take(&mut self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        self.kept.keep(&outcomes);
        let wanted = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::FitWanted(wanted) => Some(wanted.clone()),
            _ => None,
        });
        let mut all = outcomes;
        if let Some(wanted) = wanted {
            let answered = self.answer(wanted);
            all.extend(self.take(answered));
        }
        all
    }

    fn answer(&mut self, wanted: FitWanted) -> Vec<Outcome> {
        let frames: Vec<Frame> =
            self.kept.frames.iter().filter(|f| (wanted.from..=wanted.to).contains(&f.at)).cloned().collect();
        let (channels, spec) = self.pipeline.describe(&self.series).unwrap();
        let trained = match wanted.model.clone() {
            Some(id) => adopt(wanted, Arc::clone(&self.kept.bundles[&id]), &frames, channels, spec).unwrap(),
            None => train(wanted, &frames, channels, spec, &mut |_| ControlFlow::Continue(())).unwrap(),
        };
        self.pipeline.on_trained(trained)
    }

    fn run(&mut self, rows: std::ops::Range<i64>) -> Vec<Outcome> {
        let mut all = Vec::new();
        for row in rows {
            let readings = message(&self.series, row, (700..760).contains(&row));
            let outcomes = self.pipeline.on_message(0, &readings, readings[0].at).outcomes;
            all.extend(self.take(outcomes));
        }
        all
    }
}

#[test]
fn an_alert_among_rows_that_waited_for_the_first_model_is_the_newest_thing_said() {
    let series = SeriesId::parse("pump-1").unwrap();
    let pipeline = Pipeline::new(vec![spec(WarmUp::Rows(300))], 10);
    let mut attended = Attended { pipeline, kept: Kept::default(), series: series.clone() };
    // A backlog: all rows up to the middle of the fault come while the first model is fitted.
    let mut outcomes = Vec::new();
    for row in 0..740 {
        let readings = message(&series, row, (700..760).contains(&row));
        outcomes.extend(attended.pipeline.on_message(0, &readings, readings[0].at).outcomes);
    }
    attended.kept.keep(&outcomes);
    let wanted = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::FitWanted(wanted) => Some(wanted.clone()),
        _ => None,
    });
    outcomes.extend(attended.answer(wanted.unwrap()));
    let states: Vec<(Timestamp, SeriesState)> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::State { at, state, .. } => Some((*at, *state)),
            _ => None,
        })
        .collect();
    assert_eq!(states.last().map(|(_, state)| *state), Some(SeriesState::Anomalous), "{states:?}");
    // The store keeps the newest: a state that is older than the one before it would be lost.
    assert!(states.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{states:?}");
}

fn take_overs(outcomes: &[Outcome]) -> Vec<(String, u64)> {
    let take_over = |outcome: &Outcome| match outcome {
        Outcome::TakeOver(take_over) => Some((take_over.model_id.clone(), take_over.from_row)),
        _ => None,
    };
    outcomes.iter().filter_map(take_over).collect()
}

#[test]
fn a_picked_model_judges_from_the_next_row_on_for_good_and_over_a_restart() {
    let series = SeriesId::parse("pump-1").unwrap();
    let spec = SeriesSpec { keeps_latents: true, ..spec(WarmUp::Ladder) };
    let kernel = vec![Member::KernelPca, Member::Pca];
    let spec = SeriesSpec { detector: DetectorSpec { members: kernel, ..spec.detector.clone() }, ..spec };
    let pipeline = Pipeline::new(vec![spec.clone()], 10);
    let mut attended = Attended { pipeline, kept: Kept::default(), series: series.clone() };
    let before = attended.run(0..300);
    let fitted = take_overs(&before);
    assert_eq!(fitted.iter().map(|(_, row)| *row).collect::<Vec<_>>(), [50, 100, 250]);
    let latents = before.iter().filter(|o| matches!(o, Outcome::Latent { latent, .. } if !latent.is_empty())).count();
    assert_eq!(
        latents,
        300 - 100 - 2,
        "every row judged by a member with a latent leaves one, two rows are still open"
    );

    // Back to the model of 100 rows: from the next row on, and the ladder's fits at 500 and 1000 do not come.
    let picked = fitted[1].0.clone();
    let (is_known, outcomes) = attended.pipeline.activate(&series, &picked);
    assert!(is_known);
    let mut after = attended.take(outcomes);
    after.extend(attended.run(300..660));
    let closed = attended.kept.frames.len() as i64;
    assert_eq!(take_overs(&after), [(picked.clone(), 298)], "row 298 is the first to close after the pick");
    let judged: Vec<i64> =
        scores(&before).iter().chain(&scores(&after)).map(|s| (s.at.as_ms() - FIRST_MS) / 1000).collect();
    assert_eq!(judged, (50..closed).collect::<Vec<_>>(), "no row is left out or judged twice");

    let mut pipeline = Pipeline::new(vec![spec], 10);
    let kept = std::mem::take(&mut attended.kept);
    let repeated = pipeline.restore(kept.restored(&series), Timestamp::from_ms(FIRST_MS + 660_000));
    assert!(take_overs(&repeated).is_empty() && !repeated.iter().any(|o| matches!(o, Outcome::FitWanted(_))));
    let mut restarted = Attended { pipeline, kept, series: series.clone() };
    let rest = restarted.run(659..680);
    assert!(take_overs(&rest).is_empty() && !scores(&rest).is_empty());

    // While an alert is open a pick is heeded, too.
    let opened = restarted.run(680..754);
    assert!(opened.iter().any(|o| matches!(o, Outcome::Transition(t) if t.sequence == 1)), "the shift is noticed");
    let other = fitted[2].0.clone();
    let (_, outcomes) = restarted.pipeline.activate(&series, &other);
    let mut last = restarted.take(outcomes);
    last.extend(restarted.run(754..759));
    assert_eq!(take_overs(&last).iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), [other.as_str()]);
    assert!(!restarted.pipeline.activate(&SeriesId::parse("stranger").unwrap(), &other).0);
}

/// Models by series, in the order in which they took over.
fn models_by_series(outcomes: &[Outcome]) -> BTreeMap<String, Vec<String>> {
    let mut models: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for outcome in outcomes {
        if let Outcome::TakeOver(take_over) = outcome {
            models.entry(take_over.series.to_string()).or_default().push(take_over.model_id.clone());
        }
    }
    models
}

#[test]
fn series_of_a_kind_are_judged_by_one_model_when_they_share_it() {
    let pumps = ["pump-1", "pump-2", "pump-3"].map(|name| SeriesId::parse(name).unwrap());
    let outcomes_of = |shares_model: bool| {
        let spec = SeriesSpec { shares_model, ..spec(WarmUp::Ladder) };
        let mut replay = Replay::new(Pipeline::new(vec![spec], 10));
        let mut outcomes = Vec::new();
        for row in 0..300 {
            for (i, pump) in pumps.iter().enumerate() {
                // The third one begins late, when the others have learned 250 rows.
                if i < 2 || row >= 200 {
                    // Each has noise of its own.
                    let readings = message(pump, row, false).into_iter().map(|reading| Reading {
                        value: reading.value + 0.01 * (row * (i as i64 + 3) % 7) as f64,
                        ..reading
                    });
                    let readings: Vec<Reading> = readings.collect();
                    let mut silent = |_: &SeriesId, _| ControlFlow::Continue(());
                    outcomes.extend(replay.on_message(0, &readings, readings[0].at, &mut silent).unwrap());
                }
            }
        }
        outcomes
    };
    let shared = outcomes_of(true);
    let models = models_by_series(&shared);
    let first = &models["pump-1"];
    assert_eq!(first.len(), 3, "fitted at 50, 100 and 250 rows");
    assert_eq!(&models["pump-2"], first, "the second one asks at the same rows and is given the same models");
    assert_eq!(models["pump-3"], [first[2].clone()], "at its 50th row the third one gets the newest");
    let n_scores = |name: &str| {
        let is_of = |o: &&Outcome| matches!(o, Outcome::Score { series, .. } if series.as_str() == name);
        shared.iter().filter(is_of).count()
    };
    assert_eq!(n_scores("pump-2"), n_scores("pump-1"), "everyone has scores of its own");
    assert!(n_scores("pump-3") > 40, "{}", n_scores("pump-3"));
    let apart = models_by_series(&outcomes_of(false));
    assert_ne!(apart["pump-1"], apart["pump-2"], "without sharing each learns its own rows");
}

/// What a broker kept of long ago, and what a broken clock says of years to come, makes nothing known.
#[test]
fn refused_readings_make_no_series_and_no_channel_known() {
    let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
    let (old, ahead) = (now.plus_ms(-400 * 86_400_000), now.plus_ms(400 * 86_400_000));
    let reading = |channel: &str, at| Reading {
        series: SeriesId::parse("pump").unwrap(),
        channel: ChannelName::parse(channel).unwrap(),
        at,
        value: 1.0,
        quality: Quality::Good,
    };
    let mut only_a_year = spec(WarmUp::Rows(500));
    only_a_year.grid.past_limit = HumanDuration::from_secs(365 * 86_400);
    let mut pipeline = Pipeline::new(vec![only_a_year], 1);
    for at in [old, ahead] {
        let refused = pipeline.on_message(0, &[reading("load", at)], now);
        assert!(refused.is_refused_stranger && refused.outcomes.is_empty(), "{refused:?}");
        assert_eq!((refused.heard.counts.accepted, refused.heard.counts.n_readings()), (0, 1));
    }
    assert_eq!(pipeline.n_series(), 0, "the one place is free");
    let taken = pipeline.on_message(0, &[reading("load", now)], now);
    assert_eq!((pipeline.n_series(), taken.heard.counts.accepted), (1, 1));

    // A message of both: what is refused is counted, and its channel takes no place.
    let mixed = pipeline.on_message(0, &[reading("ghost", old), reading("temperature", now)], now);
    assert_eq!((mixed.heard.counts.accepted, mixed.heard.counts.too_old), (1, 1));
    // A row that is closed makes nothing known either.
    pipeline.on_message(0, &[reading("load", now.plus_ms(60_000))], now.plus_ms(60_000));
    let late = pipeline.on_message(0, &[reading("echo", now)], now.plus_ms(60_000));
    assert_eq!((late.heard.counts.accepted, late.heard.counts.late), (0, 1));
    let (channels, _) = pipeline.describe(&SeriesId::parse("pump").unwrap()).unwrap();
    assert_eq!(channels.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["load", "temperature"]);
}
