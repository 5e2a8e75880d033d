//! Alerts against events: what was found, what was false, how late.

use serde::Serialize;

use super::AlarmTrack;
use super::alarm_track::mean;
use super::alarm_track::median;

/// What alarms did, event by event and row by row. Rates are per 10,000 normal rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventReport {
    /// Labelled events.
    pub events: usize,
    /// Events with at least one alarm row inside.
    pub detected: usize,
    /// `detected / events`.
    pub event_recall: Option<f64>,
    /// Runs of alarm rows.
    pub alarm_runs: usize,
    /// Runs that touch no event.
    pub false_runs: usize,
    /// Alarm rows outside events.
    pub false_rows: usize,
    /// False runs per 10,000 normal rows.
    pub false_runs_per_10k: Option<f64>,
    /// False rows per 10,000 normal rows.
    pub false_rows_per_10k: Option<f64>,
    /// Share of runs that touch an event.
    pub run_precision: Option<f64>,
    /// Harmonic mean of `run_precision` and `event_recall`; 0 where one of them is missing.
    pub event_f1: f64,
    /// Share of alarm rows inside events.
    pub point_precision: Option<f64>,
    /// Share of event rows in alarm.
    pub point_recall: Option<f64>,
    /// Harmonic mean of the two before.
    pub point_f1: Option<f64>,
    /// Mean rows from an event's start to the first alarm inside it, over detected events.
    pub delay_mean: Option<f64>,
    /// Median of the same.
    pub delay_median: Option<f64>,
    /// Mean of delay / length of the event, over detected events.
    pub delay_share_mean: Option<f64>,
}

/// Judges alarms by events. An alarm that was already on when the event began counts as detection here;
/// [`onset_report`](super::onset_report()) is the stricter view.
pub fn event_report(track: &AlarmTrack<'_>) -> EventReport {
    let mut delays = Vec::new();
    let mut shares = Vec::new();
    for event in track.events() {
        if let Some(first) = track.first_alarm_in(event) {
            delays.push((first - event.start) as f64);
            shares.push((first - event.start) as f64 / event.len() as f64);
        }
    }
    let rows = |wanted: bool| track.label().iter().zip(track.alarm()).filter(|(y, a)| **a && **y == wanted).count();
    let (hit_rows, false_rows) = (rows(true), rows(false));
    let n_event_rows = track.label().len() - track.n_normal();
    let n_alarm_rows = hit_rows + false_rows;
    let false_runs = track.runs().iter().filter(|run| !track.label()[(*run).clone()].contains(&true)).count();
    let recall = ratio(delays.len(), track.events().len());
    let precision = ratio(track.runs().len() - false_runs, track.runs().len());
    let per_10k = |count: usize| ratio(10_000 * count, track.n_normal());
    EventReport {
        events: track.events().len(),
        detected: delays.len(),
        event_recall: recall,
        alarm_runs: track.runs().len(),
        false_runs,
        false_rows,
        false_runs_per_10k: per_10k(false_runs),
        false_rows_per_10k: per_10k(false_rows),
        run_precision: precision,
        event_f1: match (precision, recall) {
            (Some(p), Some(r)) if p + r > 0.0 => 2.0 * p * r / (p + r),
            _ => 0.0,
        },
        point_precision: ratio(hit_rows, n_alarm_rows),
        point_recall: ratio(hit_rows, n_event_rows),
        point_f1: ratio(2 * hit_rows, n_alarm_rows + n_event_rows),
        delay_mean: mean(&delays),
        delay_median: median(&mut delays),
        delay_share_mean: mean(&shares),
    }
}

/// `part / whole`, when there is a whole.
pub(super) fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_counted_track_gives_the_hand_counted_report() {
        let bits = |text: &str| text.chars().map(|c| c == '1').collect::<Vec<_>>();
        // Events [3,7) and [10,12); alarms [1,2) false, [5,8) finds the first after 2 of 4 rows.
        let label = bits("0001111000110");
        let alarm = bits("0100011100000");
        let report = event_report(&AlarmTrack::new(&label, &alarm).unwrap());
        assert_eq!((report.events, report.detected, report.alarm_runs, report.false_runs), (2, 1, 2, 1));
        assert_eq!(report.false_rows, 2);
        assert_eq!(report.event_recall, Some(0.5));
        assert_eq!(report.run_precision, Some(0.5));
        assert_eq!(report.event_f1, 0.5);
        assert_eq!(report.point_precision, Some(0.5));
        assert_eq!(report.point_recall, Some(2.0 / 6.0));
        assert_eq!(report.point_f1, Some(0.4));
        assert_eq!((report.delay_mean, report.delay_share_mean), (Some(2.0), Some(0.5)));
        assert_eq!(report.false_runs_per_10k, Some(1e4 / 7.0));
    }

    #[test]
    fn silence_on_a_quiet_series_has_no_rates_to_quote() {
        let report = event_report(&AlarmTrack::new(&[false; 4], &[false; 4]).unwrap());
        assert_eq!((report.event_recall, report.run_precision, report.point_f1), (None, None, None));
        assert_eq!(report.false_runs_per_10k, Some(0.0));
    }
}
