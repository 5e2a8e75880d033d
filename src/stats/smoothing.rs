//! Exponential smoothing: the live score looks back, the settled score looks both ways.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// s\[t\] = s\[t-1\] + a (u\[t\] - s\[t-1\]); the first value starts it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ewma {
    alpha: f64,
    level: Option<f64>,
}

impl Ewma {
    /// A smoothing of weight `alpha` for the newest value, in (0, 1].
    pub fn new(alpha: f64) -> Self {
        Self { alpha, level: None }
    }

    /// Takes in a value and gives the new level.
    pub fn push(&mut self, value: f64) -> f64 {
        let level = self.level.map_or(value, |level| level + self.alpha * (value - level));
        self.level = Some(level);
        level
    }

    /// The level, once there was a value.
    pub fn level(&self) -> Option<f64> {
        self.level
    }
}

/// The two-sided kernel of the settled score:
/// S\[t\] = (s\[t\] + Σ_{j=1..d} a (1-a)^j u\[t+j\]) / (1 + Σ_{j=1..d} a (1-a)^j), where s is the [`Ewma`] of u.
///
/// Items ride along: what is pushed with row t comes back with S\[t\], d pushes later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettledKernel<T> {
    smoothing: Ewma,
    delay: usize,
    /// (item, s, u) of the rows not yet settled, oldest first; at most `delay` + 1.
    waiting: VecDeque<(T, f64, f64)>,
}

impl<T: Clone> SettledKernel<T> {
    /// A kernel of weight `alpha` that looks `delay` rows ahead.
    pub fn new(alpha: f64, delay: usize) -> Self {
        Self { smoothing: Ewma::new(alpha), delay, waiting: VecDeque::with_capacity(delay + 2) }
    }

    /// Takes in row t; gives back row t - d with its settled value once there is one.
    pub fn push(&mut self, item: T, value: f64) -> Option<(T, f64)> {
        let level = self.smoothing.push(value);
        self.waiting.push_back((item, level, value));
        if self.waiting.len() <= self.delay {
            return None;
        }
        let settled = self.settle(0);
        self.waiting.pop_front().map(|(item, ..)| (item, settled))
    }

    /// The rows still waiting, settled with the look-ahead there is. For the end of a recording; the kernel keeps them.
    pub fn settle_rest(&self) -> Vec<(T, f64)> {
        (0..self.waiting.len()).map(|i| (self.waiting[i].0.clone(), self.settle(i))).collect()
    }

    fn settle(&self, index: usize) -> f64 {
        let alpha = self.smoothing.alpha;
        let (mut sum, mut weights, mut weight) = (self.waiting[index].1, 1.0, alpha);
        for (_, _, value) in self.waiting.iter().skip(index + 1) {
            weight *= 1.0 - alpha;
            sum += weight * value;
            weights += weight;
        }
        sum / weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settled_value_is_the_formula_written_out() {
        let (alpha, delay) = (0.02, 5);
        let u: Vec<f64> = (0..40).map(|t| f64::from(t * 7 % 11)).collect();
        let mut kernel = SettledKernel::new(alpha, delay);
        let mut found: Vec<(usize, f64)> =
            u.iter().enumerate().filter_map(|(t, value)| kernel.push(t, *value)).collect();
        assert_eq!(found.len(), u.len() - delay);
        found.extend(kernel.settle_rest());
        let mut s = u[0];
        for (t, value) in u.iter().enumerate() {
            s += alpha * (value - s);
            let ahead = delay.min(u.len() - 1 - t);
            let weight = |j: usize| alpha * (1.0 - alpha).powi(j as i32);
            let sum: f64 = (1..=ahead).map(|j| weight(j) * u[t + j]).sum();
            let expected = (s + sum) / (1.0 + (1..=ahead).map(weight).sum::<f64>());
            assert_eq!(found[t].0, t);
            assert!((found[t].1 - expected).abs() < 1e-12, "row {t}: {} and {expected}", found[t].1);
        }
    }
}
