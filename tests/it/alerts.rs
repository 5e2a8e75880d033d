//! The life of an alert through the real pipeline and store: explained, labelled, and never lost or opened twice.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use kilter::detector::{DetectorSpec, Member};
use kilter::pipeline::{Outcome, Pipeline, PowerSpec, Replay, SeriesSpec, WarmUp, WatchSpec, explain, preview_label};
use kilter::series::{ChannelName, Quality, Reading, SeriesId, Stride, Timestamp};
use kilter::store::{AlertQuery, NewLabel, Store, StoreConfig};
use kilter::verdict::{
    AlarmBudget, Alert, AlertKind, AlertMachine, AlertSpec, AlertState, DecisionSpec, TransitionKind, Verdict,
};
use kilter::windowing::GridSpec;
use proptest::prelude::*;

const FIRST_MS: i64 = 1_795_521_600_000;

fn spec() -> SeriesSpec {
    let members = vec![Member::Pca, Member::RandomFeatures, Member::Kmeans, Member::Var];
    SeriesSpec {
        name: "plant/{series}".to_owned(),
        grid: GridSpec::time(Stride::SECOND),
        detector: DetectorSpec { members, ..DetectorSpec::default() },
        decision: DecisionSpec::default(),
        alarm_budget: AlarmBudget::parse("1 per 1000 windows").unwrap(),
        alerts: AlertSpec { fold_within_rows: 0, ..AlertSpec::default() },
        watches: WatchSpec::default(),
        power: PowerSpec::default(),
        units: BTreeMap::new(),
        warm_up: WarmUp::Rows(500),
        channels_max: 64,
        silence_after_ms: 60_000,
        shares_model: false,
        keeps_latents: false,
    }
}

fn pump() -> SeriesId {
    SeriesId::parse("hall/pump").unwrap()
}

/// Two coupled channels with a rhythm of 40 rows and a little noise; rows in `faults` have so much added to the load.
fn message(row: i64, faults: &[(std::ops::Range<i64>, f64)]) -> Vec<Reading> {
    let phase = row as f64 * std::f64::consts::TAU / 40.0;
    let noise = |salt: i64| ((row * 7919 + salt * 104_729).rem_euclid(1009) as f64 / 1009.0 - 0.5) * 0.2;
    let fault: f64 = faults.iter().filter(|(rows, _)| rows.contains(&row)).map(|(_, size)| size).sum();
    let values = [phase.sin() + noise(1) + fault, 20.0 + 5.0 * phase.cos() + noise(2)];
    let channels = ["load", "temperature"].iter().zip(values);
    channels
        .map(|(channel, value)| Reading {
            series: pump(),
            channel: ChannelName::parse(channel).unwrap(),
            at: Timestamp::from_ms(FIRST_MS + 1000 * row),
            value,
            quality: Quality::Good,
        })
        .collect()
}

/// A store that has seen rows committed in batches of 20, as a service would.
struct Plant {
    runtime: tokio::runtime::Runtime,
    store: Store,
    replay: Replay,
    _dir: tempfile::TempDir,
}

impl Plant {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = runtime.block_on(Store::open(&StoreConfig::in_dir(dir.path()))).unwrap();
        Self { runtime, store, replay: Replay::new(Pipeline::new(vec![spec()], 10)), _dir: dir }
    }

    fn run(&mut self, rows: std::ops::Range<i64>, faults: &[(std::ops::Range<i64>, f64)]) {
        let mut batch: Vec<Outcome> = Vec::new();
        let last = rows.end - 1;
        for row in rows {
            let readings = message(row, faults);
            let mut silent = |_: &SeriesId, _| ControlFlow::Continue(());
            batch.extend(self.replay.on_message(0, &readings, readings[0].at, &mut silent).unwrap());
            if row % 20 == 19 || row == last {
                self.runtime.block_on(self.store.commit(&batch)).unwrap();
                batch.clear();
            }
        }
    }

    /// Alerts, oldest first.
    fn alerts(&self) -> Vec<Alert> {
        let mut alerts = self.runtime.block_on(self.store.reader().alerts(&AlertQuery::default())).unwrap();
        alerts.reverse();
        alerts
    }
}

#[test]
fn an_explanation_computes_the_score_again_to_the_last_bit() {
    let mut plant = Plant::new();
    plant.run(0..1100, &[(700..760, 3.0)]);
    let alerts = plant.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    let context = plant.runtime.block_on(plant.store.reader().alert_context(&alert.id, 40)).unwrap().unwrap();
    assert!(context.checkpoint.is_some(), "the state before the opening was kept");
    let explanation = explain(context);
    assert!(explanation.notes.is_empty(), "{:?}", explanation.notes);
    assert_eq!(explanation.n_equal, explanation.n_rebuilt);
    let phase = |word: &str| explanation.rows.iter().filter(|row| row.phase.as_str() == word).count();
    let open_rows = alert.resolved_at.unwrap().ms_since(alert.opened_at) as usize / 1000;
    assert_eq!((phase("before"), phase("during"), phase("after")), (40, open_rows, 40));
    assert!(explanation.n_rebuilt >= open_rows + 40, "{} rows computed again", explanation.n_rebuilt);
    // The load is 3 above what was expected while the fault lasts.
    let load = explanation.channels.iter().position(|name| name.as_str() == "load").unwrap();
    let faulty = explanation.rows.iter().filter(|row| (710..750).contains(&((row.at.as_ms() - FIRST_MS) / 1000)));
    for row in faulty {
        assert!(row.observed[load].unwrap() - row.expected[load] > 1.0, "{row:?}");
    }
    assert!(
        plant
            .runtime
            .block_on(plant.store.reader().alert_context(&kilter::verdict::AlertId("no".to_owned()), 5))
            .unwrap()
            .is_none()
    );
}

#[test]
fn without_a_kept_state_the_score_is_computed_from_the_first_training_row() {
    // One batch without checkpoints, so no state from before the opening was ever committed.
    let mut plant = Plant::new();
    let mut batch = Vec::new();
    for row in 0..800 {
        let readings = message(row, &[(700..760, 3.0)]);
        let mut silent = |_: &SeriesId, _| ControlFlow::Continue(());
        batch.extend(plant.replay.on_message(0, &readings, readings[0].at, &mut silent).unwrap());
    }
    batch.retain(|outcome| !matches!(outcome, Outcome::Checkpoint { .. }));
    plant.runtime.block_on(plant.store.commit(&batch)).unwrap();
    let id = plant.alerts()[0].id.clone();
    let context = plant.runtime.block_on(plant.store.reader().alert_context(&id, 20)).unwrap().unwrap();
    assert!(context.checkpoint.is_none());
    let explanation = explain(context);
    assert!(explanation.n_rebuilt > 20, "{:?}", explanation.notes);
    assert_eq!(explanation.n_equal, explanation.n_rebuilt, "{:?}", explanation.notes);
}

#[test]
fn a_label_does_what_its_preview_said_and_can_be_taken_back() {
    // Three disturbances: a second one like the first and smaller, a third far larger.
    let faults = [(700..760, 1.0), (1000..1016, 0.5), (1300..1360, 8.0)];
    let mut plant = Plant::new();
    plant.run(0..1500, &faults);
    let alerts = plant.alerts();
    assert_eq!(alerts.len(), 3, "{alerts:#?}");
    let context = plant.runtime.block_on(plant.store.reader().label_context(&pump(), AlertKind::Anomaly, 50)).unwrap();
    let (bundle, checkpoint) = (context.bundle.unwrap(), context.checkpoint.unwrap());
    let told = (&alerts[0].id, Some(false));
    let effect = preview_label(&bundle, &context.channels, &checkpoint.decision, &context.alerts, told).unwrap();
    let vanish: Vec<_> = effect.vanish.iter().map(|alert| &alert.id).collect();
    assert_eq!(
        (effect.is_learned, vanish),
        (true, vec![&alerts[1].id]),
        "the like of it vanishes, the larger one stays"
    );

    // Given, the label does that to the same disturbances when they come again.
    let called_false = NewLabel { label: Some(false), ..NewLabel::default() };
    plant.runtime.block_on(plant.store.label(&alerts[0].id, &called_false, Timestamp::from_ms(FIRST_MS))).unwrap();
    let alarms = plant.runtime.block_on(plant.store.reader().false_alarms(&pump(), 32)).unwrap();
    assert_eq!(alarms.len(), 1);
    let again = |alarms: Vec<kilter::pipeline::FalseAlarm>| {
        let mut pipeline = Replay::new(Pipeline::new(vec![spec()], 10));
        let mut opened = Vec::new();
        let mut silent = |_: &SeriesId, _| ControlFlow::Continue(());
        for row in 0..1500 {
            if row == 600 {
                pipeline.on_false_alarms(&pump(), alarms.clone());
            }
            let readings = message(row, &faults);
            let outcomes = pipeline.on_message(0, &readings, readings[0].at, &mut silent).unwrap();
            opened.extend(outcomes.into_iter().filter_map(|outcome| match outcome {
                Outcome::Transition(told) if told.kind == TransitionKind::Opened => Some(told.alert.id),
                _ => None,
            }));
        }
        opened
    };
    let with_label = again(alarms);
    assert_eq!(with_label.len(), 1, "only the larger one opens");
    // Taken back, everything is as before.
    let all: Vec<_> = alerts.iter().map(|alert| alert.id.clone()).collect();
    assert_eq!(again(Vec::new()), all);
}

/// What may happen to an alert machine.
#[derive(Debug, Clone)]
enum Step {
    Verdict {
        score: f64,
        is_anomalous: bool,
    },
    Acknowledge,
    Label(Option<bool>),
    /// The series fell silent, or its channels changed.
    Resolve,
    /// The service restarts from its last state.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0.0..6.0_f64, any::<bool>()).prop_map(|(score, is_anomalous)| Step::Verdict { score, is_anomalous }),
        1 => Just(Step::Acknowledge),
        1 => any::<Option<bool>>().prop_map(Step::Label),
        1 => Just(Step::Resolve),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn an_alert_never_opens_twice_never_vanishes_and_its_sequence_has_no_gap(
        steps in proptest::collection::vec(step(), 1..200),
        fold_within_rows in 0..5_u32,
    ) {
        let settings = AlertSpec { fold_within_rows, ..AlertSpec::default() };
        let mut machine = AlertMachine::new(pump(), AlertKind::Anomaly, "1 per day".to_owned(), Vec::new());
        machine.follow(settings.clone());
        let mut told: Vec<kilter::verdict::Transition> = Vec::new();
        let mut said: HashMap<String, (Option<Timestamp>, Option<bool>)> = HashMap::new();
        let mut last: Option<Alert> = None;
        for (n, step) in steps.iter().enumerate() {
            let at = Timestamp::from_ms(FIRST_MS + 1000 * n as i64);
            let transition = match step {
                Step::Verdict { score, is_anomalous } => machine.on_verdict(&Verdict {
                    at,
                    live_score: *score,
                    p_value: 0.05,
                    evidence: if *is_anomalous { 1.0 } else { 0.1 },
                    is_anomalous: *is_anomalous,
                    contributions: &[],
                    observed: &[],
                    expected: &[],
                }),
                Step::Resolve => machine.resolve(at),
                Step::Restart => {
                    // As a checkpoint keeps it, and as the service then puts the settings back.
                    let bytes = serde_json::to_vec(&machine).unwrap();
                    machine = serde_json::from_slice(&bytes).unwrap();
                    machine.follow(settings.clone());
                    None
                }
                Step::Acknowledge | Step::Label(_) => {
                    if let Some(alert) = machine.alert().cloned().or_else(|| last.clone()) {
                        let mut alert = alert;
                        let known = said.entry(alert.id.0.clone()).or_default();
                        match step {
                            Step::Acknowledge => known.0 = Some(at),
                            Step::Label(label) => known.1 = *label,
                            _ => {}
                        }
                        (alert.acknowledged_at, alert.label) = *known;
                        machine.amend(&alert);
                    }
                    None
                }
            };
            if let Some(transition) = transition {
                last = Some(transition.alert.clone());
                told.push(transition);
            }
        }
        let mut sequences: HashMap<&str, u32> = HashMap::new();
        let mut open: Option<&str> = None;
        for transition in &told {
            let alert = &transition.alert;
            let sequence = sequences.entry(alert.id.0.as_str()).or_default();
            *sequence += 1;
            prop_assert_eq!(transition.sequence, *sequence, "no gap, no repeat");
            match transition.kind {
                TransitionKind::Opened => {
                    prop_assert_eq!(open, None, "one is open already");
                    prop_assert_eq!(alert.state, AlertState::Open);
                    prop_assert_eq!(alert.openings, sequence.div_ceil(2));
                    open = Some(alert.id.0.as_str());
                }
                TransitionKind::Resolved => {
                    prop_assert_eq!(open, Some(alert.id.0.as_str()), "the open one resolves");
                    prop_assert_eq!(alert.state, AlertState::Resolved);
                    prop_assert!(alert.resolved_at.is_some());
                    open = None;
                }
            }
        }
        prop_assert_eq!(machine.alert().map(|alert| alert.id.0.as_str()), open, "what is open is known, what is over is gone");
        for transition in told.iter().filter(|transition| transition.kind == TransitionKind::Resolved) {
            // What was said before it resolved goes with it; later words cannot be in it.
            prop_assert!(transition.alert.acknowledged_at.is_none_or(|at| at <= transition.at));
        }
    }
}
