//! What to subscribe to: an MQTT topic filter, checked once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest topic or filter of the protocol, in bytes.
const BYTES_MAX: usize = 65_535;

/// An MQTT topic filter such as `plant/+/temp` or `plant/#`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicFilter(String);

/// Why a text is not a topic filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Nothing, more than 65,535 bytes, or a NUL character.
    #[error("a topic filter has 1 to 65535 bytes and no NUL, this one has {found} bytes")]
    Size {
        /// Bytes found.
        found: usize,
    },
    /// `+` or `#` together with other characters in one level, or `#` not in the last one.
    #[error("in {found:?}, '+' must fill a whole level and '#' the last one")]
    Wildcard {
        /// The filter.
        found: String,
    },
}

impl TopicFilter {
    /// Checks a text and makes it a filter.
    ///
    /// # Errors
    /// When the protocol does not allow it as a filter.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.is_empty() || text.len() > BYTES_MAX || text.contains('\0') {
            return Err(FilterError::Size { found: text.len() });
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            let is_wildcard = level == "+" || (level == "#" && levels.peek().is_none());
            if !is_wildcard && level.contains(['+', '#']) {
                return Err(FilterError::Wildcard { found: text.chars().take(200).collect() });
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when a message on `topic` is wanted. Topics that begin with `$` are not matched by a wildcard in the
    /// first level.
    pub fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.split('/');
        for wanted in self.0.split('/') {
            match (wanted, levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (wanted, Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

impl TryFrom<String> for TopicFilter {
    type Error = FilterError;
    fn try_from(text: String) -> Result<Self, FilterError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for TopicFilter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl From<TopicFilter> for String {
    fn from(filter: TopicFilter) -> String {
        filter.0
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_fill_whole_levels() {
        for good in ["a", "a/b", "+", "#", "+/b/#", "/", "a//b", "$SYS/#"] {
            assert!(TopicFilter::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a+", "a/#/b", "#b", "a/b#", "\0"] {
            assert!(TopicFilter::parse(bad).is_err(), "{bad}");
        }
    }

    /// Examples of the MQTT 5 specification, sections 4.7.1.2, 4.7.1.3 and 4.7.2.
    #[test]
    fn filters_match_as_the_specification_says() {
        let check = |filter: &str, topic: &str, expected: bool| {
            assert_eq!(TopicFilter::parse(filter).expect("valid").matches(topic), expected, "{filter} {topic}");
        };
        check("sport/tennis/player1/#", "sport/tennis/player1", true);
        check("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
        check("sport/#", "sport", true);
        check("sport/tennis/+", "sport/tennis/player1", true);
        check("sport/tennis/+", "sport/tennis/player1/ranking", false);
        check("sport/+", "sport", false);
        check("sport/+", "sport/", true);
        check("+/+", "/finance", true);
        check("/+", "/finance", true);
        check("+", "/finance", false);
        check("#", "$SYS/monitor", false);
        check("+/monitor/Clients", "$SYS/monitor/Clients", false);
        check("$SYS/#", "$SYS/monitor", true);
    }
}
