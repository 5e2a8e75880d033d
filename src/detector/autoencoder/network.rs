//! Encoder, latent and decoder as one differentiable map from windows to reconstructions.

use super::build::build;
use super::spec::{AutoencoderSpec, NetworkKind};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::Real;
use crate::nn::layer::{Layer, Pass, Stack, Work};
use crate::nn::parameter::{LoadTensorError, Parameter, Tensor};

/// The network of an [`AutoencoderSpec`]: `[B, T, C]` to `[B, T, C]`.
///
/// As a [`Layer`] its output is in the decoder's order, which is last row first when the spec reverses the target.
#[derive(Debug)]
pub struct Network<R> {
    encoder: Stack<R>,
    decoder: Stack<R>,
    /// Whether decoder step 0 is the window's last row.
    is_reversed: bool,
    /// Whether decoder step 0 can be had without the other steps.
    pub(super) first_step_suffices: bool,
}

impl<R: Real> Network<R> {
    /// Fresh weights for windows `[n_time, n_channels]`. The spec must have passed its check.
    pub fn new(spec: &AutoencoderSpec, n_time: usize, n_channels: usize, generator: &mut Generator) -> Self {
        let [encoder, decoder] = build(spec, n_time, n_channels, generator);
        let is_recurrent = spec.kind == NetworkKind::Recurrent;
        let is_reversed = is_recurrent && spec.reverse_target && !spec.return_sequences;
        Network {
            encoder: Stack::new(encoder),
            decoder: Stack::new(decoder),
            is_reversed,
            first_step_suffices: is_reversed && !spec.bidirectional,
        }
    }

    /// Whether decoder step 0 is the window's last row.
    pub fn is_reversed(&self) -> bool {
        self.is_reversed
    }

    /// Every layer with its name, encoder first, and whether it belongs to the decoder.
    pub fn layers(&self) -> impl Iterator<Item = (String, bool, &dyn Layer<R>)> {
        let encoder = self.encoder.layers().iter().enumerate();
        let decoder = self.decoder.layers().iter().enumerate();
        encoder
            .map(|(i, layer)| (format!("encoder.{i}"), false, layer.as_ref()))
            .chain(decoder.map(|(i, layer)| (format!("decoder.{i}"), true, layer.as_ref())))
    }

    /// Windows decoded from latents `[B, 1, Z]`, or `[B, T, Z]` from sequence to sequence, in the decoder's order.
    pub fn decode(&self, latent: &Batch<R>, steps: usize, work: &mut Work<R>, y: &mut Batch<R>) {
        let (works, _) = work.children(2, 2);
        self.decoder.forward(latent, &mut Pass::infer(steps), &mut works[1], y);
    }

    /// Shape of the latent of one window of `[n_time, n_channels]`: `[1, 1, Z]`, or `[1, T, Z]` from sequence to sequence.
    pub fn latent_shape(&self, n_time: usize, n_channels: usize) -> Shape {
        self.encoder.output_shape(Shape::new(1, n_time, n_channels), n_time)
    }

    /// Latents of the windows: `[B, 1, Z]`, or `[B, T, Z]` from sequence to sequence.
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

    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        self.encoder.each_parameter(see);
        self.decoder.each_parameter(see);
    }

    fn added_loss(&self, work: &Work<R>) -> f64 {
        let part = |i, layer: &Stack<R>| work.child(i).map_or(0.0, |work| layer.added_loss(work));
        part(0, &self.encoder) + part(1, &self.decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::{DecoderInput, Units, VariationalSpec};
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};
    use crate::nn::layer::Noise;
    use crate::nn::layer::recurrent::{CellKind, Merge};

    /// Every system a user can choose, small.
    fn systems() -> Vec<AutoencoderSpec> {
        let base = AutoencoderSpec { units: Units::One(4), latent: 2, heads: 2, ..AutoencoderSpec::default() };
        let variational = Some(VariationalSpec::default());
        let mut systems: Vec<AutoencoderSpec> =
            CellKind::ALL.iter().map(|cell| AutoencoderSpec { cell: *cell, ..base.clone() }).collect();
        systems.extend([
            AutoencoderSpec { latent: 0, reverse_target: false, ..base.clone() },
            AutoencoderSpec { return_sequences: true, units: Units::Stack(vec![4, 3]), ..base.clone() },
            AutoencoderSpec { return_sequences: true, variational, bidirectional: true, ..base.clone() },
            AutoencoderSpec { units: Units::Stack(vec![5, 3]), dropout: 0.3, ..base.clone() },
            AutoencoderSpec { bidirectional: true, merge: Merge::Sum, ..base.clone() },
            AutoencoderSpec { bidirectional: true, units: Units::Stack(vec![4, 3]), ..base.clone() },
            AutoencoderSpec { decoder_input: DecoderInput::Feedback, cell: CellKind::Lstm, ..base.clone() },
            AutoencoderSpec { noise: Noise::Masking(0.3), variational, ..base.clone() },
            AutoencoderSpec { kind: NetworkKind::Dense, units: Units::Stack(vec![7, 5]), ..base.clone() },
            AutoencoderSpec { kind: NetworkKind::Dense, variational, ..base.clone() },
            AutoencoderSpec { kind: NetworkKind::Attention, units: Units::Stack(vec![4, 6]), ..base.clone() },
        ]);
        systems
    }

    #[test]
    fn every_system_has_the_gradient_of_its_forward_pass() {
        for spec in systems() {
            spec.check().unwrap();
            for (b, t, c) in [(1, 1, 1), (3, 4, 2)] {
                let mut generator = Generator::new(3);
                let mut network = Network::<f64>::new(&spec, t, c, &mut generator);
                randomise(&mut network, 0.5, &mut generator);
                let worst = worst_gradient_error(&mut network, Shape::new(b, t, c), t, 1, true);
                assert!(worst < 1e-5, "{spec:?} on [{b}, {t}, {c}]: {worst:e}");
            }
        }
    }

    #[test]
    fn every_system_loads_its_own_tensors_and_names_what_is_missing() {
        for spec in systems() {
            let network = Network::<f32>::new(&spec, 5, 3, &mut Generator::new(1));
            let mut other = Network::<f32>::new(&spec, 5, 3, &mut Generator::new(2));
            let mut tensors = network.tensors();
            assert_ne!(other.tensors(), tensors);
            other.load(&tensors).unwrap();
            assert_eq!(other.tensors(), tensors);
            let gone = tensors.remove(1);
            assert_eq!(other.load(&tensors), Err(LoadTensorError::Missing { name: gone.name }));
        }
    }

    #[test]
    fn a_variational_autoencoder_without_divergence_and_chance_is_the_plain_one() {
        let plain = AutoencoderSpec { units: Units::One(6), latent: 3, ..AutoencoderSpec::default() };
        let exact = VariationalSpec { kl_weight: 0.0, is_sampled: false, ..VariationalSpec::default() };
        let variational = AutoencoderSpec { variational: Some(exact), ..plain.clone() };
        let (t, c) = (6, 2);
        let mut a = Network::<f64>::new(&plain, t, c, &mut Generator::new(1));
        let mut b = Network::<f64>::new(&variational, t, c, &mut Generator::new(2));
        let renamed = a.tensors().into_iter().map(|tensor| {
            let name = tensor.name.replace("encoder.1.", "encoder.1.mu.");
            Tensor { name, ..tensor }
        });
        let own = b.tensors().into_iter().filter(|tensor| tensor.name.contains("log_var"));
        let tensors: Vec<Tensor> = renamed.chain(own).collect();
        // The stored form is f32: both take it, so that they start from the same numbers.
        a.load(&a.tensors()).unwrap();
        b.load(&tensors).unwrap();
        let mut generator = Generator::new(3);
        let x = Batch::from_parts(Shape::new(4, t, c), (0..4 * t * c).map(|_| generator.normal()).collect());
        let run = |network: &mut Network<f64>| {
            let (mut work, mut y, mut d_y) = (Work::default(), Batch::default(), Batch::default());
            let mut chance = Generator::new(1);
            let mut pass = Pass { generator: Some(&mut chance), ..Pass::keep(t) };
            network.forward(&x, &mut pass, &mut work, &mut y);
            let loss = crate::nn::loss::mean_squared_error(&y, x.values(), &mut d_y) + network.added_loss(&work);
            network.backward(&x, &y, &mut d_y, &mut work, None);
            let mut gradients = Vec::new();
            network.visit("", &mut |name, parameter| {
                if !name.contains("log_var") {
                    gradients.push(parameter.gradient.clone());
                }
            });
            (loss, y.values().to_vec(), gradients)
        };
        assert_eq!(run(&mut a), run(&mut b));
    }
}
