//! Rows right and wrong, and the three figures of the SKAB protocol.

use std::ops::AddAssign;

use serde::Serialize;

use super::AlarmTrack;

/// Rows by label and alarm. Add the counts of several series to pool them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PointCounts {
    /// Event rows in alarm.
    pub true_positives: usize,
    /// Normal rows in alarm.
    pub false_positives: usize,
    /// Event rows without alarm.
    pub false_negatives: usize,
    /// Normal rows without alarm.
    pub true_negatives: usize,
}

impl PointCounts {
    /// Row-wise F1; 0 when nothing is labelled or alarmed.
    pub fn f1(&self) -> f64 {
        let whole = 2 * self.true_positives + self.false_positives + self.false_negatives;
        2.0 * self.true_positives as f64 / whole.max(1) as f64
    }

    /// False alarm rate: share of normal rows in alarm.
    pub fn far(&self) -> f64 {
        self.false_positives as f64 / (self.false_positives + self.true_negatives).max(1) as f64
    }

    /// Missed alarm rate: share of event rows without alarm.
    pub fn mar(&self) -> f64 {
        self.false_negatives as f64 / (self.false_negatives + self.true_positives).max(1) as f64
    }
}

impl AddAssign for PointCounts {
    fn add_assign(&mut self, other: Self) {
        self.true_positives += other.true_positives;
        self.false_positives += other.false_positives;
        self.false_negatives += other.false_negatives;
        self.true_negatives += other.true_negatives;
    }
}

/// Counts rows by label and alarm.
pub fn point_counts(track: &AlarmTrack<'_>) -> PointCounts {
    let mut counts = PointCounts::default();
    for (is_event, is_alarm) in track.label().iter().zip(track.alarm()) {
        let count = match (is_event, is_alarm) {
            (true, true) => &mut counts.true_positives,
            (false, true) => &mut counts.false_positives,
            (true, false) => &mut counts.false_negatives,
            (false, false) => &mut counts.true_negatives,
        };
        *count += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooled_counts_give_the_protocol_figures() {
        let label = [true, true, true, false, false];
        let mut counts = point_counts(&AlarmTrack::new(&label, &[true, true, false, true, false]).unwrap());
        counts += point_counts(&AlarmTrack::new(&label, &[false; 5]).unwrap());
        // tp 2, fp 1, fn 4, tn 3
        assert_eq!(counts.f1(), 4.0 / 9.0);
        assert_eq!(counts.far(), 0.25);
        assert_eq!(counts.mar(), 4.0 / 6.0);
    }
}
