//! `kilter targets`: who is told of alerts, and what they refused.

use super::rows::{Column, print};
use super::source::SourceArgs;
use super::{CliError, OutputArgs};
use crate::http::view::{DeadLetterView, TargetView};

/// Print who is told of alerts and how far, or what they refused for good
#[derive(Debug, clap::Args)]
pub(super) struct TargetsArgs {
    /// Notices that were refused for good, instead.
    #[arg(long)]
    dead: bool,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

const TARGETS: &[Column<TargetView>] = &[
    Column("target", |t| t.name.as_str().into()),
    Column("delivered_at", |t| t.delivered_at.into()),
    Column("pending", |t| t.n_pending.into()),
    Column("held", |t| t.n_held.into()),
    Column("dead", |t| t.n_dead.into()),
];

const LETTERS: &[Column<DeadLetterView>] = &[
    Column("target", |l| l.target.as_str().into()),
    Column("at", |l| l.at.into()),
    Column("attempts", |l| u64::from(l.attempts).into()),
    Column("error", |l| l.error.as_str().into()),
    Column("transition", |l| l.transition.transition.as_str().into()),
    Column("alert", |l| l.transition.alert.id.as_str().into()),
    Column("series", |l| l.transition.alert.series.as_str().into()),
];

/// Runs the command.
pub(super) fn run(args: &TargetsArgs) -> Result<(), CliError> {
    let source = args.source.open()?;
    match args.dead {
        true => print(args.output, &source.dead_letters()?, LETTERS, "Nothing was refused."),
        false => print(args.output, &source.targets()?, TARGETS, "Nobody is told yet."),
    }
}
