//! Topic, payload and arrival time in, readings of one series at one event time out.
//!
//! Topics and channel names are remembered, so that decoding a known channel allocates nothing but the answer.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::json::{self, Found, Scalar, Wanted};
use super::{DecodeError, PayloadFormat, PayloadSpec, TopicFilter, TopicMatch, TopicTemplate, number};
use crate::series::{ChannelName, Quality, Reading, Timestamp};

/// The largest payload that is looked at: 256 KiB.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// The most readings of one message.
const READINGS_MAX: usize = 4096;

/// How many topics, and how many channel names, are remembered; more are decoded all the same, a little slower.
const REMEMBERED_MAX: usize = 1 << 17;

/// Name of the channel when neither topic nor payload gives one, and of the member that is the channel itself when
/// the topic names it.
const ONLY_CHANNEL: &str = "value";

/// A kind of topic and what comes on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// How the topic names series and channel.
    pub template: TopicTemplate,
    /// How the payload carries values.
    pub payload: PayloadSpec,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Position of the route in the decoder's list.
    pub route: usize,
    /// At least one reading; all of one series at one event time. A channel with [`Quality::Missing`] may be a
    /// member that never is a number: only a series that knows the channel should count it as heard.
    pub readings: Vec<Reading>,
    /// Members left out since they are no number though channels of this name have been.
    pub n_wrong_type: u32,
    /// Members left out since their name is none.
    pub n_bad_name: u32,
}

/// Decodes messages by the first route whose template matches the topic.
#[derive(Debug)]
pub struct MessageDecoder {
    routes: Vec<Route>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    topics: HashMap<Box<str>, Topic>,
    names: Names,
}

#[derive(Debug, Clone)]
struct Topic {
    route: usize,
    names: TopicMatch,
}

/// Channel names seen, and the order in which the last object named them: most objects repeat it.
#[derive(Debug, Default)]
struct Names {
    known: HashSet<ChannelName>,
    order: Vec<ChannelName>,
}

impl MessageDecoder {
    /// A decoder for these routes; where several match, the first counts.
    pub fn new(routes: Vec<Route>) -> Self {
        Self { routes, memory: Mutex::default() }
    }

    /// A decoder for one route.
    pub fn single(template: TopicTemplate, payload: PayloadSpec) -> Self {
        Self::new(vec![Route { template, payload }])
    }

    /// The routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What to subscribe to, each filter once.
    pub fn filters(&self) -> Vec<TopicFilter> {
        let mut filters: Vec<_> = self.routes.iter().map(|route| route.template.filter().clone()).collect();
        filters.sort();
        filters.dedup();
        filters
    }

    /// Decodes a message.
    ///
    /// # Errors
    /// When the message gives no reading; see [`DecodeError`].
    pub fn decode(&self, topic: &str, payload: &[u8], received_at: Timestamp) -> Result<Decoded, DecodeError> {
        self.decode_at(topic, payload, Some(received_at))
    }

    /// Decodes a message that the broker had kept: its arrival says nothing about its age.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and when the message has no event time of its own.
    pub fn decode_retained(&self, topic: &str, payload: &[u8]) -> Result<Decoded, DecodeError> {
        self.decode_at(topic, payload, None)
    }

    fn decode_at(&self, topic: &str, payload: &[u8], arrival: Option<Timestamp>) -> Result<Decoded, DecodeError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory { topics, names } = &mut *memory;
        let found;
        let topic = match topics.get(topic) {
            Some(topic) => topic,
            None => {
                found = self.find(topic)?;
                if topics.len() < REMEMBERED_MAX {
                    topics.insert(topic.into(), found.clone());
                }
                &found
            }
        };
        if payload.is_empty() {
            return Err(DecodeError::Empty);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::TooLarge { found: payload.len() });
        }
        let spec = &self.routes[topic.route].payload;
        let mut message = Message { topic, spec, arrival, names };
        match spec.format {
            PayloadFormat::Number if payload.trim_ascii_start().starts_with(b"{") => {
                or_without_nan(payload, |payload| message.read_value(payload))
            }
            PayloadFormat::Number => message.read_number(payload),
            PayloadFormat::Json => or_without_nan(payload, |payload| message.read_value(payload)),
            PayloadFormat::JsonObject => or_without_nan(payload, |payload| message.read_object(payload)),
        }
    }

    fn find(&self, topic: &str) -> Result<Topic, DecodeError> {
        let matches = self.routes.iter().enumerate();
        let mut matches = matches.filter_map(|(route, r)| r.template.matches(topic).map(|names| (route, names)));
        match matches.next() {
            Some((route, names)) => Ok(Topic { route, names: names? }),
            None => Err(DecodeError::NoTemplate { topic: topic.chars().take(200).collect() }),
        }
    }
}

/// Reads a document, and once more without bare NaN when that is what makes it malformed.
fn or_without_nan(
    payload: &[u8],
    mut read: impl FnMut(&[u8]) -> Result<Decoded, DecodeError>,
) -> Result<Decoded, DecodeError> {
    match read(payload) {
        Err(error @ DecodeError::MalformedJson { .. }) => match json::without_bare_nan(payload) {
            Some(payload) => read(&payload),
            None => Err(error),
        },
        other => other,
    }
}

/// A message whose topic is known.
struct Message<'a> {
    topic: &'a Topic,
    spec: &'a PayloadSpec,
    arrival: Option<Timestamp>,
    names: &'a mut Names,
}

impl Message<'_> {
    fn read_number(&mut self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let at = self.arrival.ok_or(DecodeError::RetainedWithoutTime)?;
        let value = number::read(payload)?;
        Ok(self.one_reading(value, at))
    }

    fn read_value(&mut self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let found = json::scan(payload, self.spec, Wanted::Value, &mut |_, _| {}).map_err(malformed)?;
        let pointer = || self.spec.value.as_str().to_owned();
        let value = match found.value.as_ref().ok_or_else(|| DecodeError::ValueMissing { pointer: pointer() })? {
            Scalar::Number(number) => Some(*number),
            Scalar::Bool(is_on) => Some(f64::from(u8::from(*is_on))),
            Scalar::Null => None,
            Scalar::Text(text) => match number::read(text.as_bytes()) {
                Ok(value) => value,
                Err(_) => return Err(wrong_type(pointer(), "a number", "a string")),
            },
            Scalar::Composite => return Err(wrong_type(pointer(), "a number", Scalar::Composite.kind())),
        };
        let at = self.event_time(&found)?;
        Ok(self.one_reading(value, at))
    }

    fn read_object(&mut self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let Message { topic, spec, names, .. } = self;
        let placeholder = Timestamp::from_ms(0);
        let mut decoded = Decoded {
            route: topic.route,
            readings: Vec::with_capacity(names.order.len()),
            n_wrong_type: 0,
            n_bad_name: 0,
        };
        let mut is_too_long = false;
        let found = json::scan(payload, spec, Wanted::Channels, &mut |member, scalar| {
            if !spec.takes(member) {
                return;
            }
            let (value, quality) = match scalar {
                Scalar::Number(number) => (number, Quality::Good),
                Scalar::Null => (0.0, Quality::Missing),
                _ => {
                    decoded.n_wrong_type += u32::from(names.knows(&topic.names, member) || !spec.include.is_empty());
                    return;
                }
            };
            let Some(channel) = names.channel(&topic.names, member, decoded.readings.len()) else {
                decoded.n_bad_name += 1;
                return;
            };
            if decoded.readings.len() == READINGS_MAX {
                is_too_long = true;
                return;
            }
            let series = topic.names.series.clone();
            decoded.readings.push(Reading { series, channel, at: placeholder, value, quality });
        });
        let found = found.map_err(malformed)?;
        let pointer = || spec.channels.as_str().to_owned();
        match &found.channels {
            None => return Err(DecodeError::ValueMissing { pointer: pointer() }),
            Some(Scalar::Composite) => {}
            // The channel is named by the topic, so a bare number says all there is to say.
            Some(Scalar::Number(number)) if topic.names.channel.is_some() => {
                let (number, at) = (*number, self.event_time(&found)?);
                return Ok(self.one_reading(Some(number), at));
            }
            Some(other) => return Err(wrong_type(pointer(), "an object", other.kind())),
        }
        if is_too_long {
            return Err(DecodeError::TooManyChannels { allowed: READINGS_MAX });
        }
        if decoded.readings.is_empty() {
            return Err(match decoded.n_wrong_type {
                0 => DecodeError::NoChannels,
                _ => wrong_type(pointer(), "numbers", "other members only"),
            });
        }
        let at = self.event_time(&found)?;
        for reading in &mut decoded.readings {
            reading.at = at;
        }
        Ok(decoded)
    }

    fn event_time(&self, found: &Found<'_>) -> Result<Timestamp, DecodeError> {
        match (&found.time, &self.spec.time) {
            (Some(time), pointer) => self.spec.time_format.read(time, pointer.as_ref()),
            (None, Some(pointer)) => Err(DecodeError::TimeMissing { pointer: pointer.as_str().to_owned() }),
            (None, None) => self.arrival.ok_or(DecodeError::RetainedWithoutTime),
        }
    }

    fn one_reading(&mut self, value: Option<f64>, at: Timestamp) -> Decoded {
        let TopicMatch { series, channel } = &self.topic.names;
        let channel = channel.clone().or_else(|| self.names.get(ONLY_CHANNEL));
        let quality = if value.is_some() { Quality::Good } else { Quality::Missing };
        let readings = channel.map(|channel| Reading {
            series: series.clone(),
            channel,
            at,
            value: value.unwrap_or(0.0),
            quality,
        });
        Decoded { route: self.topic.route, readings: readings.into_iter().collect(), n_wrong_type: 0, n_bad_name: 0 }
    }
}

impl Names {
    /// The channel of a member, which is the `position`-th reading of its message; none when it has no proper name.
    fn channel(&mut self, topic: &TopicMatch, member: &str, position: usize) -> Option<ChannelName> {
        if let Some(channel) = &topic.channel {
            return match member {
                ONLY_CHANNEL => Some(channel.clone()),
                _ => self.get(&format!("{channel}/{member}")),
            };
        }
        if let Some(expected) = self.order.get(position)
            && expected.as_str() == member
        {
            return Some(expected.clone());
        }
        let name = self.get(member)?;
        if position < self.order.len() {
            self.order[position] = name.clone();
        } else if position == self.order.len() {
            self.order.push(name.clone());
        }
        Some(name)
    }

    fn get(&mut self, text: &str) -> Option<ChannelName> {
        if let Some(name) = self.known.get(text) {
            return Some(name.clone());
        }
        let name = ChannelName::parse(text).ok()?;
        if self.known.len() < REMEMBERED_MAX {
            self.known.insert(name.clone());
        }
        Some(name)
    }

    fn knows(&self, topic: &TopicMatch, member: &str) -> bool {
        match &topic.channel {
            Some(_) if member == ONLY_CHANNEL => true,
            Some(channel) => self.known.contains(format!("{channel}/{member}").as_str()),
            None => self.known.contains(member),
        }
    }
}

fn malformed(error: serde_json::Error) -> DecodeError {
    DecodeError::MalformedJson { found: error.to_string() }
}

fn wrong_type(pointer: String, expected: &'static str, found: &'static str) -> DecodeError {
    DecodeError::WrongType { pointer, expected, found }
}
