//! From scores to decisions: calibration, decision rules, and the life of an alert.

mod alert;

pub use alert::{
    Alert, AlertChannel, AlertId, AlertKind, AlertState, SeriesState, Severity, Transition, TransitionKind,
};
