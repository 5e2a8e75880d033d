//! How a topic names a series and a channel: `plant/{series}/{channel}`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DecodeError, FilterError, TopicFilter};
use crate::series::{ChannelName, SeriesId};

/// A topic with named levels.
///
/// `{channel}` names the channel; every other `{name}` is part of the series id, joined by `/` in the order of the
/// topic: `site/{site}/{machine}` makes `berlin/pump 3` of `site/berlin/pump 3`. A template without such a level
/// names the one series after its fixed levels. `+` stands for a level that names nothing, `#` at the end for any
/// number of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicTemplate {
    text: String,
    filter: TopicFilter,
    levels: Vec<Level>,
    names_series: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Fixed(String),
    Any,
    Rest,
    Channel,
    Series(String),
}

/// What a topic names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicMatch {
    /// The series.
    pub series: SeriesId,
    /// The channel, when the template has `{channel}`.
    pub channel: Option<ChannelName>,
}

/// Why a text is not a topic template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace that does not enclose a whole level, or an empty name.
    #[error(
        "{found:?} has the level {level:?}; allowed: plain text or one name in braces for each level, as in \
         plant/{{series}}/{{channel}}"
    )]
    Level {
        /// The template.
        found: String,
        /// The level.
        level: String,
    },
    /// A name that occurs twice.
    #[error("{found:?} has {{{name}}} twice; allowed: each name once")]
    Twice {
        /// The template.
        found: String,
        /// The name.
        name: String,
    },
    /// The filter that follows from it is not allowed.
    #[error(transparent)]
    Filter(#[from] FilterError),
}

/// Why a topic cannot be written from names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template has a wildcard.
    #[error("{template:?} has a wildcard: nothing says what to write there")]
    Wildcard {
        /// The template.
        template: String,
    },
    /// The series id has another number of levels than the template names.
    #[error("series {series:?} has {found} levels, template {template:?} names {expected}")]
    Levels {
        /// The template.
        template: String,
        /// The series.
        series: String,
        /// Levels of the series id.
        found: usize,
        /// Named levels of the template, without the channel.
        expected: usize,
    },
    /// The channel's name holds a `/`.
    #[error("channel {channel:?} holds a '/', which would make two levels of it")]
    Slash {
        /// The channel.
        channel: String,
    },
}

impl TopicTemplate {
    /// Checks a text and makes it a template.
    ///
    /// # Errors
    /// When a brace does not enclose a whole level, a name occurs twice, or a wildcard stands where MQTT forbids it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let found = || text.chars().take(200).collect::<String>();
        let mut levels = Vec::new();
        for level in text.split('/') {
            let name = level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let parsed = match (level, name) {
                ("+", _) => Level::Any,
                ("#", _) => Level::Rest,
                (_, Some("channel")) => Level::Channel,
                (_, Some(name)) if !name.is_empty() && !name.contains(['{', '}', '+', '#']) => {
                    Level::Series(name.to_owned())
                }
                (_, None) if !level.contains(['{', '}']) => Level::Fixed(level.to_owned()),
                _ => return Err(TemplateError::Level { found: found(), level: level.to_owned() }),
            };
            if matches!(parsed, Level::Channel | Level::Series(_)) && levels.contains(&parsed) {
                let name = name.unwrap_or_default().to_owned();
                return Err(TemplateError::Twice { found: found(), name });
            }
            levels.push(parsed);
        }
        let filter: Vec<&str> = levels.iter().map(Level::as_filter).collect();
        let filter = TopicFilter::parse(&filter.join("/"))?;
        let names_series = levels.iter().any(|level| matches!(level, Level::Series(_)));
        Ok(Self { text: text.to_owned(), filter, levels, names_series })
    }

    /// The template as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What to subscribe to: `plant/+/+`.
    pub fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// True when the topic names the channel, so that a message carries one reading.
    pub fn names_channel(&self) -> bool {
        self.levels.contains(&Level::Channel)
    }

    /// What the topic names, if it has the template's form.
    ///
    /// # Errors
    /// When it has the form but a level is not a name.
    pub fn matches(&self, topic: &str) -> Option<Result<TopicMatch, DecodeError>> {
        self.filter.matches(topic).then(|| self.names(topic))
    }

    fn names(&self, topic: &str) -> Result<TopicMatch, DecodeError> {
        let bad_name = |error| DecodeError::BadName { topic: topic.chars().take(200).collect(), error };
        let mut series = String::new();
        let mut channel = None;
        for (level, text) in self.levels.iter().zip(topic.split('/')) {
            match level {
                Level::Channel => channel = Some(ChannelName::parse(text).map_err(bad_name)?),
                Level::Series(_) => push_level(&mut series, text),
                Level::Fixed(_) if !self.names_series => push_level(&mut series, text),
                Level::Fixed(_) | Level::Any | Level::Rest => {}
            }
        }
        let series = SeriesId::parse(series.trim_start_matches('/')).map_err(bad_name)?;
        Ok(TopicMatch { series, channel })
    }

    /// The topic that names a series and a channel, the reverse of [`matches`](Self::matches). The channel is not
    /// used by templates without `{channel}`.
    ///
    /// # Errors
    /// When the template has wildcards or the names do not fit its levels.
    pub fn render(&self, series: &SeriesId, channel: &str) -> Result<String, RenderError> {
        let template = || self.text.clone();
        let n_named = self.levels.iter().filter(|level| matches!(level, Level::Series(_))).count();
        // A single named level would swallow a '/', so the id is split only as often as the template has names.
        let mut parts = series.as_str().split('/');
        let found = parts.clone().count();
        if n_named > 0 && found != n_named {
            let series = series.to_string();
            return Err(RenderError::Levels { template: template(), series, found, expected: n_named });
        }
        let mut topic = String::with_capacity(self.text.len() + series.as_str().len());
        for (i, level) in self.levels.iter().enumerate() {
            if i > 0 {
                topic.push('/');
            }
            match level {
                Level::Fixed(text) => topic.push_str(text),
                Level::Channel if channel.contains('/') => {
                    return Err(RenderError::Slash { channel: channel.to_owned() });
                }
                Level::Channel => topic.push_str(channel),
                Level::Series(_) => topic.push_str(parts.next().unwrap_or_default()),
                Level::Any | Level::Rest => return Err(RenderError::Wildcard { template: template() }),
            }
        }
        Ok(topic)
    }
}

impl Level {
    fn as_filter(&self) -> &str {
        match self {
            Level::Fixed(text) => text,
            Level::Rest => "#",
            Level::Any | Level::Channel | Level::Series(_) => "+",
        }
    }
}

fn push_level(series: &mut String, level: &str) {
    if !series.is_empty() {
        series.push('/');
    }
    series.push_str(level);
}

impl TryFrom<String> for TopicTemplate {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for TopicTemplate {
    type Err = TemplateError;
    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

impl From<TopicTemplate> for String {
    fn from(template: TopicTemplate) -> String {
        template.text
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> TopicTemplate {
        TopicTemplate::parse(text).expect("valid")
    }

    #[test]
    fn a_topic_names_series_and_channel() {
        let check = |text: &str, topic: &str, expected: Option<(&str, Option<&str>)>| {
            let found = template(text).matches(topic).and_then(Result::ok);
            let found = found.as_ref().map(|m| (m.series.as_str(), m.channel.as_ref().map(ChannelName::as_str)));
            assert_eq!(found, expected, "{text} on {topic}");
        };
        check("plant/{series}/{channel}", "plant/pump-1/temp", Some(("pump-1", Some("temp"))));
        check("plant/{series}/{channel}", "plant/pump-1", None);
        check("plant/{series}/{channel}", "plant/pump-1/temp/x", None);
        check("site/{site}/{machine}", "site/berlin/pump 3", Some(("berlin/pump 3", None)));
        check("{channel}/of/{series}", "temp/of/pump", Some(("pump", Some("temp"))));
        check("+/{series}/#", "any/pump/and/more", Some(("pump", None)));
        check("hall/clock", "hall/clock", Some(("hall/clock", None)));
        check("hall/{channel}", "hall/temp", Some(("hall", Some("temp"))));
        check("{series}", "$SYS", None);
    }

    #[test]
    fn a_level_that_is_no_name_is_an_error_not_a_mismatch() {
        assert!(matches!(template("p/{series}/{channel}").matches("p/a/"), Some(Err(DecodeError::BadName { .. }))));
        assert!(matches!(template("p/{series}").matches("p/"), Some(Err(DecodeError::BadName { .. }))));
        assert!(matches!(template("p/{series}").matches("p/a\u{1}"), Some(Err(DecodeError::BadName { .. }))));
    }

    #[test]
    fn templates_are_checked() {
        assert_eq!(template("site/{site}/{machine}").filter().as_str(), "site/+/+");
        for bad in ["", "a/{b", "a/b}", "a/{}/c", "a/x{b}", "{a}/{a}", "{channel}/{channel}", "#/{series}", "a+/{b}"] {
            assert!(TopicTemplate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rendering_is_the_reverse_of_matching() {
        let check = |text: &str, series: &str, channel: &str, expected: Option<&str>| {
            let series = SeriesId::parse(series).expect("valid");
            let topic = template(text).render(&series, channel);
            assert_eq!(topic.as_deref().ok(), expected, "{text}");
            if let Some(topic) = expected {
                let found = template(text).matches(topic).expect("matches").expect("names");
                assert_eq!(found.series, series);
                assert!(found.channel.is_none_or(|found| found.as_str() == channel));
            }
        };
        check("plant/{series}/{channel}", "pump", "temp", Some("plant/pump/temp"));
        check("site/{site}/{machine}", "berlin/pump", "temp", Some("site/berlin/pump"));
        check("site/{site}", "berlin/pump", "temp", None);
        check("plant/{series}/+", "pump", "temp", None);
        check("plant/{series}/{channel}", "pump", "a/b", None);
    }
}
