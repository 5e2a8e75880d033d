//! `kilter incidents`: alerts of one site that overlap in time, together.

use super::rows::{Column, print};
use super::source::SourceArgs;
use super::{CliError, OutputArgs};
use crate::http::view::IncidentView;

/// Print incidents: alerts of one site that overlap in time, together
#[derive(Debug, clap::Args)]
pub(super) struct IncidentsArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

const COLUMNS: &[Column<IncidentView>] = &[
    Column("id", |i| i.id.as_str().into()),
    Column("site", |i| i.site.as_str().into()),
    Column("state", |i| i.state.as_str().into()),
    Column("severity", |i| i.severity.as_str().into()),
    Column("opened_at", |i| i.opened_at.into()),
    Column("resolved_at", |i| i.resolved_at.into()),
    Column("peak_score", |i| i.peak_score.into()),
    Column("n_alerts", |i| (i.members.len() as u64).into()),
    Column("members", |i| members(i).into()),
];

fn members(incident: &IncidentView) -> String {
    let word = |alert: &crate::http::view::AlertView| format!("{} {} {}", alert.series, alert.kind, alert.id);
    incident.members.iter().map(word).collect::<Vec<_>>().join("; ")
}

/// Runs the command.
pub(super) fn run(args: &IncidentsArgs) -> Result<(), CliError> {
    print(args.output, &args.source.open()?.incidents()?, COLUMNS, "No incidents.")
}
