//! `kilter acknowledge`: says that a person has seen an alert.

use serde_json::json;

use super::CliError;
use super::source::SourceArgs;

/// Say that you have seen an alert
#[derive(Debug, clap::Args)]
pub(super) struct AcknowledgeArgs {
    /// The alert's id.
    alert: String,
    #[command(flatten)]
    source: SourceArgs,
}

/// Runs the command.
pub(super) fn run(args: &AcknowledgeArgs) -> Result<(), CliError> {
    let alert = args.source.act(&args.alert, "acknowledge", &json!({}))?;
    let at = alert.acknowledged_at.map_or_else(String::new, |at| at.to_string());
    println!("alert {} of {} acknowledged at {at}", alert.id, alert.series);
    Ok(())
}
