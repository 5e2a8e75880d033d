//! `kilter label`: says whether an alert was true.

use serde_json::json;

use super::CliError;
use super::silence::user;
use super::source::SourceArgs;

/// Say whether an alert was true. A false alarm teaches the judge of its series; none takes the label back
#[derive(Debug, clap::Args)]
pub(super) struct LabelArgs {
    /// The alert's id.
    alert: String,
    /// true when it was right, false when it was a false alarm, none to take the label back.
    #[arg(value_parser = parse_label)]
    label: Label,
    /// Anything to remember about it.
    #[arg(long)]
    note: Option<String>,
    /// Who says so.
    #[arg(long, default_value_t = user())]
    author: String,
    /// Put this label in the place of another one that stands.
    #[arg(long)]
    replace: bool,
    /// Say what the label would do to past alerts, and change nothing.
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    source: SourceArgs,
}

/// What a person says; none takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Label(Option<bool>);

fn parse_label(text: &str) -> Result<Label, String> {
    match text {
        "true" => Ok(Label(Some(true))),
        "false" => Ok(Label(Some(false))),
        "none" => Ok(Label(None)),
        _ => Err("allowed: true, false, none".to_owned()),
    }
}

/// Runs the command.
pub(super) fn run(args: &LabelArgs) -> Result<(), CliError> {
    if args.preview {
        let Some(label) = args.label.0 else {
            return Err(CliError::Usage("--preview is for true and false".to_owned()));
        };
        let preview = args.source.open()?.label_preview(&args.alert, label)?;
        println!("{}", preview.summary);
        for alert in &preview.would_vanish {
            let confirmed = if alert.label == Some(true) { ", CONFIRMED" } else { "" };
            println!("would not have opened: {} of {} at {}{confirmed}", alert.id, alert.series, alert.opened_at);
        }
        return Ok(());
    }
    let body = json!({"label": args.label.0, "note": args.note, "author": args.author, "replace": args.replace});
    let alert = args.source.act(&args.alert, "label", &body)?;
    match args.label.0 {
        Some(label) => println!("alert {} of {} labelled {label}", alert.id, alert.series),
        None => println!("alert {} of {} has no label any more", alert.id, alert.series),
    }
    Ok(())
}
