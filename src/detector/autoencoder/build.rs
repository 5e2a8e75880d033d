//! From a spec to the layers of encoder and decoder.

use super::spec::{AutoencoderSpec, DecoderInput, NetworkKind};
use crate::nn::generator::Generator;
use crate::nn::kernels::{Activation, Real};
use crate::nn::layer::recurrent::{Bidirectional, Merge, Recurrent, RecurrentSpec};
use crate::nn::layer::{Dense, Dropout, Feedback, Layer, Noise, Positions, Reshape, TransformerBlock, Variational};

type Layers<R> = Vec<Box<dyn Layer<R>>>;

/// How much wider than its rows the dense pair inside a Transformer block is.
const FEED_FORWARD_FACTOR: usize = 2;

/// Encoder and decoder of a checked spec for windows `[n_time, n_channels]`.
pub(super) fn build<R: Real>(
    spec: &AutoencoderSpec,
    n_time: usize,
    n_channels: usize,
    generator: &mut Generator,
) -> [Layers<R>; 2] {
    let mut encoder: Layers<R> = Vec::new();
    if spec.noise != Noise::None {
        encoder.push(Box::new(spec.noise));
    }
    match spec.kind {
        NetworkKind::Recurrent => recurrent(spec, n_channels, encoder, generator),
        NetworkKind::Dense => dense(spec, n_time, n_channels, encoder, generator),
        NetworkKind::Attention => attention(spec, n_time, n_channels, encoder, generator),
    }
}

/// The way into the latent: a dense layer or a Gaussian.
fn push_latent<R: Real>(layers: &mut Layers<R>, spec: &AutoencoderSpec, features: usize, generator: &mut Generator) {
    match spec.variational {
        Some(variational) => {
            layers.push(Box::new(Variational::new(features, spec.latent, variational.is_sampled, generator)));
        }
        None => layers.push(Box::new(Dense::new(features, spec.latent, Activation::Linear, generator))),
    }
}

fn push_dropout<R: Real>(layers: &mut Layers<R>, spec: &AutoencoderSpec) {
    if spec.dropout > 0.0 {
        layers.push(Box::new(Dropout::new(spec.dropout)));
    }
}

fn recurrent<R: Real>(
    spec: &AutoencoderSpec,
    n_channels: usize,
    mut encoder: Layers<R>,
    generator: &mut Generator,
) -> [Layers<R>; 2] {
    let widths = spec.units.widths();
    let part = |features, units, return_sequences, repeats_input| RecurrentSpec {
        cell: spec.cell,
        features,
        units,
        return_sequences,
        go_backwards: false,
        repeats_input,
    };
    let mut features = n_channels;
    for (i, units) in widths.iter().enumerate() {
        push_dropout(&mut encoder, spec);
        let part = part(features, *units, i + 1 < widths.len() || spec.return_sequences, false);
        features = push_recurrent(&mut encoder, spec, part, generator);
    }
    if spec.latent > 0 {
        push_latent(&mut encoder, spec, features, generator);
        features = spec.latent;
    }
    let mut decoder: Layers<R> = Vec::new();
    if spec.decoder_input == DecoderInput::Feedback {
        decoder.push(Box::new(Feedback::new(spec.cell, features, widths[0], n_channels, generator)));
        return [encoder, decoder];
    }
    for (i, units) in widths.iter().rev().enumerate() {
        if i > 0 {
            push_dropout(&mut decoder, spec);
        }
        let part = part(features, *units, true, i == 0 && !spec.return_sequences);
        features = push_recurrent(&mut decoder, spec, part, generator);
    }
    decoder.push(Box::new(Dense::new(features, n_channels, Activation::Linear, generator)));
    [encoder, decoder]
}

/// Adds one recurrent layer or a pair, and returns the width of its output.
fn push_recurrent<R: Real>(
    layers: &mut Layers<R>,
    spec: &AutoencoderSpec,
    part: RecurrentSpec,
    generator: &mut Generator,
) -> usize {
    if spec.bidirectional {
        layers.push(Box::new(Bidirectional::new(part, spec.merge, generator)));
    } else {
        layers.push(Box::new(Recurrent::new(part, generator)));
    }
    if spec.bidirectional && spec.merge == Merge::Concat { 2 * part.units } else { part.units }
}

fn dense<R: Real>(
    spec: &AutoencoderSpec,
    n_time: usize,
    n_channels: usize,
    mut encoder: Layers<R>,
    generator: &mut Generator,
) -> [Layers<R>; 2] {
    encoder.push(Box::new(Reshape::Flatten));
    let mut features = n_time * n_channels;
    for units in spec.units.widths() {
        push_dropout(&mut encoder, spec);
        encoder.push(Box::new(Dense::new(features, *units, spec.activation, generator)));
        features = *units;
    }
    push_latent(&mut encoder, spec, features, generator);
    features = spec.latent;
    let mut decoder: Layers<R> = Vec::new();
    for units in spec.units.widths().iter().rev() {
        decoder.push(Box::new(Dense::new(features, *units, spec.activation, generator)));
        push_dropout(&mut decoder, spec);
        features = *units;
    }
    decoder.push(Box::new(Dense::new(features, n_time * n_channels, Activation::Linear, generator)));
    decoder.push(Box::new(Reshape::Rows(n_channels)));
    [encoder, decoder]
}

fn attention<R: Real>(
    spec: &AutoencoderSpec,
    n_time: usize,
    n_channels: usize,
    mut encoder: Layers<R>,
    generator: &mut Generator,
) -> [Layers<R>; 2] {
    let widths = spec.units.widths();
    let (first, last) = (widths.first().copied().unwrap_or(1), widths.last().copied().unwrap_or(1));
    push_dropout(&mut encoder, spec);
    encoder.push(Box::new(Dense::new(n_channels, first, Activation::Linear, generator)));
    encoder.push(Box::new(Positions::new(n_time, first)));
    push_blocks(&mut encoder, spec, widths.iter().copied(), generator);
    encoder.push(Box::new(Reshape::Flatten));
    push_latent(&mut encoder, spec, n_time * last, generator);
    let mut decoder: Layers<R> = Vec::new();
    decoder.push(Box::new(Dense::new(spec.latent, n_time * last, Activation::Linear, generator)));
    decoder.push(Box::new(Reshape::Rows(last)));
    decoder.push(Box::new(Positions::new(n_time, last)));
    push_blocks(&mut decoder, spec, widths.iter().rev().copied(), generator);
    decoder.push(Box::new(Dense::new(first, n_channels, Activation::Linear, generator)));
    [encoder, decoder]
}

/// One block for each width, with a dense layer where the width changes.
fn push_blocks<R: Real>(
    layers: &mut Layers<R>,
    spec: &AutoencoderSpec,
    widths: impl Iterator<Item = usize>,
    generator: &mut Generator,
) {
    let mut features = None;
    for units in widths {
        if let Some(features) = features.filter(|features| *features != units) {
            layers.push(Box::new(Dense::new(features, units, Activation::Linear, generator)));
        }
        let wide = FEED_FORWARD_FACTOR * units;
        layers.push(Box::new(TransformerBlock::new(units, spec.heads, wide, generator)));
        push_dropout(layers, spec);
        features = Some(units);
    }
}
