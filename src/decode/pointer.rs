//! A place inside a JSON document (RFC 6901): `/data/temperature`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A JSON pointer; the empty one is the whole document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPointer {
    text: String,
    tokens: Vec<String>,
}

/// Why a text is not a JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a JSON pointer; allowed: nothing, or a text that begins with '/', as in \"/data/value\"")]
pub struct PointerError {
    /// The text.
    pub found: String,
}

impl JsonPointer {
    /// Checks a text and makes it a pointer.
    ///
    /// # Errors
    /// When it is not empty and does not begin with `/`, or a `~` is not followed by `0` or `1`.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let error = || PointerError { found: text.chars().take(200).collect() };
        if text.is_empty() {
            return Ok(Self::default());
        }
        let path = text.strip_prefix('/').ok_or_else(error)?;
        if path.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
            return Err(error());
        }
        let tokens = path.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// The pointer as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names on the way, unescaped.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }
}

impl TryFrom<String> for JsonPointer {
    type Error = PointerError;
    fn try_from(text: String) -> Result<Self, PointerError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for JsonPointer {
    type Err = PointerError;
    fn from_str(text: &str) -> Result<Self, PointerError> {
        Self::parse(text)
    }
}

impl From<JsonPointer> for String {
    fn from(pointer: JsonPointer) -> String {
        pointer.text
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6901, section 5.
    #[test]
    fn pointers_are_read_as_the_rfc_says() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(JsonPointer::parse(text).expect("valid").tokens(), expected, "{text}");
        };
        check("", &[]);
        check("/foo", &["foo"]);
        check("/foo/0", &["foo", "0"]);
        check("/", &[""]);
        check("/a~1b", &["a/b"]);
        check("/m~0n", &["m~n"]);
        check("/~01", &["~1"]);
        assert!(JsonPointer::parse("foo").is_err());
        assert!(JsonPointer::parse("/a~2").is_err());
        assert!(JsonPointer::parse("/a~").is_err());
    }
}
