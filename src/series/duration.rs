//! Lengths of time as people write them: `"500ms"`, `"5s"`, `"1m30s"`, `"7d"`. It knows no clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Stride, StrideError};

/// A length of time, in whole milliseconds, written with units: `ms`, `s`, `m`, `h`, `d`, `w`, joined without or
/// with spaces, largest first by habit (`"1h 30m"`). `"0"` needs no unit; any other bare number is refused, since
/// nobody knows what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HumanDuration(u64);

/// The longest length: 100 years of 366 days.
const LONGEST_MS: u64 = 36_600 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

/// Units from large to small, for reading and printing.
const UNITS: [(&str, u64); 6] =
    [("w", 7 * DAY_MS), ("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not a length of time up to 100 years; allowed: numbers with a unit of ms, s, m, h, d or w, as in \"1m30s\""
)]
pub struct DurationError {
    /// The text.
    pub found: String,
}

impl HumanDuration {
    /// No time at all.
    pub const ZERO: HumanDuration = HumanDuration(0);

    /// A length of so many milliseconds; above 100 years it is 100 years.
    pub const fn from_ms(ms: u64) -> Self {
        Self(if ms > LONGEST_MS { LONGEST_MS } else { ms })
    }

    /// A length of so many seconds; above 100 years it is 100 years.
    pub const fn from_secs(seconds: u64) -> Self {
        Self::from_ms(seconds.saturating_mul(1000))
    }

    /// Reads `"500ms"`, `"5s"`, `"1.5h"`, `"1h 30m"`, `"0"`.
    ///
    /// # Errors
    /// When the text is empty, has an unknown or missing unit, or exceeds 100 years.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError { found: text.chars().take(64).collect() };
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        let mut total_ms = 0.0_f64;
        if rest.is_empty() {
            return Err(error());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
            let number: f64 = rest[..digits].parse().map_err(|_| error())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == &rest[..letters]).ok_or_else(error)?;
            total_ms += number * *unit_ms as f64;
            rest = rest[letters..].trim_start();
        }
        let rounded = total_ms.round();
        if rounded > LONGEST_MS as f64 {
            return Err(error());
        }
        Ok(Self(rounded as u64))
    }

    /// The length in milliseconds.
    pub const fn as_ms(self) -> i64 {
        self.0 as i64
    }

    /// The length in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The length as the standard library has it.
    pub const fn to_std(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// The length as the spacing of a grid.
    ///
    /// # Errors
    /// When it is below 1 ms or above 24 days.
    pub fn to_stride(self) -> Result<Stride, StrideError> {
        Stride::from_ms(self.as_ms())
    }
}

impl From<Stride> for HumanDuration {
    fn from(stride: Stride) -> Self {
        Self::from_ms(stride.as_ms().unsigned_abs())
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for HumanDuration {
    type Error = DurationError;
    fn try_from(text: String) -> Result<Self, DurationError> {
        Self::parse(&text)
    }
}

impl From<HumanDuration> for String {
    fn from(length: HumanDuration) -> String {
        length.to_string()
    }
}

/// The shortest exact spelling: `90s` is printed as `1m30s`, nothing as `0s`.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (name, unit_ms) in UNITS {
            if rest >= unit_ms {
                write!(f, "{}{name}", rest / unit_ms)?;
                rest %= unit_ms;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(HumanDuration::parse(text).ok(), expected.map(HumanDuration), "{text:?}");
        };
        check("500ms", Some(500));
        check("5s", Some(5000));
        check("1m30s", Some(90_000));
        check(" 1h 30m ", Some(5_400_000));
        check("1.5 h", Some(5_400_000));
        check("7d", Some(604_800_000));
        check("2w", Some(1_209_600_000));
        check("0", Some(0));
        check("", None);
        check("5", None);
        check("5 parsecs", None);
        check("-5s", None);
        check("s", None);
        check("1..5s", None);
        check("99999999999999999999d", None);
        check("5sé", None);
    }

    #[test]
    fn a_length_survives_printing_and_reading() {
        for ms in [0, 1, 999, 1000, 90_000, 3_600_000, 86_400_000 * 20 + 61_001, LONGEST_MS] {
            let length = HumanDuration::from_ms(ms);
            assert_eq!(HumanDuration::parse(&length.to_string()), Ok(length));
        }
        assert_eq!(HumanDuration::from_secs(90).to_string(), "1m30s");
    }
}
