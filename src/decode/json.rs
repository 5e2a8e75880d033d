//! One pass over a JSON document that keeps only what the pointers lead to; no tree is built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::PayloadSpec;

/// A JSON value without its inside.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Bool(bool),
    Null,
    Composite,
}

impl Scalar<'_> {
    /// What it is, in JSON's words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Scalar::Number(_) => "a number",
            Scalar::Text(_) => "a string",
            Scalar::Bool(_) => "a boolean",
            Scalar::Null => "null",
            Scalar::Composite => "an object or array",
        }
    }
}

/// What a pass has found.
#[derive(Debug)]
pub(super) struct Found<'de> {
    pub(super) value: Option<Scalar<'de>>,
    pub(super) time: Option<Scalar<'de>>,
    /// What stands where the channels should be: an object is [`Scalar::Composite`].
    pub(super) channels: Option<Scalar<'de>>,
}

/// Which pointers are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Value,
    Channels,
}

/// Reads a document. `member` gets every member of the object with the channels, except the event time.
///
/// # Errors
/// When the document is not JSON.
pub(super) fn scan<'de>(
    payload: &'de [u8],
    spec: &PayloadSpec,
    wanted: Wanted,
    member: &mut dyn FnMut(&str, Scalar<'de>),
) -> Result<Found<'de>, serde_json::Error> {
    let mut pass = Pass { found: Found { value: None, time: None, channels: None }, member };
    let cursor = Cursor {
        value: (wanted == Wanted::Value).then(|| spec.value.tokens()),
        channels: (wanted == Wanted::Channels).then(|| spec.channels.tokens()),
        time: spec.time.as_ref().map(|pointer| pointer.tokens()),
        guesses_time: spec.time.is_none(),
    };
    let mut parser = serde_json::Deserializer::from_slice(payload);
    Node { cursor, is_member: false, pass: &mut pass }.deserialize(&mut parser)?;
    parser.end()?;
    Ok(pass.found)
}

/// The document with bare `NaN`, `Infinity` and `-Infinity` (Python's `json.dumps` writes them) replaced by `null`,
/// or nothing when it has none.
pub(super) fn without_bare_nan(payload: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
    let mut out = Vec::with_capacity(payload.len());
    let (mut in_text, mut is_escaped, mut is_changed) = (false, false, false);
    let mut rest = payload;
    while let Some((&byte, after)) = rest.split_first() {
        if !in_text && let Some(word) = WORDS.iter().find(|word| rest.starts_with(word)) {
            out.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            is_changed = true;
            continue;
        }
        in_text ^= byte == b'"' && !is_escaped;
        is_escaped = in_text && byte == b'\\' && !is_escaped;
        out.push(byte);
        rest = after;
    }
    is_changed.then_some(out)
}

/// The rest of the way to each pointer's target; empty means here, none means not on the way.
#[derive(Debug, Clone, Copy)]
struct Cursor<'s> {
    value: Option<&'s [String]>,
    channels: Option<&'s [String]>,
    time: Option<&'s [String]>,
    /// True at the top of the document when no pointer says where the event time is.
    guesses_time: bool,
}

impl<'s> Cursor<'s> {
    fn is_dead(self) -> bool {
        self.value.is_none() && self.channels.is_none() && self.time.is_none()
    }

    fn descend(self, is_token: impl Fn(&str) -> bool, is_time_name: bool) -> Cursor<'s> {
        let step = |path: Option<&'s [String]>| {
            path.and_then(<[String]>::split_first).filter(|(token, _)| is_token(token)).map(|(_, rest)| rest)
        };
        let time = if self.guesses_time && is_time_name { Some(&[][..]) } else { step(self.time) };
        Cursor { value: step(self.value), channels: step(self.channels), time, guesses_time: false }
    }
}

/// True when a path ends here.
fn ends(path: Option<&[String]>) -> bool {
    path.is_some_and(<[String]>::is_empty)
}

struct Pass<'de, 'm> {
    found: Found<'de>,
    member: &'m mut dyn FnMut(&str, Scalar<'de>),
}

struct Node<'s, 'p, 'de, 'm> {
    cursor: Cursor<'s>,
    is_member: bool,
    pass: &'p mut Pass<'de, 'm>,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_, 'de, '_> {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Scalar<'de>, D::Error> {
        let Node { cursor, is_member, pass } = self;
        if cursor.is_dead() && !is_member {
            return from.deserialize_ignored_any(IgnoredAny).map(|_| Scalar::Composite);
        }
        let scalar = from.deserialize_any(Node { cursor, is_member, pass: &mut *pass })?;
        if ends(cursor.value) {
            pass.found.value = Some(scalar.clone());
        }
        if ends(cursor.time) {
            pass.found.time = Some(scalar.clone());
        }
        if ends(cursor.channels) {
            pass.found.channels = Some(scalar.clone());
        }
        Ok(scalar)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, 'de, '_> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        let mut index = 0_usize;
        loop {
            let cursor = self.cursor.descend(|token| token.parse() == Ok(index), false);
            if seq.next_element_seed(Node { cursor, is_member: false, pass: &mut *self.pass })?.is_none() {
                return Ok(Scalar::Composite);
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        let holds_channels = ends(self.cursor.channels);
        while let Some(key) = map.next_key_seed(Key)? {
            let is_time_name = key == "time" || key == "timestamp";
            let cursor = self.cursor.descend(|token| token == key, is_time_name);
            let is_member = holds_channels && !ends(cursor.time);
            let scalar = map.next_value_seed(Node { cursor, is_member, pass: &mut *self.pass })?;
            if is_member {
                (self.pass.member)(&key, scalar);
            }
        }
        Ok(Scalar::Composite)
    }
}

/// A member's name, borrowed from the document unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cow<'de, str>, D::Error> {
        from.deserialize_str(Key)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_nan_is_replaced_outside_of_text_only() {
        let check = |document: &str, expected: Option<&str>| {
            let found = without_bare_nan(document.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
            assert_eq!(found.as_deref(), expected, "{document}");
        };
        check(r#"{"a": NaN, "b": -Infinity, "c": Infinity}"#, Some(r#"{"a": null, "b": null, "c": null}"#));
        check(r#"{"NaN": "NaN", "a": 1}"#, None);
        check(r#"{"a\"": NaN, "b\\": NaN, "c": "\\\"NaN"}"#, Some(r#"{"a\"": null, "b\\": null, "c": "\\\"NaN"}"#));
        check("", None);
    }
}
