//! What a series is judged by: the choices of its configuration section, checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{PowerSpec, WatchSpec};
use crate::detector::DetectorSpec;
use crate::series::{ChannelName, Stride, Timestamp};
use crate::verdict::{AlarmBudget, AlertSpec, DecisionSpec};
use crate::windowing::{GridKind, GridSpec};

/// Rows at which models are fitted when nothing else is asked for; after the last one the model is frozen.
pub const LADDER_ROWS: [u64; 6] = [50, 100, 250, 500, 1000, 2000];

/// When models are fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarmUp {
    /// At each of [`LADDER_ROWS`]: a first verdict after 50 rows, better ones as rows come.
    #[default]
    Ladder,
    /// Once, at so many rows; the rows that arrive while it is fitted wait for it.
    Rows(u64),
}

impl WarmUp {
    /// The first count of usable rows above `n_rows` at which a model is fitted, if there is another one.
    pub fn next_fit(self, n_rows: u64) -> Option<u64> {
        match self {
            WarmUp::Ladder => LADDER_ROWS.into_iter().find(|rung| *rung > n_rows),
            WarmUp::Rows(rows) => (rows > n_rows).then_some(rows),
        }
    }
}

/// What a series is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSpec {
    /// Name of the configuration entry (its topic template), stored with each series so that a restart finds it again.
    pub name: String,
    /// How readings become rows.
    pub grid: GridSpec,
    /// What is fitted.
    pub detector: DetectorSpec,
    /// How scores become alerts.
    pub decision: DecisionSpec,
    /// How many false openings are accepted, as asked for.
    pub alarm_budget: AlarmBudget,
    /// What is watched besides the score.
    pub watches: WatchSpec,
    /// What of its alerts is worth telling.
    pub alerts: AlertSpec,
    /// When it is measured what the models would see.
    pub power: PowerSpec,
    /// Units of channels, for people.
    pub units: BTreeMap<ChannelName, String>,
    /// When it is fitted.
    pub warm_up: WarmUp,
    /// Channels of a series at most; further ones are refused and counted.
    pub channels_max: usize,
    /// A series that has been silent for so long, in arrival time, has no data. Milliseconds.
    pub silence_after_ms: i64,
    /// True when all series of this name with the same channels are judged by one model.
    pub shares_model: bool,
    /// True when the latent of every judged window is kept.
    pub keeps_latents: bool,
}

impl SeriesSpec {
    /// The decision at the tightest budget that so many calibration rows can honestly hold.
    pub fn decision_for(&self, n_calibration_rows: usize) -> DecisionSpec {
        let mut decision = self.decision.clone();
        if let Ok(honest) = self.alarm_budget.honest(self.stride(), n_calibration_rows) {
            decision.openings_per_row = honest.openings_per_row;
            decision.alarm_budget = self.alarm_budget.to_string();
        }
        decision
    }

    /// Why so many calibration rows run at a looser budget than asked for, in the user's unit; none when they do not.
    pub fn budget_explanation(&self, n_calibration_rows: usize) -> Option<String> {
        self.alarm_budget.honest(self.stride(), n_calibration_rows).ok()?.explanation
    }

    /// Calibration rows that hold the budget as it was asked for.
    pub fn calibration_rows_wanted(&self) -> usize {
        self.alarm_budget.rows_wanted(self.stride()).unwrap_or_default()
    }

    /// Rows that the last model of the warm-up learns from.
    pub fn last_fit_rows(&self) -> u64 {
        match self.warm_up {
            WarmUp::Ladder => LADDER_ROWS[LADDER_ROWS.len() - 1],
            WarmUp::Rows(rows) => rows,
        }
    }

    /// True when rows were left out between two closed rows: on the time grid they otherwise follow stride by stride.
    pub fn is_gap(&self, before: Timestamp, after: Timestamp) -> bool {
        self.stride().is_some_and(|stride| after.ms_since(before) > stride.as_ms())
    }

    /// Spacing of the rows; none on the row grid, where only budgets per windows have a meaning.
    pub fn stride(&self) -> Option<Stride> {
        match self.grid.grid {
            GridKind::Time => Some(self.grid.stride),
            GridKind::Row => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_climbed_rung_by_rung_and_a_fixed_warm_up_once() {
        assert_eq!(WarmUp::Ladder.next_fit(0), Some(50));
        assert_eq!(WarmUp::Ladder.next_fit(50), Some(100));
        assert_eq!(WarmUp::Ladder.next_fit(2000), None);
        assert_eq!(WarmUp::Rows(400).next_fit(0), Some(400));
        assert_eq!(WarmUp::Rows(400).next_fit(400), None);
    }
}
