//! The betting test: block p-values against held-out maxima, Page-type e-process, slow baseline, budget controller.
//!
//! If block maxima are exchangeable with the calibration blocks, p is super-uniform and each factor of the evidence
//! has mean at most 1; restarting at 1 makes the mean time to a false opening at least exp(h0) blocks. Blocks, the tail
//! formula, the reuse of the calibration set and the baseline bend that promise; `docs/detection.md` has what they cost.

use serde::{Deserialize, Serialize};

use super::Calibration;
use crate::stats::{mean, quantile_sorted};

/// The exponents of the bets; their mean is a bet on any size of surprise.
const BETS: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];
/// Smallest spread of the upper tail of log maxima: a calibration without spread would see every wobble as new.
const TAIL_SPREAD_MIN: f64 = 0.05;
/// No block p-value is smaller: one wild block opens nothing alone under a tight budget.
const BLOCK_P_MIN: f64 = 1e-4;
/// The slow baseline runs ahead of the data by at most this much downwards.
const BASELINE_MIN: f64 = -1.0;
/// The baseline learns this much slower while an alert is open.
const OPEN_LEARNING_SHARE: f64 = 0.25;
/// A block is calm when its p-value exceeds this.
const CALM_P: f64 = 0.1;
/// While an alert is open the evidence stays below this many times the opening level, so that it can end.
const OPEN_EVIDENCE_FACTOR: f64 = 3.0;
/// Fewest rows in which a lasting rise by one log unit is accepted.
const ACCEPTANCE_ROWS_MIN: f64 = 330.0;
/// A shift is told when the baseline passes ln 2 (residuals doubled for good) and may be told again below half of it.
const SHIFT_TOLD: f64 = std::f64::consts::LN_2;

/// Settings of the betting test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BettingSpec {
    /// Rows of a block, B; the decision waits for the end of its block.
    pub block_rows: usize,
    /// Rows in which a lasting rise of the log residual by one unit is accepted as the new normal; by default 330, or
    /// a fifth of the calibration rows when those are more. 0 switches the baseline off.
    pub acceptance_rows: Option<f64>,
    /// How much more evidence (in log units) each opening asks for, forgotten over one budget period.
    pub controller_step: f64,
    /// Calm blocks after which an alert resolves.
    pub calm_blocks: u32,
    /// Seed of the randomised p-values.
    pub seed: u64,
}

impl Default for BettingSpec {
    fn default() -> Self {
        Self { block_rows: 8, acceptance_rows: None, controller_step: 1.5, calm_blocks: 4, seed: 0 }
    }
}

/// A lasting change of level that the baseline has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelShift {
    /// How many times larger residuals now count as normal.
    pub factor: f64,
}

/// All that changes while judging.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BettingState {
    /// Highest residual of the block so far.
    block_maximum: f64,
    /// Rows of the block so far.
    block_filled: usize,
    /// Blocks judged, which also numbers the random draws.
    n_blocks: u64,
    /// The slow baseline m, in log units.
    baseline: f64,
    /// One wealth per bet.
    wealth: [f64; 5],
    /// Evidence asked for, h, in log units.
    level: f64,
    /// Evidence asked for when the open alert opened.
    opened_level: f64,
    /// Calm blocks in a row.
    calm: u32,
    is_open: bool,
    evidence: f64,
    is_shift_told: bool,
    /// The p-value of the last block.
    block_p: f64,
}

/// The betting test of one series.
#[derive(Debug, Clone)]
pub struct Betting {
    spec: BettingSpec,
    openings_per_row: f64,
    /// Log block maxima of the calibration, sorted upwards.
    maxima: Vec<f64>,
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
        let block_rows = spec.block_rows.max(1);
        let maxima = calibration.block_maxima(block_rows);
        let upper = quantile_sorted(&maxima, 0.8);
        let top: Vec<f64> = maxima.iter().copied().filter(|c| *c >= upper).collect();
        let rows = ACCEPTANCE_ROWS_MIN.max(calibration.n_rows() as f64 / 5.0);
        let kappa = match spec.acceptance_rows {
            Some(rows) if rows <= 0.0 => 0.0,
            given => 1.0 / given.unwrap_or(rows).max(1.0),
        };
        // More than one opening per two blocks is no budget.
        let per_block = (openings_per_row * block_rows as f64).clamp(1e-12, 0.5);
        let level_min = (1.0 / per_block).ln();
        Self {
            median: quantile_sorted(&maxima, 0.5),
            tail_spread: (mean(&top) - upper).max(TAIL_SPREAD_MIN),
            maxima,
            kappa,
            level_min,
            openings_per_row,
            state: BettingState {
                block_maximum: f64::MIN_POSITIVE,
                block_filled: 0,
                n_blocks: 0,
                baseline: 0.0,
                wealth: [1.0; 5],
                level: level_min,
                opened_level: level_min,
                calm: 0,
                is_open: false,
                evidence: 0.0,
                is_shift_told: false,
                block_p: 1.0,
            },
            spec: BettingSpec { block_rows, ..spec.clone() },
        }
    }

    /// Takes in the fused residual of a row; the judgement changes at the end of a block. Gives back a level shift on
    /// the row on which it counts as accepted.
    pub fn push(&mut self, fused: f64) -> Option<LevelShift> {
        let state = &mut self.state;
        state.block_maximum = state.block_maximum.max(fused);
        state.block_filled += 1;
        if state.block_filled < self.spec.block_rows || self.maxima.is_empty() {
            return None;
        }
        let log_maximum = state.block_maximum.ln();
        state.block_maximum = f64::MIN_POSITIVE;
        state.block_filled = 0;
        let p = self.block_p_value(log_maximum - self.state.baseline.max(0.0));
        self.follow_baseline(log_maximum);
        self.bet(p);
        self.state.n_blocks += 1;
        self.state.block_p = p;
        self.tell_shift()
    }

    /// Evidence gathered; an alert opens at 1.0.
    pub fn evidence(&self) -> f64 {
        self.state.evidence
    }

    /// True while an alert is open.
    pub fn is_open(&self) -> bool {
        self.state.is_open
    }

    /// Calm blocks in a row while an alert is open.
    pub fn calm_blocks(&self) -> u32 {
        self.state.calm
    }

    /// P-value of the last block.
    pub fn block_p(&self) -> f64 {
        self.state.block_p
    }

    /// Takes back what the baseline has accepted: the learned level counts as normal again.
    pub fn undo_shift(&mut self) {
        self.state.baseline = 0.0;
        self.state.is_shift_told = false;
    }

    /// Randomised share of calibration blocks at least as high; beyond them all an exponential tail.
    pub fn block_p_value(&self, log_maximum: f64) -> f64 {
        let n = self.maxima.len();
        let at_least = n - self.maxima.partition_point(|c| *c < log_maximum);
        if at_least > 0 {
            return (at_least as f64 + uniform(self.spec.seed, self.state.n_blocks)) / (n + 1) as f64;
        }
        let beyond = log_maximum - self.maxima.last().copied().unwrap_or(0.0);
        ((-beyond / (4.0 * self.tail_spread)).exp() / (n + 1) as f64).max(BLOCK_P_MIN)
    }

    fn follow_baseline(&mut self, log_maximum: f64) {
        let share = if self.state.is_open { OPEN_LEARNING_SHARE } else { 1.0 };
        let step = self.kappa * self.spec.block_rows as f64 * share;
        let ahead = log_maximum - self.median - self.state.baseline;
        let sign = if ahead > 0.0 {
            1.0
        } else if ahead < 0.0 {
            -1.0
        } else {
            0.0
        };
        self.state.baseline = (self.state.baseline + step * sign).max(BASELINE_MIN);
    }

    fn bet(&mut self, p: f64) {
        let state = &mut self.state;
        for (wealth, bet) in state.wealth.iter_mut().zip(BETS) {
            *wealth = wealth.max(1.0) * bet * p.powf(bet - 1.0);
        }
        let gathered = (state.wealth.iter().sum::<f64>() / BETS.len() as f64).ln().max(0.0);
        let step = self.spec.controller_step;
        if state.is_open {
            state.evidence = gathered / state.opened_level;
            state.calm = if p > CALM_P { state.calm + 1 } else { 0 };
            if state.calm >= self.spec.calm_blocks {
                state.is_open = false;
                state.calm = 0;
                state.wealth = [1.0; 5];
                state.evidence = 0.0;
            } else {
                let most = OPEN_EVIDENCE_FACTOR * self.level_min.exp();
                state.wealth.iter_mut().for_each(|wealth| *wealth = wealth.min(most));
            }
            return;
        }
        let forgotten = step * self.openings_per_row * self.spec.block_rows as f64;
        state.level = self.level_min.max(state.level - forgotten);
        state.evidence = gathered / state.level;
        if gathered >= state.level {
            state.is_open = true;
            state.calm = 0;
            state.opened_level = state.level;
            state.level += step;
        }
    }

    fn tell_shift(&mut self) -> Option<LevelShift> {
        let state = &mut self.state;
        if state.baseline < SHIFT_TOLD / 2.0 {
            state.is_shift_told = false;
        }
        if state.baseline < SHIFT_TOLD || state.is_shift_told {
            return None;
        }
        state.is_shift_told = true;
        Some(LevelShift { factor: state.baseline.exp() })
    }
}

/// Draw number `index` of the seeded uniform sequence on (0, 1] (splitmix64): random access keeps restarts exact.
fn uniform(seed: u64, index: u64) -> f64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
}
