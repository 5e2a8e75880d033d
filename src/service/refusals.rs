//! Messages that say nothing: each is counted by reason, some are logged.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use metrics::counter;

use crate::decode::{DecodeError, Decoded};

/// One reason is logged once in so long; what came meanwhile is told as a count.
const LOG_PERIOD: Duration = Duration::from_secs(60);

/// Counts refusals and complains with a rate limit.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    by_reason: HashMap<&'static str, Complaint>,
}

#[derive(Debug)]
struct Complaint {
    logged_at: Instant,
    n_silent: u64,
}

impl Refusals {
    /// A message was refused.
    pub(super) fn on_refused(&mut self, topic: &str, error: &DecodeError, now: Instant) {
        counter!("kilter_messages_total", "result" => error.reason()).increment(1);
        if let Some(n_silent) = self.may_log(error.reason(), now) {
            tracing::warn!(topic, reason = error.reason(), n_silent, %error, "a message was refused");
        }
    }

    /// Members of a message were left out, though the message was not: a channel changed its type, or a name is none.
    pub(super) fn on_members_left_out(&mut self, topic: &str, decoded: &Decoded, now: Instant) {
        for (reason, n) in [("wrong_type", decoded.n_wrong_type), ("bad_name", decoded.n_bad_name)] {
            if n == 0 {
                continue;
            }
            counter!("kilter_members_left_out_total", "reason" => reason).increment(u64::from(n));
            let complaint = if reason == "wrong_type" { "member: wrong_type" } else { "member: bad_name" };
            if let Some(n_silent) = self.may_log(complaint, now) {
                tracing::warn!(topic, reason, n_silent, "members of a message were left out");
            }
        }
    }

    /// The number of refusals that were not logged since the last one that was; none when this one is not either.
    fn may_log(&mut self, reason: &'static str, now: Instant) -> Option<u64> {
        match self.by_reason.get_mut(reason) {
            Some(complaint) if now.duration_since(complaint.logged_at) < LOG_PERIOD => {
                complaint.n_silent += 1;
                None
            }
            Some(complaint) => {
                complaint.logged_at = now;
                Some(std::mem::take(&mut complaint.n_silent))
            }
            None => {
                self.by_reason.insert(reason, Complaint { logged_at: now, n_silent: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_is_logged_once_a_minute_and_the_rest_is_counted() {
        let mut refusals = Refusals::default();
        let begun = Instant::now();
        assert_eq!(refusals.may_log("empty", begun), Some(0));
        for second in 1..60 {
            assert_eq!(refusals.may_log("empty", begun + Duration::from_secs(second)), None);
        }
        assert_eq!(refusals.may_log("malformed_json", begun + Duration::from_secs(1)), Some(0));
        assert_eq!(refusals.may_log("empty", begun + Duration::from_secs(60)), Some(59));
    }
}
