//! Where messages come from: an MQTT broker or a recorded file.

mod recording;

pub use recording::{LabelColumn, Recording, RecordingError};
