//! The running service: supervisor, training, telemetry.
