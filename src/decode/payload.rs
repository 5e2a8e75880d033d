//! How a payload carries values, as a user writes it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use super::{JsonPointer, TimeFormat};
use crate::series::ChannelName;

/// The form of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, DeriveDeserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadFormat {
    /// One number in text; the event time is the arrival time. An object is taken as `json`.
    Number,
    /// A JSON document with one value at a place.
    Json,
    /// A JSON object whose numeric members are channels: under their own names, or, when the topic names the
    /// channel, under `channel/member`, where the member `value` is the channel itself.
    #[default]
    JsonObject,
}

/// How a payload carries values: in configuration either the format alone (`payload = "number"`) or a table
/// (`payload = { format = "json", value = "/v", time = "/t" }`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayloadSpec {
    /// The form.
    pub format: PayloadFormat,
    /// `json`: where the value is.
    pub value: JsonPointer,
    /// `json` and `json_object`: where the event time is. When it is not given, a member `time` or `timestamp` of
    /// the document counts, and without one the arrival time; when it is given, it must be there.
    pub time: Option<JsonPointer>,
    /// How the event time is written.
    pub time_format: TimeFormat,
    /// `json_object`: where the object with the channels is.
    pub channels: JsonPointer,
    /// `json_object`: the only members to take; all numeric ones when empty.
    pub include: Vec<ChannelName>,
    /// `json_object`: members never to take.
    pub exclude: Vec<ChannelName>,
}

impl Default for PayloadSpec {
    fn default() -> Self {
        Self::new(PayloadFormat::default())
    }
}

impl PayloadSpec {
    /// A format with its default places: the value at `/value`, the channels at the top.
    pub fn new(format: PayloadFormat) -> Self {
        Self::from_table(PayloadTable { format, ..PayloadTable::default() })
    }

    fn from_table(table: PayloadTable) -> Self {
        let PayloadTable { format, value, time, time_format, channels, include, exclude } = table;
        // "/value" cannot fail; the document itself is what a fault in this line would mean.
        let value = value.unwrap_or_else(|| JsonPointer::parse("/value").unwrap_or_default());
        Self { format, value, time, time_format, channels, include, exclude }
    }

    /// True when a member of this name may be a channel.
    pub(super) fn takes(&self, member: &str) -> bool {
        let is_listed = |list: &[ChannelName]| list.iter().any(|name| name.as_str() == member);
        (self.include.is_empty() || is_listed(&self.include)) && !is_listed(&self.exclude)
    }
}

#[derive(Debug, Default, DeriveDeserialize)]
#[serde(default, deny_unknown_fields)]
struct PayloadTable {
    format: PayloadFormat,
    value: Option<JsonPointer>,
    time: Option<JsonPointer>,
    time_format: TimeFormat,
    channels: JsonPointer,
    include: Vec<ChannelName>,
    exclude: Vec<ChannelName>,
}

impl<'de> Deserialize<'de> for PayloadSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct SpecVisitor;

        impl<'de> Visitor<'de> for SpecVisitor {
            type Value = PayloadSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"number\", \"json\", \"json_object\" or a table with format, value, time, …")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PayloadSpec, E> {
                PayloadFormat::deserialize(de::value::StrDeserializer::new(text)).map(PayloadSpec::new)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PayloadSpec, A::Error> {
                PayloadTable::deserialize(MapAccessDeserializer::new(map)).map(PayloadSpec::from_table)
            }
        }

        from.deserialize_any(SpecVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, DeriveDeserialize)]
    struct Section {
        payload: PayloadSpec,
    }

    #[test]
    fn a_payload_is_a_word_or_a_table() {
        let read = |text: &str| toml::from_str::<Section>(text).map(|section| section.payload);
        assert_eq!(read("payload = \"number\""), Ok(PayloadSpec::new(PayloadFormat::Number)));
        let spec =
            read("payload = { format = \"json\", value = \"/data/v\", time = \"/t\", time_format = \"epoch_ms\" }")
                .expect("valid");
        assert_eq!((spec.value.as_str(), spec.time_format), ("/data/v", TimeFormat::EpochMs));
        assert_eq!(PayloadSpec::new(PayloadFormat::Json).value.as_str(), "/value");
        assert!(read("payload = \"xml\"").is_err());
        assert!(read("payload = 7").is_err());
        assert!(read("payload = { fromat = \"json\" }").is_err());
        assert!(read("payload = { value = \"no slash\" }").is_err());
    }
}
