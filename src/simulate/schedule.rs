//! When and where faults happen: every kind in turn, one at a time, each machine in turn with quiet time between.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fault::{Fault, FaultKind};
use super::plant::{MACHINES, PlantSpec};
use crate::series::{ChannelName, SeriesId};

/// Faults in the order in which they begin.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    faults: Vec<Fault>,
}

impl Schedule {
    /// No faults.
    pub fn clean() -> Self {
        Self::default()
    }

    /// Spreads `n_faults` over the rows `[first_row, end_row)` of a plant: kind after kind in the order of
    /// [`FaultKind::ALL`], machine after machine. Channels, signs and the exact rows come from the seed. A fault that
    /// would not end before `end_row` is left out.
    pub fn spread(spec: &PlantSpec, n_faults: usize, first_row: usize, end_row: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(spec.seed);
        rng.set_stream(u64::MAX);
        let slot = end_row.saturating_sub(first_row) / n_faults.max(1);
        let first_machine = rng.random_range(0..MACHINES.len());
        let faults = (0..n_faults).filter_map(|i| {
            let kind = FaultKind::ALL[i % FaultKind::ALL.len()];
            let (name, machine) = MACHINES[(first_machine + i) % MACHINES.len()];
            let channels = faulty_channels(kind);
            let channel = channels[rng.random_range(0..channels.len())];
            let wait = rng.random_range(0..=slot / 8);
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            let row = first_row + i * slot + wait;
            let n_rows = kind.n_rows();
            (row + n_rows <= end_row).then_some(())?;
            Some(Fault {
                kind,
                series: SeriesId::parse(name).ok()?,
                channel: ChannelName::parse(channel).ok()?,
                starts_at: spec.at_row(row),
                ends_at: spec.at_row(row + n_rows),
                channel_index: machine.channels().iter().position(|c| *c == channel)?,
                first_row: row,
                n_rows,
                sign,
            })
        });
        Self { faults: faults.collect() }
    }

    /// The faults, first to begin first.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The faults of one series.
    pub fn faults_of(&self, series: &str) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.series.as_str() == series)
    }
}

/// Channels, of both kinds of machines, on which a kind of fault is what it says: a stuck sensor must be one whose
/// value would have moved, a lost coupling one that follows another channel.
fn faulty_channels(kind: FaultKind) -> &'static [&'static str] {
    match kind {
        FaultKind::Spike | FaultKind::LevelShift => &["current", "temperature", "pressure", "flow", "vibration"],
        FaultKind::SlowDrift => &["temperature", "vibration", "current"],
        FaultKind::NoiseBurst => &["current", "pressure", "flow", "vibration", "temperature"],
        FaultKind::StuckSensor => &["current", "flow", "pressure", "vibration"],
        FaultKind::LostCoupling => &["current", "flow", "vibration"],
    }
}
