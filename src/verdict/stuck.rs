//! The stuck-value rule: a channel that stays within a sliver of its value for longer than it ever did while learning.
//!
//! Members that judge residuals are blind to a stuck value (a flat line is easy to reconstruct), so it has its own
//! rule. A **still run** is a stretch of measured values whose range stays within the channel's sliver; the sliver is
//! a small share of the smallest range of any training window. Two things keep the rule quiet where a value
//! legitimately stands still. A run must be longer by a margin than the longest one while learning; a channel that
//! stood still for a whole window then is left out. And while most other channels stand still as well, it is the
//! machine that rests, not the sensor.

use serde::{Deserialize, Serialize};

/// A range below this share of the level is rounding, not movement.
const ROUNDING_SHARE: f64 = 1e-9;
/// Another channel rests when its still run has at least this share of the rows it would need to be stuck.
const RESTING_SHARE: f64 = 0.5;

/// Settings of the stuck-value rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StuckSpec {
    /// Whether alerts of this kind are raised.
    pub enabled: bool,
    /// Measured rows that a value must stand still at least.
    pub rows: usize,
    /// Standing still is to stay within this share of the smallest range of so many rows seen while learning.
    pub range_share: f64,
    /// And for so many times the longest still run seen while learning.
    pub margin: f64,
}

impl Default for StuckSpec {
    fn default() -> Self {
        Self { enabled: true, rows: 32, range_share: 0.1, margin: 3.0 }
    }
}

impl StuckSpec {
    /// The rows in use: a run of one row says nothing.
    fn rows_min(&self) -> usize {
        self.rows.max(2)
    }
}

/// When one channel counts as stuck.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StuckFloor {
    /// Largest range of a still run, in the sender's unit.
    pub range: f64,
    /// Rows from which a still run is a stuck value.
    pub rows: usize,
}

/// How little each channel moved while learning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckCalibration {
    /// The rule's settings.
    pub spec: StuckSpec,
    /// When each channel counts as stuck; none for channels that stood still for a whole window while learning, of
    /// which nothing can be said.
    pub floors: Vec<Option<StuckFloor>>,
}

impl StuckCalibration {
    /// Learns from rows `[N, C]` of measured cells; a channel needs four times the rule's rows.
    pub fn fit(values: &[f64], mask: &[bool], n_channels: usize, spec: &StuckSpec) -> Self {
        let floor = |c: usize| {
            let cells = values.iter().zip(mask).skip(c).step_by(n_channels);
            let column: Vec<f64> = cells.filter(|(_, present)| **present).map(|(value, _)| *value).collect();
            floor(&column, spec)
        };
        Self { spec: spec.clone(), floors: (0..n_channels).map(floor).collect() }
    }
}

fn floor(column: &[f64], spec: &StuckSpec) -> Option<StuckFloor> {
    let rows = spec.rows_min();
    if column.len() < 4 * rows {
        return None;
    }
    let smallest = column.windows(rows).map(range_of).fold(f64::INFINITY, f64::min);
    let level = column.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    if smallest <= ROUNDING_SHARE * level {
        return None;
    }
    let range = spec.range_share * smallest;
    let mut run = StillRun::default();
    let longest = column.iter().map(|value| run.push(*value, range)).max().unwrap_or(0);
    Some(StuckFloor { range, rows: rows.max((spec.margin * longest as f64).ceil() as usize) })
}

fn range_of(values: &[f64]) -> f64 {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low
}

/// The stretch of values, up to the last one, that stays within a range.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct StillRun {
    low: f64,
    high: f64,
    rows: usize,
}

impl StillRun {
    /// Takes in a value; rows of the run that it ends.
    fn push(&mut self, value: f64, range: f64) -> usize {
        let (low, high) = (self.low.min(value), self.high.max(value));
        *self = if self.rows > 0 && high - low <= range {
            Self { low, high, rows: self.rows + 1 }
        } else {
            Self { low: value, high: value, rows: 1 }
        };
        self.rows
    }
}

/// Watches the channels of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StuckWatch {
    runs: Vec<StillRun>,
    is_stuck: Vec<bool>,
}

impl StuckWatch {
    /// A watch over so many channels that has seen nothing.
    pub fn new(n_channels: usize) -> Self {
        Self { runs: vec![StillRun::default(); n_channels], is_stuck: vec![false; n_channels] }
    }

    /// Takes in a row, none where nothing was measured (held and interpolated values say nothing about movement); tells
    /// which channels are stuck.
    pub fn push(&mut self, row: &[Option<f64>], calibration: &StuckCalibration) -> &[bool] {
        let (mut n_judged, mut n_resting) = (0, 0);
        for ((run, floor), value) in self.runs.iter_mut().zip(&calibration.floors).zip(row) {
            let Some(floor) = floor else { continue };
            if let Some(value) = value {
                run.push(*value, floor.range);
            }
            n_judged += 1;
            n_resting += usize::from(run.rows as f64 >= RESTING_SHARE * floor.rows as f64);
        }
        // It rests itself, so it is one of them.
        let is_machine_at_rest = n_judged > 1 && 2 * n_resting.max(1) - 2 > n_judged - 1;
        for ((is_stuck, run), floor) in self.is_stuck.iter_mut().zip(&self.runs).zip(&calibration.floors) {
            if let Some(floor) = floor {
                let is_still = run.rows >= floor.rows;
                // Once said, it is stuck until it moves: others that come to rest later explain nothing.
                *is_stuck = is_still && (*is_stuck || !is_machine_at_rest);
            }
        }
        &self.is_stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(t: usize) -> f64 {
        (t as f64 * 0.4).sin() + 0.1 * (t as f64 * 1.7).sin()
    }

    #[test]
    fn a_flat_line_is_stuck_after_its_rows_and_free_with_the_first_movement() {
        let values: Vec<f64> = (0..300).flat_map(|t| [wave(t), 5.0]).collect();
        let calibration = StuckCalibration::fit(&values, &vec![true; 600], 2, &StuckSpec::default());
        // The wave spans at least 2 in any 32 rows, and never stays within a tenth of that for more than a few.
        let floor = calibration.floors[0].unwrap();
        assert!(floor.range > 0.19 && floor.rows == 32, "{floor:?}");
        assert_eq!(calibration.floors[1], None, "a channel that never moved cannot be stuck");
        let mut watch = StuckWatch::new(2);
        for t in 300..400 {
            assert!(!watch.push(&[Some(wave(t)), Some(5.0)], &calibration)[0]);
        }
        let mut first = None;
        for row in 0..60 {
            if watch.push(&[Some(3.0), Some(5.0)], &calibration)[0] {
                first.get_or_insert(row);
            }
        }
        assert_eq!(first, Some(31));
        assert!(!watch.push(&[Some(0.5), None], &calibration)[0]);
    }

    #[test]
    fn a_run_must_exceed_the_longest_one_while_learning_by_the_margin() {
        // Every 40 rows the value stands still for 20: three times that is 60 rows.
        let values: Vec<f64> = (0..800).map(|t| if t % 40 < 20 { 9.0 } else { wave(t) }).collect();
        let calibration = StuckCalibration::fit(&values, &[true; 800], 1, &StuckSpec::default());
        assert_eq!(calibration.floors[0].map(|floor| floor.rows), Some(60));
        let mut watch = StuckWatch::new(1);
        let first = (1..200).find(|_| watch.push(&[Some(9.0)], &calibration)[0]);
        assert_eq!(first, Some(60));
    }

    #[test]
    fn a_machine_at_rest_has_no_stuck_sensor_and_a_sensor_stuck_before_stays_so() {
        let values: Vec<f64> = (0..400).flat_map(|t| [wave(t), wave(t + 3), wave(2 * t)]).collect();
        let calibration = StuckCalibration::fit(&values, &[true; 1200], 3, &StuckSpec::default());
        let mut watch = StuckWatch::new(3);
        // All stand still, one a few rows before the others.
        for t in 0..200 {
            let late = if t < 10 { wave(t) } else { 0.0 };
            assert_eq!(watch.push(&[Some(0.0), Some(late), Some(late)], &calibration), [false; 3], "row {t}");
        }
        let mut watch = StuckWatch::new(3);
        for t in 0..100 {
            watch.push(&[Some(0.0), Some(wave(t)), Some(wave(2 * t))], &calibration);
        }
        for t in 0..100 {
            assert!(watch.push(&[Some(0.0), Some(0.0), Some(0.0)], &calibration)[0], "row {t}");
        }
    }

    #[test]
    fn rows_without_measurement_change_nothing() {
        let values: Vec<f64> = (0..200).map(|t| f64::from(t % 7)).collect();
        let calibration = StuckCalibration::fit(&values, &[true; 200], 1, &StuckSpec::default());
        let mut watch = StuckWatch::new(1);
        for _ in 0..100 {
            assert_eq!(watch.push(&[None], &calibration), [false]);
        }
    }
}
