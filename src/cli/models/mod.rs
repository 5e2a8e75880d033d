//! `kilter models`: lists, inspects, activates, exports, imports and draws models.
//!
//! Where a model is asked for, its id in a data directory or a file that `kilter train --out` or `kilter models export`
//! wrote will do.

mod activate;
mod export;
mod import;
mod latent;
mod sample;

use std::io::{self, Write};
use std::path::Path;

use super::rows::{Column, print};
use super::source::{Source, SourceArgs, series_id};
use super::{CliError, OutputArgs};
use crate::bundle::ModelBundle;
use crate::http::view::ModelView;
use crate::series::SeriesId;

/// List, inspect, activate, export and import models; draw from them
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
    Activate(activate::ActivateArgs),
    Rollback(activate::RollbackArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Sample(sample::SampleArgs),
    Latent(latent::LatentArgs),
    /// Tell which faults the model in charge of a series would see
    Power {
        /// The series.
        series: String,
        #[command(flatten)]
        source: SourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
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
        What::Activate(args) => activate::activate(args),
        What::Rollback(args) => activate::roll_back(args),
        What::Export(args) => export::run(args),
        What::Import(args) => import::run(args),
        What::Sample(args) => sample::run(args),
        What::Latent(args) => latent::run(args),
        What::Power { series, source, json } => tell_power(&series_id(series)?, &source.open()?, *json),
    }
}

fn tell_power(series: &SeriesId, source: &Source, is_json: bool) -> Result<(), CliError> {
    let Some(model_id) = source.one_series(series)?.model_id else {
        return Err(CliError::failed(format!("no model judges {series} yet")));
    };
    let power = source.power(&model_id)?;
    let out = &mut io::stdout();
    if is_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&power).map_err(CliError::failed)?)?;
        return Ok(());
    }
    writeln!(out, "Model {model_id} of {series}, faults put into {} clean rows:", power.n_rows)?;
    for sentence in &power.sentences {
        writeln!(out, "  {sentence}")?;
    }
    if let Some(skill) = power.model_skill {
        writeln!(out, "Mean area under the curve over shifts, drifts and noise: {skill:+.3} against the PCA alone.")?;
    }
    if let Some(gain) = power.trained_gain {
        writeln!(out, "The trained member is worth {gain:+.3} of that.")?;
    }
    Ok(())
}

fn unknown(model: &str) -> CliError {
    CliError::failed(format!("no model {model:?}"))
}

/// The bytes of a model: a file's, or those of a data directory's.
fn bytes_of(model: &str, source: &SourceArgs) -> Result<Vec<u8>, CliError> {
    if Path::new(model).is_file() {
        return Ok(std::fs::read(model)?);
    }
    let Source::Store { runtime, reader } = source.open()? else {
        let text = format!("{model:?} is no file: name one, or a data directory that holds the model with --data-dir");
        return Err(CliError::Usage(text));
    };
    let bundle = runtime.block_on(reader.bundle(model)).map_err(CliError::failed)?;
    bundle.ok_or_else(|| unknown(model))
}

/// A model, read.
fn bundle_of(model: &str, source: &SourceArgs) -> Result<ModelBundle, CliError> {
    ModelBundle::decode(&bytes_of(model, source)?).map_err(CliError::failed)
}
