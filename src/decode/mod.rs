//! Messages to readings: topic templates, payload formats, event time.
//!
//! A [`MessageDecoder`] knows the topics and payload formats of a service and turns topic, payload and arrival time
//! into the readings of one series at one event time. Whatever it is given, it answers with readings or with a
//! [`DecodeError`] that names its [`reason`](DecodeError::reason); nothing panics. It knows no broker and no clock.

mod decoder;
mod error;
mod event_time;
mod filter;
mod json;
mod laws;
mod number;
mod payload;
mod pointer;
mod template;

pub use decoder::{Decoded, MessageDecoder, PAYLOAD_BYTES_MAX, Route};
pub use error::DecodeError;
pub use event_time::TimeFormat;
pub use filter::{FilterError, TopicFilter};
pub use payload::{PayloadFormat, PayloadSpec};
pub use pointer::{JsonPointer, PointerError};
pub use template::{RenderError, TemplateError, TopicMatch, TopicTemplate};
