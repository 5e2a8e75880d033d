//! A screw compressor that keeps a vessel between two pressures.
//!
//! Customers draw air with the daily rhythm. Below the lower pressure the inlet opens and the machine loads, above
//! the upper one it idles, and after twenty idle minutes it stops until air is needed again. Current follows load and
//! pressure, outlet temperature follows current with a lag, flow follows the inlet, vibration follows speed and load.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::demand::{Demand, ambient};
use super::machine::lag;

/// Inlet opening in %, motor current in A, outlet temperature in °C, vessel pressure in bar, air flow in m³/min,
/// vibration in mm/s.
pub(super) const CHANNELS: [&str; 6] = ["load", "current", "temperature", "pressure", "flow", "vibration"];

/// Units of [`CHANNELS`].
pub(super) const UNITS: [&str; 6] = ["%", "A", "°C", "bar", "m³/min", "mm/s"];

/// Standard deviation of each sensor's noise, in the units of [`CHANNELS`].
pub(super) const NOISES: [f64; 6] = [0.8, 0.6, 0.35, 0.012, 0.12, 0.07];

/// Seconds the inlet takes to open or close, and the motor to reach its speed.
const INLET_SECONDS: f64 = 40.0;
/// Idle seconds after which the motor stops.
const IDLE_SECONDS: f64 = 1200.0;

/// A compressor in motion.
#[derive(Debug, Clone)]
pub(super) struct Compressor {
    demand: Demand,
    nominal_flow: f64,
    nominal_current: f64,
    lower_bar: f64,
    vessel: f64,
    heating: f64,
    outlet_seconds: f64,
    shaking: f64,
    pressure: f64,
    inlet: f64,
    speed: f64,
    outlet: f64,
    idle_seconds: f64,
    is_loaded: bool,
}

impl Compressor {
    /// Draws the constants of one compressor.
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            demand: Demand::draw(0.38, rng),
            nominal_flow: rng.random_range(9.0..12.0),
            nominal_current: rng.random_range(80.0..110.0),
            lower_bar: rng.random_range(6.1..6.6),
            vessel: rng.random_range(95.0..125.0),
            heating: rng.random_range(48.0..58.0),
            outlet_seconds: rng.random_range(700.0..1000.0),
            shaking: rng.random_range(1.6..2.2),
            pressure: 6.7,
            inlet: 0.0,
            speed: 1.0,
            outlet: 55.0,
            idle_seconds: 0.0,
            is_loaded: false,
        }
    }

    /// The true values after `seconds` more, in the order of [`CHANNELS`].
    pub(super) fn next(&mut self, second_of_day: f64, seconds: f64, rng: &mut ChaCha8Rng) -> [f64; 6] {
        let drawn = self.nominal_flow * self.demand.next(second_of_day, seconds, rng);
        self.is_loaded = self.pressure < if self.is_loaded { self.lower_bar + 0.9 } else { self.lower_bar };
        self.idle_seconds = if self.is_loaded { 0.0 } else { self.idle_seconds + seconds };
        let is_running = self.idle_seconds < IDLE_SECONDS;
        lag(&mut self.speed, f64::from(u8::from(is_running)), seconds, INLET_SECONDS);
        lag(&mut self.inlet, f64::from(u8::from(self.is_loaded)), seconds, INLET_SECONDS);

        let flow = self.nominal_flow * self.inlet * self.speed;
        let compression = 1.0 + 0.12 * (self.pressure - self.lower_bar);
        let current = self.nominal_current * self.speed * (0.32 + 0.68 * self.inlet * compression);
        lag(
            &mut self.outlet,
            ambient(second_of_day) + self.heating * current / self.nominal_current,
            seconds,
            self.outlet_seconds,
        );
        let vibration = 0.2 + self.shaking * self.speed * (0.55 + 0.45 * self.inlet);
        // `vessel` is the volume in m³ of free air that raises the pressure by one bar.
        self.pressure += (flow - drawn) * seconds / 60.0 / self.vessel;
        [100.0 * self.inlet, current, self.outlet, self.pressure, flow, vibration]
    }
}
