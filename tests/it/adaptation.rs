//! What a series learns, accepts and promises: the ladder, level shifts by rule, nothing under an open alert, budgets
//! that tighten as clean rows come.

use std::collections::{BTreeMap, HashMap};
use std::ops::{ControlFlow, Range};

use kilter::detector::{DetectorSpec, Member};
use kilter::pipeline::{
    BudgetRow, Outcome, Pipeline, PowerSpec, Replay, ScoreRow, SeriesSpec, ShiftDeed, WarmUp, WatchSpec,
};
use kilter::series::{ChannelName, Quality, Reading, SeriesId, Stride, Timestamp};
use kilter::verdict::{AlarmBudget, AlertSpec, BettingSpec, DecisionSpec, SeriesState, TransitionKind};
use kilter::windowing::GridSpec;

use crate::kept::Kept;

const FIRST_MS: i64 = 1_795_521_600_000;

fn at(row: i64) -> Timestamp {
    Timestamp::from_ms(FIRST_MS + 1000 * row)
}

fn row_of(at: Timestamp) -> i64 {
    (at.as_ms() - FIRST_MS) / 1000
}

fn pump() -> SeriesId {
    SeriesId::parse("pump-1").unwrap()
}

fn spec(warm_up: WarmUp, alarm_budget: &str) -> SeriesSpec {
    SeriesSpec {
        name: "plant/{series}".to_owned(),
        grid: GridSpec::time(Stride::SECOND),
        detector: DetectorSpec { members: vec![Member::Pca], ..DetectorSpec::default() },
        decision: DecisionSpec {
            betting: BettingSpec { acceptance_rows: Some(200.0), ..BettingSpec::default() },
            ..DecisionSpec::default()
        },
        alarm_budget: AlarmBudget::parse(alarm_budget).unwrap(),
        alerts: AlertSpec::default(),
        watches: WatchSpec::default(),
        power: PowerSpec::default(),
        units: BTreeMap::new(),
        warm_up,
        channels_max: 64,
        silence_after_ms: 60_000,
        shares_model: false,
        keeps_latents: false,
    }
}

/// Two coupled channels with a rhythm of 40 rows and noise from a hash; within `shifted` the first is `by` higher.
fn message(row: i64, shifted: &Range<i64>, by: f64) -> Vec<Reading> {
    let phase = row as f64 * std::f64::consts::TAU / 40.0;
    let noise = |salt: i64| {
        let mut z = (row * 2 + salt).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let shift = if shifted.contains(&row) { by } else { 0.0 };
    let values = [phase.sin() + 0.4 * noise(0) + shift, 20.0 + 5.0 * phase.cos() + 2.0 * noise(1)];
    ["load", "temperature"]
        .iter()
        .zip(values)
        .map(|(channel, value)| Reading {
            series: pump(),
            channel: ChannelName::parse(channel).unwrap(),
            at: at(row),
            value,
            quality: Quality::Good,
        })
        .collect()
}

fn run(replay: &mut Replay, rows: Range<i64>, shifted: &Range<i64>, by: f64) -> Vec<Outcome> {
    let mut go_on = |_: &SeriesId, _| ControlFlow::Continue(());
    rows.flat_map(|row| replay.on_message(0, &message(row, shifted, by), at(row), &mut go_on).unwrap()).collect()
}

fn scores(outcomes: &[Outcome]) -> BTreeMap<i64, ScoreRow> {
    let score = |outcome: &Outcome| match outcome {
        Outcome::Score { score, .. } => Some((row_of(score.at), score.clone())),
        _ => None,
    };
    outcomes.iter().filter_map(score).collect()
}

/// States with their reasons, in order.
fn states(outcomes: &[Outcome]) -> Vec<(i64, SeriesState, String)> {
    let state = |outcome: &Outcome| match outcome {
        Outcome::State { state, at, reason, .. } => Some((row_of(*at), *state, reason.clone())),
        _ => None,
    };
    outcomes.iter().filter_map(state).collect()
}

fn budgets(outcomes: &[Outcome]) -> Vec<BudgetRow> {
    let budget = |outcome: &Outcome| match outcome {
        Outcome::Budget(row) => Some(row.clone()),
        _ => None,
    };
    outcomes.iter().filter_map(budget).collect()
}

const NEVER: Range<i64> = 0..0;

#[test]
fn the_first_verdict_comes_after_50_rows_and_the_state_says_every_step_of_the_ladder() {
    let mut replay = Replay::new(Pipeline::new(vec![spec(WarmUp::Ladder, "1 per 1000 windows")], 10));
    let outcomes = run(&mut replay, 0..2100, &NEVER, 0.0);
    assert_eq!(scores(&outcomes).keys().next(), Some(&50), "the first 50 rows are learned, the next one is judged");
    let said = states(&outcomes);
    // Row 37 is the 37th to close: rows are counted from 0, and a row closes when later ones have come.
    let warming = said.iter().find(|(_, _, reason)| reason == "warming_up: 37 of 50 rows");
    assert_eq!(warming.map(|(row, state, _)| (*row, *state)), Some((36, SeriesState::WarmingUp)), "{said:?}");
    for (rows, next) in
        [(50, "the next at 100"), (100, "the next at 250"), (250, "the next at 500"), (500, "the next at 1000")]
    {
        let step = format!("the model learned {rows} rows, {next}");
        assert!(
            said.iter().any(|(_, state, reason)| *state == SeriesState::Normal && reason.contains(&step)),
            "{step}"
        );
    }
    let (_, _, last) = said.iter().rfind(|(_, state, _)| *state == SeriesState::Normal).unwrap();
    assert!(last.contains("the model learned 2000 rows, the last one"), "{last}");
    let fits: Vec<usize> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Model { bundle, .. } => Some(bundle.provenance.n_rows),
            _ => None,
        })
        .collect();
    assert_eq!(fits, [50, 100, 250, 500, 1000, 2000]);
}

#[test]
fn a_level_shift_is_accepted_with_an_event_and_counts_as_abnormal_again_once_taken_back() {
    let shifted = 800..10_000;
    let make = || Replay::new(Pipeline::new(vec![spec(WarmUp::Rows(600), "1 per 1000 windows")], 10));
    let mut replay = make();
    let mut outcomes = run(&mut replay, 0..3000, &shifted, 0.5);
    let accepted: Vec<i64> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Shift { deed: ShiftDeed::Accepted { at, factor }, .. } if *factor >= 2.0 => Some(row_of(*at)),
            _ => None,
        })
        .collect();
    assert_eq!(accepted.len(), 1, "told once: {accepted:?}");
    assert!((800..2000).contains(&accepted[0]), "{accepted:?}");
    assert!(!scores(&outcomes)[&2980].is_anomalous, "what was accepted opens no alert any more");

    let mut kept = Kept::default();
    kept.keep(&outcomes);
    let mut pipeline = Pipeline::new(vec![spec(WarmUp::Rows(600), "1 per 1000 windows")], 10);
    pipeline.restore(kept.restored(&pump()), at(3000));
    let undone = pipeline.undo_shift(&pump(), at(3000));
    assert!(undone.iter().any(|o| matches!(o, Outcome::Shift { deed: ShiftDeed::Undone { .. }, .. })), "{undone:?}");
    // The undo survives a crash right after it: its checkpoint is in the same batch.
    kept.keep(&undone);
    let mut pipeline = Pipeline::new(vec![spec(WarmUp::Rows(600), "1 per 1000 windows")], 10);
    pipeline.restore(kept.restored(&pump()), at(3000));
    let rows = HashMap::from([(pump(), kept.frames.clone())]);
    outcomes = run(&mut Replay::resume(pipeline, rows), 3000..3100, &shifted, 0.5);
    let opened = outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Transition(t) if t.kind == TransitionKind::Opened => Some(row_of(t.at)),
        _ => None,
    });
    assert!(opened.is_some_and(|row| row < 3100), "the shift is abnormal again: {opened:?}");
}

#[test]
fn nothing_is_learned_and_no_model_takes_over_while_an_alert_is_open() {
    // The shift stands across the rungs at 500 and 1000 rows, and is accepted too slowly to end before.
    let mut slow = spec(WarmUp::Ladder, "1 per 1000 windows");
    slow.decision.betting.acceptance_rows = Some(0.0);
    let mut replay = Replay::new(Pipeline::new(vec![slow], 10));
    let outcomes = run(&mut replay, 0..1300, &(450..1100), 3.0);
    let mut is_open = false;
    let mut learned_to = Vec::new();
    for outcome in &outcomes {
        match outcome {
            Outcome::Transition(transition) => is_open = transition.kind == TransitionKind::Opened,
            Outcome::FitWanted(_) | Outcome::Model { .. } | Outcome::TakeOver(_) if is_open => {
                panic!("while an alert is open: {outcome:?}")
            }
            Outcome::Model { bundle, .. } => {
                learned_to.push((row_of(bundle.provenance.last_at), bundle.provenance.n_excluded));
            }
            _ => {}
        }
    }
    assert!(!is_open, "the alert has ended");
    let (row, n_excluded) = *learned_to.last().unwrap();
    assert!(row > 1100 && n_excluded > 600, "the rung that was due waited, and left the alert out: {learned_to:?}");
}

#[test]
fn a_budget_too_tight_says_so_and_is_reached_as_clean_rows_come() {
    // 12,000 rows an opening need 4800 calibration rows at 2.5 rows each.
    let asked = "1 per 12000 windows";
    let mut replay = Replay::new(Pipeline::new(vec![spec(WarmUp::Rows(2000), asked)], 10));
    let outcomes = run(&mut replay, 0..8200, &NEVER, 0.0);
    let reasons = states(&outcomes);
    let says = format!("asked for {asked}, runs at 1 per 10000 windows");
    assert!(reasons.iter().any(|(_, _, reason)| reason.contains(&says)), "{reasons:?}");
    let budgets = budgets(&outcomes);
    let (first, last) = (&budgets[0], budgets.last().unwrap());
    assert!(first.explanation.is_some() && (first.openings_per_row - 1.0 / 10_000.0).abs() < 1e-12, "{first:?}");
    assert_eq!(last.explanation, None, "{last:?}");
    assert!((last.openings_per_row - 1.0 / 12_000.0).abs() < 1e-12, "{last:?}");
    assert!(last.n_judged > 6000 && last.n_promised > 0.5 && last.n_promised < 1.3, "{last:?}");
    let calibrations: Vec<usize> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Model { bundle, .. } => Some(bundle.calibration.n_rows()),
            _ => None,
        })
        .collect();
    assert_eq!(calibrations.len(), 3, "the fit at 2000 rows, then at 4000 and 8000: {calibrations:?}");
    assert!(calibrations[1] > 3700 && calibrations[2] > 7400, "{calibrations:?}");
}

#[test]
fn a_restart_around_a_growing_calibration_changes_no_score() {
    let tight = || Pipeline::new(vec![spec(WarmUp::Rows(400), "1 per 100000 windows")], 10);
    let expected = scores(&run(&mut Replay::new(tight()), 0..1000, &NEVER, 0.0));
    for cut in [799, 801, 803, 830, 870] {
        let mut kept = Kept::default();
        let first = run(&mut Replay::new(tight()), 0..cut, &NEVER, 0.0);
        kept.keep(&first);
        let mut pipeline = tight();
        let repeated = pipeline.restore(kept.restored(&pump()), at(cut));
        let rows = HashMap::from([(pump(), kept.frames.clone())]);
        let rest = run(&mut Replay::resume(pipeline, rows), cut - 1..1000, &NEVER, 0.0);
        let mut all = scores(&first);
        all.extend(scores(&repeated));
        all.extend(scores(&rest));
        assert_eq!(all, expected, "cut at row {cut}");
    }
}

#[test]
fn an_alert_that_outlasts_all_that_a_young_model_has_learned_holds_no_later_model_back() {
    // After 55 rows the machine starts for good; nothing of that is accepted by the slow baseline.
    let mut slow = spec(WarmUp::Ladder, "1 per 1000 windows");
    slow.decision.betting.acceptance_rows = Some(0.0);
    let mut replay = Replay::new(Pipeline::new(vec![slow.clone()], 10));
    let outcomes = run(&mut replay, 0..600, &(55..10_000), 12.0);
    let deeds: Vec<(TransitionKind, i64)> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Transition(transition) => Some((transition.kind, row_of(transition.at))),
            _ => None,
        })
        .collect();
    let [(TransitionKind::Opened, opened), (TransitionKind::Resolved, resolved)] = deeds[..] else {
        panic!("{deeds:?}")
    };
    // The model of 50 rows is believed for 50 rows and no longer; the next one takes over at once.
    assert!((56..100).contains(&opened) && (51..=55).contains(&(resolved - opened)), "{deeds:?}");
    let said = states(&outcomes);
    let doubted =
        said.iter().find(|(_, _, reason)| reason.contains("lasted longer than all that the model has learned"));
    assert!(doubted.is_some_and(|(row, state, _)| *row < resolved && *state == SeriesState::Anomalous), "{said:?}");
    let fits: Vec<(usize, usize)> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Model { bundle, .. } => Some((bundle.provenance.n_rows, bundle.provenance.n_excluded)),
            _ => None,
        })
        .collect();
    assert_eq!(fits.iter().map(|(_, n_excluded)| *n_excluded).sum::<usize>(), 0, "{fits:?}");
    assert!(fits.len() == 4 && fits[1].0 > 100 && fits[3].0 == 500, "{fits:?}");

    // What ends sooner stays what it was: a fault, and no part of any model.
    let mut replay = Replay::new(Pipeline::new(vec![slow], 10));
    let outcomes = run(&mut replay, 0..600, &(55..60), 12.0);
    let excluded = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Model { bundle, .. } => Some(bundle.provenance.n_excluded),
        _ => None,
    });
    assert!(excluded.skip(1).all(|n_excluded| n_excluded > 0));
}
