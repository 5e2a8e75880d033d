//! The betting test: block p-values against held-out maxima, Page-type e-process, slow baseline, budget controller.
//!
//! If block maxima are exchangeable with the calibration blocks, p is super-uniform and each factor of the evidence
//! has mean at most 1; restarting at 1 makes the mean time to a false opening at least exp(h0) blocks. Two such tests
//! run on blocks that overlap by half, so that a decision falls every half block and no event is cut by every border;
//! the evidence is the mean of their wealths, and the mean of e-processes keeps the same promise. The tail formula, the
//! reuse of the calibration set and the baseline bend it; `docs/detection.md` has what they cost.

use serde::{Deserialize, Serialize};

use super::Calibration;
use super::slow_baseline::{LevelShift, SlowBaseline, step_per_row};
use crate::stats::{mean, quantile_sorted};

/// The exponents of the bets; their mean is a bet on any size of surprise.
const BETS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Smallest spread of the upper tail of log maxima: a calibration without spread would see every wobble as new.
const TAIL_SPREAD_MIN: f64 = 0.05;
/// No block p-value is smaller: one wild block opens nothing alone under a tight budget.
const BLOCK_P_MIN: f64 = 1e-4;
/// Beyond all calibration blocks p falls by e for so many spreads of their upper tail.
const TAIL_SPREADS: f64 = 3.0;
/// A block is calm when its p-value exceeds this.
const CALM_P: f64 = 0.1;
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
    /// Rows in which a lasting rise of the log residual by one unit is accepted as the new normal; by default 330, or
    /// 15 % of the calibration rows when those are more. 0 switches the baseline off.
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

/// All that changes while judging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BettingState {
    /// Highest residual of the half block so far.
    half_maximum: f64,
    /// Rows of the half block so far.
    half_filled: usize,
    /// Highest residual of the half block before; none at the start.
    half_before: Option<f64>,
    /// Blocks judged, which also numbers the random draws and says whose turn it is.
    n_blocks: u64,
    baseline: SlowBaseline,
    /// One wealth per test and bet.
    wealth: [[f64; BETS.len()]; N_TESTS],
    /// Evidence asked for, h, in log units.
    level: f64,
    /// Evidence asked for when the open alert opened.
    opened_level: f64,
    /// Calm blocks in a row while an alert is open; each ends half a block after the one before.
    calm: u32,
    is_open: bool,
    evidence: f64,
    /// The p-value of the last block.
    block_p: f64,
}

/// The betting test of one series.
#[derive(Debug, Clone)]
pub struct Betting {
    spec: BettingSpec,
    openings_per_row: f64,
    /// Log block maxima of the calibration and of false alarms, sorted upwards.
    maxima: Vec<f64>,
    /// Those of the calibration alone.
    held_out: Vec<f64>,
    median: f64,
    tail_spread: f64,
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
        let maxima = calibration.block_maxima(block_rows);
        let upper = quantile_sorted(&maxima, 0.8);
        let top: Vec<f64> = maxima.iter().copied().filter(|c| *c >= upper).collect();
        let kappa = step_per_row(spec.acceptance_rows, calibration.n_rows());
        // More than one opening per two blocks is no budget.
        let per_block = (openings_per_row * block_rows as f64).clamp(1e-12, 0.5);
        let level_min = (1.0 / per_block).ln();
        Self {
            median: quantile_sorted(&maxima, 0.5),
            tail_spread: (mean(&top) - upper).max(TAIL_SPREAD_MIN),
            held_out: maxima.clone(),
            maxima,
            kappa,
            level_min,
            openings_per_row,
            state: BettingState {
                half_maximum: f64::MIN_POSITIVE,
                half_filled: 0,
                half_before: None,
                n_blocks: 0,
                baseline: SlowBaseline::default(),
                wealth: [[1.0; BETS.len()]; N_TESTS],
                level: level_min,
                opened_level: level_min,
                calm: 0,
                is_open: false,
                evidence: 0.0,
                block_p: 1.0,
            },
            spec: BettingSpec { block_rows, ..spec.clone() },
        }
    }

    /// Takes in the fused residual of a row; the judgement changes at the end of a half block. Gives back a level shift
    /// on the row on which it counts as accepted.
    pub fn push(&mut self, fused: f64) -> Option<LevelShift> {
        let half_rows = self.spec.block_rows / N_TESTS;
        let state = &mut self.state;
        state.half_maximum = state.half_maximum.max(fused);
        state.half_filled += 1;
        if state.half_filled < half_rows || self.maxima.is_empty() {
            return None;
        }
        let half = std::mem::replace(&mut state.half_maximum, f64::MIN_POSITIVE);
        state.half_filled = 0;
        let log_maximum = half.max(state.half_before.replace(half)?).ln();
        let p = self.block_p_value(log_maximum - self.state.baseline.forgiven());
        let step = self.kappa * half_rows as f64;
        let is_open = self.state.is_open;
        self.state.baseline.follow(log_maximum, self.median, step, is_open);
        self.bet(p);
        self.state.n_blocks += 1;
        self.state.block_p = p;
        self.state.baseline.tell()
    }

    /// Takes block maxima like these as ordinary, in place of those told before. However few they are, together they
    /// weigh as much as the held-out ones: what a person has said outweighs what was merely never seen.
    pub fn learn(&mut self, log_maxima: &[f64]) {
        self.maxima = self.held_out.clone();
        let copies = self.held_out.len().div_ceil(log_maxima.len().max(1)).max(1);
        let told = log_maxima.iter().copied().filter(|c| c.is_finite());
        self.maxima.extend(told.flat_map(|c| std::iter::repeat_n(c, copies)));
        self.maxima.sort_by(f64::total_cmp);
    }

    /// Evidence gathered; an alert opens at 1.0.
    pub fn evidence(&self) -> f64 {
        self.state.evidence
    }

    /// True while an alert is open.
    pub fn is_open(&self) -> bool {
        self.state.is_open
    }

    /// Calm blocks in a row, end to end, while an alert is open.
    pub fn calm_blocks(&self) -> u32 {
        self.state.calm / N_TESTS as u32
    }

    /// P-value of the last block.
    pub fn block_p(&self) -> f64 {
        self.state.block_p
    }

    /// Takes back what the baseline has accepted: the learned level counts as normal again.
    pub fn undo_shift(&mut self) {
        self.state.baseline.undo();
    }

    /// Randomised share of calibration blocks at least as high; beyond them all an exponential tail.
    pub fn block_p_value(&self, log_maximum: f64) -> f64 {
        let n = self.maxima.len();
        let at_least = n - self.maxima.partition_point(|c| *c < log_maximum);
        if at_least > 0 {
            return (at_least as f64 + uniform(self.spec.seed, self.state.n_blocks)) / (n + 1) as f64;
        }
        let beyond = log_maximum - self.maxima.last().copied().unwrap_or(0.0);
        ((-beyond / (TAIL_SPREADS * self.tail_spread)).exp() / (n + 1) as f64).max(BLOCK_P_MIN)
    }

    fn bet(&mut self, p: f64) {
        let state = &mut self.state;
        let turn = (state.n_blocks % N_TESTS as u64) as usize;
        for (wealth, bet) in state.wealth[turn].iter_mut().zip(BETS) {
            *wealth = wealth.max(1.0) * bet * p.powf(bet - 1.0);
        }
        let mean = state.wealth.iter().flatten().sum::<f64>() / (N_TESTS * BETS.len()) as f64;
        let gathered = mean.ln().max(0.0);
        let step = self.spec.controller_step;
        if state.is_open {
            state.evidence = gathered / state.opened_level;
            state.calm = if p > CALM_P { state.calm + 1 } else { 0 };
            if state.calm >= N_TESTS as u32 * self.spec.calm_blocks {
                state.is_open = false;
                state.calm = 0;
                state.wealth = [[1.0; BETS.len()]; N_TESTS];
                state.evidence = 0.0;
            } else {
                let most = OPEN_EVIDENCE_FACTOR * self.level_min.exp();
                state.wealth.iter_mut().flatten().for_each(|wealth| *wealth = wealth.min(most));
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

    fn calibration(seed: u64, n: usize) -> Calibration {
        Calibration::fit(residuals(seed).take(n).collect(), SmoothingSpec::default())
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
                test.block_p_value(block.ln())
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
            for (row, fused) in residuals(2 * seed + 100_002).take(8000).enumerate() {
                test.push(fused);
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
            test.push(if is_shifted { 20.0 * fused + 5.0 } else { fused });
            if test.is_open() && opened_at.is_none() {
                opened_at = Some(row);
                assert!(test.evidence() >= 1.0);
            }
        }
        assert!(opened_at.is_some_and(|row| (2007..2060).contains(&row)), "{opened_at:?}");
        assert!(!test.is_open());
    }

    #[test]
    fn a_resumed_test_continues_bit_for_bit() {
        let calibration = calibration(5, 800);
        let mut whole = Betting::new(&calibration, &BettingSpec::default(), 1e-2);
        let mut part = whole.clone();
        let stream: Vec<f64> = residuals(6).map(|u| u * 2.0).take(1000).collect();
        for fused in &stream {
            whole.push(*fused);
        }
        for (row, fused) in stream.iter().enumerate() {
            if row == 517 {
                let bytes = postcard::to_allocvec(&part.state).unwrap();
                part = Betting::new(&calibration, &BettingSpec::default(), 1e-2);
                part.state = postcard::from_bytes(&bytes).unwrap();
            }
            part.push(*fused);
        }
        assert_eq!(part.state, whole.state);
    }
}
