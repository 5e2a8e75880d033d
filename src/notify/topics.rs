//! Names of the topics that are published, under a configurable base.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::series::SeriesId;

/// What stands in a topic as it is; all else of a series id is percent-encoded, `/` first of all.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// First part of every topic, such as `kilter`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseTopic(String);

/// Why a text is no [`BaseTopic`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no base topic; allowed: 1 to 200 bytes without '+', '#', '$' in front, or '/' at an end")]
pub struct BaseTopicError {
    /// The text.
    pub found: String,
}

impl BaseTopic {
    /// Home Assistant's default discovery prefix.
    pub fn home_assistant() -> Self {
        Self("homeassistant".to_owned())
    }

    /// The topic `<base>/<rest>`.
    pub(super) fn topic(&self, rest: &str) -> String {
        format!("{}/{rest}", self.0)
    }

    /// The topic `<base>/series/<series>/<what>`.
    pub(super) fn series_topic(&self, series: &SeriesId, what: &str) -> String {
        format!("{}/series/{}/{what}", self.0, encode_series(series))
    }
}

/// A series id as it stands in a topic.
pub(super) fn encode_series(series: &SeriesId) -> String {
    utf8_percent_encode(series.as_str(), ENCODED).to_string()
}

impl Default for BaseTopic {
    fn default() -> Self {
        Self("kilter".to_owned())
    }
}

impl TryFrom<String> for BaseTopic {
    type Error = BaseTopicError;

    fn try_from(text: String) -> Result<Self, BaseTopicError> {
        let is_fit = (1..=200).contains(&text.len())
            && !text.contains(['+', '#', '\0'])
            && !text.starts_with(['/', '$'])
            && !text.ends_with('/');
        if is_fit { Ok(Self(text)) } else { Err(BaseTopicError { found: text }) }
    }
}

impl From<BaseTopic> for String {
    fn from(base: BaseTopic) -> String {
        base.0
    }
}

impl fmt::Display for BaseTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_one_level_of_a_topic_whatever_its_name() {
        let check = |series: &str, expected: &str| {
            let series = SeriesId::parse(series).unwrap();
            assert_eq!(BaseTopic::default().series_topic(&series, "state"), expected);
        };
        check("pump-1", "kilter/series/pump-1/state");
        check("site a/machine", "kilter/series/site%20a%2Fmachine/state");
        check("größe", "kilter/series/gr%C3%B6%C3%9Fe/state");
    }

    #[test]
    fn a_base_topic_can_be_published_to() {
        for text in ["", "a/+/b", "#", "$SYS", "/a", "a/"] {
            assert!(BaseTopic::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert_eq!(BaseTopic::try_from("plant/kilter".to_owned()).unwrap().topic("alerts"), "plant/kilter/alerts");
    }
}
