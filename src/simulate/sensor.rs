//! A sensor: a little noise, a little error of scale, and as many digits as its display has.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What one sensor does to the true value.
#[derive(Debug, Clone)]
pub(super) struct Sensor {
    noise: f64,
    gain: f64,
}

impl Sensor {
    /// A sensor with about `noise` standard deviation, in the channel's unit.
    pub(super) fn draw(noise: f64, rng: &mut ChaCha8Rng) -> Self {
        Self { noise: noise * rng.random_range(0.8..1.2), gain: rng.random_range(0.99..1.01) }
    }

    /// What it reports, with three decimals.
    pub(super) fn read(&self, truth: f64, rng: &mut ChaCha8Rng) -> f64 {
        let kick: f64 = StandardNormal.sample(rng);
        ((truth * self.gain + self.noise * kick) * 1e3).round() / 1e3
    }
}
