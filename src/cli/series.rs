//! `kilter series`: every series, its state and when it last spoke.

use super::rows::{Column, print};
use super::source::SourceArgs;
use super::{CliError, OutputArgs};
use crate::http::view::SeriesView;
use crate::verdict::SeriesState;

/// List the series, their state and when they last spoke
#[derive(Debug, clap::Args)]
pub(super) struct SeriesArgs {
    /// Only series in this state: normal, anomalous, warming_up, no_data, model_stale.
    #[arg(long, value_parser = parse_state)]
    state: Option<SeriesState>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn parse_state(text: &str) -> Result<SeriesState, String> {
    let allowed: Vec<_> = SeriesState::ALL.iter().map(|state| state.as_str()).collect();
    SeriesState::from_name(text).ok_or_else(|| format!("allowed: {}", allowed.join(", ")))
}

const COLUMNS: &[Column<SeriesView>] = &[
    Column("series", |s| s.series.as_str().into()),
    Column("state", |s| s.state.as_str().into()),
    Column("last_at", |s| s.last_at.into()),
    Column("n_rows", |s| s.n_rows.into()),
    Column("n_channels", |s| (s.channels.len() as u64).into()),
    Column("live_score", |s| s.live_score.into()),
    Column("evidence", |s| s.evidence.into()),
    Column("n_open_alerts", |s| u64::from(s.n_open_alerts).into()),
    Column("promised", |s| s.budget.as_ref().map(|b| b.n_promised).into()),
    Column("openings", |s| s.budget.as_ref().map(|b| b.n_openings).into()),
    Column("model_id", |s| s.model_id.clone().into()),
    Column("reason", |s| reason(s).into()),
];

/// The reason without the sentence on why a budget is not kept: that stands in `--json`.
fn reason(series: &SeriesView) -> String {
    match series.budget.as_ref().and_then(|budget| budget.explanation.as_ref()) {
        Some(why) => series.reason.replace(why, why.split(':').next().unwrap_or(why)),
        None => series.reason.clone(),
    }
}

/// Runs the command.
pub(super) fn run(args: &SeriesArgs) -> Result<(), CliError> {
    let series = args.source.open()?.series(args.state)?;
    print(args.output, &series, COLUMNS, "No series yet: they appear when they first speak.")
}
