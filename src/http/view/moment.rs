//! A moment as the API writes and reads it.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::series::{TimeError, Timestamp};

/// A [`Timestamp`] that is RFC 3339 in UTC in JSON and in queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// The clock's time.
    pub fn now() -> Self {
        Self(Timestamp::from_ms(jiff::Timestamp::now().as_millisecond()))
    }

    /// Reads RFC 3339 and the other written forms of [`Timestamp::parse`], but no epoch numbers: whether `1795521600`
    /// means seconds or milliseconds would be a guess. A `+` of a time zone that a careless client did not
    /// percent-encode arrives as a space and is read as the `+` that was meant; a time before 1970 or after 9999 is the
    /// nearest one that can be stored, which asks for the same rows.
    ///
    /// # Errors
    /// When the text is not a written time.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        if text.trim().parse::<f64>().is_ok() {
            return Err(TimeError::Unreadable { found: text.chars().take(64).collect() });
        }
        let read = |text: &str| match Timestamp::parse(text) {
            Err(TimeError::OutOfRange { found }) => Ok(Timestamp::from_ms((found * 1e3) as i64)),
            other => other,
        };
        read(text)
            .or_else(|error| match text.rsplit_once(' ') {
                Some((time, zone)) => read(&format!("{time}+{zone}")).map_err(|_| error),
                None => Err(error),
            })
            .map(Self)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC"))
            .into()
    }
}

impl ToSchema for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_rfc_3339_in_utc_both_ways() {
        let at = Moment(Timestamp::from_ms(1_795_521_600_005));
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2026-11-24T12:00:00.005Z\"");
        for text in ["2026-11-24T13:00:00.005+01:00", "2026-11-24T13:00:00.005 01:00", "2026-11-24 12:00:00.005"] {
            assert_eq!(Moment::parse(text), Ok(at), "{text}");
        }
        for text in ["tomorrow noon", "1795521600005", "0.5", ""] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
        assert_eq!(Moment::parse("0350-12-18T03:24:16Z"), Ok(Moment(Timestamp::from_ms(0))));
    }
}
