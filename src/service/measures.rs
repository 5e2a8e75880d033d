//! Counting what passes the four tasks, under the names that `telemetry` lists.

use std::collections::HashMap;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, gauge, histogram};

use crate::ingest::Message;
use crate::pipeline::{Outcome, Processed};
use crate::series::{Reading, SeriesId};
use crate::store::{DiskRoom, Tally, TargetRow};

/// The usual result of a reading.
const ACCEPTED: &str = "accepted";
/// Results of readings beyond those that the grid itself tells.
const OVER_CHANNEL_LIMIT: &str = "over_channel_limit";
const OVER_SERIES_LIMIT: &str = "over_series_limit";

/// Counters of one series, looked up once.
struct SeriesCounters {
    accepted: Counter,
}

/// Counts messages and readings; one owner, no locks on the way.
pub(super) struct Intake {
    by_series: HashMap<SeriesId, SeriesCounters>,
    accepted_messages: Counter,
    redelivered_messages: Counter,
    ingest_lag: Histogram,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self {
            by_series: HashMap::new(),
            accepted_messages: counter!("kilter_messages_total", "result" => "accepted"),
            redelivered_messages: counter!("kilter_messages_total", "result" => "redelivered"),
            ingest_lag: histogram!("kilter_ingest_lag_seconds"),
        }
    }

    /// A message that was decoded, and what became of its readings.
    pub(super) fn on_processed(&mut self, message: &Message, readings: &[Reading], processed: &Processed) {
        self.accepted_messages.increment(1);
        if message.is_redelivered {
            self.redelivered_messages.increment(1);
        }
        let Some(first) = readings.first() else { return };
        // How old a refused message is says nothing about the way here.
        if processed.heard.counts.accepted > 0 {
            self.ingest_lag.record(message.received_at.ms_since(first.at) as f64 / 1e3);
        }
        if processed.over_series_limit > 0 || processed.is_refused_stranger {
            // The series has no name of its own here: there are too many of them, or it is none yet.
            let refused = processed.heard.counts.results().into_iter();
            for (result, n) in refused.chain([(OVER_SERIES_LIMIT, processed.over_series_limit)]).filter(|(_, n)| *n > 0)
            {
                counter!("kilter_readings_total", "series" => "", "result" => result).increment(n);
            }
            return;
        }
        if !self.by_series.contains_key(&first.series) {
            let counters = SeriesCounters { accepted: readings_counter(&first.series, ACCEPTED) };
            self.by_series.insert(first.series.clone(), counters);
        }
        let Some(counters) = self.by_series.get(&first.series) else { return };
        counters.accepted.increment(processed.heard.counts.accepted);
        // Mostly none of the others, so their counters are looked up only when there is something to count.
        let results = processed.heard.counts.results().into_iter().filter(|(result, _)| *result != ACCEPTED);
        for (result, n) in results.chain([(OVER_CHANNEL_LIMIT, processed.heard.over_channel_limit)]) {
            if n > 0 {
                readings_counter(&first.series, result).increment(n);
            }
        }
        for (kind, n) in processed.heard.counts.irregularities() {
            if n > 0 {
                let series = first.series.as_str().to_owned();
                counter!("kilter_irregularities_total", "series" => series, "kind" => kind).increment(n);
            }
        }
    }
}

fn readings_counter(series: &SeriesId, result: &'static str) -> Counter {
    counter!("kilter_readings_total", "series" => series.as_str().to_owned(), "result" => result)
}

/// What a commit contained, and how long its oldest message waited for it.
pub(super) fn on_committed(outcomes: &[Outcome], waited: Duration) {
    let mut n_rows = 0;
    let mut n_scores = 0;
    for outcome in outcomes {
        match outcome {
            Outcome::Frame { .. } => n_rows += 1,
            Outcome::Score { .. } => n_scores += 1,
            Outcome::Budget(row) => on_budget(&row.series, row.openings_per_row, row.n_openings, row.n_judged),
            Outcome::Power(row) => {
                if let Some(skill) = row.power.report.model_skill {
                    on_skill(&row.series, skill);
                }
            }
            Outcome::Transition(transition) => {
                counter!("kilter_alerts_total", "transition" => transition.kind.as_str()).increment(1);
            }
            _ => {}
        }
    }
    counter!("kilter_rows_closed_total").increment(n_rows);
    counter!("kilter_windows_scored_total").increment(n_scores);
    histogram!("kilter_score_seconds").record(waited.as_secs_f64());
}

/// How much better a series' model sees injected faults than the PCA.
pub(super) fn on_skill(series: &SeriesId, skill: f64) {
    gauge!("kilter_model_skill", "series" => series.as_str().to_owned()).set(skill);
}

/// What a series' alarm budget allows per row, and what came in so many judged rows.
pub(super) fn on_budget(series: &SeriesId, openings_per_row: f64, n_openings: u64, n_judged: u64) {
    let gauge_of = |name: &'static str| gauge!(name, "series" => series.as_str().to_owned());
    gauge_of("kilter_alarm_rate_promised").set(openings_per_row);
    gauge_of("kilter_alarm_rate_realised").set(n_openings as f64 / n_judged.max(1) as f64);
}

/// What the database takes on its disk, and what is left there.
pub(super) fn on_disk(room: DiskRoom) {
    gauge!("kilter_store_bytes").set(room.n_used as f64);
    if let Some(n_free) = room.n_free {
        gauge!("kilter_disk_free_bytes").set(n_free as f64);
    }
}

/// How many there are.
pub(super) fn on_tally(tally: &Tally) {
    for (state, n) in &tally.series {
        gauge!("kilter_series", "state" => *state).set(*n as f64);
    }
    gauge!("kilter_alerts_open").set(tally.n_open_alerts as f64);
}

/// How many transitions a receiver has still to be told.
pub(super) fn on_pending(target: &TargetRow) {
    gauge!("kilter_outbox_pending", "target" => target.name.clone()).set(target.n_pending as f64);
}

/// A transaction took so long.
pub(super) fn on_commit(took: Duration) {
    histogram!("kilter_commit_seconds").record(took.as_secs_f64());
}

/// A transaction failed and is tried again.
pub(super) fn on_commit_failed() {
    counter!("kilter_commit_failures_total").increment(1);
}

/// A fit took so long.
pub(super) fn on_training(seconds: f64) {
    histogram!("kilter_training_seconds").record(seconds);
}

/// Items waiting between two tasks.
pub(super) fn on_queue(queue: &'static str, depth: usize) {
    gauge!("kilter_queue_depth", "queue" => queue).set(depth as f64);
}
