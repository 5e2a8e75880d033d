//! Processor time of this thread, so that what else runs on the machine does not count.

use rustix::time::{ClockId, clock_gettime};

/// A stop watch over the processor time of the thread that made it. Reading it is a system call, so not for every row.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThreadClock {
    since: f64,
}

impl ThreadClock {
    pub(super) fn start() -> Self {
        Self { since: seconds() }
    }

    /// Seconds of work since the start or the lap before.
    pub(super) fn lap(&mut self) -> f64 {
        let now = seconds();
        now - std::mem::replace(&mut self.since, now)
    }
}

fn seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + 1e-9 * now.tv_nsec as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn work_counts_and_waiting_does_not() {
        let (mut clock, began) = (ThreadClock::start(), Instant::now());
        std::thread::sleep(Duration::from_millis(60));
        let waited = clock.lap();
        assert!(waited < 0.5 * began.elapsed().as_secs_f64(), "{waited} s of work in {:?}", began.elapsed());
        let mut sum = 0_u64;
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(clock.lap() > 0.0);
    }
}
