//! Maintenance that comes again: weekdays and local times in a time zone, right across daylight-saving changes.
//!
//! A window is given in local time, so the same `22:00` to `06:00` is seven hours long in the night when clocks go
//! forward and nine when they go back. A time that does not exist that day counts as the moment after the gap, one that
//! exists twice as the first of the two.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::series::Timestamp;

/// Occurrences looked at when spans are listed: more than ten years of nights.
const OCCURRENCES_MAX: usize = 4_000;

/// Why something is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// No weekday.
    #[error("weekdays: found {found:?}, allowed: monday to sunday")]
    Weekday {
        /// The word.
        found: String,
    },
    /// No time of day.
    #[error("{field}: found {found:?}, expected a local time as in 22:00")]
    Time {
        /// Which.
        field: &'static str,
        /// The text.
        found: String,
    },
    /// No time zone.
    #[error("location: found {found:?}, expected a time zone as in Europe/Berlin")]
    TimeZone {
        /// The text.
        found: String,
    },
}

/// A schedule as it is written in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleSpec {
    /// Days on which a window begins; none for every day.
    #[serde(default)]
    pub weekdays: Vec<String>,
    /// Local time at which it begins, `hh:mm`.
    pub start_time: String,
    /// Local time at which it ends; not after `start_time` means on the next day.
    pub end_time: String,
    /// Time zone, as in `Europe/Berlin`; UTC when left out.
    #[serde(default = "utc")]
    pub location: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Windows that come again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "ScheduleSpec", into = "ScheduleSpec")]
pub struct Schedule {
    spec: ScheduleSpec,
    /// `[monday, …, sunday]`.
    is_day: [bool; 7],
    start: Time,
    end: Time,
    zone: TimeZone,
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl TryFrom<ScheduleSpec> for Schedule {
    type Error = ScheduleError;

    fn try_from(spec: ScheduleSpec) -> Result<Self, ScheduleError> {
        let mut is_day = [spec.weekdays.is_empty(); 7];
        for word in &spec.weekdays {
            let day = WEEKDAYS.iter().position(|day| *day == word);
            let found = || ScheduleError::Weekday { found: word.chars().take(64).collect() };
            is_day[day.ok_or_else(found)?] = true;
        }
        let time = |field: &'static str, text: &str| {
            let found = || ScheduleError::Time { field, found: text.chars().take(64).collect() };
            let (hour, minute) = text.split_once(':').ok_or_else(found)?;
            let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            if !digits(hour) || !digits(minute) {
                return Err(found());
            }
            match (hour.parse(), minute.parse()) {
                (Ok(hour), Ok(minute)) => Time::new(hour, minute, 0, 0).map_err(|_| found()),
                _ => Err(found()),
            }
        };
        let (start, end) = (time("startTime", &spec.start_time)?, time("endTime", &spec.end_time)?);
        let no_zone = |_| ScheduleError::TimeZone { found: spec.location.chars().take(64).collect() };
        let zone = TimeZone::get(&spec.location).map_err(no_zone)?;
        Ok(Self { spec, is_day, start, end, zone })
    }
}

impl From<Schedule> for ScheduleSpec {
    fn from(schedule: Schedule) -> Self {
        schedule.spec
    }
}

impl Schedule {
    /// As it is written in JSON.
    pub fn spec(&self) -> &ScheduleSpec {
        &self.spec
    }

    /// True when a window is open at a time.
    pub fn covers(&self, at: Timestamp) -> bool {
        let Some(today) = self.local_date(at) else { return false };
        // A window that began yesterday may still be open.
        let days = [today.yesterday().ok(), Some(today)];
        days.into_iter().flatten().filter_map(|day| self.occurrence(day)).any(|(start, end)| start <= at && at < end)
    }

    /// Windows within `[from, to)`, oldest first.
    pub fn spans(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let mut next = self.local_date(from).and_then(|day| day.yesterday().ok());
        let mut spans = Vec::new();
        for _ in 0..OCCURRENCES_MAX {
            let Some(day) = next else { break };
            next = day.tomorrow().ok();
            let begins = self.moment(day, self.start);
            if begins.is_none_or(|begins| begins >= to) {
                break;
            }
            if let Some((start, end)) = self.occurrence(day).map(|(start, end)| (start.max(from), end.min(to)))
                && start < end
            {
                spans.push((start, end));
            }
        }
        spans
    }

    /// The window that begins on a day, if one does.
    fn occurrence(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.is_day[day.weekday().to_monday_zero_offset() as usize] {
            return None;
        }
        let last = if self.end > self.start { day } else { day.tomorrow().ok()? };
        Some((self.moment(day, self.start)?, self.moment(last, self.end)?))
    }

    fn local_date(&self, at: Timestamp) -> Option<Date> {
        let at = jiff::Timestamp::from_millisecond(at.as_ms()).ok()?;
        Some(self.zone.to_datetime(at).date())
    }

    fn moment(&self, day: Date, time: Time) -> Option<Timestamp> {
        let at = self.zone.to_timestamp(day.to_datetime(time)).ok()?;
        Some(Timestamp::from_ms(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nights(location: &str, weekdays: &[&str]) -> Schedule {
        ScheduleSpec {
            weekdays: weekdays.iter().map(|day| (*day).to_owned()).collect(),
            start_time: "22:00".to_owned(),
            end_time: "06:00".to_owned(),
            location: location.to_owned(),
        }
        .try_into()
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_night_is_as_long_as_the_clocks_make_it() {
        // Berlin: clocks go forward on 2026-03-29 at 01:00 UTC and back on 2026-10-25 at 01:00 UTC (tz database).
        let check = |from: &str, to: &str, hours: i64| {
            let spans = nights("Europe/Berlin", &[]).spans(at(from), at(to));
            let lengths: Vec<i64> = spans.iter().map(|(start, end)| end.ms_since(*start) / 3_600_000).collect();
            assert_eq!(lengths, [hours], "{spans:?}");
        };
        check("2026-03-27T12:00:00Z", "2026-03-28T12:00:00Z", 8);
        check("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 7);
        check("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", 9);
        let berlin = nights("Europe/Berlin", &[]);
        for (time, is_covered) in [
            ("2026-03-28T20:59:59Z", false),
            ("2026-03-28T21:00:00Z", true),
            ("2026-03-29T03:59:59Z", true),
            ("2026-03-29T04:00:00Z", false),
            ("2026-10-25T04:59:59Z", true),
            ("2026-10-25T05:00:00Z", false),
        ] {
            assert_eq!(berlin.covers(at(time)), is_covered, "{time}");
        }
    }

    #[test]
    fn a_window_belongs_to_the_day_on_which_it_begins() {
        // 2026-11-27 is a Friday.
        let fridays = nights("UTC", &["friday"]);
        assert!(fridays.covers(at("2026-11-28T05:00:00Z")), "Saturday morning belongs to Friday's window");
        assert!(!fridays.covers(at("2026-11-28T23:00:00Z")));
        let spans = fridays.spans(at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"));
        assert_eq!(spans.len(), 4);
        assert_eq!(spans[3], (at("2026-11-27T22:00:00Z"), at("2026-11-28T06:00:00Z")));
    }

    #[test]
    fn a_time_that_does_not_exist_is_the_moment_after_the_gap() {
        let spec = ScheduleSpec {
            weekdays: Vec::new(),
            start_time: "02:30".to_owned(),
            end_time: "04:00".to_owned(),
            location: "Europe/Berlin".to_owned(),
        };
        let schedule = Schedule::try_from(spec).unwrap();
        // 02:30 local on 2026-03-29 is skipped; the clock shows 03:30 at 01:30 UTC.
        assert!(!schedule.covers(at("2026-03-29T01:29:00Z")));
        assert!(schedule.covers(at("2026-03-29T01:30:00Z")));
        assert!(!schedule.covers(at("2026-03-29T02:00:00Z")));
    }

    #[test]
    fn faults_say_what_is_allowed() {
        let spec = |day: &str, start: &str, zone: &str| ScheduleSpec {
            weekdays: vec![day.to_owned()],
            start_time: start.to_owned(),
            end_time: "06:00".to_owned(),
            location: zone.to_owned(),
        };
        for (spec, said) in [
            (spec("fryday", "22:00", "UTC"), "monday to sunday"),
            (spec("friday", "25:00", "UTC"), "as in 22:00"),
            (spec("friday", "9pm", "UTC"), "as in 22:00"),
            (spec("friday", "22:00", "Europe/Atlantis"), "Europe/Berlin"),
        ] {
            let error = Schedule::try_from(spec).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
