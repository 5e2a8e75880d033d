//! Lengths of time as people write them: `90d`, `12h`, `forever`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How long something is kept, or how far back something reaches: a whole number of `s`, `m`, `h`, `d`, `w` or `y`
/// (365 days), or `forever`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(Option<i64>);

/// Why a text is no [`Age`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a length of time; allowed: a whole number with s, m, h, d, w or y, or \"forever\"")]
pub struct AgeError {
    /// The text.
    pub found: String,
}

/// Units, longest first, with their length in milliseconds.
const UNITS: [(&str, i64); 6] =
    [("y", 365 * 86_400_000), ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

impl Age {
    /// No end.
    pub const FOREVER: Age = Age(None);

    /// So many days.
    pub const fn days(n: u32) -> Self {
        Self(Some(n as i64 * 86_400_000))
    }

    /// Length in milliseconds; none for ever.
    pub fn as_ms(self) -> Option<i64> {
        self.0
    }
}

impl FromStr for Age {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let trimmed = text.trim();
        if trimmed == "forever" {
            return Ok(Self::FOREVER);
        }
        UNITS
            .iter()
            .find_map(|(unit, ms)| Some((trimmed.strip_suffix(unit)?, ms)))
            .filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|(digits, ms)| digits.parse::<i64>().ok()?.checked_mul(*ms))
            .map(|ms| Self(Some(ms)))
            .ok_or_else(|| AgeError { found: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for Age {
    type Error = AgeError;
    fn try_from(text: String) -> Result<Self, AgeError> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> String {
        age.to_string()
    }
}

/// In the largest unit that divides it.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ms) = self.0 else { return f.write_str("forever") };
        match UNITS.iter().find(|(_, unit)| ms > 0 && ms % unit == 0) {
            Some((name, unit)) => write!(f, "{}{name}", ms / unit),
            None => write!(f, "{}s", ms / 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_reads_back_as_it_was_written() {
        for (text, ms) in [("90d", 7_776_000_000), ("12h", 43_200_000), ("2w", 1_209_600_000), ("1y", 31_536_000_000)] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.as_ms(), Some(ms));
            assert_eq!(age.to_string(), text);
        }
        assert_eq!("forever".parse::<Age>().unwrap().as_ms(), None);
        assert_eq!("0s".parse::<Age>().unwrap().to_string(), "0s");
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in ["", "d", "5", "-1d", "1.5h", "99999999999999999y", "1 fortnight"] {
            assert!(text.parse::<Age>().is_err(), "{text}");
        }
    }
}
