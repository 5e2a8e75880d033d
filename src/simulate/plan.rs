//! What the demo does with the plant: how long it learns, when faults begin, when it ends. In rows, so that a run
//! depends on the seed alone and not on how fast it is played.

use super::plant::{Plant, PlantSpec};
use super::schedule::Schedule;
use crate::series::{Stride, Timestamp};

/// Rows of every machine before the first model: two days at a minute each.
pub const WARM_UP_ROWS: usize = 2880;

/// What the demo asks of the service: a machine that is broken every few hours may ask for a look more often than one
/// in a plant.
pub const DEMO_ALARM_BUDGET: &str = "5 per day";
/// Undisturbed rows after the warm-up.
const QUIET_ROWS: usize = 60;
/// Rows from one fault to the next, anywhere in the plant.
const FAULT_EVERY_ROWS: usize = 220;
/// Time between two rows.
const STRIDE_MS: i64 = 60_000;

/// The course of a demo.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoPlan {
    /// The plant.
    pub spec: PlantSpec,
    /// Its faults.
    pub schedule: Schedule,
    /// Rows of each machine in all.
    pub n_rows: usize,
}

impl DemoPlan {
    /// A plan of `n_live_rows` rows after the warm-up, at least enough for one fault. It ends at about `now`: the plant
    /// starts at a midnight some days before, so that nothing lies in the future.
    pub fn new(seed: u64, n_live_rows: usize, now: Timestamp) -> Self {
        const DAY_MS: i64 = 86_400_000;
        let n_faults = (n_live_rows.saturating_sub(QUIET_ROWS) / FAULT_EVERY_ROWS).max(1);
        let n_rows = WARM_UP_ROWS + QUIET_ROWS + n_faults * FAULT_EVERY_ROWS;
        let start = now.plus_ms(-(n_rows as i64) * STRIDE_MS);
        let starts_at = Timestamp::from_ms(start.as_ms() - start.as_ms().rem_euclid(DAY_MS));
        let stride = Stride::from_ms(STRIDE_MS).unwrap_or(Stride::SECOND);
        let spec = PlantSpec { seed, starts_at, stride };
        let schedule = Schedule::spread(&spec, n_faults, WARM_UP_ROWS + QUIET_ROWS, n_rows);
        Self { spec, schedule, n_rows }
    }

    /// The plant of the plan.
    pub fn plant(&self) -> Plant {
        Plant::new(self.spec.clone(), self.schedule.clone())
    }
}
