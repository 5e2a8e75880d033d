//! What the demo says: alerts in words for somebody who has never seen one.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;

use super::super::CliError;
use super::bars::Bars;
use crate::series::Timestamp;
use crate::simulate::{Cause, DemoPlan, Fault, MACHINES, Report};
use crate::verdict::{Alert, AlertKind};

/// Channels named in an alert at most.
const CHANNELS_TOLD: usize = 3;
/// Channels with less of the blame than this are not named, unless they are the first.
const CONTRIBUTION_TOLD: f64 = 0.1;

/// The narrator. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    bars: Bars,
    is_coloured: bool,
}

#[derive(Clone, Copy)]
enum Ink {
    Red,
    Green,
    Faint,
    Bold,
}

impl Voice {
    /// A narrator that speaks past the bars; in colour on a terminal, unless `NO_COLOR` is set.
    pub(super) fn new(bars: Bars) -> Self {
        let is_coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { bars, is_coloured }
    }

    /// What runs where.
    pub(super) fn greet(
        &self,
        plan: &DemoPlan,
        broker: SocketAddr,
        http: Option<SocketAddr>,
        dir: &Path,
    ) -> Result<(), CliError> {
        let names: Vec<&str> = MACHINES.iter().map(|(name, _)| *name).collect();
        let mut text = format!("{}\n", self.ink(Ink::Bold, "Kilter on a simulated plant"));
        let _ = writeln!(text, "  machines   {} (seed {})", names.join(", "), plan.spec.seed);
        let _ = writeln!(text, "  broker     mqtt://{broker}, topics plant/# in, kilter/# out");
        if let Some(http) = http {
            let _ = writeln!(text, "  dashboard  http://{http}/ (API under /api/v1)");
        }
        let _ = writeln!(text, "  store      {}", dir.display());
        self.say(&text)
    }

    pub(super) fn warming_up(&self, n_rows: usize) -> Result<(), CliError> {
        self.say(&format!(
            "\nLearning: {} hours of healthy running in fast motion, a row a minute and machine.\n",
            n_rows / 60
        ))
    }

    pub(super) fn live(&self, speed: f64) -> Result<(), CliError> {
        let minutes = speed / 60.0;
        self.say(&format!(
            "Watching: every machine has its model. A second of yours is now {minutes:.0} minutes of the plant's;\n\
             now and then one sensor is broken on purpose. Ctrl-C ends with the report so far.\n\n"
        ))
    }

    /// A fault begins; only the demo knows.
    pub(super) fn injected(&self, fault: &Fault) -> Result<(), CliError> {
        let text = format!("{}  we break   {}: {}", clock(fault.starts_at), fault.series, fault_words(fault));
        self.say(&format!("{}\n", self.ink(Ink::Faint, &text)))
    }

    pub(super) fn opened(&self, alert: &Alert, cause: &Cause) -> Result<(), CliError> {
        self.say(&self.opened_text(alert, cause))
    }

    fn opened_text(&self, alert: &Alert, cause: &Cause) -> String {
        let heading = self.ink(Ink::Red, "ALERT    ");
        let mut text = format!(
            "{}  {heading}  {} {}\n",
            clock(alert.opened_at),
            self.ink(Ink::Bold, alert.series.as_str()),
            claim(alert.kind)
        );
        if alert.kind == AlertKind::Anomaly {
            let _ = writeln!(
                text,
                "{INDENT}how sure   score {:.1} (1.0 is notable), p-value {}: {}",
                alert.peak_score,
                readable(alert.p_value),
                odds(alert.p_value)
            );
        }
        let told = |(i, share): (usize, f64)| i == 0 || (i < CHANNELS_TOLD && share >= CONTRIBUTION_TOLD);
        for (i, channel) in alert.channels.iter().enumerate() {
            if !told((i, channel.contribution)) {
                break;
            }
            let unit = unit_of(alert.series.as_str(), channel.channel.as_str());
            let value = |value: Option<f64>| value.map_or("nothing".to_owned(), |v| format!("{}{unit}", readable(v)));
            let _ = writeln!(
                text,
                "{INDENT}{}   {:<12} {:>3.0} %   reads {}, normal would be {}",
                if i == 0 { "to blame" } else { "        " },
                channel.channel.as_str(),
                100.0 * channel.contribution,
                value(channel.observed),
                value(channel.expected)
            );
        }
        let truth = match cause {
            Cause::Found(fault) => {
                let minutes = alert.opened_at.ms_since(fault.starts_at) / 60_000;
                self.ink(Ink::Green, &format!("right: {}, for {minutes} minutes", fault_words(fault)))
            }
            Cause::Again(fault) => format!("again: {}", fault_words(fault)),
            Cause::FalseAlarm => self.ink(Ink::Red, "false alarm: nothing was broken"),
        };
        let _ = writeln!(text, "{INDENT}truth      {truth}");
        text
    }

    pub(super) fn resolved(&self, alert: &Alert) -> Result<(), CliError> {
        let at = alert.resolved_at.unwrap_or(alert.opened_at);
        let minutes = at.ms_since(alert.opened_at) / 60_000;
        let heading = self.ink(Ink::Green, "resolved ");
        let series = self.ink(Ink::Bold, alert.series.as_str());
        let how = match (alert.kind, alert.channels.first()) {
            (AlertKind::Anomaly, _) | (_, None) => {
                format!("is back to normal after {minutes} minutes; peak score {:.1}", alert.peak_score)
            }
            (kind, Some(first)) => {
                let again = match kind {
                    AlertKind::Stuck => "moves again",
                    AlertKind::Silent => "speaks again",
                    _ => "is inside its limits again",
                };
                format!("is well again: {} {again} after {minutes} minutes", first.channel)
            }
        };
        self.say(&format!("{}  {heading}  {series} {how}\n", clock(at)))
    }

    pub(super) fn interrupted(&self) -> Result<(), CliError> {
        self.say("\nEnding early, as you asked.\n")
    }

    /// The closing words.
    pub(super) fn report(&self, report: &Report, plan: &DemoPlan, dir: &Path) -> Result<(), CliError> {
        let mut text = format!(
            "\n{}\n",
            self.ink(Ink::Bold, &format!("Report after {:.0} s (seed {})", report.seconds, plan.spec.seed))
        );
        let _ = writeln!(
            text,
            "  found         {} of {} faults, {} of {} kinds",
            report.faults_found,
            report.faults_injected,
            report.kinds_found.len(),
            report.kinds_injected.len()
        );
        let _ = writeln!(text, "  false alarms  {} of {} alerts", report.false_alarms, report.alerts_opened);
        if let Some(seconds) = report.median_delay_seconds {
            let _ = writeln!(text, "  median delay  {:.0} minutes of plant time", seconds / 60.0);
        }
        for entry in &report.faults {
            let outcome = match entry.delay_seconds {
                Some(seconds) => self.ink(Ink::Green, &format!("found after {:.0} min", seconds / 60.0)),
                None => self.ink(Ink::Red, "missed"),
            };
            let (at, series) = (clock(entry.fault.starts_at), entry.fault.series.as_str());
            let _ = writeln!(text, "    {at}  {series:<13} {:<28} {outcome}", fault_words(&entry.fault));
        }
        let dir = dir.display();
        let _ = writeln!(text, "\nThe store and report.json are in {dir}. Look closer:");
        let _ = writeln!(text, "  kilter alerts --data-dir {dir}");
        let _ = writeln!(text, "  kilter scores {} --data-dir {dir}", MACHINES[0].0);
        self.say(&text)
    }

    fn say(&self, text: &str) -> Result<(), CliError> {
        Ok(self.bars.print(text)?)
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Red => "1;31",
            Ink::Green => "32",
            Ink::Faint => "2",
            Ink::Bold => "1",
        };
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// As wide as clock and heading.
const INDENT: &str = "             ";

/// Month, day and time of day of the plant: `11-24 14:08`.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(5..16).unwrap_or(&text).replace('T', " ")
}

/// What an alert claims of its series.
fn claim(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Anomaly => "does not behave as it learned",
        AlertKind::Stuck => "has a channel that no longer moves",
        AlertKind::Silent => "has a channel that no longer speaks",
        AlertKind::OutOfRange => "has a channel outside its limits",
    }
}

fn fault_words(fault: &Fault) -> String {
    format!("{} on {}", fault.kind.as_words(), fault.channel)
}

/// What a p-value means.
fn odds(p_value: f64) -> String {
    let rows = (1.0 / p_value).round();
    if rows < 1.5 {
        return "as good as every normal row looks like this".to_owned();
    }
    format!("a normal row looks like this at most once in {}", thousands(rows as u64))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// About three digits, which is what people read.
fn readable(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        size if size >= 0.0001 => format!("{value:.5}"),
        _ => format!("{value:.1e}"),
    }
}

fn unit_of(series: &str, channel: &str) -> String {
    let machine = MACHINES.iter().find(|(name, _)| *name == series);
    machine.and_then(|(_, kind)| kind.unit(channel)).map(|unit| format!(" {unit}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{ChannelName, SeriesId};
    use crate::verdict::{AlertChannel, AlertId, AlertState, Severity};

    #[test]
    fn an_alert_says_what_where_how_sure_and_what_normal_would_be() {
        let series = SeriesId::parse("pump-1").expect("a name");
        let at = Timestamp::from_ms(1_795_529_280_000);
        let channel = |name: &str, contribution, observed, expected| AlertChannel {
            channel: ChannelName::parse(name).expect("a name"),
            contribution,
            observed,
            expected: Some(expected),
        };
        let alert = Alert {
            id: AlertId::new(&series, AlertKind::Anomaly, at),
            kind: AlertKind::Anomaly,
            series,
            state: AlertState::Open,
            severity: Severity::Warning,
            opened_at: at,
            resolved_at: None,
            peak_score: 3.42,
            p_value: 1.0 / 2850.0,
            evidence: 1.0,
            alarm_budget: "1 per 1000 windows".to_owned(),
            channels: vec![
                channel("pressure", 0.74, Some(4.873), 3.124),
                channel("flow", 0.15, None, 61.94),
                channel("load", 0.05, Some(81.0), 80.2),
            ],
            model_id: None,
            acknowledged_at: None,
            label: None,
            note: None,
            labelled_by: None,
            labelled_at: None,
            openings: 1,
        };
        let voice = Voice { bars: Bars::new(), is_coloured: false };
        let expected = "\
11-24 14:08  ALERT      pump-1 does not behave as it learned
             how sure   score 3.4 (1.0 is notable), p-value 0.00035: a normal row looks like this at most once in 2,850
             to blame   pressure      74 %   reads 4.87 bar, normal would be 3.12 bar
                        flow          15 %   reads nothing, normal would be 61.9 m³/h
             truth      false alarm: nothing was broken
";
        assert_eq!(voice.opened_text(&alert, &Cause::FalseAlarm), expected);
    }

    #[test]
    fn numbers_are_told_as_people_read_them() {
        for (value, text) in [(1234.5, "1234"), (61.94, "61.9"), (4.873, "4.87"), (0.0, "0"), (-0.5, "-0.50")] {
            assert_eq!(readable(value), text);
        }
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(42), "42");
    }
}
