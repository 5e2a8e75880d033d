//! From fused residuals to decisions: calibration, alarm budgets, decision rules, and the life of an alert.
//!
//! Pure state machines: numbers and event times in, judgements out. The state of every machine can be saved and
//! resumed bit for bit.

mod alert;
mod alert_spec;
mod betting;
mod budget;
mod calibration;
mod decision;
mod false_alarm;
mod incident;
mod judge;
mod machine;
mod matcher;
mod out_of_range;
mod schedule;
mod silence;
mod silent;
mod slow_baseline;
mod spot;
mod stuck;
mod threshold;

pub use alert::{
    Alert, AlertChannel, AlertId, AlertKind, AlertState, SeriesState, Severity, Transition, TransitionKind,
};
pub use alert_spec::{AlertSpec, ChannelAlertSpec, Direction};
pub use betting::{Betting, BettingSpec, BettingState};
pub use budget::{AlarmBudget, BudgetError, BudgetPeriod, HonestBudget};
pub use calibration::{Calibration, PerResidual, SmoothingSpec};
pub use decision::{DecisionRule, DecisionSpec};
pub use false_alarm::FalseAlarms;
pub use incident::{Incident, incidents, site_of};
pub use judge::{Judge, JudgeState, RowJudgement};
pub use machine::{AlertMachine, AlertPhase, Flags, Verdict};
pub use matcher::{Matcher, MatcherError, MatcherSpec};
pub use out_of_range::{Limits, OutOfRangeWatch};
pub use schedule::{Schedule, ScheduleError, ScheduleSpec};
pub use silence::{Silence, SilenceError, SilenceSpec, SilenceState, silenced_by};
pub use silent::{SilentSpec, SilentWatch};
pub use slow_baseline::{LevelShift, SlowBaseline};
pub use spot::{Spot, SpotSpec, SpotState};
pub use stuck::{StuckCalibration, StuckFloor, StuckSpec, StuckWatch};
pub use threshold::{FixedSpec, QuantileSpec, ThresholdRule, ThresholdState};
