//! Random-feature autoencoder: a smooth non-linear bottleneck whose read-out is a ridge solution.
//!
//! h = [tanh(w W), 1] with a fixed random W; the read-out B solves (H'H + ridge N I) B = H'W. Extreme learning machine
//! and random features; only the last row's columns of B are needed to score.

use ndarray::{Array2, Axis, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::linear::{dot, solve_ridge, windows_of};
use super::{FittedMember, Member, MemberError, MemberParts, MemberScratch, RandomFeaturesSpec, Tensor, TrainingRows};

/// A fitted random-feature autoencoder.
#[derive(Debug, Clone)]
pub struct RandomFeatures {
    n_inputs: usize,
    n_features: usize,
    n_channels: usize,
    /// `[n_features, T * C]`.
    projection: Vec<f32>,
    /// `[C, n_features + 1]`; the last column is the constant.
    readout: Vec<f32>,
}

impl RandomFeatures {
    /// Learns the read-out from the training windows.
    ///
    /// # Errors
    /// With no window, or when the arithmetic gives nothing finite.
    pub fn fit(training: &TrainingRows, spec: &RandomFeaturesSpec, seed: u64) -> Result<Self, MemberError> {
        let (n_time, n_channels) = (training.n_time, training.n_channels);
        let (n_inputs, n_features) = (n_time * n_channels, spec.n_features.max(1));
        let n = training.n_windows();
        if n == 0 {
            return Err(MemberError::TooFewWindows { member: Member::RandomFeatures, found: 0, needed: 1 });
        }
        let not_finite = || MemberError::NotFinite {
            member: Member::RandomFeatures,
            reason: "its read-out has no solution".to_owned(),
        };
        let projection = random_projection(n_inputs, n_features, seed);
        let w = ndarray::ArrayView2::from_shape((n_features, n_inputs), &projection).map_err(|_| not_finite())?;
        let mut moments = Array2::<f64>::zeros((n_features + 1, n_features + 1));
        let mut readout = Array2::<f64>::zeros((n_features + 1, n_channels));
        for run in training.starts.iter().filter(|run| !run.is_empty()) {
            let windows = windows_of(&training.rows, run, n_time, n_channels).ok_or_else(not_finite)?;
            let mut hidden = Array2::<f64>::ones((run.len(), n_features + 1));
            hidden.slice_mut(s![.., ..n_features]).assign(&windows.dot(&w.t()).mapv(|x| f64::from(tanh(x))));
            moments += &hidden.t().dot(&hidden);
            let last = windows.slice(s![.., n_inputs - n_channels..]).mapv(f64::from);
            readout += &hidden.t().dot(&last);
        }
        if !solve_ridge(&mut moments, spec.ridge * n as f64, &mut readout) {
            return Err(not_finite());
        }
        let readout: Vec<f32> = readout.axis_iter(Axis(1)).flatten().map(|x| *x as f32).collect();
        if !readout.iter().all(|x| x.is_finite()) {
            return Err(not_finite());
        }
        Ok(Self { n_inputs, n_features, n_channels, projection, readout })
    }

    /// The member from its parts.
    ///
    /// # Errors
    /// When an array is missing or misshapen.
    pub fn from_parts(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Self, MemberError> {
        let n_inputs = n_time * n_channels;
        let n_features = parts.tensors.first().and_then(|t| t.shape.first()).copied().unwrap_or(0);
        Ok(Self {
            n_inputs,
            n_features,
            n_channels,
            projection: parts.tensor("projection", &[n_features, n_inputs])?,
            readout: parts.tensor("readout", &[n_channels, n_features + 1])?,
        })
    }
}

impl FittedMember for RandomFeatures {
    fn member(&self) -> Member {
        Member::RandomFeatures
    }

    fn reconstruct_last(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        let hidden = scratch.floats(self.n_features);
        for (hidden, weights) in hidden.iter_mut().zip(self.projection.chunks_exact(self.n_inputs)) {
            *hidden = dot(weights, window);
        }
        hidden.iter_mut().for_each(|x| *x = tanh(*x));
        for (out, weights) in out.iter_mut().zip(self.readout.chunks_exact(self.n_features + 1)) {
            *out = weights[self.n_features] + dot(&weights[..self.n_features], hidden);
        }
    }

    fn parts(&self) -> MemberParts {
        MemberParts {
            member: Member::RandomFeatures,
            facts: serde_json::Value::Null,
            tensors: vec![
                Tensor {
                    name: "projection".to_owned(),
                    shape: vec![self.n_features, self.n_inputs],
                    values: self.projection.clone(),
                },
                Tensor {
                    name: "readout".to_owned(),
                    shape: vec![self.n_channels, self.n_features + 1],
                    values: self.readout.clone(),
                },
            ],
        }
    }
}

/// Normal weights of variance 1 / n_inputs, `[n_features, n_inputs]`.
fn random_projection(n_inputs: usize, n_features: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let scale = 1.0 / (n_inputs as f64).sqrt();
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    (0..n_features * n_inputs).map(|_| (normal() * scale) as f32).collect()
}

/// Rational approximation of tanh, within 1e-6 of it; a loop over it vectorises where libm's does not.
#[inline]
fn tanh(x: f32) -> f32 {
    // Beyond this tanh is 1 in f32; the coefficients are those of Eigen's fast tanh.
    let x = x.clamp(-7.905_311, 7.905_311);
    let y = x * x;
    let p = -2.760_768_5e-16_f32;
    let p = p * y + 2.000_188e-13;
    let p = p * y - 8.604_672e-11;
    let p = p * y + 5.122_297_1e-8;
    let p = p * y + 1.485_722_4e-5;
    let p = p * y + 6.372_619_3e-4;
    let p = p * y + 4.893_524_6e-3;
    let q = 1.198_258_4e-6_f32;
    let q = q * y + 1.185_347_1e-4;
    let q = q * y + 2.268_434_6e-3;
    let q = q * y + 4.893_525e-3;
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_tanh_is_tanh() {
        for i in -2000..=2000 {
            let x = i as f32 * 0.005;
            let expected = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) - expected).abs() < 1e-6, "tanh({x}) = {} not {expected}", tanh(x));
        }
    }

    #[test]
    fn windows_like_the_training_ones_are_reconstructed_and_others_are_not() {
        let rows: Vec<f32> = (0..500).map(|t| (t as f32 * 0.4).sin()).collect();
        let training = TrainingRows::complete(rows, 1, 16);
        let member = RandomFeatures::fit(&training, &RandomFeaturesSpec::default(), 0).unwrap();
        let error = |window: &[f32]| {
            let mut out = [0.0];
            member.reconstruct_last(window, &mut MemberScratch::default(), &mut out);
            (out[0] - window[15]).abs()
        };
        let mut strange = training.window(33).to_vec();
        strange[15] += 2.0;
        assert!(error(training.window(33)) < 0.3 && error(&strange) > 1.0);
        let again = RandomFeatures::from_parts(&member.parts(), 16, 1).unwrap();
        assert_eq!(again.parts(), member.parts());
    }

    #[test]
    fn the_same_seed_gives_the_same_member() {
        let training = TrainingRows::complete((0..200).map(|t| (t as f32).sin()).collect(), 2, 8);
        let fit = |seed| RandomFeatures::fit(&training, &RandomFeaturesSpec::default(), seed).unwrap().parts();
        assert_eq!(fit(1), fit(1));
        assert_ne!(fit(1), fit(2));
    }
}
