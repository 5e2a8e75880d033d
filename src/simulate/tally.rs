//! Alerts held against the faults that caused them: found, missed, false.

use std::collections::BTreeSet;

use serde::Serialize;

use super::fault::{Fault, FaultKind};
use super::schedule::Schedule;
use crate::series::{Stride, Timestamp};
use crate::verdict::{Alert, AlertKind};

/// Rows after a fault in which an alert still counts as its finding: so long it stays in the window.
const GRACE_ROWS: i64 = 32;

/// What an alert was, as far as the plant knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// A fault, found for the first time.
    Found(Fault),
    /// A fault that an earlier alert has found already.
    Again(Fault),
    /// Nothing was wrong.
    FalseAlarm,
}

/// The count so far.
#[derive(Debug, Clone)]
pub struct Tally {
    faults: Vec<Fault>,
    grace_ms: i64,
    /// For each fault, how long after its beginning it was found, in milliseconds of event time.
    delays_ms: Vec<Option<i64>>,
    /// For each fault, the kinds of alerts that found it.
    found_by: Vec<BTreeSet<AlertKind>>,
    n_opened: usize,
    n_false: usize,
}

/// The closing report of a demo; `report.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Faults that have begun.
    pub faults_injected: usize,
    /// Faults that an alert opened for, during the fault or while it was still in the window.
    pub faults_found: usize,
    /// Alerts with no fault to cause them.
    pub false_alarms: usize,
    /// Alerts in all.
    pub alerts_opened: usize,
    /// Median time from the beginning of a fault to its alert, in seconds of the plant's time; none without a found one.
    pub median_delay_seconds: Option<f64>,
    /// Length of the run, in seconds of the wall clock.
    pub seconds: f64,
    /// Kinds of faults that have begun.
    pub kinds_injected: BTreeSet<FaultKind>,
    /// Kinds of which at least one fault was found.
    pub kinds_found: BTreeSet<FaultKind>,
    /// The faults that have begun, first to begin first.
    pub faults: Vec<FaultReport>,
}

/// One fault of a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultReport {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// Time from its beginning to its alert, in seconds of the plant's time; none when it was missed.
    pub delay_seconds: Option<f64>,
    /// Kinds of the alerts that found it. A stuck sensor is found by its rule (`stuck`) or by the score (`anomaly`).
    pub found_by: BTreeSet<AlertKind>,
}

impl Tally {
    /// A count that begins.
    pub fn new(schedule: &Schedule, stride: Stride) -> Self {
        let faults = schedule.faults().to_vec();
        Self {
            delays_ms: vec![None; faults.len()],
            found_by: vec![BTreeSet::new(); faults.len()],
            faults,
            grace_ms: GRACE_ROWS * stride.as_ms(),
            n_opened: 0,
            n_false: 0,
        }
    }

    /// An alert opened; says what caused it. What the score calls an anomaly may be any fault of the series; a rule
    /// that names what is wrong must be right about it, channel included.
    pub fn on_opened(&mut self, alert: &Alert) -> Cause {
        self.n_opened += 1;
        let at = alert.opened_at;
        let first = alert.channels.first().map(|channel| &channel.channel);
        let is_cause = |fault: &Fault| {
            let is_claimed = match alert.kind {
                AlertKind::Anomaly => true,
                AlertKind::Stuck => fault.kind == FaultKind::StuckSensor && first == Some(&fault.channel),
                // The plant's sensors never fall silent and never leave any limits.
                AlertKind::Silent | AlertKind::OutOfRange => false,
            };
            let is_then = fault.starts_at <= at && at < fault.ends_at.plus_ms(self.grace_ms);
            fault.series == alert.series && is_then && is_claimed
        };
        match self.faults.iter().rposition(is_cause) {
            None => {
                self.n_false += 1;
                Cause::FalseAlarm
            }
            Some(index) if self.delays_ms[index].is_some() => {
                self.found_by[index].insert(alert.kind);
                Cause::Again(self.faults[index].clone())
            }
            Some(index) => {
                self.found_by[index].insert(alert.kind);
                self.delays_ms[index] = Some(at.ms_since(self.faults[index].starts_at));
                Cause::Found(self.faults[index].clone())
            }
        }
    }

    /// The report when the plant has come to `now` and the run has taken `seconds`.
    pub fn report(&self, now: Timestamp, seconds: f64) -> Report {
        let all = self.faults.iter().zip(&self.delays_ms).zip(&self.found_by);
        let faults: Vec<FaultReport> = all
            .filter(|((fault, _), _)| fault.starts_at <= now)
            .map(|((fault, delay_ms), found_by)| FaultReport {
                fault: fault.clone(),
                found_by: found_by.clone(),
                delay_seconds: delay_ms.map(|ms| ms as f64 / 1e3),
            })
            .collect();
        let found = || faults.iter().filter(|report| report.delay_seconds.is_some());
        Report {
            faults_injected: faults.len(),
            faults_found: found().count(),
            false_alarms: self.n_false,
            alerts_opened: self.n_opened,
            median_delay_seconds: median(found().filter_map(|report| report.delay_seconds).collect()),
            seconds: (seconds * 10.0).round() / 10.0,
            kinds_injected: faults.iter().map(|report| report.fault.kind).collect(),
            kinds_found: found().map(|report| report.fault.kind).collect(),
            faults,
        }
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{ChannelName, SeriesId};
    use crate::simulate::PlantSpec;
    use crate::verdict::{AlertChannel, AlertId, AlertState, Severity};

    fn alert(series: &SeriesId, kind: AlertKind, channel: &ChannelName, opened_at: Timestamp) -> Alert {
        let first = AlertChannel { channel: channel.clone(), contribution: 1.0, observed: None, expected: None };
        Alert {
            id: AlertId::new(series, kind, opened_at),
            kind,
            series: series.clone(),
            state: AlertState::Open,
            severity: Severity::Warning,
            opened_at,
            resolved_at: None,
            peak_score: 1.0,
            p_value: 1.0,
            evidence: 1.0,
            alarm_budget: String::new(),
            channels: vec![first],
            model_id: None,
            acknowledged_at: None,
            label: None,
            note: None,
            labelled_by: None,
            labelled_at: None,
            openings: 1,
        }
    }

    fn schedule() -> Schedule {
        let spec = PlantSpec { seed: 1, starts_at: Timestamp::from_ms(1_795_478_400_000), stride: Stride::SECOND };
        Schedule::spread(&spec, 6, 1000, 3000)
    }

    #[test]
    fn alerts_are_held_against_faults() {
        let schedule = schedule();
        let [first, second, ..] = schedule.faults() else { panic!("six faults") };
        let mut tally = Tally::new(&schedule, Stride::SECOND);
        let mut opened = |fault: &Fault, from: Timestamp, after_ms| {
            tally.on_opened(&alert(&fault.series, AlertKind::Anomaly, &fault.channel, from.plus_ms(after_ms)))
        };
        assert_eq!(opened(first, first.starts_at, -1000), Cause::FalseAlarm);
        assert_eq!(opened(first, first.starts_at, 8000), Cause::Found(first.clone()));
        assert_eq!(opened(first, first.ends_at, 31_000), Cause::Again(first.clone()));
        assert_eq!(opened(second, second.starts_at, 4000), Cause::Found(second.clone()));
        let report = tally.report(second.ends_at, 12.34);
        assert_eq!((report.faults_injected, report.faults_found), (2, 2));
        assert_eq!((report.false_alarms, report.alerts_opened), (1, 4));
        assert_eq!(report.median_delay_seconds, Some(6.0));
        assert_eq!(report.kinds_found, BTreeSet::from([first.kind, second.kind]));
        assert_eq!(tally.report(first.starts_at, 1.0).faults_injected, 1, "later faults have not begun");
    }

    #[test]
    fn a_stuck_alert_is_right_about_a_stuck_sensor_of_its_channel_alone() {
        let schedule = schedule();
        let is_stuck = |fault: &&Fault| fault.kind == FaultKind::StuckSensor;
        let stuck = schedule.faults().iter().find(is_stuck).expect("one of each kind");
        let other = schedule.faults().iter().find(|fault| !is_stuck(fault)).expect("one of each kind");
        let mut tally = Tally::new(&schedule, Stride::SECOND);
        let mut opened = |fault: &Fault, kind, channel: &str| {
            let channel = ChannelName::parse(channel).expect("a name");
            tally.on_opened(&alert(&fault.series, kind, &channel, fault.starts_at.plus_ms(8000)))
        };
        assert_eq!(opened(other, AlertKind::Stuck, other.channel.as_str()), Cause::FalseAlarm);
        assert_eq!(opened(stuck, AlertKind::Stuck, "another"), Cause::FalseAlarm);
        assert_eq!(opened(stuck, AlertKind::Silent, stuck.channel.as_str()), Cause::FalseAlarm);
        assert_eq!(opened(stuck, AlertKind::Stuck, stuck.channel.as_str()), Cause::Found(stuck.clone()));
        assert_eq!(opened(stuck, AlertKind::Anomaly, "another"), Cause::Again(stuck.clone()));
        let report = tally.report(stuck.ends_at, 1.0);
        let found = report.faults.iter().find(|report| report.fault == *stuck).expect("it has begun");
        assert_eq!(found.found_by, BTreeSet::from([AlertKind::Anomaly, AlertKind::Stuck]));
        assert_eq!(report.false_alarms, 3);
    }
}
