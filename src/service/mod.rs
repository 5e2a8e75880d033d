//! The running service: supervisor, training, telemetry.

pub mod telemetry;
