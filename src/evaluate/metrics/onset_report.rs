//! What an operator meets: alarms that open, and time spent in alarm.

use serde::Serialize;

use super::AlarmTrack;
use super::alarm_track::median;
use super::event_report::ratio;

/// An alarm that opens up to so many rows before an event still belongs to it.
pub const ONSET_LEAD_ROWS: usize = 5;

/// Openings against events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OnsetReport {
    /// Share of events in which an alarm opens; one that was already on does not count.
    pub onset_recall: Option<f64>,
    /// Events in which an alarm opens.
    pub onset_found: usize,
    /// Openings away from every event.
    pub false_openings: usize,
    /// The same per 10,000 normal rows.
    pub openings_per_10k: Option<f64>,
    /// Share of normal rows in alarm.
    pub time_in_alarm: Option<f64>,
    /// Median rows from an event's start to the opening, 0 for openings in the lead.
    pub onset_delay_median: Option<f64>,
}

/// Judges openings: an event is found when an alarm opens in `[start - 5, end)`.
pub fn onset_report(track: &AlarmTrack<'_>) -> OnsetReport {
    let opens: Vec<usize> = track.runs().iter().map(|run| run.start).collect();
    let reach = |event: &super::Event| event.start.saturating_sub(ONSET_LEAD_ROWS)..event.end;
    let mut delays = Vec::new();
    let mut is_near = vec![false; opens.len()];
    for event in track.events() {
        let from = opens.partition_point(|row| *row < reach(event).start);
        let to = opens.partition_point(|row| *row < event.end);
        is_near[from..to].fill(true);
        if from < to {
            delays.push(opens[from].saturating_sub(event.start) as f64);
        }
    }
    let false_openings = is_near.iter().filter(|near| !**near).count();
    let n_normal = track.n_normal();
    let alarm_rows = track.label().iter().zip(track.alarm()).filter(|(y, a)| **a && !**y).count();
    OnsetReport {
        onset_recall: ratio(delays.len(), track.events().len()),
        onset_found: delays.len(),
        false_openings,
        openings_per_10k: ratio(10_000 * false_openings, n_normal),
        time_in_alarm: ratio(alarm_rows, n_normal),
        onset_delay_median: median(&mut delays),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_was_already_on_finds_nothing() {
        let bits = |text: &str| text.chars().map(|c| c == '1').collect::<Vec<_>>();
        let label = bits("000000001110000000001100");
        let alarm = bits("110000000111110000000000");
        let report = onset_report(&AlarmTrack::new(&label, &alarm).unwrap());
        // Opens at 0 (false) and at 9, one row into [8, 11); nothing opens for [20, 22).
        assert_eq!((report.onset_found, report.false_openings), (1, 1));
        assert_eq!(report.onset_recall, Some(0.5));
        assert_eq!(report.onset_delay_median, Some(1.0));
        assert_eq!(report.time_in_alarm, Some(5.0 / 19.0));
        let always = vec![true; label.len()];
        let report = onset_report(&AlarmTrack::new(&label, &always).unwrap());
        assert_eq!((report.onset_found, report.time_in_alarm), (0, Some(1.0)));
    }
}
