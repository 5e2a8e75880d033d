//! The standard-profile score by the Numenta Anomaly Benchmark's published rules, over a set of series.
//!
//! The rules, from NAB's documentation and `nab/sweeper.py`: rows of the probation (15 % of a file, of at most
//! 5,000 rows) do not count; within a window only the best row counts, worth a sigmoid of its place divided by the
//! sigmoid at the window's first row; a row outside windows costs up to 0.11 by its distance from the last window;
//! a window without an alarm costs 1. Points are summed over the set, then 0 is silence and 100 perfection. NAB
//! picks one threshold for the whole set after the fact; [`nab_standard_best`] does the same,
//! [`nab_standard`] judges the alarms as they were. NAB knows no alert that stays open: each of its alarms is one row.
//! For alerts, mark the rows on which one opens.

use super::nab_like::{FALSE_WEIGHT, sigmoid};
use super::{Event, MetricError, events};

/// Share of a file that is probation.
const PROBATION: f64 = 0.15;
/// Rows beyond which a file's probation no longer grows.
const PROBATION_ROWS_MAX: f64 = 5000.0;

/// What every row of a series is worth when it is an alarm, and the windows that count.
#[derive(Debug, Clone)]
pub struct NabPoints {
    /// Worth of an alarm, `[row]`; positive inside windows.
    worth: Vec<f64>,
    /// Window of a row, when it lies in one.
    window: Vec<Option<usize>>,
    n_windows: usize,
    /// First row that counts.
    from: usize,
}

impl NabPoints {
    /// Points for a series by its windows.
    pub fn new(label: &[bool]) -> Self {
        let n_rows = label.len();
        let probation = (PROBATION * n_rows as f64).floor().min(PROBATION * PROBATION_ROWS_MAX);
        let from = probation.ceil() as usize;
        let windows: Vec<Event> = events(label);
        let mut worth = vec![0.0; n_rows];
        let mut window = vec![None; n_rows];
        let mut last: Option<&Event> = None;
        let mut row = 0;
        for event in &windows {
            fill_outside(&mut worth, row..event.start, last);
            row = event.end;
            last = Some(event);
        }
        fill_outside(&mut worth, row..n_rows, last);
        let counted: Vec<&Event> = windows.iter().filter(|event| event.end > from).collect();
        for (index, event) in counted.iter().enumerate() {
            for row in (*event).clone() {
                worth[row] = sigmoid(-((event.end - row) as f64) / event.len() as f64) / sigmoid(-1.0);
                window[row] = Some(index);
            }
        }
        Self { worth, window, n_windows: counted.len(), from }
    }

    /// Rows of the series.
    pub fn n_rows(&self) -> usize {
        self.worth.len()
    }
}

/// Worth of alarms in a stretch outside windows, by the distance from the last window.
fn fill_outside(worth: &mut [f64], rows: Event, last: Option<&Event>) {
    for row in rows {
        let unweighted = match last {
            Some(event) if event.len() > 1 => {
                let position = (row - (event.end - 1)) as f64 / (event.len() - 1) as f64;
                if position >= 3.0 { -1.0 } else { sigmoid(position) }
            }
            _ => -1.0,
        };
        worth[row] = FALSE_WEIGHT * unweighted;
    }
}

/// NAB's normalised score of a set for the alarms as they were. `None` when no window counts.
///
/// # Errors
/// When a series has another number of alarms than rows.
pub fn nab_standard(set: &[(&NabPoints, &[bool])]) -> Result<Option<f64>, MetricError> {
    let mut total = 0.0;
    for (points, alarm) in set {
        check_rows(points, alarm.len())?;
        let mut best = vec![-1.0_f64; points.n_windows];
        for row in (points.from..points.n_rows()).filter(|row| alarm[*row]) {
            match points.window[row] {
                Some(window) => best[window] = best[window].max(points.worth[row]),
                None => total += points.worth[row],
            }
        }
        total += best.iter().sum::<f64>();
    }
    Ok(normalised(total, set.iter().map(|(points, _)| points.n_windows).sum()))
}

/// NAB's normalised score of a set at the one threshold that suits the set best, and that threshold (rows with
/// `score >= threshold` are alarms; infinite when silence is best). `None` when no window counts.
///
/// # Errors
/// When a series has another number of scores than rows, or a score is not finite.
pub fn nab_standard_best(set: &[(&NabPoints, &[f64])]) -> Result<Option<(f64, f64)>, MetricError> {
    let mut rows = Vec::new();
    for (index, (points, score)) in set.iter().enumerate() {
        check_rows(points, score.len())?;
        for row in points.from..points.n_rows() {
            if !score[row].is_finite() {
                return Err(MetricError::NotFinite { row, found: score[row] });
            }
            rows.push((score[row], index, row));
        }
    }
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut best: Vec<Vec<f64>> = set.iter().map(|(points, _)| vec![-1.0; points.n_windows]).collect();
    let n_windows: usize = set.iter().map(|(points, _)| points.n_windows).sum();
    let mut total = -(n_windows as f64);
    let (mut highest, mut threshold) = (total, f64::INFINITY);
    for (i, (score, index, row)) in rows.iter().enumerate() {
        let points = set[*index].0;
        let worth = points.worth[*row];
        match points.window[*row] {
            Some(window) if worth > best[*index][window] => {
                total += worth - best[*index][window];
                best[*index][window] = worth;
            }
            Some(_) => {}
            None => total += worth,
        }
        let is_last_of_ties = rows.get(i + 1).is_none_or(|next| next.0 < *score);
        if is_last_of_ties && total > highest {
            (highest, threshold) = (total, *score);
        }
    }
    Ok(normalised(highest, n_windows).map(|score| (score, threshold)))
}

fn check_rows(points: &NabPoints, found: usize) -> Result<(), MetricError> {
    if found == points.n_rows() { Ok(()) } else { Err(MetricError::Length { found, expected: points.n_rows() }) }
}

/// 0 for the silent detector (every window missed), 100 for the perfect one.
fn normalised(total: f64, n_windows: usize) -> Option<f64> {
    let n = n_windows as f64;
    (n_windows > 0).then(|| 100.0 * (total + n) / (2.0 * n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: usize, windows: &[(usize, usize)]) -> Vec<bool> {
        (0..n).map(|row| windows.iter().any(|w| (w.0..w.1).contains(&row))).collect()
    }

    #[test]
    fn silence_is_zero_and_the_first_row_of_every_window_a_hundred() {
        let points = NabPoints::new(&series(1000, &[(300, 400), (700, 780)]));
        let alarm: Vec<bool> = (0..1000).map(|row| row == 300 || row == 700).collect();
        assert_eq!(nab_standard(&[(&points, &[false; 1000])]), Ok(Some(0.0)));
        assert!((nab_standard(&[(&points, &alarm)]).unwrap().unwrap() - 100.0).abs() < 1e-12);
    }

    #[test]
    fn rows_of_the_probation_and_windows_inside_it_do_not_count() {
        let points = NabPoints::new(&series(1000, &[(20, 60), (500, 600)]));
        let alarm: Vec<bool> = (0..1000).map(|row| row < 150 || row == 500).collect();
        assert!((nab_standard(&[(&points, &alarm)]).unwrap().unwrap() - 100.0).abs() < 1e-12);
        assert_eq!(NabPoints::new(&[false; 100_000]).from, 750);
    }

    #[test]
    fn a_false_alarm_costs_by_its_distance_from_the_last_window() {
        // 2 / (1 + e^{5 * 10 / 99}) - 1 for the 10th row after a window of 100; -1 where no window came before.
        let points = NabPoints::new(&series(2000, &[(1000, 1100)]));
        let cost = |row: usize| {
            let alarm: Vec<bool> = (0..2000).map(|r| r == row || r == 1000).collect();
            50.0 * 2.0 - nab_standard(&[(&points, &alarm)]).unwrap().unwrap()
        };
        assert!((cost(500) - 50.0 * 0.11).abs() < 1e-9);
        let expected = 50.0 * 0.11 * (1.0 - 2.0 / (1.0 + (50.0_f64 / 99.0).exp()));
        assert!((cost(1109) - expected).abs() < 1e-9);
        assert!((cost(1500) - 50.0 * 0.11).abs() < 1e-9);
    }

    #[test]
    fn the_best_threshold_is_the_best_of_all_thresholds() {
        let mut state = 3_u64;
        let mut random = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % 40) as f64
        };
        let labels = [series(300, &[(100, 130)]), series(400, &[(90, 120), (300, 310)])];
        let points = labels.each_ref().map(|label| NabPoints::new(label));
        let scores = labels
            .each_ref()
            .map(|label| label.iter().map(|y| random() + if *y { 8.0 } else { 0.0 }).collect::<Vec<f64>>());
        let set: Vec<(&NabPoints, &[f64])> = points.iter().zip(&scores).map(|(p, s)| (p, s.as_slice())).collect();
        let (best, threshold) = nab_standard_best(&set).unwrap().unwrap();
        let mut expected = (0.0, f64::INFINITY);
        for step in 0..50 {
            let alarms = scores.each_ref().map(|s| s.iter().map(|s| *s >= f64::from(step)).collect::<Vec<bool>>());
            let set: Vec<(&NabPoints, &[bool])> = points.iter().zip(&alarms).map(|(p, a)| (p, a.as_slice())).collect();
            let score = nab_standard(&set).unwrap().unwrap();
            if score >= expected.0 {
                expected = (score, f64::from(step));
            }
        }
        assert!((best - expected.0).abs() < 1e-9, "{best} {expected:?}");
        assert!(best > 0.0 && threshold.is_finite());
    }
}
