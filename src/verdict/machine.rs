//! The life of the alerts of one series and kind: verdicts in, transitions out.

use serde::{Deserialize, Serialize};

use super::{Alert, AlertChannel, AlertId, AlertKind, AlertState, Severity, Transition, TransitionKind};
use crate::series::{ChannelName, SeriesId, Timestamp};

/// An alert is critical from this multiple of the notable level on.
const CRITICAL_SCORE: f64 = 3.0;
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
    /// Values expected, in the sender's unit; may be empty when nothing is.
    pub expected: &'a [f64],
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
    /// The open alert and the sequence number of its last transition.
    open: Option<(Alert, u32)>,
    last_evidence: f64,
}

impl AlertMachine {
    /// A machine without alert, for verdicts over these channels.
    pub fn new(series: SeriesId, kind: AlertKind, alarm_budget: String, channels: Vec<ChannelName>) -> Self {
        Self { series, kind, alarm_budget, channels, model_id: None, open: None, last_evidence: 0.0 }
    }

    /// A model takes over: alerts that open from now on name it.
    pub fn on_model(&mut self, model_id: String, channels: Vec<ChannelName>) {
        self.model_id = Some(model_id);
        self.channels = channels;
    }

    /// The open alert.
    pub fn alert(&self) -> Option<&Alert> {
        self.open.as_ref().map(|(alert, _)| alert)
    }

    /// A person has seen or labelled the open alert: later transitions carry it.
    pub fn amend(&mut self, id: &AlertId, acknowledged_at: Option<Timestamp>, label: Option<bool>) {
        if let Some((alert, _)) = self.open.as_mut().filter(|(alert, _)| alert.id == *id) {
            alert.acknowledged_at = acknowledged_at.or(alert.acknowledged_at);
            alert.label = label.or(alert.label);
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
        match (self.open.is_some(), verdict.is_anomalous) {
            (false, true) => Some(self.open_alert(verdict)),
            (true, true) => {
                self.raise(verdict);
                None
            }
            (true, false) => self.resolve(verdict.at),
            (false, false) => None,
        }
    }

    /// Takes in what a rule without a score says of each channel (stuck, silent, out of range): an alert is open while
    /// any channel is flagged, and names those that are.
    pub fn on_flags(&mut self, at: Timestamp, flags: &[bool], observed: &[Option<f64>]) -> Option<Transition> {
        let n_flagged = flags.iter().filter(|flag| **flag).count();
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
            expected: &[],
        })
    }

    /// Ends the open alert without a verdict: the series fell silent, or its channels changed.
    pub fn resolve(&mut self, at: Timestamp) -> Option<Transition> {
        let (mut alert, sequence) = self.open.take()?;
        self.last_evidence = 0.0;
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(at);
        Some(Transition { kind: TransitionKind::Resolved, at, sequence: sequence + 1, alert })
    }

    fn open_alert(&mut self, verdict: &Verdict<'_>) -> Transition {
        let alert = Alert {
            id: AlertId::new(&self.series, self.kind, verdict.at),
            kind: self.kind,
            series: self.series.clone(),
            state: AlertState::Open,
            severity: severity(verdict),
            opened_at: verdict.at,
            resolved_at: None,
            peak_score: verdict.live_score,
            p_value: verdict.p_value,
            evidence: verdict.evidence,
            alarm_budget: self.alarm_budget.clone(),
            channels: channels(&self.channels, verdict),
            model_id: self.model_id.clone(),
            acknowledged_at: None,
            label: None,
        };
        self.open = Some((alert.clone(), 1));
        Transition { kind: TransitionKind::Opened, at: verdict.at, sequence: 1, alert }
    }

    fn raise(&mut self, verdict: &Verdict<'_>) {
        let Some((alert, _)) = &mut self.open else { return };
        alert.p_value = alert.p_value.min(verdict.p_value);
        alert.evidence = alert.evidence.max(verdict.evidence);
        alert.severity = alert.severity.max(severity(verdict));
        if verdict.live_score > alert.peak_score {
            alert.peak_score = verdict.live_score;
            alert.channels = channels(&self.channels, verdict);
        }
    }
}

fn severity(verdict: &Verdict<'_>) -> Severity {
    if verdict.live_score >= CRITICAL_SCORE { Severity::Critical } else { Severity::Warning }
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
            expected: verdict.expected.get(index).copied(),
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
}
