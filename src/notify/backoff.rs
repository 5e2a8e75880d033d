//! Pauses between attempts: doubling, with jitter, so that many clients of a broker that comes back do not arrive at
//! once.

use std::time::Duration;

/// Pause after the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Counts failures in a row and says how long to wait.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    n_failures: u32,
}

impl Backoff {
    /// Failures since the last success.
    pub fn n_failures(&self) -> u32 {
        self.n_failures
    }

    /// It worked: the next pause is the first again.
    pub fn reset(&mut self) {
        self.n_failures = 0;
    }

    /// It failed again: the pause before the next attempt, between half of and the whole doubled pause. `jitter` lies
    /// in [0, 1).
    pub fn pause(&mut self, jitter: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.n_failures.min(16)).min(LONGEST);
        self.n_failures = self.n_failures.saturating_add(1);
        doubled.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_start_anew_after_success() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..12).map(|_| backoff.pause(1.0).as_millis()).collect();
        assert_eq!(pauses[..9], [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200]);
        assert_eq!(pauses[9..], [60_000; 3]);
        assert_eq!(backoff.n_failures(), 12);
        backoff.reset();
        assert_eq!(backoff.pause(0.0).as_millis(), 100);
    }
}
