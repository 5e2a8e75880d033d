//! Which decision rule judges a series, and under which budget.

use serde::{Deserialize, Serialize};

use super::{BettingSpec, FixedSpec, QuantileSpec, SpotSpec};

/// The decision rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionRule {
    /// Block p-values and a betting test under an alarm budget.
    #[default]
    Betting,
    /// Peaks over threshold, refitted on the stream.
    Spot,
    /// A quantile of held-out live scores.
    Quantile,
    /// A fixed live score.
    Fixed,
}

impl DecisionRule {
    /// The word used in configuration and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            DecisionRule::Betting => "betting",
            DecisionRule::Spot => "spot",
            DecisionRule::Quantile => "quantile",
            DecisionRule::Fixed => "fixed",
        }
    }
}

/// How a series' alerts open and resolve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionSpec {
    /// The rule.
    pub rule: DecisionRule,
    /// Accepted false openings per row.
    pub openings_per_row: f64,
    /// The same as the user wrote it.
    pub alarm_budget: String,
    /// The betting test.
    pub betting: BettingSpec,
    /// SPOT.
    pub spot: SpotSpec,
    /// The quantile rule.
    pub quantile: QuantileSpec,
    /// The fixed rule.
    pub fixed: FixedSpec,
}

impl Default for DecisionSpec {
    fn default() -> Self {
        Self {
            rule: DecisionRule::default(),
            openings_per_row: 1e-3,
            alarm_budget: "1 per 1000 windows".to_owned(),
            betting: BettingSpec::default(),
            spot: SpotSpec::default(),
            quantile: QuantileSpec::default(),
            fixed: FixedSpec::default(),
        }
    }
}
