//! All that is needed to judge a series: fitted, calibrated, versioned, and as bytes.
//!
//! [`fit()`] learns a [`ModelBundle`] from rows; [`ModelBundle::encode`] makes it a safetensors file with one line of
//! JSON; [`ModelBundle::decode`] refuses every byte that was altered.

mod codec;
mod curve;
mod fit;
mod model;
mod power;

pub use codec::DecodeBundleError;
pub use curve::TrainingCurve;
pub use fit::{FitError, FitInput, FitProgress, ForeignWeights, ROWS_MIN, WeightLayout, fit, fit_with};
pub use model::{ModelBundle, Provenance, SwitchedOff};
pub use power::{power, power_since};
