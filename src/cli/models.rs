//! `kilter models`: lists, inspects and exports models.

use std::path::PathBuf;

use super::rows::{Column, print};
use super::source::{Source, SourceArgs, series_id};
use super::{CliError, OutputArgs};
use crate::http::view::ModelView;

/// List, inspect and export models
#[derive(Debug, clap::Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List models, newest first
    List {
        /// Only models fitted on, or judging, this series.
        #[arg(long)]
        series: Option<String>,
        #[command(flatten)]
        source: SourceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print all that is known of a model, as JSON
    Show {
        /// The model's id.
        model: String,
        #[command(flatten)]
        source: SourceArgs,
    },
    /// Write the bytes of a model to a file
    Export {
        /// The model's id.
        model: String,
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        source: SourceArgs,
    },
}

const COLUMNS: &[Column<ModelView>] = &[
    Column("id", |m| m.id.as_str().into()),
    Column("series", |m| m.series.clone().into()),
    Column("trained_to", |m| m.trained_to.into()),
    Column("n_channels", |m| (m.channels.len() as u64).into()),
    Column("members", |m| m.members.join(" ").into()),
    Column("n_bytes", |m| m.n_bytes.into()),
    Column("active_on", |m| m.active_on.join(" ").into()),
];

/// Runs the command.
pub(super) fn run(args: &ModelsArgs) -> Result<(), CliError> {
    match &args.what {
        What::List { series, source, output } => {
            let series = series.as_deref().map(series_id).transpose()?;
            let models = source.open()?.models(series.as_ref())?;
            print(*output, &models, COLUMNS, "No models yet: the first is fitted when a series has warmed up.")
        }
        What::Show { model, source } => {
            let models = source.open()?.models(None)?;
            let found = models.iter().find(|m| m.id == *model).ok_or_else(|| unknown(model))?;
            println!("{}", serde_json::to_string_pretty(found).map_err(CliError::failed)?);
            Ok(())
        }
        What::Export { model, file, source } => {
            let Source::Store { runtime, reader } = source.open()? else {
                return Err(CliError::Usage("models are exported from a data directory: --data-dir".to_owned()));
            };
            let bundle = runtime.block_on(reader.bundle(model)).map_err(CliError::failed)?;
            let bundle = bundle.ok_or_else(|| unknown(model))?;
            std::fs::write(file, &bundle)?;
            println!("{} bytes written to {}", bundle.len(), file.display());
            Ok(())
        }
    }
}

fn unknown(model: &str) -> CliError {
    CliError::failed(format!("no model {model:?}"))
}
