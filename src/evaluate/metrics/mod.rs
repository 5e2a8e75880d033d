//! Measures of a score against labels, and of alerts against labels.
//!
//! Two views of a judged series, each checked once and then shared by its measures:
//!
//! * [`Ranking`]: a label and a score per row. [`auc_roc`], [`auc_pr`], [`best_f1`] and [`vus()`] need no threshold.
//! * [`AlarmTrack`]: a label and an alarm per row. [`event_report()`], [`onset_report()`], [`affiliation()`],
//!   [`nab_like()`], [`nab_standard`], [`point_counts()`] and [`budget_check`] judge decisions.
//!
//! A measure that is not defined (no event, no normal row, no alarm) is `None`, never a made-up zero.

mod affiliation;
mod alarm_track;
mod area;
mod budget;
mod event_report;
mod nab;
mod nab_like;
mod onset_report;
mod period;
mod point_counts;
mod ranking;
mod vus;

pub use affiliation::{Affiliation, affiliation};
pub use alarm_track::{AlarmTrack, Event, events};
pub use area::{BestF1, auc_pr, auc_roc, best_f1};
pub use budget::{BudgetCheck, budget_check};
pub use event_report::{EventReport, event_report};
pub use nab::{NabPoints, nab_standard, nab_standard_best};
pub use nab_like::nab_like;
pub use onset_report::{ONSET_LEAD_ROWS, OnsetReport, onset_report};
pub use period::find_length_rank;
pub use point_counts::{PointCounts, point_counts};
pub use ranking::{MetricError, Ranking};
pub use vus::{Vus, vus};
