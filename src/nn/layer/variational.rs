//! The Gaussian latent of a variational autoencoder (Kingma and Welling 2014).
//!
//! ```text
//! mu = W_mu x + b_mu      log_var = W_lv x + b_lv      z = mu + exp(log_var / 2) e,  e ~ N(0, 1)
//! KL(N(mu, var) || N(0, 1)) = -1/2 sum (1 + log_var - mu^2 - exp(log_var))
//! ```
//!
//! Without chance z is mu. The mean divergence of the batch, times the pass's weight, is the layer's added loss.

use super::{Dense, Description, Layer, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{Activation, Real};
use crate::nn::parameter::Parameter;

/// Largest `log_var` that is believed, so that a bad step cannot overflow the exponential.
const LOG_VAR_MAX: f64 = 20.0;

/// `[B, 1, F]` to a sampled latent `[B, 1, Z]`.
#[derive(Debug)]
pub struct Variational<R> {
    mu: Dense<R>,
    log_var: Dense<R>,
    is_sampled: bool,
}

impl<R: Real> Variational<R> {
    /// Two dense maps; `is_sampled` false always takes the mean.
    pub fn new(features: usize, latent: usize, is_sampled: bool, generator: &mut Generator) -> Self {
        Variational {
            mu: Dense::new(features, latent, Activation::Linear, generator),
            log_var: Dense::new(features, latent, Activation::Linear, generator),
            is_sampled,
        }
    }

    /// The Gaussian's parameters for `x`, each `[B, 1, Z]`.
    pub fn parameters_of(&self, x: &Batch<R>, mu: &mut Batch<R>, log_var: &mut Batch<R>) {
        let mut work = Work::default();
        self.mu.forward(x, &mut Pass::infer(1), &mut work, mu);
        self.log_var.forward(x, &mut Pass::infer(1), &mut work, log_var);
    }
}

/// The divergence of one Gaussian coordinate from the standard one.
pub fn divergence(mu: f64, log_var: f64) -> f64 {
    -0.5 * (1.0 + log_var - mu * mu - log_var.exp())
}

fn deviation<R: Real>(log_var: R) -> f64 {
    (0.5 * log_var.wide().min(LOG_VAR_MAX)).exp()
}

impl<R: Real> Layer<R> for Variational<R> {
    fn describe(&self) -> Description {
        Description::Variational
    }

    fn output_shape(&self, input: Shape, steps: usize) -> Shape {
        self.mu.output_shape(input, steps)
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        if !pass.keeps && pass.generator.is_none() {
            let (works, _) = work.children(2, 0);
            return self.mu.forward(x, pass, &mut works[0], y);
        }
        let (works, batches) = work.children(2, 4);
        let [mu, log_var, ..] = batches else { return };
        self.mu.forward(x, pass, &mut works[0], mu);
        self.log_var.forward(x, pass, &mut works[1], log_var);
        let shape = mu.shape();
        y.reshape(shape);
        let mut sum = 0.0;
        let pairs = mu.values().iter().zip(log_var.values());
        let weight = pass.divergence_weight / shape.b.max(1) as f64;
        for (y, (mu, log_var)) in y.values_mut().iter_mut().zip(pairs) {
            sum += divergence(mu.wide(), log_var.wide().min(LOG_VAR_MAX));
            *y = match pass.generator.as_deref_mut() {
                Some(generator) if self.is_sampled => *mu + R::of(deviation(*log_var) * generator.normal()),
                _ => *mu,
            };
        }
        work.added_loss = weight * sum;
        work.weight = weight;
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        mut d_x: Option<&mut Batch<R>>,
    ) {
        let weight = work.weight;
        let (works, batches) = work.children(2, 4);
        let [mu, log_var, d_log_var, d_other] = batches else { return };
        d_log_var.reshape(mu.shape());
        let pairs = mu.values().iter().zip(log_var.values()).zip(y.values());
        let gradients = d_y.values_mut().iter_mut().zip(d_log_var.values_mut());
        for ((d_z, d_log_var), ((mu, log_var), z)) in gradients.zip(pairs) {
            // z - mu is deviation times chance, and its slope by log_var is half of it.
            let through = d_z.wide() * 0.5 * (*z - *mu).wide();
            let variance = log_var.wide().min(LOG_VAR_MAX).exp();
            *d_log_var = R::of(through + weight * 0.5 * (variance - 1.0));
            *d_z += R::of(weight * mu.wide());
        }
        self.mu.backward(x, mu, d_y, &mut works[0], d_x.as_deref_mut());
        match d_x {
            Some(d_x) => {
                self.log_var.backward(x, log_var, d_log_var, &mut works[1], Some(&mut *d_other));
                d_x.values_mut().iter_mut().zip(d_other.values()).for_each(|(sum, d)| *sum += *d);
            }
            None => self.log_var.backward(x, log_var, d_log_var, &mut works[1], None),
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        self.mu.visit(&join(path, "mu"), see);
        self.log_var.visit(&join(path, "log_var"), see);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        self.mu.visit_mut(&join(path, "mu"), see);
        self.log_var.visit_mut(&join(path, "log_var"), see);
    }

    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        self.mu.each_parameter(see);
        self.log_var.each_parameter(see);
    }

    fn added_loss(&self, work: &Work<R>) -> f64 {
        work.added_loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    #[test]
    fn gradients_flow_through_sample_and_divergence() {
        for (b, f, z) in [(1, 1, 1), (3, 5, 2), (4, 2, 7)] {
            for is_sampled in [false, true] {
                let mut generator = Generator::new(2);
                let mut layer = Variational::<f64>::new(f, z, is_sampled, &mut generator);
                randomise(&mut layer, 0.5, &mut generator);
                let worst = worst_gradient_error(&mut layer, Shape::new(b, 1, f), 1, 1, true);
                assert!(worst < 1e-6, "[{b}, {f}] to {z}, sampled {is_sampled}: {worst:e}");
            }
        }
    }

    #[test]
    fn the_closed_form_divergence_equals_its_monte_carlo_estimate() {
        let mut generator = Generator::new(5);
        for (mu, log_var) in [(0.0, 0.0), (0.7, -0.4), (-1.2, 0.9)] {
            let n = 200_000;
            let deviation = f64::exp(0.5 * log_var);
            // The mean of ln q(z) - ln p(z) over z ~ q.
            let mut sum = 0.0;
            for _ in 0..n {
                let e = generator.normal();
                let z = mu + deviation * e;
                sum += -0.5 * (log_var + e * e) + 0.5 * z * z;
            }
            let estimate = sum / f64::from(n);
            assert!((divergence(mu, log_var) - estimate).abs() < 0.02, "{mu} {log_var}: {estimate}");
        }
    }
}
