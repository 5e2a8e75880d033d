//! The stuck-value rule: a channel that moves less than it ever did while learning.
//!
//! Members that judge residuals are blind to a stuck value (a flat line is easy to reconstruct), so it has its own
//! rule: the spread of the last rows of a channel far below the smallest spread of any training window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Settings of the stuck-value rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StuckSpec {
    /// Rows over which a channel's spread is taken.
    pub rows: usize,
    /// A channel is stuck below this share of the smallest spread seen while learning.
    pub spread_share: f64,
}

impl Default for StuckSpec {
    fn default() -> Self {
        Self { rows: 32, spread_share: 0.1 }
    }
}

/// How little each channel moved while learning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckCalibration {
    /// The rule's settings.
    pub spec: StuckSpec,
    /// Spread below which a channel is stuck, in the sender's unit; none for channels that stood still while
    /// learning, of which nothing can be said.
    pub floors: Vec<Option<f64>>,
}

impl StuckCalibration {
    /// Learns from rows `[N, C]` of measured cells; a channel needs twice the rule's rows.
    pub fn fit(values: &[f64], mask: &[bool], n_channels: usize, spec: &StuckSpec) -> Self {
        let rows = spec.rows.max(2);
        let floor = |c: usize| {
            let cells = values.iter().zip(mask).skip(c).step_by(n_channels);
            let column: Vec<f64> = cells.filter(|(_, present)| **present).map(|(value, _)| *value).collect();
            if column.len() < 2 * rows {
                return None;
            }
            let smallest = column.windows(rows).map(spread).fold(f64::INFINITY, f64::min);
            let level = column.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            // A spread that is rounding of the level is no movement.
            (smallest > 1e-9 * level).then_some(spec.spread_share * smallest)
        };
        Self { spec: StuckSpec { rows, ..spec.clone() }, floors: (0..n_channels).map(floor).collect() }
    }
}

/// Watches the channels of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckWatch {
    /// The last measured values per channel.
    last: Vec<VecDeque<f64>>,
    is_stuck: Vec<bool>,
}

impl StuckWatch {
    /// A watch over so many channels that has seen nothing.
    pub fn new(n_channels: usize) -> Self {
        Self { last: vec![VecDeque::new(); n_channels], is_stuck: vec![false; n_channels] }
    }

    /// Takes in a row, none where nothing was measured (held and interpolated values say nothing about movement); tells
    /// which channels are stuck.
    pub fn push(&mut self, row: &[Option<f64>], calibration: &StuckCalibration) -> &[bool] {
        let rows = calibration.spec.rows;
        for (c, value) in row.iter().enumerate().take(self.last.len()) {
            let (Some(value), Some(floor)) = (value, calibration.floors.get(c).copied().flatten()) else { continue };
            let last = &mut self.last[c];
            if last.len() == rows {
                last.pop_front();
            }
            last.push_back(*value);
            self.is_stuck[c] = last.len() == rows && spread(last.make_contiguous()) <= floor;
        }
        &self.is_stuck
    }
}

/// Standard deviation.
fn spread(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().map(|x| x / n).sum::<f64>();
    (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_line_is_stuck_after_its_rows_and_free_with_the_first_movement() {
        let value = |t: usize| (t as f64 * 0.4).sin() + 0.1 * (t as f64 * 1.7).sin();
        let values: Vec<f64> = (0..300).flat_map(|t| [value(t), 5.0]).collect();
        let calibration = StuckCalibration::fit(&values, &vec![true; 600], 2, &StuckSpec::default());
        assert!(calibration.floors[0].is_some_and(|floor| floor > 0.01));
        assert_eq!(calibration.floors[1], None, "a channel that never moved cannot be stuck");
        let mut watch = StuckWatch::new(2);
        for t in 300..400 {
            assert!(!watch.push(&[Some(value(t)), Some(5.0)], &calibration)[0]);
        }
        let mut first = None;
        for row in 0..60 {
            if watch.push(&[Some(3.0), Some(5.0)], &calibration)[0] {
                first.get_or_insert(row);
            }
        }
        assert_eq!(first, Some(31));
        assert!(!watch.push(&[Some(0.9), None], &calibration)[0]);
    }

    #[test]
    fn rows_without_measurement_change_nothing() {
        let values: Vec<f64> = (0..100).map(|t| f64::from(t % 7)).collect();
        let calibration = StuckCalibration::fit(&values, &[true; 100], 1, &StuckSpec::default());
        let mut watch = StuckWatch::new(1);
        for _ in 0..100 {
            assert_eq!(watch.push(&[None], &calibration), [false]);
        }
    }
}
