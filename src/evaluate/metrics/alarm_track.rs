//! A label and an alarm per row, with their runs.

use std::ops::Range;

use super::MetricError;

/// A maximal run of marked rows, `[start, end)`.
pub type Event = Range<usize>;

/// The maximal runs of `true`, in order.
pub fn events(marked: &[bool]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut start = None;
    for (row, is_marked) in marked.iter().chain(std::iter::once(&false)).enumerate() {
        match (start, is_marked) {
            (None, true) => start = Some(row),
            (Some(from), false) => {
                events.push(from..row);
                start = None;
            }
            _ => {}
        }
    }
    events
}

/// Decisions beside labels, row by row.
#[derive(Debug, Clone)]
pub struct AlarmTrack<'a> {
    label: &'a [bool],
    alarm: &'a [bool],
    events: Vec<Event>,
    runs: Vec<Event>,
}

impl<'a> AlarmTrack<'a> {
    /// Puts `alarm[row]` beside `label[row]`.
    ///
    /// # Errors
    /// When the lengths differ.
    pub fn new(label: &'a [bool], alarm: &'a [bool]) -> Result<Self, MetricError> {
        if label.len() != alarm.len() {
            return Err(MetricError::Length { found: alarm.len(), expected: label.len() });
        }
        Ok(Self { label, alarm, events: events(label), runs: events(alarm) })
    }

    /// The labels, `[row]`.
    pub fn label(&self) -> &[bool] {
        self.label
    }

    /// The alarms, `[row]`.
    pub fn alarm(&self) -> &[bool] {
        self.alarm
    }

    /// Labelled events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Runs of alarm rows; each starts with an opening.
    pub fn runs(&self) -> &[Event] {
        &self.runs
    }

    /// Rows that no event covers.
    pub fn n_normal(&self) -> usize {
        self.label.iter().filter(|y| !**y).count()
    }

    /// First alarm row inside `[start, end)`.
    pub(super) fn first_alarm_in(&self, event: &Event) -> Option<usize> {
        self.alarm[event.clone()].iter().position(|a| *a).map(|i| event.start + i)
    }
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        _ => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

/// The mean; `None` of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_touch_the_ends_and_stay_apart() {
        let check = |text: &str, expected: &[(usize, usize)]| {
            let marked: Vec<bool> = text.chars().map(|c| c == '1').collect();
            let found: Vec<_> = events(&marked).iter().map(|event| (event.start, event.end)).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("", &[]);
        check("000", &[]);
        check("111", &[(0, 3)]);
        check("1011001", &[(0, 1), (2, 4), (6, 7)]);
    }

    #[test]
    fn alarms_of_another_length_are_refused() {
        assert!(AlarmTrack::new(&[true, false], &[true]).is_err());
    }
}
