//! Alerts held against the faults that caused them: found, missed, false.

use std::collections::BTreeSet;

use serde::Serialize;

use super::fault::{Fault, FaultKind};
use super::schedule::Schedule;
use crate::series::{SeriesId, Stride, Timestamp};

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
}

impl Tally {
    /// A count that begins.
    pub fn new(schedule: &Schedule, stride: Stride) -> Self {
        let faults = schedule.faults().to_vec();
        Self {
            delays_ms: vec![None; faults.len()],
            faults,
            grace_ms: GRACE_ROWS * stride.as_ms(),
            n_opened: 0,
            n_false: 0,
        }
    }

    /// An alert opened; says what caused it.
    pub fn on_opened(&mut self, series: &SeriesId, at: Timestamp) -> Cause {
        self.n_opened += 1;
        let is_cause = |fault: &Fault| {
            fault.series == *series && fault.starts_at <= at && at < fault.ends_at.plus_ms(self.grace_ms)
        };
        match self.faults.iter().rposition(is_cause) {
            None => {
                self.n_false += 1;
                Cause::FalseAlarm
            }
            Some(index) if self.delays_ms[index].is_some() => Cause::Again(self.faults[index].clone()),
            Some(index) => {
                self.delays_ms[index] = Some(at.ms_since(self.faults[index].starts_at));
                Cause::Found(self.faults[index].clone())
            }
        }
    }

    /// The report when the plant has come to `now` and the run has taken `seconds`.
    pub fn report(&self, now: Timestamp, seconds: f64) -> Report {
        let begun = self.faults.iter().zip(&self.delays_ms).filter(|(fault, _)| fault.starts_at <= now);
        let faults: Vec<FaultReport> = begun
            .map(|(fault, delay_ms)| FaultReport {
                fault: fault.clone(),
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
    use crate::simulate::PlantSpec;

    #[test]
    fn alerts_are_held_against_faults() {
        let spec = PlantSpec { seed: 1, starts_at: Timestamp::from_ms(1_795_478_400_000), stride: Stride::SECOND };
        let schedule = Schedule::spread(&spec, 6, 1000, 3000);
        let [first, second, ..] = schedule.faults() else { panic!("six faults") };
        let mut tally = Tally::new(&schedule, Stride::SECOND);
        assert_eq!(tally.on_opened(&first.series, first.starts_at.plus_ms(-1000)), Cause::FalseAlarm);
        assert_eq!(tally.on_opened(&first.series, first.starts_at.plus_ms(8000)), Cause::Found(first.clone()));
        assert_eq!(tally.on_opened(&first.series, first.ends_at.plus_ms(31_000)), Cause::Again(first.clone()));
        assert_eq!(tally.on_opened(&second.series, second.starts_at.plus_ms(4000)), Cause::Found(second.clone()));
        let report = tally.report(second.ends_at, 12.34);
        assert_eq!((report.faults_injected, report.faults_found), (2, 2));
        assert_eq!((report.false_alarms, report.alerts_opened), (1, 4));
        assert_eq!(report.median_delay_seconds, Some(6.0));
        assert_eq!(report.kinds_found, BTreeSet::from([first.kind, second.kind]));
        assert_eq!(tally.report(first.starts_at, 1.0).faults_injected, 1, "later faults have not begun");
    }
}
