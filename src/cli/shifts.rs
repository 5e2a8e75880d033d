//! `kilter shifts`: what was accepted as a new normal, and taking it back.

use super::rows::{Column, print};
use super::source::{SourceArgs, series_id};
use super::{CliError, OutputArgs};
use crate::http::view::LevelShiftView;

/// List the lasting changes of level that a series has accepted as normal, or take them back
#[derive(Debug, clap::Args)]
pub(super) struct ShiftsArgs {
    /// The series.
    series: String,
    /// Take back what was accepted: the learned level counts as normal again. Needs a running service.
    #[arg(long, conflicts_with = "data_dir")]
    undo: bool,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

const COLUMNS: &[Column<LevelShiftView>] = &[
    Column("at", |s| s.at.into()),
    Column("factor", |s| s.factor.into()),
    Column("undone_at", |s| s.undone_at.into()),
    Column("sentence", |s| s.sentence.as_str().into()),
];

/// Runs the command.
pub(super) fn run(args: &ShiftsArgs) -> Result<(), CliError> {
    let series = series_id(&args.series)?;
    let source = args.source.open()?;
    if args.undo {
        source.undo_shifts(&series)?;
        println!("What {series} had accepted is taken back: the learned level counts as normal again.");
        return Ok(());
    }
    print(args.output, &source.level_shifts(&series)?, COLUMNS, "No lasting change was accepted.")
}
