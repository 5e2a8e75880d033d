//! What the plant's customers draw: a daily rhythm with two humps, and a slow random wander around it.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Time over which the wander forgets itself, in seconds.
const WANDER_SECONDS: f64 = 2400.0;

/// Demand over a day, as a share of the machine's nominal capacity.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    base: f64,
    morning: f64,
    evening: f64,
    morning_hour: f64,
    evening_hour: f64,
    wander_size: f64,
    wander: f64,
}

impl Demand {
    /// Draws the constants of one machine's customers around `base`.
    pub(super) fn draw(base: f64, rng: &mut ChaCha8Rng) -> Self {
        Self {
            base: base * rng.random_range(0.93..1.07),
            morning: rng.random_range(0.16..0.24),
            evening: rng.random_range(0.12..0.20),
            morning_hour: rng.random_range(7.5..9.0),
            evening_hour: rng.random_range(17.5..19.0),
            wander_size: rng.random_range(0.02..0.03),
            wander: 0.0,
        }
    }

    /// The demand at a second of the day, after the wander moved on by `seconds`.
    pub(super) fn next(&mut self, second_of_day: f64, seconds: f64, rng: &mut ChaCha8Rng) -> f64 {
        let keep = (-seconds / WANDER_SECONDS).exp();
        let kick: f64 = StandardNormal.sample(rng);
        self.wander = keep * self.wander + (1.0 - keep * keep).sqrt() * self.wander_size * kick;
        let hour = second_of_day / 3600.0;
        let humps = self.morning * hump(hour, self.morning_hour) + self.evening * hump(hour, self.evening_hour);
        (self.base + humps + self.wander).clamp(0.05, 0.95)
    }
}

/// A bell around an hour of the day, about five hours wide, closed around midnight.
fn hump(hour: f64, centre: f64) -> f64 {
    let angle = (hour - centre) / 24.0 * std::f64::consts::TAU;
    (3.0 * (angle.cos() - 1.0)).exp()
}

/// The air around the machines in °C: coolest at about four in the morning.
pub(super) fn ambient(second_of_day: f64) -> f64 {
    let angle = (second_of_day / 86_400.0 - 16.0 / 24.0) * std::f64::consts::TAU;
    21.0 + 3.5 * angle.cos()
}
