//! The betting test: block p-values against held-out maxima, Page-type e-process, slow baseline, budget controller.
//!
//! If block maxima are exchangeable with the calibration blocks, p is super-uniform and each factor of the evidence
//! has mean at most 1; restarting at 1 makes the mean time to a false opening at least exp(h0) blocks. Two such tests
//! run on blocks that overlap by half, so that a decision falls every half block and no event is cut by every border,
//! on the fused residual and on the runner-up; the evidence is the mean of all wealths, weighted, and a mean of
//! e-processes keeps the same promise. The tail formula, the reuse of the calibration set and the baseline bend it;
//! `docs/detection.md` has what they cost.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Calibration;
use super::slow_baseline::{LevelShift, SlowBaseline, step_per_row};
use crate::stats::{Residual, mean, quantile_sorted, sorted};

/// The exponents of the bets; their mean is a bet on any size of surprise.
const BETS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Smallest spread of the upper tail of log maxima: a calibration without spread would see every wobble as new.
const TAIL_SPREAD_MIN: f64 = 0.05;
/// No block p-value is smaller: one wild block opens nothing alone under a tight budget.
const BLOCK_P_MIN: f64 = 1e-4;
/// Beyond all calibration blocks p falls by e for so many spreads of their upper tail.
const TAIL_SPREADS: f64 = 2.5;
/// A block is calm when the p-values of both residuals exceed this.
const CALM_P: f64 = 0.08;
/// While an alert is open the evidence stays below this many times the opening level, so that it can end.
const OPEN_EVIDENCE_FACTOR: f64 = 3.0;

/// Tests side by side, on blocks shifted by a half.
const N_TESTS: usize = 2;

/// Settings of the betting test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BettingSpec {
    /// Rows of a block, B, an even number of at least 2 (others are rounded up); a decision falls every half block.
    pub block_rows: usize,
    /// Rows in which a lasting rise of the log residual by one unit is accepted as the new normal; by default 200, or
    /// 10 % of the calibration rows when those are more. 0 switches the baseline off.
    pub acceptance_rows: Option<f64>,
    /// How much more evidence (in log units) each opening asks for, forgotten over one budget period.
    pub controller_step: f64,
    /// Blocks in a row, end to end, without a surprise after which an alert resolves.
    pub calm_blocks: u32,
    /// Seed of the randomised p-values.
    pub seed: u64,
}

impl Default for BettingSpec {
    fn default() -> Self {
        Self { block_rows: 16, acceptance_rows: None, controller_step: 1.5, calm_blocks: 5, seed: 0 }
    }
}

impl BettingSpec {
    /// Step per row, in log units, by which the slow baseline follows lasting changes.
    pub fn baseline_step(&self, n_calibration_rows: usize) -> f64 {
        step_per_row(self.acceptance_rows, n_calibration_rows)
    }
}

/// What the test watches of a row, and its share in the evidence. The runner-up sees what two members see plainly and the
/// others do not; it has little weight, so it opens only when it is far more surprised than the fused residual.
const WATCHED: [(Watched, f64); N_STREAMS] = [(|row| row.fused, 0.95), (|row| row.runner_up, 0.05)];
/// One of the residuals of a row.
type Watched = fn(&Residual) -> f64;
/// Residuals watched.
const N_STREAMS: usize = 2;

/// What changes of one watched residual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StreamState {
    /// Its highest value of the half block so far.
    half_maximum: f64,
    /// Its highest value of the half block before; none at the start.
    half_before: Option<f64>,
    baseline: SlowBaseline,
    /// One wealth per test and bet.
    wealth: [[f64; BETS.len()]; N_TESTS],
    /// The p-value of its last block.
    block_p: f64,
}

impl Default for StreamState {
    fn default() -> Self {
        Self {
            half_maximum: f64::MIN_POSITIVE,
            half_before: None,
            baseline: SlowBaseline::default(),
            wealth: [[1.0; BETS.len()]; N_TESTS],
            block_p: 1.0,
        }
    }
}

/// All that changes while judging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BettingState {
    streams: [StreamState; N_STREAMS],
    /// Rows of the half block so far.
    half_filled: usize,
    /// Blocks judged, which also numbers the random draws and says whose turn it is.
    n_blocks: u64,
    /// Evidence asked for, h, in log units.
    level: f64,
    /// Evidence asked for when the open alert opened.
    opened_level: f64,
    /// Calm blocks in a row while an alert is open; each ends half a block after the one before.
    calm: u32,
    is_open: bool,
    evidence: f64,
}

/// What is known of one watched residual on normal rows.
#[derive(Debug, Clone)]
struct Stream {
    /// Log block maxima of the calibration and of false alarms, sorted upwards.
    maxima: Arc<[f64]>,
    /// Those of the calibration alone.
    held_out: Arc<[f64]>,
    median: f64,
    tail_spread: f64,
}

impl Stream {
    fn new(maxima: Arc<[f64]>) -> Self {
        let upper = quantile_sorted(&maxima, 0.8);
        let top: Vec<f64> = maxima.iter().copied().filter(|c| *c >= upper).collect();
        Self {
            median: quantile_sorted(&maxima, 0.5),
            tail_spread: (mean(&top) - upper).max(TAIL_SPREAD_MIN),
            held_out: Arc::clone(&maxima),
            maxima,
        }
    }

    /// Takes block maxima like these as ordinary, in place of those told before. However few they are, together they
    /// weigh as much as the held-out ones: what a person has said outweighs what was merely never seen.
    fn learn(&mut self, log_maxima: &[f64]) {
        if log_maxima.is_empty() {
            self.maxima = Arc::clone(&self.held_out);
            return;
        }
        let copies = self.held_out.len().div_ceil(log_maxima.len()).max(1);
        let told = log_maxima.iter().copied().filter(|c| c.is_finite());
        let all = self.held_out.iter().copied().chain(told.flat_map(|c| std::iter::repeat_n(c, copies)));
        self.maxima = sorted(all.collect()).into();
    }

    /// Randomised share of calibration blocks at least as high, by a draw on (0, 1]; beyond them all an exponential tail.
    fn p_value(&self, log_maximum: f64, draw: f64) -> f64 {
        let n = self.maxima.len();
        let at_least = n - self.maxima.partition_point(|c| *c < log_maximum);
        if at_least > 0 {
            return (at_least as f64 + draw) / (n + 1) as f64;
        }
        let beyond = log_maximum - self.maxima.last().copied().unwrap_or(0.0);
        ((-beyond / (TAIL_SPREADS * self.tail_spread)).exp() / (n + 1) as f64).max(BLOCK_P_MIN)
    }
}

/// The betting test of one series.
#[derive(Debug, Clone)]
pub struct Betting {
    spec: BettingSpec,
    openings_per_row: f64,
    streams: [Stream; N_STREAMS],
    /// Baseline step per row, kappa.
    kappa: f64,
    level_min: f64,
    /// What changes; save and resume it to continue bit for bit.
    pub state: BettingState,
}

impl Betting {
    /// A test at a budget of false openings per row.
    pub fn new(calibration: &Calibration, spec: &BettingSpec, openings_per_row: f64) -> Self {
        let block_rows = spec.block_rows.max(2).next_multiple_of(2);
        // More than one opening per two blocks is no budget.
        let per_block = (openings_per_row * block_rows as f64).clamp(1e-12, 0.5);
        let level_min = (1.0 / per_block).ln();
        let maxima = calibration.block_maxima(block_rows);
        Self {
            streams: [maxima.fused, maxima.runner_up].map(Stream::new),
            kappa: step_per_row(spec.acceptance_rows, calibration.n_rows()),
            level_min,
            openings_per_row,
            state: BettingState {
                streams: Default::default(),
                half_filled: 0,
                n_blocks: 0,
                level: level_min,
                opened_level: level_min,
                calm: 0,
                is_open: false,
                evidence: 0.0,
            },
            spec: BettingSpec { block_rows, ..spec.clone() },
        }
    }

    /// Takes in the residual of a row; the judgement changes at the end of a half block. Gives back a level shift of the
    /// fused residual on the row on which it counts as accepted.
    pub fn push(&mut self, residual: Residual) -> Option<LevelShift> {
        let half_rows = self.spec.block_rows / N_TESTS;
        let state = &mut self.state;
        for (stream, (of, _)) in state.streams.iter_mut().zip(WATCHED) {
            stream.half_maximum = stream.half_maximum.max(of(&residual));
        }
        state.half_filled += 1;
        if state.half_filled < half_rows || self.streams[0].maxima.is_empty() {
            return None;
        }
        state.half_filled = 0;
        let turn = (state.n_blocks % N_TESTS as u64) as usize;
        let draw = uniform(self.spec.seed, state.n_blocks);
        let step = self.kappa * half_rows as f64;
        for (stream, known) in state.streams.iter_mut().zip(&self.streams) {
            let half = std::mem::replace(&mut stream.half_maximum, f64::MIN_POSITIVE);
            let log_maximum = half.max(stream.half_before.replace(half)?).ln();
            stream.block_p = known.p_value(log_maximum - stream.baseline.forgiven(), draw);
            stream.baseline.follow(log_maximum, known.median, step);
            for (wealth, bet) in stream.wealth[turn].iter_mut().zip(BETS) {
                *wealth = wealth.max(1.0) * bet * stream.block_p.powf(bet - 1.0);
            }
        }
        self.decide();
        self.state.n_blocks += 1;
        self.state.streams[0].baseline.tell()
    }

    /// Takes block maxima like these of both residuals as ordinary, in place of those told before.
    pub fn learn(&mut self, log_maxima: &[f64], runner_up_log_maxima: &[f64]) {
        for (stream, told) in self.streams.iter_mut().zip([log_maxima, runner_up_log_maxima]) {
            stream.learn(told);
        }
    }

    /// Evidence gathered; an alert opens at 1.0.
    pub fn evidence(&self) -> f64 {
        self.state.evidence
    }

    /// True while an alert is open.
    pub fn is_open(&self) -> bool {
        self.state.is_open
    }

    /// True while the alert that is open may be on its way to its end: the last rows were calm.
    pub fn is_calming(&self) -> bool {
        self.state.calm > 0
    }

    /// P-value of the fused residual's last block.
    pub fn block_p(&self) -> f64 {
        self.state.streams[0].block_p
    }

    /// Takes back what the baselines have accepted: the learned level counts as normal again.
    pub fn undo_shift(&mut self) {
        self.state.streams.iter_mut().for_each(|stream| stream.baseline.undo());
    }

    /// Opens, keeps open or resolves by the wealth after a block.
    fn decide(&mut self) {
        let state = &mut self.state;
        let mean = |stream: &StreamState| stream.wealth.iter().flatten().sum::<f64>() / (N_TESTS * BETS.len()) as f64;
        let wealth: f64 = state.streams.iter().zip(WATCHED).map(|(stream, (_, share))| share * mean(stream)).sum();
        let gathered = wealth.ln().max(0.0);
        let step = self.spec.controller_step;
        if state.is_open {
            state.evidence = gathered / state.opened_level;
            let is_calm = state.streams.iter().all(|stream| stream.block_p > CALM_P);
            state.calm = if is_calm { state.calm + 1 } else { 0 };
            if state.calm >= N_TESTS as u32 * self.spec.calm_blocks {
                state.is_open = false;
                state.calm = 0;
                state.streams.iter_mut().for_each(|stream| stream.wealth = [[1.0; BETS.len()]; N_TESTS]);
                state.evidence = 0.0;
            } else {
                let most = OPEN_EVIDENCE_FACTOR * self.level_min.exp();
                let wealth = state.streams.iter_mut().flat_map(|stream| stream.wealth.iter_mut().flatten());
                wealth.for_each(|wealth| *wealth = wealth.min(most));
            }
            return;
        }
        let forgotten = step * self.openings_per_row * (self.spec.block_rows / N_TESTS) as f64;
        state.level = self.level_min.max(state.level - forgotten);
        state.evidence = gathered / state.level;
        if gathered >= state.level {
            state.is_open = true;
            state.calm = 0;
            state.opened_level = state.level;
            state.level += step;
        }
    }
}

/// Draw number `index` of the seeded uniform sequence on (0, 1] (splitmix64): random access keeps restarts exact.
fn uniform(seed: u64, index: u64) -> f64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::SmoothingSpec;

    /// Independent exponential residuals of a seed.
    fn residuals(seed: u64) -> impl Iterator<Item = f64> {
        (0..).map(move |i| -uniform(seed, i).min(1.0 - 1e-12).ln())
    }

    /// Rows whose residuals are independent of each other too.
    fn rows(seed: u64) -> impl Iterator<Item = Residual> {
        residuals(seed).zip(residuals(!seed)).map(|(fused, runner_up)| Residual { fused, runner_up })
    }

    fn calibration(seed: u64, n: usize) -> Calibration {
        Calibration::fit(rows(seed).take(n).collect(), SmoothingSpec::default())
    }

    #[test]
    fn block_p_values_of_exchangeable_data_are_super_uniform() {
        // A fresh calibration and one fresh block per draw: P(p ≤ t) ≤ t for every t ≥ 1 / (M + 1).
        let (n_draws, n_blocks) = (8000, 40);
        let mut p_values: Vec<f64> = (0..n_draws)
            .map(|seed| {
                let spec = BettingSpec { seed, ..BettingSpec::default() };
                let test = Betting::new(&calibration(3 * seed + 1, 16 * n_blocks), &spec, 1e-3);
                let block = residuals(3 * seed + 2).take(16).fold(0.0, f64::max);
                test.streams[0].p_value(block.ln(), uniform(seed, 0))
            })
            .collect();
        p_values.sort_by(f64::total_cmp);
        for t in [1.0 / 41.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9] {
            let share = p_values.partition_point(|p| *p <= t) as f64 / n_draws as f64;
            let noise = 3.0 * (t * (1.0 - t) / n_draws as f64).sqrt();
            assert!(share <= t + noise, "P(p ≤ {t}) = {share}");
        }
    }

    #[test]
    fn false_openings_are_no_more_frequent_than_promised() {
        // Baseline and controller off, a fresh calibration per seed, judged until it opens or for twenty budgets.
        let rows_per_opening = 400.0;
        let spec = BettingSpec { acceptance_rows: Some(0.0), controller_step: 0.0, ..BettingSpec::default() };
        let (mut rows, mut openings) = (0.0, 0.0);
        for seed in 0..300 {
            let spec = BettingSpec { seed, ..spec.clone() };
            let mut test = Betting::new(&calibration(2 * seed + 100_001, 1600), &spec, 1.0 / rows_per_opening);
            for (row, residual) in self::rows(2 * seed + 100_002).take(8000).enumerate() {
                test.push(residual);
                if test.is_open() {
                    rows += row as f64 + 1.0;
                    openings += 1.0;
                    break;
                }
                if row == 7999 {
                    rows += 8000.0;
                }
            }
        }
        assert!(rows / openings >= rows_per_opening, "one opening in {} rows", rows / openings);
    }

    #[test]
    fn an_alert_opens_on_a_shift_and_resolves_when_it_is_over() {
        let mut test = Betting::new(&calibration(1, 1600), &BettingSpec::default(), 1e-3);
        let mut opened_at = None;
        for (row, fused) in residuals(2).take(4000).enumerate() {
            let is_shifted = (2000..2200).contains(&row);
            test.push(Residual::alone(if is_shifted { 20.0 * fused + 5.0 } else { fused }));
            if test.is_open() && opened_at.is_none() {
                opened_at = Some(row);
                assert!(test.evidence() >= 1.0);
            }
        }
        assert!(opened_at.is_some_and(|row| (2007..2060).contains(&row)), "{opened_at:?}");
        assert!(!test.is_open());
    }

    #[test]
    fn what_two_members_see_plainly_opens_though_the_others_see_nothing() {
        let mut test = Betting::new(&calibration(1, 1600), &BettingSpec::default(), 1e-3);
        let mut opened_at = None;
        for (row, residual) in rows(2).take(2400).enumerate() {
            let runner_up = if row >= 2000 { 20.0 * residual.runner_up + 5.0 } else { residual.runner_up };
            test.push(Residual { runner_up, ..residual });
            opened_at = opened_at.or(test.is_open().then_some(row));
        }
        assert!(opened_at.is_some_and(|row| (2007..2100).contains(&row)), "{opened_at:?}");
        // Calm is what both residuals are calm about: it is open still.
        assert!(test.is_open());
    }

    #[test]
    fn a_resumed_test_continues_bit_for_bit() {
        let calibration = calibration(5, 800);
        let mut whole = Betting::new(&calibration, &BettingSpec::default(), 1e-2);
        let mut part = whole.clone();
        let double = |row: Residual| Residual { fused: 2.0 * row.fused, runner_up: 2.0 * row.runner_up };
        let stream: Vec<Residual> = rows(6).map(double).take(1000).collect();
        for residual in &stream {
            whole.push(*residual);
        }
        for (row, residual) in stream.iter().enumerate() {
            if row == 517 {
                let bytes = postcard::to_allocvec(&part.state).unwrap();
                part = Betting::new(&calibration, &BettingSpec::default(), 1e-2);
                part.state = postcard::from_bytes(&bytes).unwrap();
            }
            part.push(*residual);
        }
        assert_eq!(part.state, whole.state);
    }
}
