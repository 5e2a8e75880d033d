//! `kilter alerts`: open and past alerts.

use std::io::Write;

use super::rows::{Column, print};
use super::source::{Source, SourceArgs, series_id, since};
use super::{CliError, OutputArgs};
use crate::http::view::{AlertView, TransitionView};
use crate::verdict::AlertState;

/// Print alerts, or follow them as they open and resolve
#[derive(Debug, clap::Args)]
pub(super) struct AlertsArgs {
    /// Keep printing alerts as they open and resolve.
    #[arg(long, conflicts_with_all = ["state", "since"])]
    follow: bool,
    /// Only alerts in this state: open, resolved.
    #[arg(long, value_parser = parse_state)]
    state: Option<AlertState>,
    /// Only alerts of this series.
    #[arg(long)]
    series: Option<String>,
    /// Only alerts opened since: a length of time back from the newest opening, such as 1h or 7d, or a time.
    #[arg(long, visible_alias = "start", value_name = "WHEN")]
    since: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn parse_state(text: &str) -> Result<AlertState, String> {
    AlertState::from_name(text).ok_or_else(|| "allowed: open, resolved".to_owned())
}

const COLUMNS: &[Column<AlertView>] = &[
    Column("id", |a| a.id.as_str().into()),
    Column("kind", |a| a.kind.as_str().into()),
    Column("series", |a| a.series.as_str().into()),
    Column("state", |a| a.state.as_str().into()),
    Column("severity", |a| a.severity.as_str().into()),
    Column("opened_at", |a| a.opened_at.into()),
    Column("resolved_at", |a| a.resolved_at.into()),
    Column("openings", |a| u64::from(a.openings).into()),
    Column("peak_score", |a| a.peak_score.into()),
    Column("p_value", |a| a.p_value.into()),
    Column("channels", |a| blamed(a).into()),
    Column("silenced_by", |a| (!a.silenced_by.is_empty()).then(|| a.silenced_by.join(" ")).into()),
    Column("acknowledged_at", |a| a.acknowledged_at.into()),
    Column("label", |a| a.label.map(|is_true| if is_true { "true" } else { "false" }).into()),
];

/// The channels most to blame, with what was observed and expected.
fn blamed(alert: &AlertView) -> String {
    let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
    let channel = |c: &crate::http::view::AlertChannelView| {
        format!("{} {:.0}% ({}, expected {})", c.channel, 100.0 * c.contribution, value(c.observed), value(c.expected))
    };
    alert.channels.iter().take(3).map(channel).collect::<Vec<_>>().join("; ")
}

/// Runs the command.
pub(super) fn run(args: &AlertsArgs) -> Result<(), CliError> {
    let source = args.source.open()?;
    let series = args.series.as_deref().map(series_id).transpose()?;
    if args.follow {
        return follow(&source, args.output, args.series.as_deref());
    }
    let mut start = None;
    if let Some(text) = &args.since {
        // Back from the newest opening; a moment needs none.
        start = since(text, None)?;
        if start.is_none() {
            let newest = source.alerts(args.state, series.as_ref(), None)?.first().map(|alert| alert.opened_at.0);
            start = since(text, newest)?;
        }
    }
    let alerts = source.alerts(args.state, series.as_ref(), start)?;
    print(args.output, &alerts, COLUMNS, "No alerts.")
}

/// A line a transition: words, a JSON document, or CSV.
fn follow(source: &Source, output: OutputArgs, series: Option<&str>) -> Result<(), CliError> {
    let mut to = std::io::stdout().lock();
    if output.csv {
        writeln!(to, "id,at,transition,alert,series,kind,severity,peak_score,p_value")?;
    }
    source.follow(|told| {
        if series.is_some_and(|series| told.alert.series != series) {
            return Ok(());
        }
        writeln!(to, "{}", line(told, output)?)?;
        Ok(to.flush()?)
    })?;
    Ok(())
}

fn line(told: &TransitionView, output: OutputArgs) -> Result<String, CliError> {
    let alert = &told.alert;
    if output.json {
        return serde_json::to_string(told).map_err(CliError::failed);
    }
    if output.csv {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        let fields = [
            told.id.to_string(),
            told.at.to_string(),
            told.transition.to_string(),
            alert.id.clone(),
            alert.series.clone(),
            alert.kind.to_string(),
            alert.severity.to_string(),
            alert.peak_score.to_string(),
            alert.p_value.to_string(),
        ];
        csv.write_record(fields).map_err(CliError::failed)?;
        let bytes = csv.into_inner().map_err(CliError::failed)?;
        return Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned());
    }
    Ok(format!(
        "{} {:8} {} {} {} (peak score {:.2}, p-value {:.1e}, alert {}) {}",
        told.at,
        told.transition,
        alert.series,
        alert.severity,
        alert.kind,
        alert.peak_score,
        alert.p_value,
        alert.id,
        blamed(alert)
    ))
}
