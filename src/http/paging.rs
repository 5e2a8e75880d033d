//! Ranges, limits and links to the next part.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::ApiError;
use super::view::Moment;
use crate::series::Timestamp;

/// What may stand in a path segment or a query value without being encoded (RFC 3986, unreserved).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as a path segment or a query value.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The limit asked for, or the default.
pub(super) fn check_limit(asked: Option<u32>, default: u32, max: u32) -> Result<u32, ApiError> {
    match asked.unwrap_or(default) {
        limit if (1..=max).contains(&limit) => Ok(limit),
        found => Err(ApiError::Parameter {
            parameter: "limit",
            found: found.to_string(),
            expected: format!("a number from 1 to {max}"),
        }),
    }
}

/// The half-open range asked for.
pub(super) fn check_range(
    start: Option<Moment>,
    end: Option<Moment>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        return Err(ApiError::Parameter {
            parameter: "end",
            found: end.to_string(),
            expected: format!("a time not before start, {start}"),
        });
    }
    Ok((start.map(|moment| moment.0), end.map(|moment| moment.0)))
}

/// Builds a path with a query, leaving out parameters without a value.
#[derive(Debug)]
pub(super) struct Link {
    text: String,
    separator: char,
}

impl Link {
    pub(super) fn new(path: impl Into<String>) -> Self {
        Self { text: path.into(), separator: '?' }
    }

    pub(super) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{}{name}={}", self.separator, encode(&value.to_string()));
            self.separator = '&';
        }
        self
    }

    pub(super) fn build(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_encodes_what_a_query_cannot_hold() {
        let link = Link::new(format!("/api/v1/series/{}/scores", encode("hall 1/pump")))
            .with("start", Some("2026-11-24T12:00:00Z"))
            .with("end", None::<String>)
            .with("limit", Some(5));
        assert_eq!(link.build(), "/api/v1/series/hall%201%2Fpump/scores?start=2026-11-24T12%3A00%3A00Z&limit=5");
    }

    #[test]
    fn a_range_may_be_empty_but_not_backwards() {
        let at = |ms| Some(Moment(Timestamp::from_ms(ms)));
        assert!(check_range(at(5), at(5)).is_ok());
        assert!(check_range(at(5), None).is_ok());
        assert!(check_range(at(5), at(4)).is_err());
        assert!(check_limit(Some(0), 10, 100).is_err());
        assert_eq!(check_limit(None, 10, 100).unwrap(), 10);
    }
}
