//! The life of the alerts of one series and kind: verdicts in, transitions out.

use serde::{Deserialize, Serialize};

use super::{Alert, AlertChannel, AlertId, AlertKind, AlertSpec, AlertState, Severity, Transition, TransitionKind};
use crate::series::{ChannelName, SeriesId, Timestamp};

/// Evidence from which an alert is pending.
const PENDING_EVIDENCE: f64 = 0.5;

/// A judged row as the alert machine sees it.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    /// Event time of the row.
    pub at: Timestamp,
    /// 1.0 is the notable level.
    pub live_score: f64,
    /// In (0, 1].
    pub p_value: f64,
    /// An alert opens at 1.0.
    pub evidence: f64,
    /// True while the decision rule holds an alert open.
    pub is_anomalous: bool,
    /// Share of the score owed to each channel.
    pub contributions: &'a [f32],
    /// Values seen, in the sender's unit; none where missing.
    pub observed: &'a [Option<f64>],
    /// Values expected, in the sender's unit; NaN for none, may be empty when nothing is.
    pub expected: &'a [f64],
}

/// What a rule without a score says of each channel.
#[derive(Debug, Clone, Copy)]
pub struct Flags<'a> {
    /// True for channels the rule objects to.
    pub flags: &'a [bool],
    /// Values seen, in the sender's unit; may be empty when none were.
    pub observed: &'a [Option<f64>],
    /// Values expected, in the sender's unit; may be empty when nothing is.
    pub expected: &'a [Option<f64>],
}

/// Where the machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertPhase {
    /// Nothing to report.
    Quiet,
    /// Seen, not yet enough evidence.
    Pending,
    /// Reported.
    Open,
    /// Reported and on its way down.
    Resolving,
}

/// Follows the alerts of one series and kind. Serialised, it is all that a restart needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertMachine {
    series: SeriesId,
    kind: AlertKind,
    alarm_budget: String,
    channels: Vec<ChannelName>,
    model_id: Option<String>,
    /// The open alert and the sequence number of its last transition. Boxed, since most series have none.
    open: Option<Box<(Alert, u32)>>,
    /// The alert that resolved last, while it may still come back, and the sequence number of its last transition.
    last: Option<Box<(Alert, u32)>>,
    /// Verdicts since it resolved.
    quiet_rows: u32,
    /// Rows of the open alert that were improbable enough to make it critical.
    improbable_rows: u32,
    last_evidence: f64,
    /// The worst row since evidence began to gather, while no alert is open. A short fault may be over when it has
    /// gathered enough to open one: who is to blame is read where it stood out most.
    worst: Option<WorstRow>,
    /// True from a row that raised the open alert until that is asked for.
    #[serde(skip)]
    is_raised: bool,
    /// Not kept: what the configuration says now counts.
    #[serde(skip, default = "AlertSpec::unfolded")]
    spec: AlertSpec,
}

/// What an alert tells of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct WorstRow {
    live_score: f64,
    p_value: f64,
    channels: Vec<AlertChannel>,
}

impl AlertMachine {
    /// A machine without alert, for verdicts over these channels.
    pub fn new(series: SeriesId, kind: AlertKind, alarm_budget: String, channels: Vec<ChannelName>) -> Self {
        Self {
            series,
            kind,
            alarm_budget,
            channels,
            model_id: None,
            open: None,
            last: None,
            quiet_rows: 0,
            improbable_rows: 0,
            last_evidence: 0.0,
            worst: None,
            is_raised: false,
            spec: AlertSpec::unfolded(),
        }
    }

    /// What of its alerts is worth telling from now on.
    pub fn follow(&mut self, spec: AlertSpec) {
        self.spec = spec;
    }

    /// A model takes over: alerts that open from now on name it.
    pub fn on_model(&mut self, model_id: String, channels: Vec<ChannelName>) {
        self.model_id = Some(model_id);
        self.channels = channels;
    }

    /// The open alert.
    pub fn alert(&self) -> Option<&Alert> {
        self.open.as_ref().map(|open| &open.0)
    }

    /// What people have said of the open alert: later transitions carry it.
    pub fn amend(&mut self, said: &Alert) {
        for held in self.open.iter_mut().chain(&mut self.last).filter(|held| held.0.id == said.id) {
            let alert = &mut held.0;
            (alert.acknowledged_at, alert.label) = (said.acknowledged_at, said.label);
            alert.note.clone_from(&said.note);
            alert.labelled_by.clone_from(&said.labelled_by);
            alert.labelled_at = said.labelled_at;
        }
    }

    /// Where the machine stands after the last verdict.
    pub fn phase(&self) -> AlertPhase {
        match (&self.open, self.last_evidence) {
            (Some(_), evidence) if evidence < PENDING_EVIDENCE => AlertPhase::Resolving,
            (Some(_), _) => AlertPhase::Open,
            (None, evidence) if evidence >= PENDING_EVIDENCE => AlertPhase::Pending,
            (None, _) => AlertPhase::Quiet,
        }
    }

    /// Takes in a verdict; gives back what the alert did.
    pub fn on_verdict(&mut self, verdict: &Verdict<'_>) -> Option<Transition> {
        self.last_evidence = verdict.evidence;
        if self.open.is_none() {
            self.remember(verdict);
        }
        match (self.open.is_some(), verdict.is_anomalous) {
            (false, true) if self.spec.is_worth_telling(&self.channels, verdict) => Some(self.open_alert(verdict)),
            (true, true) => {
                self.raise(verdict);
                None
            }
            (true, false) => self.resolve(verdict.at),
            (false, _) => {
                self.on_quiet();
                None
            }
        }
    }

    /// A row without alert: the one that resolved last is past coming back in the end.
    fn on_quiet(&mut self) {
        self.quiet_rows = self.quiet_rows.saturating_add(1);
        if self.quiet_rows >= self.spec.fold_within_rows {
            self.last = None;
        }
    }

    /// Channels were discovered: flags from now on are of these.
    pub fn set_channels(&mut self, channels: &[ChannelName]) {
        if self.channels.len() != channels.len() {
            self.channels = channels.to_vec();
        }
    }

    /// Takes in what a rule without a score says of each channel (stuck, silent, out of range): an alert is open while
    /// any channel is flagged, and names those that are.
    pub fn on_flags(&mut self, at: Timestamp, told: &Flags<'_>) -> Option<Transition> {
        let Flags { flags, observed, expected } = *told;
        let n_flagged = flags.iter().filter(|flag| **flag).count();
        if n_flagged == 0 && self.open.is_none() {
            self.on_quiet();
            return None;
        }
        let share = |flag: &bool| if *flag { 1.0 / n_flagged as f32 } else { 0.0 };
        let contributions: Vec<f32> = flags.iter().map(share).collect();
        let strength = n_flagged as f64;
        self.on_verdict(&Verdict {
            at,
            live_score: strength,
            p_value: 1.0,
            evidence: strength.min(1.0),
            is_anomalous: n_flagged > 0,
            contributions: &contributions,
            observed,
            expected: &expected.iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<f64>>(),
        })
    }

    /// Ends the open alert without a verdict: the series fell silent, or its channels changed.
    pub fn resolve(&mut self, at: Timestamp) -> Option<Transition> {
        let (mut alert, sequence) = *self.open.take()?;
        self.last_evidence = 0.0;
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(at);
        self.last = (self.spec.fold_within_rows > 0).then(|| Box::new((alert.clone(), sequence + 1)));
        self.quiet_rows = 0;
        Some(Transition { kind: TransitionKind::Resolved, at, sequence: sequence + 1, alert })
    }

    /// Keeps the worst row of a run-up: from the first notable row, or the first with evidence, until neither is left.
    fn remember(&mut self, verdict: &Verdict<'_>) {
        if verdict.evidence <= 0.0 && verdict.live_score < 1.0 {
            self.worst = None;
        } else if self.worst.as_ref().is_none_or(|worst| verdict.live_score > worst.live_score) {
            let (live_score, p_value) = (verdict.live_score, verdict.p_value);
            self.worst = Some(WorstRow { live_score, p_value, channels: channels(&self.channels, verdict) });
        }
    }

    /// The alert that resolved just now is open again.
    fn reopen(&mut self, (mut alert, sequence): (Alert, u32), verdict: &Verdict<'_>) -> Transition {
        alert.state = AlertState::Open;
        alert.resolved_at = None;
        alert.openings += 1;
        let severity = self.severity(verdict.live_score, verdict.p_value);
        lift(&mut alert, severity, &self.channels, verdict);
        if let Some(worst) = self.worst.take().filter(|worst| worst.live_score > alert.peak_score) {
            (alert.peak_score, alert.channels) = (worst.live_score, worst.channels);
        }
        self.open = Some(Box::new((alert.clone(), sequence + 1)));
        Transition { kind: TransitionKind::Opened, at: verdict.at, sequence: sequence + 1, alert }
    }

    fn open_alert(&mut self, verdict: &Verdict<'_>) -> Transition {
        if let Some(last) = self.last.take() {
            return self.reopen(*last, verdict);
        }
        self.improbable_rows = 0;
        let here = || WorstRow {
            live_score: verdict.live_score,
            p_value: verdict.p_value,
            channels: channels(&self.channels, verdict),
        };
        let worst = self.worst.take().unwrap_or_else(here);
        let severity = self.severity(worst.live_score, verdict.p_value);
        let alert = Alert {
            id: AlertId::new(&self.series, self.kind, verdict.at),
            kind: self.kind,
            series: self.series.clone(),
            state: AlertState::Open,
            severity,
            opened_at: verdict.at,
            resolved_at: None,
            peak_score: worst.live_score,
            p_value: worst.p_value.min(verdict.p_value),
            evidence: verdict.evidence,
            alarm_budget: self.alarm_budget.clone(),
            channels: worst.channels,
            model_id: self.model_id.clone(),
            acknowledged_at: None,
            label: None,
            note: None,
            labelled_by: None,
            labelled_at: None,
            openings: 1,
        };
        self.open = Some(Box::new((alert.clone(), 1)));
        Transition { kind: TransitionKind::Opened, at: verdict.at, sequence: 1, alert }
    }

    fn raise(&mut self, verdict: &Verdict<'_>) {
        let severity = self.severity(verdict.live_score, verdict.p_value);
        if let Some(open) = &mut self.open {
            let alert = &mut open.0;
            let before = (alert.severity, alert.peak_score);
            lift(alert, severity, &self.channels, verdict);
            self.is_raised |= before != (alert.severity, alert.peak_score);
        }
    }

    /// The open alert with the sequence number of its last transition, once after it has become more severe or reached
    /// a higher peak.
    pub fn take_raised(&mut self) -> Option<(Alert, u32)> {
        std::mem::take(&mut self.is_raised).then(|| self.open.as_deref().cloned()).flatten()
    }

    /// Critical when a row is far beyond what calibration has seen, or when improbable rows have gone on for long. A
    /// calibration of few rows calls nothing that improbable.
    fn severity(&mut self, live_score: f64, p_value: f64) -> Severity {
        let is_improbable = p_value <= self.spec.critical_p_value;
        self.improbable_rows += u32::from(is_improbable);
        let is_long = self.improbable_rows >= self.spec.critical_after_rows.max(1);
        // A rule without a score knows no probability.
        let is_sure = is_improbable || self.kind != AlertKind::Anomaly;
        if is_long || (is_sure && live_score >= self.spec.critical_score) {
            Severity::Critical
        } else {
            Severity::Warning
        }
    }
}

/// An open alert after another anomalous row.
fn lift(alert: &mut Alert, severity: Severity, names: &[ChannelName], verdict: &Verdict<'_>) {
    alert.p_value = alert.p_value.min(verdict.p_value);
    alert.evidence = alert.evidence.max(verdict.evidence);
    alert.severity = alert.severity.max(severity);
    if verdict.live_score > alert.peak_score {
        alert.peak_score = verdict.live_score;
        alert.channels = channels(names, verdict);
    }
}

/// Channels of a verdict, most to blame first; equals in the model's order.
fn channels(names: &[ChannelName], verdict: &Verdict<'_>) -> Vec<AlertChannel> {
    let mut channels: Vec<AlertChannel> = names
        .iter()
        .enumerate()
        .map(|(index, channel)| AlertChannel {
            channel: channel.clone(),
            contribution: verdict.contributions.get(index).copied().map_or(0.0, f64::from),
            observed: verdict.observed.get(index).copied().flatten(),
            expected: verdict.expected.get(index).copied().filter(|value| value.is_finite()),
        })
        .collect();
    channels.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    channels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(at: i64, live_score: f64, is_anomalous: bool) -> Verdict<'static> {
        let contributions: &[f32] = if live_score > 2.0 { &[0.2, 0.8] } else { &[0.7, 0.3] };
        Verdict {
            at: Timestamp::from_ms(at),
            live_score,
            p_value: 0.01,
            evidence: if is_anomalous { 1.2 } else { 0.1 },
            is_anomalous,
            contributions,
            observed: &[Some(1.0), None],
            expected: &[0.5, 2.0],
        }
    }

    #[test]
    fn an_alert_opens_once_rises_to_its_peak_and_resolves_once() {
        let names = ["load", "temp"].map(|name| ChannelName::parse(name).unwrap()).to_vec();
        let pump = SeriesId::parse("pump").unwrap();
        let mut machine = AlertMachine::new(pump.clone(), AlertKind::Anomaly, "1 per day".to_owned(), names);
        assert_eq!(machine.on_verdict(&verdict(1, 0.5, false)), None);
        let opened = machine.on_verdict(&verdict(2, 1.5, true)).unwrap();
        assert_eq!((opened.kind, opened.sequence), (TransitionKind::Opened, 1));
        assert_eq!(opened.alert.id, AlertId::new(&pump, AlertKind::Anomaly, Timestamp::from_ms(2)));
        assert_eq!(opened.alert.channels[0].channel.as_str(), "load");
        assert_eq!(machine.on_verdict(&verdict(3, 4.0, true)), None);
        let bytes = serde_json::to_vec(&machine).unwrap();
        let mut machine: AlertMachine = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(machine.on_verdict(&verdict(4, 1.0, true)), None);
        let resolved = machine.on_verdict(&verdict(5, 0.2, false)).unwrap();
        assert_eq!((resolved.kind, resolved.sequence), (TransitionKind::Resolved, 2));
        assert_eq!((resolved.alert.peak_score, resolved.alert.severity), (4.0, Severity::Critical));
        assert_eq!(resolved.alert.channels[0].channel.as_str(), "temp");
        assert_eq!(machine.alert(), None);
    }

    #[test]
    fn a_fault_that_is_over_when_its_alert_opens_is_told_from_its_worst_row() {
        let names = ["load", "temp"].map(|name| ChannelName::parse(name).unwrap()).to_vec();
        let pump = SeriesId::parse("pump").unwrap();
        let mut machine = AlertMachine::new(pump, AlertKind::Anomaly, "1 per day".to_owned(), names);
        let quiet = Verdict { evidence: 0.0, ..verdict(1, 0.5, false) };
        assert_eq!(machine.on_verdict(&Verdict { live_score: 9.0, ..quiet }), None, "a spike long ago");
        assert_eq!(machine.on_verdict(&quiet), None, "is forgotten when all is quiet");
        assert_eq!(machine.on_verdict(&verdict(2, 3.5, false)), None);
        assert_eq!(machine.on_verdict(&verdict(3, 1.5, false)), None);
        let bytes = serde_json::to_vec(&machine).unwrap();
        let mut machine: AlertMachine = serde_json::from_slice(&bytes).unwrap();
        let alert = machine.on_verdict(&verdict(4, 1.2, true)).unwrap().alert;
        assert_eq!(alert.channels[0].channel.as_str(), "temp", "row 2 stood out most");
        assert_eq!((alert.peak_score, alert.severity), (3.5, Severity::Critical));
        assert_eq!(alert.opened_at, Timestamp::from_ms(4));
    }

    fn machine(spec: AlertSpec) -> AlertMachine {
        let names = ["load", "temp"].map(|name| ChannelName::parse(name).unwrap()).to_vec();
        let pump = SeriesId::parse("pump").unwrap();
        let mut machine = AlertMachine::new(pump, AlertKind::Anomaly, "1 per day".to_owned(), names);
        machine.follow(spec);
        machine
    }

    #[test]
    fn an_alert_that_comes_back_soon_is_the_same_one_with_a_count() {
        let mut machine = machine(AlertSpec { fold_within_rows: 3, ..AlertSpec::default() });
        let mut told = Vec::new();
        // It comes back one row and two rows after it resolved; the third time four rows later, which is too late.
        for (at, is_anomalous) in [1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1].into_iter().enumerate() {
            let said = machine.on_verdict(&verdict(at as i64, 1.5, is_anomalous == 1));
            told.extend(said.map(|t| (at, t.kind.as_str(), t.sequence, t.alert.openings, t.alert.opened_at.as_ms())));
        }
        assert_eq!(
            told,
            [
                (0, "opened", 1, 1, 0),
                (1, "resolved", 2, 1, 0),
                (2, "opened", 3, 2, 0),
                (3, "resolved", 4, 2, 0),
                (5, "opened", 5, 3, 0),
                (6, "resolved", 6, 3, 0),
                (10, "opened", 1, 1, 10),
            ]
        );
    }

    #[test]
    fn alerts_of_rules_without_a_score_fold_as_others_do() {
        let mut machine = machine(AlertSpec { fold_within_rows: 3, ..AlertSpec::default() });
        let mut told = Vec::new();
        // As above: back after one row and after two, and the third time after four, which is too late.
        for (at, is_flagged) in [1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1].into_iter().enumerate() {
            let flags = Flags { flags: &[false, is_flagged == 1], observed: &[], expected: &[] };
            let said = machine.on_flags(Timestamp::from_ms(at as i64), &flags);
            told.extend(said.map(|t| (at, t.kind.as_str(), t.sequence, t.alert.openings)));
        }
        assert_eq!(
            told,
            [
                (0, "opened", 1, 1),
                (1, "resolved", 2, 1),
                (2, "opened", 3, 2),
                (3, "resolved", 4, 2),
                (5, "opened", 5, 3),
                (6, "resolved", 6, 3),
                (10, "opened", 1, 1),
            ]
        );
    }

    #[test]
    fn a_high_score_is_critical_only_where_the_calibration_can_tell_that_it_is_improbable() {
        // The smallest p-value of a calibration of n rows is 1 / (n + 1).
        for (n_rows, expected) in [(50.0, Severity::Warning), (98.0, Severity::Warning), (99.0, Severity::Critical)] {
            let mut machine = machine(AlertSpec::default());
            machine.on_verdict(&Verdict { p_value: 1.0 / (n_rows + 1.0), ..verdict(0, 5.0, true) });
            assert_eq!(machine.alert().map(|alert| alert.severity), Some(expected), "{n_rows} rows");
        }
    }

    #[test]
    fn an_alert_grows_critical_when_improbable_rows_go_on() {
        let mut machine = machine(AlertSpec { critical_after_rows: 4, ..AlertSpec::default() });
        let severity = |machine: &AlertMachine| machine.alert().map(|alert| alert.severity);
        for at in 0..3 {
            machine.on_verdict(&verdict(at, 1.5, true));
            assert_eq!(severity(&machine), Some(Severity::Warning), "row {at}");
        }
        machine.on_verdict(&verdict(3, 1.5, true));
        assert_eq!(severity(&machine), Some(Severity::Critical));
    }
}
