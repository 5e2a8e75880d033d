//! The judge: detectors on labelled series, and numbers that mean the same everywhere.
//!
//! * [`metrics`]: the measures, each written from its published definition. None of them uses point adjustment
//!   (marking a whole event as found when one of its rows is): it lets a random score look perfect.
//! * [`judge_rows`]: a recording through the daemon's own pipeline, brought back to its input rows.
//! * [`contenders`]: who stands beside whom; [`evaluate_set`] and [`summarise`]: their figures on each series and over
//!   a set.
//! * [`draw`]: a judged series as a picture.

mod clock;
mod contender;
mod judged;
pub mod metrics;
mod picture;
mod report;
mod rows;
mod set;
mod sketch;
mod summary;

pub use contender::{Contender, contenders};
pub use judged::{JudgeError, JudgedRow, JudgedSeries, judge_rows};
pub use picture::{PictureError, draw};
pub use report::{
    AlertReport, ContenderReport, EvaluateError, LabelledSeries, ScoreReport, SeriesReport, evaluate_series,
    score_report,
};
pub use rows::SeriesRows;
pub use set::evaluate_set;
pub use sketch::{MapPoint, draw_map, draw_windows};
pub use summary::{ContenderSummary, GroupSummary, Means, Protocol, summarise};
