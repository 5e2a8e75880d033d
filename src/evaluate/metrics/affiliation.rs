//! Affiliation precision and recall (Huet, Navarro, Rossi, KDD 2022): how near predictions and events are to each
//! other, against the chance of a random prediction being as near.

use serde::Serialize;

use super::AlarmTrack;
use super::alarm_track::mean;

/// Width of an integration cell, in rows. All integrands are piecewise linear with corners on quarter rows, so the
/// mid-point rule with four cells a row is exact.
const CELL_ROWS: f64 = 0.25;

/// Affiliation of alarms with events.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Affiliation {
    /// Mean over the zones that hold alarms; none without an alarm.
    pub precision: Option<f64>,
    /// Mean over all zones.
    pub recall: f64,
    /// Harmonic mean; 0 without an alarm.
    pub f1: f64,
}

/// Judges alarms by their distance from events. `None` without an event.
///
/// The time axis `[0, n]` is cut into one zone per event, half-way between neighbouring events. Within a zone a
/// predicted instant x scores P(dist(U, event) > dist(x, event)) for U uniform on the zone (1 inside the event);
/// an instant y of the event scores P(|U - y| > dist(y, predictions)).
pub fn affiliation(track: &AlarmTrack<'_>) -> Option<Affiliation> {
    let events = track.events();
    let n_rows = track.label().len() as f64;
    let mut precisions = Vec::new();
    let mut recalls = Vec::new();
    for (j, event) in events.iter().enumerate() {
        let zone = Zone {
            lo: if j == 0 { 0.0 } else { (events[j - 1].end + event.start) as f64 / 2.0 },
            hi: events.get(j + 1).map_or(n_rows, |next| (event.end + next.start) as f64 / 2.0),
            start: event.start as f64,
            end: event.end as f64,
        };
        let first = track.runs().partition_point(|run| run.end as f64 <= zone.lo);
        let part: Vec<(f64, f64)> = track.runs()[first..]
            .iter()
            .take_while(|run| (run.start as f64) < zone.hi)
            .map(|run| ((run.start as f64).max(zone.lo), (run.end as f64).min(zone.hi)))
            .collect();
        if part.is_empty() {
            recalls.push(0.0);
        } else {
            precisions.push(zone.precision(&part));
            recalls.push(zone.recall(&part));
        }
    }
    let recall = mean(&recalls)?;
    let precision = mean(&precisions);
    let f1 = match precision {
        Some(p) if p + recall > 0.0 => 2.0 * p * recall / (p + recall),
        _ => 0.0,
    };
    Some(Affiliation { precision, recall, f1 })
}

/// The part `[lo, hi]` of the time axis that belongs to the event `[start, end]`.
struct Zone {
    lo: f64,
    hi: f64,
    start: f64,
    end: f64,
}

impl Zone {
    fn size(&self) -> f64 {
        self.hi - self.lo
    }

    /// Mean over predicted instants of the chance that a random instant is farther from the event.
    fn precision(&self, part: &[(f64, f64)]) -> f64 {
        let (mut sum, mut n_cells) = (0.0, 0);
        for &(from, to) in part {
            for x in midpoints(from, to) {
                let distance = (self.start - x).max(x - self.end).max(0.0);
                sum += if distance == 0.0 {
                    1.0
                } else {
                    let before = (self.start - self.lo - distance).max(0.0);
                    let after = (self.hi - self.end - distance).max(0.0);
                    (before + after) / self.size()
                };
                n_cells += 1;
            }
        }
        sum / n_cells as f64
    }

    /// Mean over instants of the event of the chance that a random instant is farther than the nearest prediction.
    fn recall(&self, part: &[(f64, f64)]) -> f64 {
        let (mut sum, mut n_cells) = (0.0, 0);
        let mut next = 0;
        for y in midpoints(self.start, self.end) {
            while next < part.len() && part[next].0 <= y {
                next += 1;
            }
            let before = if next == 0 { f64::INFINITY } else { (y - part[next - 1].1).max(0.0) };
            let after = part.get(next).map_or(f64::INFINITY, |run| run.0 - y);
            let distance = before.min(after);
            sum += if distance == 0.0 {
                1.0
            } else {
                1.0 - ((y + distance).min(self.hi) - (y - distance).max(self.lo)) / self.size()
            };
            n_cells += 1;
        }
        sum / n_cells as f64
    }
}

/// Mid-points of the cells of `[from, to]`.
fn midpoints(from: f64, to: f64) -> impl Iterator<Item = f64> {
    let n_cells = ((to - from) / CELL_ROWS).round() as usize;
    (0..n_cells).map(move |i| from + CELL_ROWS / 2.0 + i as f64 * CELL_ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Vec<bool> {
        text.chars().map(|c| c == '1').collect()
    }

    #[test]
    fn an_exact_alarm_is_perfect_and_silence_recalls_nothing() {
        let label = bits("0011100000");
        let exact = affiliation(&AlarmTrack::new(&label, &label).unwrap()).unwrap();
        assert_eq!(exact, Affiliation { precision: Some(1.0), recall: 1.0, f1: 1.0 });
        let silent = affiliation(&AlarmTrack::new(&label, &[false; 10]).unwrap()).unwrap();
        assert_eq!(silent, Affiliation { precision: None, recall: 0.0, f1: 0.0 });
        assert_eq!(affiliation(&AlarmTrack::new(&[false; 3], &[true; 3]).unwrap()), None);
    }

    #[test]
    fn a_near_miss_is_worth_what_the_integral_says() {
        // n = 10, event [4, 5], alarm [6, 7]. Precision: distance d = x - 5 over x in [6, 7];
        // P = ((4 - d)+ + (5 - d)+) / 10, mean over d in [1, 2] = (2.5 + 3.5) / 10 = 0.6.
        // Recall: distance 6 - y over y in [4, 5], nothing clipped by the zone while 2 (6 - y) <= 4:
        // 1 - 2 (6 - y) / 10, mean = 1 - 2 * 1.5 / 10 = 0.7.
        let label = bits("0000100000");
        let alarm = bits("0000001000");
        let found = affiliation(&AlarmTrack::new(&label, &alarm).unwrap()).unwrap();
        assert!((found.precision.unwrap() - 0.6).abs() < 1e-12, "{found:?}");
        assert!((found.recall - 0.7).abs() < 1e-12, "{found:?}");
    }
}
