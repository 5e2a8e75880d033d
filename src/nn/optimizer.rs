//! Adam with gradient clipping by norm (Kingma and Ba 2015; Pascanu et al. 2013).

use super::kernels::{AdamStep, Real, squared_norm};
use super::layer::Layer;

/// Decay of the mean, PyTorch's and Keras's default.
const BETA_1: f64 = 0.9;
/// Decay of the squared mean, PyTorch's and Keras's default.
const BETA_2: f64 = 0.999;
/// PyTorch's epsilon (Keras has 1e-7); it only matters where gradients vanish.
const EPSILON: f64 = 1e-8;

/// Moments of every parameter, in the order in which layers show them.
#[derive(Clone, Debug)]
pub struct Adam<R> {
    moments: Vec<[Vec<R>; 2]>,
    n_steps: i32,
    /// Step size; may change between steps.
    pub learning_rate: f64,
    /// Largest allowed norm of the whole gradient; longer ones are scaled down to it.
    pub clip_norm: Option<f64>,
}

impl<R: Real> Adam<R> {
    /// Moments of zero.
    pub fn new(learning_rate: f64, clip_norm: Option<f64>) -> Self {
        Adam { moments: Vec::new(), n_steps: 0, learning_rate, clip_norm }
    }

    /// Moves the parameters against their gradients, clears the gradients and returns the norm they had.
    ///
    /// A norm that is not finite moves nothing; the caller reports it.
    pub fn step(&mut self, network: &mut dyn Layer<R>) -> f64 {
        let mut squares = 0.0;
        network.each_parameter(&mut |parameter| squares += squared_norm(&parameter.gradient));
        let norm = squares.sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let scale = match self.clip_norm {
            Some(limit) if norm > limit => limit / norm,
            _ => 1.0,
        };
        self.n_steps += 1;
        let rate = self.learning_rate / (1.0 - BETA_1.powi(self.n_steps));
        let root_correction = 1.0 / (1.0 - BETA_2.powi(self.n_steps)).sqrt();
        let mut index = 0;
        let moments = &mut self.moments;
        network.each_parameter(&mut |parameter| {
            let len = parameter.value.len();
            if moments.len() == index {
                moments.push([vec![R::default(); len], vec![R::default(); len]]);
            }
            let [mean, square] = &mut moments[index];
            R::run(AdamStep {
                value: &mut parameter.value,
                gradient: &parameter.gradient,
                mean,
                square,
                scale: R::of(scale),
                beta_1: R::of(BETA_1),
                beta_2: R::of(BETA_2),
                rate: R::of(rate),
                root_correction: R::of(root_correction),
                epsilon: R::of(EPSILON),
            });
            parameter.gradient.fill(R::default());
            index += 1;
        });
        norm
    }
}
