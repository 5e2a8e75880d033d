//! One condition on an alert, as Alertmanager writes it: `series=~"hall-1/.*"`.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::Alert;
use crate::series::SeriesId;

/// Longest value, in characters.
const VALUE_CHARS_MAX: usize = 500;

/// Why something is not a matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// Not `name`, operator, value.
    #[error("found {found:?}, expected a name, one of = != =~ !~, and a value, as in series=~\"hall-1/.*\"")]
    Unreadable {
        /// The text.
        found: String,
    },
    /// Alerts have nothing of this name.
    #[error("name: found {found:?}, allowed: series, kind, channel, severity")]
    Name {
        /// The name.
        found: String,
    },
    /// No regular expression.
    #[error("value: {found:?} is no regular expression: {reason}")]
    Regex {
        /// The text.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Too long to be meant.
    #[error("value: found {found} characters, at most {VALUE_CHARS_MAX} are allowed")]
    TooLong {
        /// Characters found.
        found: usize,
    },
}

/// What of an alert a matcher looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Series,
    Kind,
    /// Any of the channels to blame: those with at least an even share of the contributions.
    Channel,
    Severity,
}

/// A matcher as it is written in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatcherSpec {
    /// `series`, `kind`, `channel` or `severity`.
    pub name: String,
    /// What it is compared with.
    pub value: String,
    /// True when the value is a regular expression that must match the whole.
    #[serde(default)]
    pub is_regex: bool,
    /// False turns the condition round.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

/// One condition on an alert.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "MatcherSpec", into = "MatcherSpec")]
pub struct Matcher {
    spec: MatcherSpec,
    subject: Subject,
    regex: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl TryFrom<MatcherSpec> for Matcher {
    type Error = MatcherError;

    fn try_from(spec: MatcherSpec) -> Result<Self, MatcherError> {
        let subject = match spec.name.as_str() {
            "series" => Subject::Series,
            "kind" => Subject::Kind,
            "channel" => Subject::Channel,
            "severity" => Subject::Severity,
            other => return Err(MatcherError::Name { found: other.chars().take(64).collect() }),
        };
        let found = spec.value.chars().count();
        if found > VALUE_CHARS_MAX {
            return Err(MatcherError::TooLong { found });
        }
        let regex = match spec.is_regex {
            true => Some(Regex::new(&format!("^(?:{})$", spec.value)).map_err(|error| MatcherError::Regex {
                found: spec.value.clone(),
                reason: error.to_string().lines().last().unwrap_or_default().to_owned(),
            })?),
            false => None,
        };
        Ok(Self { spec, subject, regex })
    }
}

impl From<Matcher> for MatcherSpec {
    fn from(matcher: Matcher) -> Self {
        matcher.spec
    }
}

impl Matcher {
    /// Reads `series=pump`, `kind!=stuck`, `series=~"hall-1/.*"`, `channel!~temp.*`; quotes around the value are optional.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let unreadable = || MatcherError::Unreadable { found: text.chars().take(200).collect() };
        let at = text.find(['=', '!']).ok_or_else(unreadable)?;
        let (name, rest) = text.split_at(at);
        let operators = [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];
        let found = operators
            .iter()
            .find_map(|(word, is_regex, is_equal)| Some((rest.strip_prefix(word)?, *is_regex, *is_equal)));
        let (value, is_regex, is_equal) = found.ok_or_else(unreadable)?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        let name = name.trim();
        if name.is_empty() {
            return Err(unreadable());
        }
        MatcherSpec { name: name.to_owned(), value: value.to_owned(), is_regex, is_equal }.try_into()
    }

    /// As it is written in JSON.
    pub fn spec(&self) -> &MatcherSpec {
        &self.spec
    }

    /// True when the alert meets the condition.
    pub fn matches(&self, alert: &Alert) -> bool {
        let is_met = match self.subject {
            Subject::Series => self.is_met(alert.series.as_str()),
            Subject::Kind => self.is_met(alert.kind.as_str()),
            Subject::Severity => self.is_met(alert.severity.as_str()),
            Subject::Channel => {
                let even = 1.0 / alert.channels.len().max(1) as f64;
                let blamed = alert.channels.iter().enumerate();
                blamed
                    .filter(|(index, part)| *index == 0 || part.contribution >= even)
                    .any(|(_, part)| self.is_met(part.channel.as_str()))
            }
        };
        is_met == self.spec.is_equal
    }

    /// What it says of a series as a whole; none when it looks at something else.
    pub fn matches_series(&self, series: &SeriesId) -> Option<bool> {
        (self.subject == Subject::Series).then(|| self.is_met(series.as_str()) == self.spec.is_equal)
    }

    fn is_met(&self, text: &str) -> bool {
        self.regex.as_ref().map_or(self.spec.value == text, |regex| regex.is_match(text))
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match (self.spec.is_regex, self.spec.is_equal) {
            (false, true) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (true, false) => "!~",
        };
        write!(f, "{}{operator}{:?}", self.spec.name, self.spec.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{ChannelName, Timestamp};
    use crate::verdict::{AlertChannel, AlertId, AlertKind, AlertState, Severity};

    fn alert() -> Alert {
        let channels = [("temperature", 0.7), ("load", 0.2), ("flow", 0.1)];
        let part = |(name, contribution): (&str, f64)| AlertChannel {
            channel: ChannelName::parse(name).unwrap(),
            contribution,
            observed: None,
            expected: None,
        };
        Alert {
            id: AlertId("a".to_owned()),
            kind: AlertKind::Stuck,
            series: SeriesId::parse("hall-1/pump").unwrap(),
            state: AlertState::Open,
            severity: Severity::Warning,
            opened_at: Timestamp::from_ms(0),
            resolved_at: None,
            peak_score: 1.0,
            p_value: 0.1,
            evidence: 1.0,
            alarm_budget: String::new(),
            channels: channels.map(part).to_vec(),
            model_id: None,
            acknowledged_at: None,
            label: None,
            note: None,
            labelled_by: None,
            labelled_at: None,
            openings: 1,
        }
    }

    #[test]
    fn a_matcher_compares_the_whole_value_as_alertmanager_does() {
        let check = |text: &str, expected: bool| {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!(matcher.matches(&alert()), expected, "{text}");
            assert_eq!(Matcher::parse(&matcher.to_string()).unwrap(), matcher, "{text}");
        };
        check("series=hall-1/pump", true);
        check("series=hall-1", false);
        check("series=~hall-1", false);
        check("series=~\"hall-1/.*\"", true);
        check("series!~hall-2/.*", true);
        check("kind!=stuck", false);
        check("severity=warning", true);
        check("channel=temperature", true);
        check("channel=flow", false);
        check("channel!=temperature", false);
    }

    #[test]
    fn what_is_no_matcher_is_refused_with_what_is_allowed() {
        for (text, said) in [
            ("pump", "= != =~ !~"),
            ("=pump", "= != =~ !~"),
            ("colour=red", "series, kind, channel, severity"),
            ("series=~[", "regular expression"),
        ] {
            let error = Matcher::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
