//! `kilter models import`: an autoencoder that was trained elsewhere, made a model of a series.

use std::path::PathBuf;

use super::super::CliError;
use super::super::train::{FitArgs, fit_model};
use crate::bundle::{ForeignWeights, WeightLayout};

/// Make a model from weights that PyTorch or Keras trained
///
/// The configuration says which network the weights belong to; scaler, levels and calibration are learned from the rows
/// as always. The weights must be for scaled windows: (x - mean) / standard deviation by channel, channels by name.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// A safetensors file.
    weights: PathBuf,
    /// Whose names and layouts the file has.
    #[arg(long, default_value = "pytorch")]
    layout: Layout,
    #[command(flatten)]
    fit: FitArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Layout {
    Pytorch,
    Keras,
}

pub(super) fn run(args: &ImportArgs) -> Result<(), CliError> {
    let bytes = std::fs::read(&args.weights)
        .map_err(|cause| CliError::failed(format!("{}: {cause}", args.weights.display())))?;
    let layout = match args.layout {
        Layout::Pytorch => WeightLayout::Pytorch,
        Layout::Keras => WeightLayout::Keras,
    };
    fit_model(&args.fit, Some(ForeignWeights { bytes: &bytes, layout }))
}
