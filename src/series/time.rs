//! Event time and the spacing of the time grid, in whole milliseconds.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Unit of an epoch number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    /// Seconds, fractions allowed.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// Why a text or a number is not a moment.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TimeError {
    /// The text is in none of the accepted forms.
    #[error("{found:?} is not a time; accepted: RFC 3339, \"YYYY-MM-DD hh:mm:ss\" (UTC), or an epoch number")]
    Unreadable {
        /// The text.
        found: String,
    },
    /// The number is not finite or lies outside the years 1970 to 9999.
    #[error("{found} lies outside the years 1970 to 9999")]
    OutOfRange {
        /// The number, in seconds since the epoch.
        found: f64,
    },
}

/// Last representable moment: 9999-12-31T23:59:59.999Z, the end of RFC 3339.
const LAST_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// A moment from milliseconds since the epoch; values outside the years 1970 to 9999 are pulled to the nearest end.
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.clamp(0, LAST_MS))
    }

    /// Milliseconds since the epoch.
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// A moment from an epoch number of a known unit, rounded to the nearest millisecond.
    ///
    /// # Errors
    /// When the number is not finite or lies outside the years 1970 to 9999.
    pub fn from_epoch(number: f64, unit: EpochUnit) -> Result<Self, TimeError> {
        let ms = match unit {
            EpochUnit::Seconds => number * 1e3,
            EpochUnit::Milliseconds => number,
            EpochUnit::Microseconds => number / 1e3,
            EpochUnit::Nanoseconds => number / 1e6,
        };
        let rounded = ms.round();
        if !(0.0..=LAST_MS as f64).contains(&rounded) {
            return Err(TimeError::OutOfRange { found: ms / 1e3 });
        }
        Ok(Self(rounded as i64))
    }

    /// A moment from an epoch number whose unit is told from its size: below 1e11 seconds, below 1e14
    /// milliseconds, below 1e17 microseconds, else nanoseconds (all of them mean years after 1973 and before 5138).
    ///
    /// # Errors
    /// When the number is not finite or negative.
    pub fn from_epoch_guess(number: f64) -> Result<Self, TimeError> {
        let unit = match number.abs() {
            n if n < 1e11 => EpochUnit::Seconds,
            n if n < 1e14 => EpochUnit::Milliseconds,
            n if n < 1e17 => EpochUnit::Microseconds,
            _ => EpochUnit::Nanoseconds,
        };
        Self::from_epoch(number, unit)
    }

    /// Reads RFC 3339 (`2026-11-24T12:00:00.5+01:00`), `2026-11-24 12:00:00[.fff]` and `2026-11-24T12:00:00` (both
    /// taken as UTC), `2026-11-24` (midnight UTC), or an epoch number.
    ///
    /// # Errors
    /// When the text is none of these or the moment lies outside the years 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(number) = text.parse::<f64>() {
            return Self::from_epoch_guess(number);
        }
        let unreadable = || TimeError::Unreadable { found: text.chars().take(64).collect() };
        let moment = match text.parse::<jiff::Timestamp>() {
            Ok(moment) => moment,
            Err(_) => text
                .parse::<jiff::civil::DateTime>()
                .and_then(|civil| jiff::tz::TimeZone::UTC.to_timestamp(civil))
                .map_err(|_| unreadable())?,
        };
        let ms = moment.as_millisecond();
        if !(0..=LAST_MS).contains(&ms) {
            return Err(TimeError::OutOfRange { found: ms as f64 / 1e3 });
        }
        Ok(Self(ms))
    }

    /// The moment `ms` milliseconds later (earlier when negative), within the years 1970 to 9999.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self::from_ms(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    pub fn ms_since(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }
}

/// RFC 3339 in UTC; milliseconds are printed when there are any.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (0..YEAR_10000_MS).contains(&self.0) {
            let text = rfc3339(self.0.unsigned_abs());
            let end = if self.0 % 1000 == 0 { "2026-11-24T12:00:00".len() } else { text.len() };
            f.write_str(std::str::from_utf8(&text[..end]).map_err(|_| fmt::Error)?)?;
            return f.write_str("Z");
        }
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) if self.0 % 1000 == 0 => write!(f, "{moment}"),
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// 10000-01-01T00:00:00Z: from then on a year has five digits.
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// A moment of the years 1970 to 9999 as `2026-11-24T12:00:00.005`. A range of rows writes a hundred thousand of them, and a
/// calendar of time zones takes a third of a microsecond for each. Days become dates by Howard Hinnant's `civil_from_days`.
fn rfc3339(ms: u64) -> [u8; 23] {
    let (days, of_day) = (ms / 86_400_000 + 719_468, ms % 86_400_000);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March on.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, years) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = 400 * era + year_of_era + years;
    let mut text = *b"0000-00-00T00:00:00.000";
    let parts = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, of_day / 3_600_000),
        (14..16, of_day / 60_000 % 60),
        (17..19, of_day / 1000 % 60),
        (20..23, of_day % 1000),
    ];
    for (place, mut number) in parts {
        for digit in text[place].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    text
}

/// Why a number is not a stride.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found_ms} ms is no stride; allowed: 1 ms to 24 days")]
pub struct StrideError {
    /// Milliseconds found.
    pub found_ms: i64,
}

/// Spacing of the time grid, 1 ms to 24 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stride(NonZeroU32);

impl Stride {
    /// One second, the default.
    pub const SECOND: Stride = Stride(NonZeroU32::new(1000).unwrap());

    /// A stride of so many milliseconds.
    ///
    /// # Errors
    /// When it is below 1 ms or above 24 days (2^31 ms).
    pub fn from_ms(ms: i64) -> Result<Self, StrideError> {
        u32::try_from(ms)
            .ok()
            .filter(|ms| *ms <= i32::MAX as u32)
            .and_then(NonZeroU32::new)
            .map(Self)
            .ok_or(StrideError { found_ms: ms })
    }

    /// The stride in milliseconds.
    pub fn as_ms(self) -> i64 {
        i64::from(self.0.get())
    }

    /// The start of the grid cell that holds `at`: the largest multiple of the stride not after it.
    pub fn floor(self, at: Timestamp) -> Timestamp {
        Timestamp(at.0 - at.0.rem_euclid(self.as_ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_has_many_spellings() {
        // date -u -d '2026-11-24T12:00:00Z' +%s  → 1795521600
        let expected = Timestamp::from_ms(1_795_521_600_000);
        for text in [
            "2026-11-24T12:00:00Z",
            "2026-11-24T13:00:00+01:00",
            "2026-11-24 12:00:00",
            "2026-11-24T12:00:00",
            "2026-11-24 12:00:00.000",
            "1795521600",
            "1795521600000",
            "1795521600000000",
            "1795521600000000000",
            " 1795521600.0 ",
        ] {
            assert_eq!(Timestamp::parse(text), Ok(expected), "{text}");
        }
        assert_eq!(expected.to_string(), "2026-11-24T12:00:00Z");
        assert_eq!(expected.plus_ms(5).to_string(), "2026-11-24T12:00:00.005Z");
    }

    #[test]
    fn a_moment_is_written_as_jiff_writes_it() {
        // Every eleventh day until 9999, each at another time of day, and what lies around the ends.
        let days = (0..YEAR_10000_MS / 86_400_000).step_by(11);
        let within = days.map(|day| day * 86_400_000 + (day * 7_919_017) % 86_400_000);
        for ms in within.chain([
            0,
            1,
            951_782_399_999,
            951_782_400_000,
            jiff::Timestamp::MAX.as_millisecond() - 1000,
            YEAR_10000_MS,
            -1,
        ]) {
            let moment = jiff::Timestamp::from_millisecond(ms);
            let expected = moment.map_or(ms.to_string(), |moment| match ms % 1000 {
                0 => moment.to_string(),
                _ => format!("{moment:.3}"),
            });
            assert_eq!(Timestamp(ms).to_string(), expected, "{ms} ms");
        }
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in ["", "yesterday", "NaN", "inf", "-1", "2026-13-01", "1e300"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stride_cuts_time_into_half_open_cells() {
        let stride = Stride::from_ms(1000).expect("a second is a stride");
        assert_eq!(stride.floor(Timestamp::from_ms(1999)), Timestamp::from_ms(1000));
        assert_eq!(stride.floor(Timestamp::from_ms(2000)), Timestamp::from_ms(2000));
        assert!(Stride::from_ms(0).is_err());
        assert!(Stride::from_ms(-5).is_err());
        assert!(Stride::from_ms(1 << 31).is_err());
    }
}
