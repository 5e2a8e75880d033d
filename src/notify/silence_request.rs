//! A silence as it is asked for in JSON, over MQTT, HTTP and from the command line alike: Alertmanager's fields.

use serde::{Deserialize, Serialize};

use crate::series::Timestamp;
use crate::verdict::{Matcher, MatcherSpec, Schedule, ScheduleSpec, SilenceError, SilenceSpec};

/// What is asked for. Times are texts here; RFC 3339 is what is documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SilenceRequest {
    /// All of them must match.
    pub matchers: Vec<MatcherSpec>,
    /// First moment; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// First moment after it.
    pub ends_at: String,
    /// Only at these local times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleSpec>,
    /// Who says so.
    #[serde(default)]
    pub created_by: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// Why a request is no silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceRequestError {
    /// A time cannot be read.
    #[error("{field}: found {found:?}, expected a time as in 2026-11-24T12:00:00Z")]
    Time {
        /// Which.
        field: &'static str,
        /// The text.
        found: String,
    },
    /// It makes no sense.
    #[error(transparent)]
    Silence(#[from] SilenceError),
}

fn time(field: &'static str, text: &str) -> Result<Timestamp, SilenceRequestError> {
    let error = || SilenceRequestError::Time { field, found: text.chars().take(64).collect() };
    // A bare number would be a guess between seconds and milliseconds.
    if text.trim().parse::<f64>().is_ok() {
        return Err(error());
    }
    Timestamp::parse(text).map_err(|_| error())
}

impl SilenceRequest {
    /// Reads and checks what is asked for.
    ///
    /// # Errors
    /// The first fault found, with what is allowed.
    pub fn check(self, now: Timestamp) -> Result<SilenceSpec, SilenceRequestError> {
        let matchers = self.matchers.into_iter().map(Matcher::try_from).collect::<Result<Vec<_>, _>>();
        let schedule = self.schedule.map(Schedule::try_from).transpose().map_err(SilenceError::from)?;
        let spec = SilenceSpec {
            matchers: matchers.map_err(SilenceError::from)?,
            starts_at: self.starts_at.as_deref().map_or(Ok(now), |text| time("startsAt", text))?,
            ends_at: time("endsAt", &self.ends_at)?,
            schedule,
            created_by: self.created_by,
            comment: self.comment,
        };
        spec.check(now)?;
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_refused_with_what_was_found_and_what_is_allowed() {
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let check = |text: &str, said: &str| {
            let error = match serde_json::from_str::<SilenceRequest>(text) {
                Ok(request) => request.check(now).unwrap_err().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(error.contains(said), "{text}: {error}");
        };
        let pump = r#""matchers":[{"name":"series","value":"pump"}]"#;
        check(&format!(r#"{{{pump}}}"#), "endsAt");
        check(&format!(r#"{{{pump},"endsAt":"soon"}}"#), "2026-11-24T12:00:00Z");
        check(&format!(r#"{{{pump},"endsAt":"1795521600"}}"#), "2026-11-24T12:00:00Z");
        check(&format!(r#"{{{pump},"endsAt":"2026-11-24T11:00:00Z"}}"#), "after startsAt");
        check(
            &format!(r#"{{{pump},"startsAt":"2026-11-24T09:00:00Z","endsAt":"2026-11-24T11:00:00Z"}}"#),
            "a time to come",
        );
        check(r#"{"matchers":[],"endsAt":"2026-11-24T13:00:00Z"}"#, "1 to 32");
        check(
            r#"{"matchers":[{"name":"colour","value":"red"}],"endsAt":"2026-11-24T13:00:00Z"}"#,
            "series, kind, channel, severity",
        );
        let good = format!(r#"{{{pump},"endsAt":"2026-11-24T13:00:00Z","createdBy":"ann","comment":"filter change"}}"#);
        let spec = serde_json::from_str::<SilenceRequest>(&good).unwrap().check(now).unwrap();
        assert_eq!((spec.starts_at, spec.created_by.as_str()), (now, "ann"));
    }
}
