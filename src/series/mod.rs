//! What is measured: names, times, readings, rows and windows.
//!
//! These types carry proof: a [`SeriesId`] or a [`ChannelName`] that exists has been checked, so no
//! other module checks it again. They know nothing about topics, tables, routes or clocks.

mod duration;
mod frame;
mod name;
mod reading;
mod time;
mod window;

pub use duration::{DurationError, HumanDuration};
pub use frame::{Cell, Frame};
pub use name::{ChannelName, NAME_BYTES_MAX, NameError, SeriesId};
pub use reading::{Quality, Reading};
pub use time::{EpochUnit, Stride, StrideError, TimeError, Timestamp};
pub use window::{Window, WindowBuffer};
