//! Plain statistics: finite scores, p-values, quantiles, exponential smoothing, areas and tails.
//!
//! Arrays in, numbers out. Nothing here knows a channel, a series or a clock.

mod area;
mod quantile;
mod residual;
mod score;
mod smoothing;
mod tail;

pub use area::auc;
pub use quantile::{mean, median, quantile_sorted, sorted};
pub use residual::Residual;
pub use score::{PValue, Score, StatsError};
pub use smoothing::{Ewma, SettledKernel};
pub use tail::{GeneralisedPareto, TailError};
