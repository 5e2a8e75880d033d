//! `kilter models latent`: what windows of a series become between encoder and decoder, as numbers and as a map.

use std::path::PathBuf;

use serde::Serialize;

use super::super::rows::{Field, print_rows};
use super::super::source::{Source, SourceArgs, series_id};
use super::super::train::{recorded, stored};
use super::super::{CliError, OutputArgs};
use super::bundle_of;
use crate::detector::{MapMethod, RowScratch, latent_map};
use crate::evaluate::{MapPoint, draw_map};
use crate::http::view::Moment;
use crate::series::WindowBuffer;
use crate::store::StoreConfig;

/// Points of a map at most, evenly spaced: more cannot be told apart.
const MAP_POINTS_MAX: usize = 1_000;

/// Export the latents of a series' windows, and draw a map of them
///
/// The first member with a latent gives it: the autoencoder, the kernel PCA, or a PCA that scores whole windows.
#[derive(Debug, clap::Args)]
pub(super) struct LatentArgs {
    /// The series.
    series: String,
    /// The model's id, or a bundle file; the one that judges the series when not given.
    #[arg(long)]
    model: Option<String>,
    /// A recording to take the windows from; the stored rows of the series when not given.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Rows at most: the newest of the store, the first of a recording.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    rows: u32,
    /// Lay the latents out on a plane by: pca, tsne or diffusion.
    #[arg(long, value_name = "METHOD", default_value = "pca")]
    map: String,
    /// Draw the map into this file, coloured by time and by score.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The latent of the window that ends with a row.
#[derive(Debug, Serialize)]
struct Latent {
    time: Moment,
    /// Fused residual of the row: 1.0 is what held-out rows have in the middle, more is stranger.
    score: f64,
    latent: Vec<f32>,
}

pub(super) fn run(args: &LatentArgs) -> Result<(), CliError> {
    let series = series_id(&args.series)?;
    let method = MapMethod::from_name(&args.map).ok_or_else(|| {
        let names: Vec<&str> = MapMethod::ALL.iter().map(|method| method.as_str()).collect();
        CliError::Usage(format!("--map {:?}: allowed are {}", args.map, names.join(", ")))
    })?;
    let model = match &args.model {
        Some(model) => model.clone(),
        None => judging(&args.source.open()?, series.as_str())?,
    };
    let bundle = bundle_of(&model, &args.source)?;
    let (channels, frames) = match (&args.from, args.source.data_dir()) {
        (Some(file), _) => recorded(file, args.rows)?,
        (None, Some(dir)) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(stored(&StoreConfig::in_dir(dir), &series, args.rows))?
        }
        (None, None) => return Err(CliError::Usage("rows come from --from FILE or --data-dir DIR".to_owned())),
    };
    let place = |name| channels.iter().position(|known| known == name);
    let indexes: Option<Vec<usize>> = bundle.channels.iter().map(place).collect();
    let indexes = indexes.ok_or_else(|| {
        let names: Vec<String> = bundle.channels.iter().map(ToString::to_string).collect();
        CliError::failed(format!("{series} lacks a channel of model {}: {}", bundle.id(), names.join(", ")))
    })?;
    let mut buffer = WindowBuffer::new(bundle.n_time(), indexes);
    let mut scratch = RowScratch::default();
    let mut latents = Vec::new();
    for frame in &frames {
        let Some(window) = buffer.push(frame) else { continue };
        let score = if bundle.detector.score(window, &mut scratch) { scratch.row.residual.fused } else { continue };
        let Some(latent) = bundle.detector.latent(window, &mut scratch) else {
            return Err(CliError::failed(format!("no member of model {} has a latent", bundle.id())));
        };
        latents.push(Latent { time: frame.at.into(), score, latent });
    }
    let width = latents.first().map_or(0, |latent| latent.latent.len());
    if let Some(file) = &args.svg {
        let n = latents.len().min(MAP_POINTS_MAX);
        let some: Vec<&Latent> = (0..n).map(|i| &latents[i * latents.len() / n.max(1)]).collect();
        let flat: Vec<f32> = some.iter().flat_map(|latent| latent.latent.iter().copied()).collect();
        let map = latent_map(&flat, width, method).map_err(CliError::failed)?;
        let points: Vec<MapPoint> =
            map.iter().zip(&some).map(|(at, latent)| MapPoint { at: *at, score: latent.score }).collect();
        let title = format!("{n} windows of {series}, {} of the latent of model {}", method.as_str(), bundle.id());
        std::fs::write(file, draw_map(&title, &points))?;
    }
    let header = ["time".to_owned(), "score".to_owned()];
    let header = header.into_iter().chain((0..width).map(|z| format!("z{z}"))).collect();
    print_rows(args.output, &latents, header, |row| {
        let places = [Field::from(row.time), Field::Number(row.score)];
        places.into_iter().chain(row.latent.iter().map(|z| Field::Number(f64::from(*z)))).collect()
    })
}

/// The model that judges a series now.
fn judging(source: &Source, series: &str) -> Result<String, CliError> {
    let models = source.models(None)?;
    let found = models.into_iter().find(|model| model.active_on.iter().any(|name| name == series));
    found
        .map(|model| model.id)
        .ok_or_else(|| CliError::failed(format!("no model judges {series} yet; name one: --model")))
}
