//! Waits between attempts: doubling, bounded, and never the same for two clients.

use std::time::Duration;

use rand::RngExt;

/// First wait.
const FIRST: Duration = Duration::from_millis(100);

/// The waits of one row of failures.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    longest: Duration,
    n_failures: u32,
}

impl Backoff {
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, n_failures: 0 }
    }

    pub(super) fn n_failures(&self) -> u32 {
        self.n_failures
    }

    pub(super) fn reset(&mut self) {
        self.n_failures = 0;
    }

    /// The wait after one more failure: between half and all of the doubled wait, drawn anew, so that a thousand
    /// clients do not come back in one instant.
    pub(super) fn next(&mut self, rng: &mut impl rand::Rng) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.n_failures.min(16));
        self.n_failures = self.n_failures.saturating_add(1);
        doubled.min(self.longest).mul_f64(rng.random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(3));
        for expected_ms in [100, 200, 400, 800, 1600, 3000, 3000, 3000] {
            let wait_ms = backoff.next(&mut rng).as_millis();
            assert!((expected_ms / 2..=expected_ms).contains(&wait_ms), "{wait_ms} of {expected_ms}");
        }
        assert_eq!(backoff.n_failures(), 8);
        backoff.reset();
        assert!(backoff.next(&mut rng).as_millis() <= 100);
    }
}
