//! Beside the line: has the store's write-ahead log written back before it is full, so that no commit has to.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::store::{Store, WrittenBack};

/// Between two times; the first after the start, and whenever nothing is known of how the log grows.
const WAIT_FIRST: Duration = Duration::from_secs(5);
const WAIT_SHORTEST: Duration = Duration::from_secs(1);
const WAIT_LONGEST: Duration = Duration::from_secs(30);

/// Share of its pages that the log may have by then. More save pages that several commits change; what is left is room
/// for rows that come faster meanwhile.
const SHARE: f64 = 0.8;

/// Runs until asked to stop.
pub(super) async fn keep_log(store: Store, mut stops: watch::Receiver<bool>) {
    let mut pace = Pace { before: None, wait: WAIT_FIRST };
    let mut since = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pace.wait) => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        let found = store.write_back().await.unwrap_or_else(|fault| {
            // The writer meets the same disk, and says so.
            tracing::debug!(%fault, "the log could not be written back beside the commits");
            None
        });
        pace.after(found, since.elapsed());
        since = Instant::now();
    }
}

/// How long to wait until the log is as full as it may be.
struct Pace {
    before: Option<WrittenBack>,
    wait: Duration,
}

impl Pace {
    /// The log was found like this, so long after the time before.
    fn after(&mut self, found: Option<WrittenBack>, elapsed: Duration) {
        let before = std::mem::replace(&mut self.before, found);
        let wait = match (before, found) {
            (_, None) => WAIT_FIRST,
            // It begins anew once after each time. More often: it was full before, and the writer came first.
            (Some(before), Some(found)) if found.generation.wrapping_sub(before.generation) > 1 => elapsed / 2,
            (_, Some(found)) => {
                let share = f64::from(found.n_pages) / f64::from(found.n_pages_max);
                elapsed.mul_f64((SHARE / share.max(1e-3)).min(2.0))
            }
        };
        self.wait = wait.clamp(WAIT_SHORTEST, WAIT_LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_PAGES_MAX: u32 = 1000;

    /// A log that grows by so many pages a second and begins anew when it is full, looked at so many times. Returns the
    /// last wait, and whether the writer came first in it.
    fn waits(pace: &mut Pace, a_second: f64, n_times: usize) -> (Duration, bool) {
        let (mut generation, mut last) = (pace.before.map_or(0, |before| before.generation), (pace.wait, false));
        for _ in 0..n_times {
            let grown = pace.wait.as_secs_f64() * a_second;
            let n_full = (grown / f64::from(N_PAGES_MAX)) as u32;
            // Once by the time before, then as often as it was full.
            generation += 1 + n_full;
            let n_pages = (grown % f64::from(N_PAGES_MAX)) as u32;
            last = (pace.wait, n_full > 0);
            pace.after(Some(WrittenBack { n_pages, n_pages_max: N_PAGES_MAX, generation }), pace.wait);
        }
        last
    }

    #[test]
    fn a_log_is_written_back_before_it_is_full_at_any_pace_after_any_other() {
        let mut pace = Pace { before: None, wait: WAIT_FIRST };
        for a_second in [40.0, 400.0, 1.0, 500.0, 90.0, 30.0, 200.0] {
            let (wait, is_full) = waits(&mut pace, a_second, 12);
            assert!(!is_full, "{wait:?} at {a_second} pages a second");
            let expected = (SHARE * f64::from(N_PAGES_MAX) / a_second).clamp(1.0, 30.0);
            assert!((wait.as_secs_f64() / expected - 1.0).abs() < 0.02, "{wait:?} at {a_second} pages a second");
        }
    }

    #[test]
    fn a_store_of_which_nothing_is_known_is_soon_looked_at_again() {
        let mut pace = Pace { before: None, wait: WAIT_LONGEST };
        pace.after(None, WAIT_LONGEST);
        assert_eq!(pace.wait, WAIT_FIRST);
    }
}
