//! Where messages come from: an MQTT broker or a recorded file.

mod manifest;
pub mod mqtt;
mod recording;
mod replay;
mod source;

pub use manifest::{ManifestEntry, ManifestError, read_manifest};
pub use recording::{LabelColumn, Recording, RecordingError};
pub use replay::Replay;
pub use source::{AckToken, Ended, Message, Source};
