//! `kilter models sample`: new windows drawn by a model that generates.

use std::path::PathBuf;

use serde::Serialize;

use super::super::rows::{Field, print_rows};
use super::super::source::SourceArgs;
use super::super::{CliError, OutputArgs};
use super::bundle_of;
use crate::evaluate::draw_windows;

/// Draw new windows from a variational autoencoder
///
/// Latents are drawn from the standard normal distribution and decoded; values are in the sender's units.
#[derive(Debug, clap::Args)]
pub(super) struct SampleArgs {
    /// The model's id, or a bundle file.
    model: String,
    /// Windows to draw.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    windows: u32,
    /// The same seed draws the same windows.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also draw them into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// One row of a drawn window.
#[derive(Debug, Serialize)]
struct SampledRow {
    window: usize,
    row: usize,
    /// By channel of the model.
    values: Vec<f64>,
}

pub(super) fn run(args: &SampleArgs) -> Result<(), CliError> {
    let bundle = bundle_of(&args.model, &args.source)?;
    let detector = &bundle.detector;
    let n = args.windows as usize;
    let drawn = detector.members.iter().find_map(|member| member.sample(n, args.seed));
    let drawn = drawn.ok_or_else(|| {
        let text = "no member of model {} generates; one that does has variational = { … } in [defaults.autoencoder]";
        CliError::failed(text.replace("{}", bundle.id()))
    })?;
    let (t, c) = (detector.n_time, detector.n_channels);
    let values: Vec<f64> =
        drawn.iter().enumerate().map(|(i, x)| detector.scaler.unscale(i % c, f64::from(*x))).collect();
    let names: Vec<String> = bundle.channels.iter().map(ToString::to_string).collect();
    if let Some(file) = &args.svg {
        std::fs::write(file, draw_windows(&format!("{n} windows drawn by model {}", bundle.id()), &names, &values, t))?;
    }
    let rows: Vec<SampledRow> = values
        .chunks_exact(c)
        .enumerate()
        .map(|(i, values)| SampledRow { window: i / t, row: i % t, values: values.to_vec() })
        .collect();
    let header = ["window", "row"].into_iter().map(str::to_owned).chain(names).collect();
    print_rows(args.output, &rows, header, |row| {
        let places = [Field::Count(row.window as u64), Field::Count(row.row as u64)];
        places.into_iter().chain(row.values.iter().map(|value| Field::Number(*value))).collect()
    })
}
