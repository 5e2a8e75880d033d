//! How long something is kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::series::{DurationError, HumanDuration};

/// How long something is kept: a length of time such as `90d`, or `forever`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age(Option<HumanDuration>);

impl Age {
    /// No end.
    pub const FOREVER: Age = Age(None);

    /// So many days.
    pub const fn days(n: u64) -> Self {
        Self(Some(HumanDuration::from_secs(n * 86_400)))
    }

    /// Length in milliseconds; none for ever.
    pub fn as_ms(self) -> Option<i64> {
        self.0.map(HumanDuration::as_ms)
    }
}

impl FromStr for Age {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        match text.trim() {
            "forever" => Ok(Self::FOREVER),
            length => HumanDuration::parse(length).map(|length| Self(Some(length))),
        }
    }
}

impl TryFrom<String> for Age {
    type Error = DurationError;
    fn try_from(text: String) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> String {
        age.to_string()
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("forever"),
            Some(length) => length.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_length_of_time_or_for_ever() {
        assert_eq!("90d".parse::<Age>().unwrap().as_ms(), Some(7_776_000_000));
        assert_eq!("forever".parse::<Age>().unwrap(), Age::FOREVER);
        assert!("never".parse::<Age>().is_err());
        for age in [Age::days(90), Age::FOREVER] {
            assert_eq!(age.to_string().parse::<Age>().unwrap(), age);
        }
    }
}
