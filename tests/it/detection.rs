//! Laws of the detector: planted faults are found and clean rows quiet, units and channel order do not matter, a
//! restart in the middle changes no bit, a bundle survives its bytes and refuses altered ones.

use std::ops::ControlFlow;
use std::sync::Arc;

use kilter::bundle::{FitError, FitInput, ModelBundle, fit};
use kilter::detector::{DetectorSpec, Member};
use kilter::pipeline::{Chain, Judged, Phase};
use kilter::series::{Cell, ChannelName, Frame, Timestamp};
use kilter::verdict::{DecisionSpec, StuckSpec};

const CLOSED_FORM: [Member; 4] = [Member::Pca, Member::RandomFeatures, Member::Kmeans, Member::Var];
const N_TRAIN: usize = 600;

/// A load, a current and a lagging temperature with noise of a seed (a linear congruential generator).
fn plant(n_rows: usize, seed: u64) -> Vec<[f64; 3]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    let mut temperature = 20.0;
    (0..n_rows)
        .map(|t| {
            let load = 50.0 + 20.0 * (t as f64 / 40.0).sin() + 2.0 * noise();
            temperature += 0.05 * (20.0 + 0.3 * load - temperature) + 0.1 * noise();
            [load, 0.2 * load + 0.3 * noise(), temperature]
        })
        .collect()
}

fn frames<const C: usize>(rows: &[[f64; C]]) -> Vec<Frame> {
    let frame = |(t, row): (usize, &[f64; C])| Frame {
        at: Timestamp::from_ms(1000 * t as i64),
        values: row.to_vec(),
        cells: vec![Cell::Measured; C],
    };
    rows.iter().enumerate().map(frame).collect()
}

fn input<const C: usize>(rows: &[[f64; C]]) -> FitInput {
    FitInput {
        channels: (0..C).map(|c| ChannelName::parse(&format!("channel-{c}")).unwrap()).collect(),
        values: rows.concat(),
        mask: vec![true; C * rows.len()],
        first_at: Timestamp::from_ms(0),
        last_at: Timestamp::from_ms(1000 * (rows.len() as i64 - 1)),
        excluded: Vec::new(),
        stuck: StuckSpec::default(),
    }
}

fn spec(members: &[Member]) -> DetectorSpec {
    DetectorSpec { members: members.to_vec(), ..DetectorSpec::default() }
}

fn fitted<const C: usize>(rows: &[[f64; C]], members: &[Member]) -> Arc<ModelBundle> {
    Arc::new(fit(&input(rows), &spec(members), &mut |_| ControlFlow::Continue(())).unwrap())
}

fn judge(chain: &mut Chain, frames: &[Frame], from: usize) -> Vec<Judged> {
    let phase = |row| if row < N_TRAIN { Phase::Training } else { Phase::Scoring };
    frames.iter().enumerate().map(|(i, frame)| chain.push(frame, phase(from + i))).collect()
}

fn live_scores(bundle: &Arc<ModelBundle>, frames: &[Frame], channel_indexes: Vec<usize>) -> Vec<f64> {
    let mut chain = Chain::new(Arc::clone(bundle), &DecisionSpec::default(), channel_indexes);
    judge(&mut chain, frames, 0).into_iter().filter_map(|judged| judged.score.map(|score| score.live_score)).collect()
}

#[test]
fn a_planted_fault_opens_an_alert_that_names_its_channel_and_clean_rows_open_none() {
    let mut rows = plant(2400, 1);
    for row in &mut rows[1800..1860] {
        row[2] += 8.0;
    }
    let bundle = fitted(&rows[..N_TRAIN], &CLOSED_FORM);
    let mut chain = Chain::new(bundle, &DecisionSpec::default(), vec![0, 1, 2]);
    let judged = judge(&mut chain, &frames(&rows), 0);
    let is_anomalous = |row: usize| judged[row].score.as_ref().is_some_and(|score| score.is_anomalous);
    assert!((0..1800).all(|row| !is_anomalous(row)), "an alert opened on clean rows");
    assert!((1800..1860).any(is_anomalous), "the shift was missed");
    let onset = judged[1802].score.as_ref().unwrap();
    assert!(onset.contributions[2] > 0.6, "{:?}", onset.contributions);
    assert!((onset.contributions.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert!((onset.member_contributions.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    // The members expect the temperature where it was before the shift, in its own unit.
    assert!((onset.expected[2] - (rows[1802][2] - 8.0)).abs() < 5.0, "{:?} for {:?}", onset.expected, rows[1802]);
}

#[test]
fn a_restart_in_the_middle_changes_no_bit() {
    let mut rows = plant(1500, 2);
    rows[1100..1150].iter_mut().for_each(|row| row[0] += 30.0);
    let frames = frames(&rows);
    let bundle = fitted(&rows[..N_TRAIN], &CLOSED_FORM);
    let decision = DecisionSpec::default();
    let whole = judge(&mut Chain::new(Arc::clone(&bundle), &decision, vec![0, 1, 2]), &frames, 0);
    for cut in [40, 700, 1123] {
        let mut before = Chain::new(Arc::clone(&bundle), &decision, vec![0, 1, 2]);
        let mut parts = judge(&mut before, &frames[..cut], 0);
        // The bundle goes through its bytes, too.
        let reread = Arc::new(ModelBundle::decode(&bundle.encode()).unwrap());
        let mut after = Chain::restore(reread, &decision, vec![0, 1, 2], &before.save()).unwrap();
        for frame in &frames[cut.saturating_sub(bundle.n_time() - 1)..cut] {
            after.refill(frame);
        }
        parts.extend(judge(&mut after, &frames[cut..], cut));
        assert_eq!(parts, whole, "cut at row {cut}");
    }
}

#[test]
fn units_and_channel_order_change_no_score() {
    let rows = plant(1200, 3);
    let members = [Member::Pca, Member::Kmeans, Member::Var, Member::Baseline];
    let scores = live_scores(&fitted(&rows[..N_TRAIN], &members), &frames(&rows), vec![0, 1, 2]);
    let in_other_units: Vec<[f64; 3]> = rows.iter().map(|r| [1.8 * r[0] + 32.0, -1000.0 * r[1], r[2] / 1e3]).collect();
    let turned: Vec<[f64; 3]> = rows.iter().map(|r| [r[2], r[0], r[1]]).collect();
    for other in [in_other_units, turned] {
        let found = live_scores(&fitted(&other[..N_TRAIN], &members), &frames(&other), vec![0, 1, 2]);
        for (row, (found, expected)) in found.iter().zip(&scores).enumerate() {
            assert!((found - expected).abs() < 2e-3 * expected.max(1.0), "row {row}: {found} for {expected}");
        }
    }
}

#[test]
fn another_unit_or_order_moves_seeded_members_no_more_than_another_seed() {
    let rows = plant(1200, 8);
    let scores = |rows: &[[f64; 3]], seed: u64| {
        let spec = DetectorSpec { seed, ..spec(&[Member::RandomFeatures, Member::Kmeans]) };
        let bundle = Arc::new(fit(&input(&rows[..N_TRAIN]), &spec, &mut |_| ControlFlow::Continue(())).unwrap());
        live_scores(&bundle, &frames(rows), vec![0, 1, 2])
    };
    let apart = |a: &[f64], b: &[f64]| {
        let logs = a.iter().zip(b).map(|(a, b)| (a.max(1e-9).ln() - b.max(1e-9).ln()).abs());
        logs.sum::<f64>() / a.len() as f64
    };
    let seeds: Vec<Vec<f64>> = (0..8).map(|seed| scores(&rows, seed)).collect();
    let pairs = (0..8).flat_map(|i| (0..i).map(move |j| (i, j)));
    let spread = pairs.map(|(i, j)| apart(&seeds[i], &seeds[j])).fold(0.0, f64::max);
    let in_other_units: Vec<[f64; 3]> = rows.iter().map(|r| [1.8 * r[0] + 32.0, -1000.0 * r[1], r[2] / 1e3]).collect();
    let turned: Vec<[f64; 3]> = rows.iter().map(|r| [r[2], r[0], r[1]]).collect();
    for other in [in_other_units, turned] {
        let moved = apart(&scores(&other, 0), &seeds[0]);
        // Another order is another draw: it may lie a little beyond the widest pair of eight.
        assert!(moved <= 1.25 * spread, "moved by {moved}, seeds by {spread}");
    }
}

#[test]
fn a_model_reads_its_channels_wherever_the_frames_have_them() {
    let rows = plant(800, 4);
    let bundle = fitted(&rows[..N_TRAIN], &CLOSED_FORM);
    let expected = live_scores(&bundle, &frames(&rows), vec![0, 1, 2]);
    let wider: Vec<[f64; 4]> = rows.iter().map(|r| [r[2], -7.0, r[0], r[1]]).collect();
    assert_eq!(live_scores(&bundle, &frames(&wider), vec![2, 3, 0]), expected);
}

#[test]
fn the_same_rows_give_the_same_bytes_and_altered_bytes_are_refused() {
    let rows = plant(N_TRAIN, 5);
    let (first, second) = (fitted(&rows, &CLOSED_FORM), fitted(&rows, &CLOSED_FORM));
    let bytes = first.encode();
    assert_eq!((first.id(), &bytes), (second.id(), &second.encode()));
    assert_eq!(first.id().len(), 16);
    let again = ModelBundle::decode(&bytes).unwrap();
    assert_eq!((again.id(), again.members(), &again.calibration), (first.id(), first.members(), &first.calibration));
    assert_eq!(again.provenance, first.provenance);
    for at in (0..bytes.len()).step_by(bytes.len() / 97) {
        let mut altered = bytes.clone();
        altered[at] ^= 0x10;
        assert!(ModelBundle::decode(&altered).is_err(), "byte {at} altered");
    }
    for n in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        assert!(ModelBundle::decode(&bytes[..n]).is_err(), "torn after {n} bytes");
    }
}

#[test]
fn the_ladder_says_who_judges() {
    let rows = plant(600, 6);
    let members = |n: usize| fit(&input(&rows[..n]), &DetectorSpec::default(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(members(49).unwrap_err(), FitError::TooFewRows { found: 49, needed: 50 });
    assert_eq!(members(50).unwrap().members(), [Member::Baseline]);
    assert_eq!(members(100).unwrap().members(), CLOSED_FORM);
    assert_eq!(members(600).unwrap().members()[0], Member::Autoencoder);
}

#[test]
fn constant_missing_and_excluded_rows_are_no_trouble() {
    let mut rows = plant(900, 7);
    rows.iter_mut().for_each(|row| row[1] = 4.2);
    let mut learned = input(&rows[..N_TRAIN]);
    for cell in (0..learned.mask.len()).step_by(11) {
        learned.mask[cell] = false;
        learned.values[cell] = f64::NAN;
    }
    learned.excluded.push(100..160);
    let bundle = fit(&learned, &spec(&CLOSED_FORM), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(bundle.provenance.n_excluded, 60);
    let mut frames = frames(&rows);
    frames.iter_mut().step_by(5).for_each(|frame| frame.cells[0] = Cell::Missing);
    frames[700].cells.fill(Cell::Missing);
    let mut chain = Chain::new(Arc::new(bundle), &DecisionSpec::default(), vec![0, 1, 2]);
    let judged = judge(&mut chain, &frames, 0);
    assert!(judged[700].score.is_none(), "a row without readings is not judged");
    for score in judged.iter().filter_map(|judged| judged.score.as_ref()) {
        let numbers = [score.live_score, score.evidence, score.p_value, score.baseline_error];
        assert!(numbers.iter().chain(&score.expected).all(|x| x.is_finite()), "{score:?}");
    }
    let all_constant = vec![[1.0]; 300];
    let scores = live_scores(&fitted(&all_constant, &CLOSED_FORM), &self::frames(&all_constant), vec![0]);
    assert!(scores.iter().all(|score| score.is_finite()));
}

#[test]
fn a_fit_stops_when_asked() {
    let rows = plant(300, 8);
    let stopped = fit(&input(&rows), &spec(&CLOSED_FORM), &mut |_| ControlFlow::Break(()));
    assert_eq!(stopped.unwrap_err(), FitError::Cancelled);
}
