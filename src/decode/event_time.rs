//! Event time as senders write it.

use serde::{Deserialize, Serialize};

use super::json::Scalar;
use super::{DecodeError, JsonPointer};
use crate::series::{EpochUnit, TimeError, Timestamp};

/// How the event time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// Text as RFC 3339 or `YYYY-MM-DD hh:mm:ss` (UTC); a number as seconds, milliseconds, microseconds or
    /// nanoseconds since 1970, told by its size.
    #[default]
    Auto,
    /// Text only.
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// Nanoseconds since 1970.
    EpochNs,
}

impl TimeFormat {
    fn unit(self) -> Option<EpochUnit> {
        match self {
            Self::Auto | Self::Rfc3339 => None,
            Self::EpochS => Some(EpochUnit::Seconds),
            Self::EpochMs => Some(EpochUnit::Milliseconds),
            Self::EpochUs => Some(EpochUnit::Microseconds),
            Self::EpochNs => Some(EpochUnit::Nanoseconds),
        }
    }

    fn read_number(self, number: f64) -> Result<Timestamp, TimeError> {
        match self.unit() {
            Some(unit) => Timestamp::from_epoch(number, unit),
            None => Timestamp::from_epoch_guess(number),
        }
    }

    fn read_text(self, text: &str) -> Result<Timestamp, TimeError> {
        match (self.unit(), text.trim().parse::<f64>()) {
            (Some(_), Ok(number)) => self.read_number(number),
            (Some(_), Err(_)) => Err(TimeError::Unreadable { found: text.chars().take(64).collect() }),
            (None, _) => Timestamp::parse(text),
        }
    }

    /// The moment that a JSON value stands for. `pointer` says where it stood.
    pub(super) fn read(self, scalar: &Scalar<'_>, pointer: Option<&JsonPointer>) -> Result<Timestamp, DecodeError> {
        match scalar {
            Scalar::Number(number) if self != Self::Rfc3339 => Ok(self.read_number(*number)?),
            Scalar::Text(text) => Ok(self.read_text(text)?),
            other => Err(DecodeError::WrongType {
                pointer: pointer.map_or("/time", JsonPointer::as_str).to_owned(),
                expected: if self == Self::Rfc3339 { "a time as text" } else { "a time as text or number" },
                found: other.kind(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_every_format() {
        // date -u -d '2026-11-24T12:00:00Z' +%s  → 1795521600
        let expected = Timestamp::from_ms(1_795_521_600_500);
        let check = |format: TimeFormat, scalar: Scalar<'_>| {
            assert_eq!(format.read(&scalar, None), Ok(expected), "{format:?} {scalar:?}");
        };
        check(TimeFormat::Auto, Scalar::Text("2026-11-24T12:00:00.5Z".into()));
        check(TimeFormat::Rfc3339, Scalar::Text("2026-11-24T13:00:00.5+01:00".into()));
        check(TimeFormat::Auto, Scalar::Number(1_795_521_600.5));
        check(TimeFormat::EpochS, Scalar::Number(1_795_521_600.5));
        check(TimeFormat::EpochMs, Scalar::Number(1_795_521_600_500.0));
        check(TimeFormat::EpochUs, Scalar::Number(1_795_521_600_500_000.0));
        check(TimeFormat::EpochNs, Scalar::Number(1_795_521_600_500_000_000.0));
        check(TimeFormat::EpochMs, Scalar::Text("1795521600500".into()));
        for wrong in [Scalar::Null, Scalar::Bool(true), Scalar::Composite] {
            assert_eq!(TimeFormat::Auto.read(&wrong, None).map_err(|e| e.reason()), Err("wrong_type"));
        }
        assert_eq!(TimeFormat::Rfc3339.read(&Scalar::Number(1.0), None).map_err(|e| e.reason()), Err("wrong_type"));
        assert_eq!(
            TimeFormat::EpochS.read(&Scalar::Number(-1.0), None).map_err(|e| e.reason()),
            Err("time_unreadable")
        );
    }
}
