//! Names of series and channels, parsed once at the edge.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes: MQTT topics and HTTP paths stay readable, and an index entry stays small.
pub const NAME_BYTES_MAX: usize = 200;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name needs at least one character")]
    Empty,
    /// The text is longer than [`NAME_BYTES_MAX`].
    #[error("a name has at most {NAME_BYTES_MAX} bytes, this one has {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The text holds a control character or a character MQTT keeps for itself (`+`, `#`).
    #[error("a name has no control characters, '+' or '#'; found {found:?} at byte {at}")]
    Forbidden {
        /// The character.
        found: char,
        /// Its byte position.
        at: usize,
    },
}

fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { found: text.len() });
    }
    match text.char_indices().find(|(_, c)| c.is_control() || matches!(c, '+' | '#')) {
        Some((at, found)) => Err(NameError::Forbidden { found, at }),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text and makes it a name.
            ///
            /// # Errors
            /// When the text is empty, longer than [`NAME_BYTES_MAX`] bytes, or holds a control character, `+` or `#`.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check_name(text).map(|()| Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// One monitored thing with its channels, scored together. Cheap to clone.
    SeriesId
}
name_type! {
    /// One measured quantity of a series. Cheap to clone.
    ChannelName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_door() {
        let check = |text: &str, expected: Result<(), NameError>| {
            assert_eq!(SeriesId::parse(text).map(|_| ()), expected, "{text:?}");
        };
        check("hall 1/pump-3", Ok(()));
        check("", Err(NameError::Empty));
        check("a+b", Err(NameError::Forbidden { found: '+', at: 1 }));
        check("tab\there", Err(NameError::Forbidden { found: '\t', at: 3 }));
        check(&"x".repeat(201), Err(NameError::TooLong { found: 201 }));
        check(&"x".repeat(200), Ok(()));
    }
}
