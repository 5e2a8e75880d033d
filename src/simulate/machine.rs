//! One machine: its physics by kind, its sensors' noise, and the seeded generators that drive both.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::compressor::{self, Compressor};
use super::pump::{self, Pump};
use super::sensor::Sensor;

/// What a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineKind {
    /// A pump that empties a well: starts at a high level, slows as the level falls, stops at a low one.
    Pump,
    /// A compressor that keeps a vessel between two pressures, loads and unloads, and stops when nobody draws.
    Compressor,
}

impl MachineKind {
    /// Names of the channels a machine of this kind reports, in the order of its values.
    pub fn channels(self) -> &'static [&'static str] {
        match self {
            MachineKind::Pump => &pump::CHANNELS,
            MachineKind::Compressor => &compressor::CHANNELS,
        }
    }

    /// Unit of a channel of this kind, if there is such a channel.
    pub fn unit(self, channel: &str) -> Option<&'static str> {
        let units: &[&str] = match self {
            MachineKind::Pump => &pump::UNITS,
            MachineKind::Compressor => &compressor::UNITS,
        };
        let index = self.channels().iter().position(|name| *name == channel)?;
        Some(units[index])
    }
}

#[derive(Debug, Clone)]
enum Physics {
    Pump(Pump),
    Compressor(Compressor),
}

/// A machine in motion.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    physics: Physics,
    sensors: Vec<Sensor>,
    process_rng: ChaCha8Rng,
    sensor_rng: ChaCha8Rng,
}

impl Machine {
    /// The machine number `index` of a seed. Each machine, and within it constants, process and sensors, draws from a
    /// stream of its own, so one more machine or fault changes no other number.
    pub(super) fn draw(kind: MachineKind, seed: u64, index: u64) -> Self {
        let stream = |purpose: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(8 * index + purpose);
            rng
        };
        let mut constants = stream(0);
        let (physics, noises): (_, &[f64]) = match kind {
            MachineKind::Pump => (Physics::Pump(Pump::draw(&mut constants)), &pump::NOISES),
            MachineKind::Compressor => (Physics::Compressor(Compressor::draw(&mut constants)), &compressor::NOISES),
        };
        let sensors = noises.iter().map(|noise| Sensor::draw(*noise, &mut constants)).collect();
        Self { physics, sensors, process_rng: stream(1), sensor_rng: stream(2) }
    }

    /// What the sensors report after `seconds` more, `[channel]`.
    pub(super) fn next(&mut self, second_of_day: f64, seconds: f64) -> Vec<f64> {
        let truth: Vec<f64> = match &mut self.physics {
            Physics::Pump(pump) => pump.next(second_of_day, seconds, &mut self.process_rng).to_vec(),
            Physics::Compressor(machine) => machine.next(second_of_day, seconds, &mut self.process_rng).to_vec(),
        };
        truth.iter().zip(&self.sensors).map(|(value, sensor)| sensor.read(*value, &mut self.sensor_rng)).collect()
    }
}

/// One step of a first-order lag: `state` moves towards `target` with time constant `tau`, both times in seconds.
pub(super) fn lag(state: &mut f64, target: f64, seconds: f64, tau: f64) {
    *state += (target - *state) * (1.0 - (-seconds / tau).exp());
}
