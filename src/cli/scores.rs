//! `kilter scores`: the scores of a series.

use super::rows::{Column, print};
use super::source::{SourceArgs, series_id, since};
use super::{CliError, OutputArgs};
use crate::http::view::ScoreRowView;
use crate::series::{HumanDuration, Timestamp};

/// Print the scores of a series
#[derive(Debug, clap::Args)]
pub(super) struct ScoresArgs {
    /// The series.
    series: String,
    /// From when: a length of time back from the newest row, such as 1h or 7d, or a time.
    #[arg(long, visible_alias = "start", value_name = "WHEN", default_value = "1h")]
    since: String,
    /// Up to when, that moment excluded; no end when not given.
    #[arg(long, visible_alias = "end", value_name = "TIME", value_parser = Timestamp::parse)]
    until: Option<Timestamp>,
    /// Sum rows up by this length of time, greatest scores kept, such as 5m.
    #[arg(long, value_name = "DURATION", value_parser = HumanDuration::parse)]
    step: Option<HumanDuration>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

const COLUMNS: &[Column<ScoreRowView>] = &[
    Column("at", |s| s.at.into()),
    Column("live_score", |s| s.live_score.into()),
    Column("settled_score", |s| s.settled_score.into()),
    Column("evidence", |s| s.evidence.into()),
    Column("p_value", |s| s.p_value.into()),
    Column("autoencoder_error", |s| s.autoencoder_error.into()),
    Column("pca_error", |s| s.pca_error.into()),
    Column("baseline_error", |s| s.baseline_error.into()),
    Column("is_anomalous", |s| u64::from(s.is_anomalous).into()),
    Column("top_channel", |s| s.top_channel.clone().into()),
];

/// Runs the command.
pub(super) fn run(args: &ScoresArgs) -> Result<(), CliError> {
    let series = series_id(&args.series)?;
    let source = args.source.open()?;
    let newest = source.one_series(&series)?.last_at.map(|at| at.0);
    let scores = source.scores(&series, since(&args.since, newest)?, args.until, args.step)?;
    print(args.output, &scores, COLUMNS, "No scores there: warming up, or an earlier time is meant (--since).")
}
