//! When the tasks of the line rest, so that the next batch or commit holds more.
//!
//! Waking up for a message costs as much as judging it, and a commit costs what thirty rows cost before its first row. Few
//! messages wait for nothing; of many, [`FULL_LOAD`] a second or more, batches grow by themselves.

use std::time::{Duration, Instant};

/// Messages a second above which nobody rests.
const FULL_LOAD: f64 = 20_000.0;

/// Messages a second from which on the pipeline rests.
const WORTH_A_REST: f64 = 3_000.0;
const PIPELINE_REST: Duration = Duration::from_millis(1);

/// Time over which the pipeline's rate is counted, at least.
const RATE_SPAN: Duration = Duration::from_millis(20);

/// The writer rests so long for each message of its last commit, at most [`WRITER_REST_LONGEST`].
const WRITER_REST_PER_MESSAGE: Duration = Duration::from_micros(60);
const WRITER_REST_LONGEST: Duration = Duration::from_millis(8);
/// Messages of a commit after which it rests: fewer are not held up, more are a commit's worth.
const WORTH_MORE_COMPANY: std::ops::Range<usize> = 17..512;

/// The pipeline's rest, by the messages a second over the last [`RATE_SPAN`] or more.
#[derive(Debug)]
pub(super) struct PipelineRest {
    since: Instant,
    n_messages: usize,
    per_second: f64,
}

impl PipelineRest {
    pub(super) fn since(now: Instant) -> Self {
        Self { since: now, n_messages: 0, per_second: 0.0 }
    }

    /// So many messages came; how long to rest before the next are taken.
    pub(super) fn after(&mut self, n_messages: usize, now: Instant) -> Option<Duration> {
        self.n_messages += n_messages;
        let span = now.duration_since(self.since);
        if span >= RATE_SPAN {
            self.per_second = self.n_messages as f64 / span.as_secs_f64();
            (self.since, self.n_messages) = (now, 0);
        }
        (WORTH_A_REST..FULL_LOAD).contains(&self.per_second).then_some(PIPELINE_REST)
    }
}

/// The writer's rest, by the messages of its last commit and the time since the one before.
#[derive(Debug)]
pub(super) struct WriterRest {
    last: Instant,
}

impl WriterRest {
    pub(super) fn since(now: Instant) -> Self {
        Self { last: now }
    }

    /// So many messages were committed; how long to rest before the next commit.
    pub(super) fn after(&mut self, n_messages: usize, now: Instant) -> Option<Duration> {
        let span = now.duration_since(std::mem::replace(&mut self.last, now));
        let rests = WORTH_MORE_COMPANY.contains(&n_messages) && n_messages as f64 / span.as_secs_f64() < FULL_LOAD;
        rests.then(|| (n_messages as u32 * WRITER_REST_PER_MESSAGE).min(WRITER_REST_LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipeline_rests_at_rates_between_few_and_many() {
        let mut now = Instant::now();
        let mut rest = PipelineRest::since(now);
        for (per_second, rests) in [(1_000, false), (10_000, true), (50_000, false), (4_000, true)] {
            let mut last = !rests;
            for _ in 0..40 {
                now += Duration::from_millis(1);
                last = rest.after(per_second / 1_000, now).is_some();
            }
            assert_eq!(last, rests, "{per_second} messages a second");
        }
        // One message after an hour waits for nothing, whatever came before.
        assert_eq!(rest.after(1, now + Duration::from_secs(3_600)), None);
    }

    #[test]
    fn the_writer_rests_by_its_last_commit_but_not_at_full_load() {
        let mut now = Instant::now();
        let mut rest = WriterRest::since(now);
        for (n_messages, over_ms, expected_us) in [
            (1, 100, None),
            (16, 100, None),
            (17, 100, Some(17 * 60)),
            (100, 100, Some(6_000)),
            // 12 ms by its messages.
            (200, 100, Some(8_000)),
            (512, 100, None),
            // 25,000 a second.
            (100, 4, None),
        ] {
            now += Duration::from_millis(over_ms);
            let expected = expected_us.map(Duration::from_micros);
            assert_eq!(rest.after(n_messages, now), expected, "{n_messages} messages in {over_ms} ms");
        }
    }
}
