//! The plant: four machines of two kinds, row after row.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::fault::Fault;
use super::machine::{Machine, MachineKind};
use super::schedule::Schedule;
use crate::series::{SeriesId, Stride, Timestamp};

/// The machines by name.
pub const MACHINES: [(&str, MachineKind); 4] = [
    ("pump-1", MachineKind::Pump),
    ("compressor-1", MachineKind::Compressor),
    ("pump-2", MachineKind::Pump),
    ("compressor-2", MachineKind::Compressor),
];

/// Rows that a machine runs before the plant's first row, so that it starts in its rhythm.
const RUN_IN_ROWS: usize = 240;

/// All that decides what a plant reports.
#[derive(Debug, Clone, PartialEq)]
pub struct PlantSpec {
    /// Seed of every constant, every noise and every fault.
    pub seed: u64,
    /// Event time of the first row; machines live by the hours of its UTC day.
    pub starts_at: Timestamp,
    /// Time between two rows of a machine.
    pub stride: Stride,
}

impl PlantSpec {
    /// Event time of a row.
    pub fn at_row(&self, row: usize) -> Timestamp {
        self.starts_at.plus_ms(row as i64 * self.stride.as_ms())
    }
}

/// What one machine reports at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct PlantRow {
    /// The machine.
    pub series: SeriesId,
    /// What it is.
    pub kind: MachineKind,
    /// Row number, counted from the plant's first.
    pub row: usize,
    /// Event time.
    pub at: Timestamp,
    /// Values in the order of the kind's channels.
    pub values: Vec<f64>,
    /// True while a fault of this machine lasts.
    pub is_faulty: bool,
}

/// An endless iterator over the rows of a plant, all machines of one time before the next time.
#[derive(Debug, Clone)]
pub struct Plant {
    spec: PlantSpec,
    schedule: Schedule,
    machines: Vec<Reporter>,
    row: usize,
    next_machine: usize,
}

/// A machine and what its channels have truly reported, which stuck and uncoupled sensors repeat.
#[derive(Debug, Clone)]
struct Reporter {
    series: SeriesId,
    kind: MachineKind,
    machine: Machine,
    fault_rng: ChaCha8Rng,
    /// `[channel][row]`
    history: Vec<Vec<f64>>,
}

impl Plant {
    /// The plant of a spec with the faults of a schedule.
    pub fn new(spec: PlantSpec, schedule: Schedule) -> Self {
        let machines = (0u64..).zip(MACHINES).filter_map(|(index, (name, kind))| {
            let mut machine = Machine::draw(kind, spec.seed, index);
            let stride_ms = spec.stride.as_ms();
            for row in 0..RUN_IN_ROWS {
                let before = (RUN_IN_ROWS - row) as i64 * stride_ms;
                machine.next(second_of_day(spec.starts_at.plus_ms(-before)), stride_ms as f64 / 1e3);
            }
            let mut fault_rng = ChaCha8Rng::seed_from_u64(spec.seed);
            fault_rng.set_stream(8 * index + 3);
            let series = SeriesId::parse(name).ok()?;
            Some(Reporter { series, kind, machine, fault_rng, history: vec![Vec::new(); kind.channels().len()] })
        });
        Self { machines: machines.collect(), spec, schedule, row: 0, next_machine: 0 }
    }

    /// Rows of each machine that have been taken.
    pub fn n_rows(&self) -> usize {
        self.row
    }

    /// The plant's faults.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

impl Iterator for Plant {
    type Item = PlantRow;

    fn next(&mut self) -> Option<PlantRow> {
        let (row, at) = (self.row, self.spec.at_row(self.row));
        let reporter = &mut self.machines[self.next_machine];
        self.next_machine = (self.next_machine + 1) % MACHINES.len();
        self.row += usize::from(self.next_machine == 0);

        let faults = self.schedule.faults_of(reporter.series.as_str()).filter(|fault| fault.covers(row));
        let faults: Vec<Fault> = faults.cloned().collect();
        let values = reporter.next(row, at, self.spec.stride, &faults);
        let (series, kind) = (reporter.series.clone(), reporter.kind);
        Some(PlantRow { series, kind, row, at, values, is_faulty: !faults.is_empty() })
    }
}

impl Reporter {
    fn next(&mut self, row: usize, at: Timestamp, stride: Stride, faults: &[Fault]) -> Vec<f64> {
        let mut values = self.machine.next(second_of_day(at), stride.as_ms() as f64 / 1e3);
        for (history, value) in self.history.iter_mut().zip(&values) {
            history.push(*value);
        }
        for fault in faults {
            let history = &self.history[fault.channel_index];
            let kick = StandardNormal.sample(&mut self.fault_rng);
            values[fault.channel_index] = fault.bend(row, history, usual_span(&history[..fault.first_row]), kick);
        }
        values
    }
}

/// Distance between the 5 % and the 95 % quantile of a channel's readings before a fault; 1.0 without any.
fn usual_span(history: &[f64]) -> f64 {
    let recent = &history[history.len().saturating_sub(1440)..];
    let mut sorted = recent.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 1.0,
        n => sorted[n * 95 / 100] - sorted[n * 5 / 100],
    }
}

fn second_of_day(at: Timestamp) -> f64 {
    at.as_ms().rem_euclid(86_400_000) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::FaultKind;

    fn spec(seed: u64) -> PlantSpec {
        PlantSpec {
            seed,
            starts_at: Timestamp::from_ms(1_795_478_400_000),
            stride: Stride::from_ms(60_000).expect("a minute is a stride"),
        }
    }

    #[test]
    fn one_seed_is_one_plant() {
        let rows = |seed| Plant::new(spec(seed), Schedule::clean()).take(4000).collect::<Vec<_>>();
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
        assert!(rows(1).iter().all(|row| row.values.iter().all(|v| v.is_finite())));
    }

    #[test]
    fn a_fault_changes_its_channel_in_its_span_and_nothing_else() {
        let schedule = Schedule::spread(&spec(3), 6, 1500, 3000);
        assert_eq!(schedule.faults().len(), 6);
        let kinds: std::collections::BTreeSet<FaultKind> = schedule.faults().iter().map(|f| f.kind).collect();
        assert_eq!(kinds.len(), 6, "every kind once");
        let clean = Plant::new(spec(3), Schedule::clean());
        let broken = Plant::new(spec(3), schedule.clone());
        for (before, after) in clean.zip(broken).take(4 * 3000) {
            let mut wrong = schedule.faults_of(after.series.as_str()).filter(|f| f.covers(after.row)).peekable();
            assert_eq!(after.is_faulty, wrong.peek().is_some());
            let channel = wrong.next().map(|fault| fault.channel_index);
            for (index, (was, is)) in before.values.iter().zip(&after.values).enumerate() {
                assert!(was == is || Some(index) == channel, "row {} of {}", after.row, after.series);
            }
        }
    }

    #[test]
    fn machines_start_and_stop_and_warm_up_with_their_current() {
        let n_rows = 2880;
        for (machine, (name, kind)) in MACHINES.iter().enumerate() {
            let rows = Plant::new(spec(1), Schedule::clean()).filter(|r| r.series.as_str() == *name).take(n_rows);
            let rows: Vec<_> = rows.collect();
            let column = |channel: &str| {
                let index = kind.channels().iter().position(|c| *c == channel).expect("a channel");
                rows.iter().map(|row| row.values[index]).collect::<Vec<_>>()
            };
            let load = column("load");
            let starts = load.windows(2).filter(|w| w[0] < 30.0 && w[1] >= 30.0).count();
            assert!((24..300).contains(&starts), "{name} ({machine}) starts {starts} times in two days");
            assert!(correlation(&load, &column("current")) > 0.9, "{name}: current follows load");
            assert!(correlation(&load, &column("flow")) > 0.9, "{name}: flow follows load");
            let (current, temperature) = (column("current"), column("temperature"));
            let now = correlation(&current, &temperature);
            let later = correlation(&current[..n_rows - 8], &temperature[8..]);
            assert!(later > now, "{name}: temperature lags, {later} after eight minutes against {now}");
        }
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let product =
            |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
        product(a, ma, b, mb) / (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt()
    }
}
