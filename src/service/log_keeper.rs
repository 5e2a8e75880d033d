//! Beside the line: has the store's write-ahead log written back before it is full, so that no commit has to.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::store::{Store, WrittenBack};

/// Between two times.
const WAIT_FIRST: Duration = Duration::from_secs(5);
const WAIT_SHORTEST: Duration = Duration::from_secs(1);
const WAIT_LONGEST: Duration = Duration::from_secs(30);

/// Share of its pages that the log may have by then. More save pages that several commits change; what is left is room
/// for rows that come faster meanwhile.
const SHARE: f64 = 0.8;

/// Runs until asked to stop.
pub(super) async fn keep_log(store: Store, mut stops: watch::Receiver<bool>) {
    let mut wait = WAIT_FIRST;
    let mut since = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        wait = match store.write_back().await {
            Ok(Some(written)) => next_wait(written, since.elapsed()),
            Ok(None) => WAIT_LONGEST,
            Err(fault) => {
                // The writer meets the same disk, and says so.
                tracing::debug!(%fault, "the log could not be written back beside the commits");
                WAIT_LONGEST
            }
        };
        since = Instant::now();
    }
}

/// Until the log is as full as it may be, when it goes on growing as it has since the last time.
fn next_wait(written: WrittenBack, grown_in: Duration) -> Duration {
    let share = f64::from(written.n_pages) / f64::from(written.n_pages_max);
    let wait = grown_in.as_secs_f64() * SHARE / share.max(1e-3);
    Duration::from_secs_f64(wait.clamp(WAIT_SHORTEST.as_secs_f64(), WAIT_LONGEST.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_before_the_log_is_full() {
        let after = |n_pages, seconds| {
            next_wait(WrittenBack { n_pages, n_pages_max: 1000 }, Duration::from_secs(seconds)).as_secs_f64()
        };
        // 40 pages a second fill 800 of 1000 in 20 seconds.
        assert!((after(400, 10) - 20.0).abs() < 1e-9);
        assert!((after(800, 10) - 10.0).abs() < 1e-9);
        assert_eq!([after(0, 10), after(100, 30), after(10_000, 2)], [30.0, 30.0, 1.0]);
    }
}
