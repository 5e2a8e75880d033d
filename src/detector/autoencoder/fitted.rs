//! A trained autoencoder: reconstructs windows, gives their latents, goes to tensors and back.

use super::network::Network;
use super::spec::{AutoencoderSpec, CheckSpecError};
use super::trainer::TrainingReport;
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::layer::{Pass, Work};
use crate::nn::parameter::{LoadTensorError, Tensor};

/// Windows that pass through the network together: few enough that their rows stay in the second-level cache.
const WINDOWS_TOGETHER: usize = 16;

/// A trained autoencoder for windows `[T, C]`. It never changes, so threads may share it; each brings its scratch.
#[derive(Debug)]
pub struct Autoencoder {
    network: Network<f32>,
    spec: AutoencoderSpec,
    n_time: usize,
    n_channels: usize,
    report: TrainingReport,
}

/// Buffers of one thread; after the first window of a shape nothing allocates.
#[derive(Clone, Debug, Default)]
pub struct AutoencoderScratch {
    work: Work<f32>,
    x: Batch<f32>,
    y: Batch<f32>,
}

/// Why stored tensors are not an autoencoder.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadAutoencoderError {
    /// The spec cannot be built.
    #[error(transparent)]
    Spec(#[from] CheckSpecError),
    /// A tensor does not fit.
    #[error(transparent)]
    Tensor(#[from] LoadTensorError),
}

impl Autoencoder {
    pub(super) fn from_parts(
        network: Network<f32>,
        spec: AutoencoderSpec,
        n_time: usize,
        n_channels: usize,
        report: TrainingReport,
    ) -> Self {
        Autoencoder { network, spec, n_time, n_channels, report }
    }

    /// Rebuilds a trained autoencoder from its spec, shape and [`Autoencoder::tensors`].
    ///
    /// # Errors
    /// A faulty spec, or a tensor that is missing, of another shape or not finite.
    pub fn from_tensors(
        spec: &AutoencoderSpec,
        n_time: usize,
        n_channels: usize,
        tensors: &[Tensor],
    ) -> Result<Self, LoadAutoencoderError> {
        spec.check()?;
        // The seed does not matter: every value is replaced.
        let mut network = Network::new(spec, n_time, n_channels, &mut Generator::new(0));
        network.load(tensors)?;
        Ok(Autoencoder { network, spec: spec.clone(), n_time, n_channels, report: TrainingReport::default() })
    }

    /// Every weight under its name (`encoder.0.weight_ih_l0`, …), in PyTorch's names and layouts.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.network.tensors()
    }

    /// The trained network.
    pub fn network(&self) -> &Network<f32> {
        &self.network
    }

    /// What it was made from.
    pub fn spec(&self) -> &AutoencoderSpec {
        &self.spec
    }

    /// Rows T of a window.
    pub fn n_time(&self) -> usize {
        self.n_time
    }

    /// Channels C of a row.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// How training went; empty after [`Autoencoder::from_tensors`].
    pub fn report(&self) -> &TrainingReport {
        &self.report
    }

    /// Reconstructs windows `[B, T, C]` into `out: [B, T, C]`, rows in their own order.
    ///
    /// A window's result is the same bits in every batch and at every place in it.
    ///
    /// # Panics
    /// If `windows` is not whole windows or `out` has another length.
    pub fn reconstruct(&self, windows: &[f32], scratch: &mut AutoencoderScratch, out: &mut [f32]) {
        let len = self.n_time * self.n_channels;
        assert!(
            windows.len().is_multiple_of(len) && out.len() == windows.len(),
            "{} values in windows of {len}",
            windows.len()
        );
        let parts = windows.chunks(WINDOWS_TOGETHER * len).zip(out.chunks_mut(WINDOWS_TOGETHER * len));
        for (windows, out) in parts {
            self.run(windows, self.n_time, scratch);
            for (out, y) in out.chunks_exact_mut(len).zip(scratch.y.values().chunks_exact(len)) {
                self.in_row_order(y, out);
            }
        }
    }

    /// Reconstructs the last row of each window `[B, T, C]` into `out: [B, C]`.
    ///
    /// # Panics
    /// If `windows` is not whole windows or `out` does not hold one row for each.
    pub fn reconstruct_last_rows(&self, windows: &[f32], scratch: &mut AutoencoderScratch, out: &mut [f32]) {
        let (len, c) = (self.n_time * self.n_channels, self.n_channels);
        assert!(
            windows.len().is_multiple_of(len) && out.len() * self.n_time == windows.len(),
            "{} rows",
            out.len() / c
        );
        let steps = if self.network.first_step_suffices { 1 } else { self.n_time };
        let last = if self.network.is_reversed() { 0 } else { steps - 1 };
        let parts = windows.chunks(WINDOWS_TOGETHER * len).zip(out.chunks_mut(WINDOWS_TOGETHER * c));
        for (windows, out) in parts {
            self.run(windows, steps, scratch);
            for (out, y) in out.chunks_exact_mut(c).zip(scratch.y.values().chunks_exact(steps * c)) {
                out.copy_from_slice(&y[last * c..(last + 1) * c]);
            }
        }
    }

    /// Latents of windows `[B, T, C]` into `out: [B, Z]`; Z is [`Autoencoder::n_latent`].
    ///
    /// # Panics
    /// If `windows` is not whole windows or `out` does not hold one latent for each.
    pub fn latents(&self, windows: &[f32], scratch: &mut AutoencoderScratch, out: &mut [f32]) {
        let (len, z) = (self.n_time * self.n_channels, self.n_latent());
        assert!(windows.len().is_multiple_of(len) && out.len() == windows.len() / len * z, "{} latents", out.len() / z);
        let parts = windows.chunks(WINDOWS_TOGETHER * len).zip(out.chunks_mut(WINDOWS_TOGETHER * z));
        for (windows, out) in parts {
            self.load(windows, scratch);
            self.network.encode(&scratch.x, &mut scratch.work, &mut scratch.y);
            out.copy_from_slice(scratch.y.values());
        }
    }

    /// Windows `[B, T, C]` decoded from latents `[B, Z]`.
    ///
    /// # Panics
    /// If `latents` is not whole latents or `out` does not hold one window for each.
    pub fn decode(&self, latents: &[f32], scratch: &mut AutoencoderScratch, out: &mut [f32]) {
        let (len, z) = (self.n_time * self.n_channels, self.n_latent());
        assert!(latents.len().is_multiple_of(z) && out.len() == latents.len() / z * len, "{} windows", out.len() / len);
        for (latent, out) in latents.chunks_exact(z).zip(out.chunks_exact_mut(len)) {
            scratch.x.reshape(self.network.latent_shape(self.n_time, self.n_channels));
            scratch.x.values_mut().copy_from_slice(latent);
            self.network.decode(&scratch.x, self.n_time, &mut scratch.work, &mut scratch.y);
            self.in_row_order(scratch.y.values(), out);
        }
    }

    /// Draws `n` new windows `[n, T, C]` from standard normal latents; what a variational autoencoder is for.
    pub fn sample(&self, n: usize, seed: u64, scratch: &mut AutoencoderScratch) -> Vec<f32> {
        let mut generator = Generator::new(seed);
        let latents: Vec<f32> = (0..n * self.n_latent()).map(|_| generator.normal() as f32).collect();
        let mut out = vec![0.0; n * self.n_time * self.n_channels];
        self.decode(&latents, scratch, &mut out);
        out
    }

    /// Mean negative log likelihood per number of a window `[T, C]` over `n` sampled latents, up to a constant, under
    /// the unit-variance Gaussian the squared error stands for. Without a variational latent all samples are equal.
    pub fn negative_log_likelihood(
        &self,
        window: &[f32],
        n: usize,
        seed: u64,
        scratch: &mut AutoencoderScratch,
    ) -> f64 {
        let mut generator = Generator::new(seed);
        self.load(window, scratch);
        let mut sum = 0.0;
        let mut out = vec![0.0; window.len()];
        for _ in 0..n {
            let mut pass = Pass { generator: Some(&mut generator), ..Pass::infer(self.n_time) };
            self.network.forward_steps(&scratch.x, &mut pass, &mut scratch.work, &mut scratch.y);
            self.in_row_order(scratch.y.values(), &mut out);
            let residuals = window.iter().zip(&out);
            sum += residuals.map(|(x, y)| 0.5 * f64::from(x - y).powi(2)).sum::<f64>() / window.len() as f64;
        }
        sum / n.max(1) as f64
    }

    /// Judges the last row of a window `[T, C]` over `n` latents drawn from its posterior: their mean reconstruction
    /// and the mean squared residual, each `[C]`. The squared residual is twice the negative log likelihood under unit
    /// variance, up to a constant. The same window is always given the same draws.
    pub fn sampled_last_row(
        &self,
        window: &[f32],
        n: usize,
        scratch: &mut AutoencoderScratch,
        expected: &mut [f32],
        residuals: &mut [f32],
    ) {
        let c = self.n_channels;
        scratch.x.reshape(Shape::new(n, self.n_time, c));
        scratch.x.values_mut().chunks_exact_mut(window.len()).for_each(|copy| copy.copy_from_slice(window));
        let steps = if self.network.first_step_suffices { 1 } else { self.n_time };
        let last = if self.network.is_reversed() { 0 } else { steps - 1 };
        let mut generator = Generator::new(0);
        let mut pass = Pass { generator: Some(&mut generator), ..Pass::infer(steps) };
        self.network.forward_steps(&scratch.x, &mut pass, &mut scratch.work, &mut scratch.y);
        expected.fill(0.0);
        residuals.fill(0.0);
        let values = &window[window.len() - c..];
        for y in scratch.y.values().chunks_exact(steps * c) {
            for (i, y) in y[last * c..(last + 1) * c].iter().enumerate() {
                expected[i] += y / n as f32;
                residuals[i] += (values[i] - y) * (values[i] - y) / n as f32;
            }
        }
    }

    /// Copies one decoded window, turned round when the decoder starts with the last row.
    fn in_row_order(&self, decoded: &[f32], out: &mut [f32]) {
        if !self.network.is_reversed() {
            return out.copy_from_slice(decoded);
        }
        let rows = decoded.chunks_exact(self.n_channels).rev();
        out.chunks_exact_mut(self.n_channels).zip(rows).for_each(|(out, row)| out.copy_from_slice(row));
    }

    /// Numbers of a window's latent: Z, or T * Z from sequence to sequence.
    pub fn n_latent(&self) -> usize {
        self.network.latent_shape(self.n_time, self.n_channels).window()
    }

    fn load(&self, windows: &[f32], scratch: &mut AutoencoderScratch) {
        let b = windows.len() / (self.n_time * self.n_channels);
        scratch.x.reshape(Shape::new(b, self.n_time, self.n_channels));
        scratch.x.values_mut().copy_from_slice(windows);
    }

    fn run(&self, windows: &[f32], steps: usize, scratch: &mut AutoencoderScratch) {
        self.load(windows, scratch);
        self.network.forward_steps(&scratch.x, &mut Pass::infer(steps), &mut scratch.work, &mut scratch.y);
    }
}
