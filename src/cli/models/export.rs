//! `kilter models export`: a model for other programs.

use std::path::PathBuf;

use super::super::CliError;
use super::super::source::SourceArgs;
use super::{bundle_of, bytes_of};
use crate::detector::autoencoder::Autoencoder;
use crate::detector::autoencoder::export::{onnx, safetensors};

/// Write a model to a file
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// The model's id, or a bundle file.
    model: String,
    /// The file to write.
    file: PathBuf,
    /// bundle: everything, for Kilter. safetensors: the autoencoder's weights under PyTorch's names. onnx: the
    /// autoencoder as a graph from `windows` to `reconstruction`, both `[batch, T, C]` in scaled units.
    #[arg(long, default_value = "bundle")]
    format: Format,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Bundle,
    Safetensors,
    Onnx,
}

pub(super) fn run(args: &ExportArgs) -> Result<(), CliError> {
    let network = |write: fn(&Autoencoder) -> Result<Vec<u8>, CliError>| {
        let bundle = bundle_of(&args.model, &args.source)?;
        let members = &bundle.detector.members;
        let found = members.iter().find_map(|member| member.as_autoencoder());
        let names: Vec<&str> = members.iter().map(|member| member.member().as_str()).collect();
        let none =
            || CliError::failed(format!("model {} has no autoencoder; its members: {}", bundle.id(), names.join(", ")));
        write(found.ok_or_else(none)?)
    };
    let bytes = match args.format {
        Format::Bundle => bytes_of(&args.model, &args.source)?,
        Format::Safetensors => network(|autoencoder| Ok(safetensors(autoencoder)))?,
        Format::Onnx => network(|autoencoder| onnx(autoencoder).map_err(CliError::failed))?,
    };
    std::fs::write(&args.file, &bytes)?;
    println!("{} bytes written to {}", bytes.len(), args.file.display());
    Ok(())
}
