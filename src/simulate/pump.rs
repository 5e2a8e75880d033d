//! A pump on a variable-speed drive that empties a well.
//!
//! Inflow follows the daily rhythm. At the high level the pump starts, its speed follows the level, at the low level
//! it stops: a cycle of roughly an hour. Current follows speed and flow, the winding's temperature follows the square
//! of the current with a lag, pressure and flow follow the pump's curve, vibration follows speed.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::demand::{Demand, ambient};
use super::machine::lag;

/// Drive speed in %, motor current in A, winding temperature in °C, discharge pressure in bar, flow in m³/h,
/// vibration in mm/s, level of the well in m.
pub(super) const CHANNELS: [&str; 7] = ["load", "current", "temperature", "pressure", "flow", "vibration", "level"];

/// Units of [`CHANNELS`].
pub(super) const UNITS: [&str; 7] = ["%", "A", "°C", "bar", "m³/h", "mm/s", "m"];

/// Standard deviation of each sensor's noise, in the units of [`CHANNELS`].
pub(super) const NOISES: [f64; 7] = [0.6, 0.25, 0.25, 0.03, 0.6, 0.06, 0.012];

/// Seconds the drive takes to follow its command.
const RAMP_SECONDS: f64 = 45.0;

/// A pump in motion.
#[derive(Debug, Clone)]
pub(super) struct Pump {
    demand: Demand,
    nominal_flow: f64,
    nominal_current: f64,
    head: f64,
    well_area: f64,
    heating: f64,
    winding_seconds: f64,
    shaking: f64,
    level: f64,
    speed: f64,
    winding: f64,
    is_on: bool,
}

impl Pump {
    /// Draws the constants of one pump.
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            demand: Demand::draw(0.33, rng),
            nominal_flow: rng.random_range(70.0..90.0),
            nominal_current: rng.random_range(24.0..32.0),
            head: rng.random_range(3.2..4.2),
            well_area: rng.random_range(14.0..18.0),
            heating: rng.random_range(38.0..48.0),
            winding_seconds: rng.random_range(900.0..1300.0),
            shaking: rng.random_range(2.4..3.2),
            level: rng.random_range(1.2..2.2),
            speed: 0.0,
            winding: 30.0,
            is_on: false,
        }
    }

    /// The true values after `seconds` more, in the order of [`CHANNELS`].
    pub(super) fn next(&mut self, second_of_day: f64, seconds: f64, rng: &mut ChaCha8Rng) -> [f64; 7] {
        let inflow = self.nominal_flow * self.demand.next(second_of_day, seconds, rng);
        self.is_on = if self.is_on { self.level > 0.9 } else { self.level > 2.4 };
        let command = if self.is_on { 0.72 + 0.28 * ((self.level - 0.9) / 1.5).clamp(0.0, 1.0) } else { 0.0 };
        lag(&mut self.speed, command, seconds, RAMP_SECONDS);

        // Below a third of its speed the pump does not overcome the static head; above, flow rises almost in line.
        let flow = self.nominal_flow * ((self.speed - 0.3) / 0.7).max(0.0) * (1.0 + 0.03 * (self.level - 1.6));
        let share = flow / self.nominal_flow;
        let pressure = 0.6 + self.head * (self.speed * self.speed - 0.35 * share * share);
        let current = self.nominal_current * self.speed * (0.35 * self.speed + 0.65 * share).max(0.0) + 0.4;
        let ratio = current / self.nominal_current;
        lag(&mut self.winding, ambient(second_of_day) + self.heating * ratio * ratio, seconds, self.winding_seconds);
        let vibration = 0.25 + self.shaking * self.speed * self.speed;
        self.level += (inflow - flow) / self.well_area * seconds / 3600.0;
        [100.0 * self.speed, current, self.winding, pressure, flow, vibration, self.level]
    }
}
