//! Where messages come from: an MQTT broker or a recorded file.

mod manifest;
mod recording;

pub use manifest::{ManifestEntry, ManifestError, read_manifest};
pub use recording::{LabelColumn, Recording, RecordingError};
