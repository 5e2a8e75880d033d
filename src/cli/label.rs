//! `kilter label`: says whether an alert was true.

use serde_json::json;

use super::CliError;
use super::source::SourceArgs;

/// Say whether an alert was true
#[derive(Debug, clap::Args)]
pub(super) struct LabelArgs {
    /// The alert's id.
    alert: String,
    /// true when it was right, false when it was a false alarm.
    #[arg(action = clap::ArgAction::Set)]
    is_true: bool,
    /// Anything to remember about it.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Runs the command.
pub(super) fn run(args: &LabelArgs) -> Result<(), CliError> {
    let alert = args.source.act(&args.alert, "label", &json!({"label": args.is_true, "note": args.note}))?;
    println!("alert {} of {} labelled {}", alert.id, alert.series, args.is_true);
    Ok(())
}
