//! The configuration file: sections owned by their consumers, composed and checked here.
//!
//! Every fault is found in one pass and told with its key path, what was found and what is allowed. A [`Config`]
//! that exists is valid; functions receive the section they need, never the whole.

mod fault;
mod limits;
mod load;
mod log;
mod rows;
mod section;
mod series;

pub use fault::{ConfigError, Fault};
pub use load::{Config, LimitsConfig};
pub use log::{LogConfig, LogFilterError, LogFormat};
pub use rows::{RowSpan, RowSpanError, WarmUpRows};
pub use section::known_keys;
pub use series::{SeriesEntry, SeriesKeys};
