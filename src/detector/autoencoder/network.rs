//! Encoder, latent and decoder as one differentiable map from windows to reconstructions.

use super::spec::AutoencoderSpec;
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{Activation, Real};
use crate::nn::layer::recurrent::{Bidirectional, Merge, Recurrent, RecurrentSpec};
use crate::nn::layer::{Dense, Dropout, Layer, Pass, Stack, Work};
use crate::nn::parameter::{LoadTensorError, Parameter, Tensor};

/// The network of an [`AutoencoderSpec`]: `[B, T, C]` to `[B, T, C]`.
///
/// As a [`Layer`] its output is in the decoder's order, which is last row first when the spec reverses the target.
#[derive(Debug)]
pub struct Network<R> {
    encoder: Stack<R>,
    decoder: Stack<R>,
    /// Whether decoder step 0 is the window's last row.
    pub(super) is_reversed: bool,
    /// Whether decoder step 0 can be had without the other steps.
    pub(super) first_step_suffices: bool,
}

impl<R: Real> Network<R> {
    /// Fresh weights for windows of `n_channels` channels. The spec must have passed its check.
    pub fn new(spec: &AutoencoderSpec, n_channels: usize, generator: &mut Generator) -> Self {
        let widths = spec.units.widths();
        let mut encoder: Vec<Box<dyn Layer<R>>> = Vec::new();
        let mut features = n_channels;
        for (i, units) in widths.iter().enumerate() {
            push_dropout(&mut encoder, spec);
            let return_sequences = i + 1 < widths.len();
            let part = RecurrentSpec { return_sequences, ..part(spec, features, *units) };
            features = push_recurrent(&mut encoder, spec, part, generator);
        }
        if spec.latent > 0 {
            encoder.push(Box::new(Dense::new(features, spec.latent, Activation::Linear, generator)));
            features = spec.latent;
        }
        let mut decoder: Vec<Box<dyn Layer<R>>> = Vec::new();
        for (i, units) in widths.iter().rev().enumerate() {
            if i > 0 {
                push_dropout(&mut decoder, spec);
            }
            let part = RecurrentSpec { repeats_input: i == 0, ..part(spec, features, *units) };
            features = push_recurrent(&mut decoder, spec, part, generator);
        }
        decoder.push(Box::new(Dense::new(features, n_channels, Activation::Linear, generator)));
        Network {
            encoder: Stack::new(encoder),
            decoder: Stack::new(decoder),
            is_reversed: spec.reverse_target,
            first_step_suffices: spec.reverse_target && !spec.bidirectional,
        }
    }

    /// Width Z of a latent.
    pub fn latent_width(&self, n_time: usize, n_channels: usize) -> usize {
        let latent = self.encoder.output_shape(Shape::new(1, n_time, n_channels), n_time);
        latent.window()
    }

    /// Latents of the windows: `[B, 1, Z]`.
    pub fn encode(&self, x: &Batch<R>, work: &mut Work<R>, latent: &mut Batch<R>) {
        let (works, _) = work.children(2, 2);
        self.encoder.forward(x, &mut Pass::infer(x.shape().t), &mut works[0], latent);
    }

    /// The first `steps` decoder steps, `[B, steps, C]`.
    pub fn forward_steps(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let (works, between) = work.children(2, 2);
        let [encoder, decoder] = works else { return };
        self.encoder.forward(x, pass, encoder, &mut between[0]);
        self.decoder.forward(&between[0], pass, decoder, y);
    }

    /// Every parameter under its stored name, in PyTorch's layout.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        self.visit("", &mut |name, parameter| tensors.push(parameter.tensor(name)));
        tensors
    }

    /// Takes every parameter from the tensor of its name; tensors without a parameter are ignored.
    ///
    /// # Errors
    /// The first tensor that is missing, of another shape or not finite.
    pub fn load(&mut self, tensors: &[Tensor]) -> Result<(), LoadTensorError> {
        let mut result = Ok(());
        self.visit_mut("", &mut |name, parameter| {
            if result.is_ok() {
                result = match tensors.iter().find(|tensor| tensor.name == name) {
                    Some(tensor) => parameter.load(tensor),
                    None => Err(LoadTensorError::Missing { name }),
                };
            }
        });
        result
    }
}

fn part(spec: &AutoencoderSpec, features: usize, units: usize) -> RecurrentSpec {
    let cell = spec.cell;
    RecurrentSpec { cell, features, units, return_sequences: true, go_backwards: false, repeats_input: false }
}

fn push_dropout<R: Real>(layers: &mut Vec<Box<dyn Layer<R>>>, spec: &AutoencoderSpec) {
    if spec.dropout > 0.0 {
        layers.push(Box::new(Dropout::new(spec.dropout)));
    }
}

/// Adds one recurrent layer or a pair, and returns the width of its output.
fn push_recurrent<R: Real>(
    layers: &mut Vec<Box<dyn Layer<R>>>,
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

impl<R: Real> Layer<R> for Network<R> {
    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        pass.steps = x.shape().t;
        self.forward_steps(x, pass, work, y);
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let (works, between) = work.children(2, 2);
        let ([encoder, decoder], [latent, d_latent]) = (works, between) else { return };
        self.decoder.backward(latent, y, d_y, decoder, Some(&mut *d_latent));
        self.encoder.backward(x, latent, d_latent, encoder, d_x);
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        self.encoder.visit(&format!("{prefix}encoder"), see);
        self.decoder.visit(&format!("{prefix}decoder"), see);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        self.encoder.visit_mut(&format!("{prefix}encoder"), see);
        self.decoder.visit_mut(&format!("{prefix}decoder"), see);
    }

    fn added_loss(&self, work: &Work<R>) -> f64 {
        let part = |i, layer: &Stack<R>| work.child(i).map_or(0.0, |work| layer.added_loss(work));
        part(0, &self.encoder) + part(1, &self.decoder)
    }
}
