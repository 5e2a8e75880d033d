//! Metrics and logs: every metric with its help text, the recorder behind `/metrics`, and logging as `[log]` says.
//!
//! Modules count with `metrics::counter!` and friends under the names listed here; the names are a promise to
//! dashboards and alert rules, and only ever gain labels.

use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::config::{LogConfig, LogFilterError, LogFormat};

/// What a metric measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution of durations in seconds.
    Histogram,
}

/// Every metric: name, kind, labels, help.
pub const METRICS: &[(&str, MetricKind, &[&str], &str)] = {
    use MetricKind::{Counter, Gauge, Histogram};
    &[
        ("kilter_messages_total", Counter, &["result"], "Messages received, by what became of them."),
        (
            "kilter_readings_total",
            Counter,
            &["series", "result"],
            "Readings, by what became of them: accepted, late, duplicate, too_far_future, too_old, …",
        ),
        (
            "kilter_irregularities_total",
            Counter,
            &["series", "kind"],
            "Readings out_of_order, crowded or without_value; cells held, interpolated or missing; rows skipped.",
        ),
        (
            "kilter_members_left_out_total",
            Counter,
            &["reason"],
            "Members of a message that were left out while the rest was taken: wrong_type, bad_name.",
        ),
        ("kilter_rows_closed_total", Counter, &[], "Rows of the grid that closed."),
        ("kilter_windows_scored_total", Counter, &[], "Windows scored."),
        ("kilter_alerts_total", Counter, &["transition"], "Alert transitions: opened, resolved."),
        ("kilter_alerts_open", Gauge, &[], "Alerts that are open now."),
        ("kilter_series", Gauge, &["state"], "Series, by state."),
        (
            "kilter_score_seconds",
            Histogram,
            &[],
            "Time from taking the oldest message of a batch to the commit of its verdicts.",
        ),
        ("kilter_commit_seconds", Histogram, &[], "Time of one store transaction, fsync included."),
        ("kilter_commit_failures_total", Counter, &[], "Store transactions that failed and were tried again."),
        ("kilter_ingest_lag_seconds", Histogram, &[], "Arrival time minus event time of accepted readings."),
        (
            "kilter_queue_depth",
            Gauge,
            &["queue"],
            "Items waiting between two tasks: messages to be judged, batches to be committed.",
        ),
        ("kilter_training_seconds", Histogram, &[], "Time of one fit, calibration included."),
        (
            "kilter_model_skill",
            Gauge,
            &["series"],
            "Mean area under the curve over injected shifts, drifts and noise, less that of the PCA alone.",
        ),
        ("kilter_alarm_rate_promised", Gauge, &["series"], "False openings per row that the alarm budget allows."),
        ("kilter_alarm_rate_realised", Gauge, &["series"], "Openings per scored row so far."),
        ("kilter_outbox_pending", Gauge, &["target"], "Alert transitions that a receiver has still to be told."),
        (
            "kilter_deliveries_total",
            Counter,
            &["target", "result"],
            "Deliveries of alert transitions: delivered, failed, refused for good, held by a silence or a wait.",
        ),
        (
            "kilter_scores_unpublished_total",
            Counter,
            &[],
            "Scores that were stored and not published, because the broker was away or slow.",
        ),
        ("kilter_mqtt_connected", Gauge, &[], "1 while the broker connection stands."),
        ("kilter_store_bytes", Gauge, &[], "Size of the database file, its write-ahead log included."),
        ("kilter_disk_free_bytes", Gauge, &[], "Room left on the disk of the database."),
        ("kilter_config_last_reload_successful", Gauge, &[], "1 when the last reading of the configuration succeeded."),
        ("kilter_build_info", Gauge, &["version"], "Always 1; the label is the version."),
    ]
};

/// Bounds of the duration histograms, in seconds: from a single scored window (tens of microseconds) to a long fit.
const SECONDS_BUCKETS: [f64; 16] =
    [1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Something else in the process records metrics already.
    #[error("metrics are already recorded elsewhere in this process: {0}")]
    Recorder(String),
    /// The filter of `[log]` cannot be read.
    #[error(transparent)]
    Filter(#[from] LogFilterError),
    /// Logging is already set up in this process.
    #[error("logging is already set up: {0}")]
    Subscriber(String),
}

/// Installs the process-wide metrics recorder, once, describes every metric and sets those with a known start;
/// later calls return the same recorder.
///
/// # Errors
/// When another recorder is installed.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _guard = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let recorder_error = |error: &dyn std::fmt::Display| TelemetryError::Recorder(error.to_string());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
        .map_err(|error| recorder_error(&error))?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|error| recorder_error(&error))?;
    describe_all();
    Ok(HANDLE.get_or_init(|| handle).clone())
}

fn describe_all() {
    for &(name, kind, labels, help) in METRICS {
        let unit = if name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        match kind {
            MetricKind::Counter => describe_counter!(name, unit, help),
            MetricKind::Gauge => describe_gauge!(name, unit, help),
            MetricKind::Histogram => describe_histogram!(name, unit, help),
        }
        // A counter that is absent until its first event makes `rate()` miss that event.
        if kind == MetricKind::Counter && labels.is_empty() {
            metrics::counter!(name).absolute(0);
        }
    }
    for transition in ["opened", "resolved"] {
        metrics::counter!("kilter_alerts_total", "transition" => transition).absolute(0);
    }
    metrics::gauge!("kilter_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Starts logging to standard error; in colour only where a person looks at it.
///
/// # Errors
/// When the filter cannot be read or logging is already set up.
pub fn start_logging(config: &LogConfig) -> Result<(), TelemetryError> {
    let is_coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(config.env_filter()?)
        .with_writer(std::io::stderr)
        .with_ansi(is_coloured);
    let started = match config.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| TelemetryError::Subscriber(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_rendered_with_help_under_their_exact_names() {
        let handle = install_metrics().unwrap();
        install_metrics().expect("a second call returns the same recorder");
        metrics::histogram!("kilter_commit_seconds").record(0.003);
        let text = handle.render();
        assert!(text.contains("# HELP kilter_windows_scored_total Windows scored.\n"), "{text}");
        assert!(text.contains("kilter_alerts_total{transition=\"opened\"} 0"), "{text}");
        assert!(text.contains("kilter_commit_seconds_bucket{le=\"0.005\"}"), "{text}");
        assert!(text.contains("kilter_build_info{version="), "{text}");
    }

    #[test]
    fn names_follow_prometheus_habits() {
        for &(name, kind, ..) in METRICS {
            assert!(name.starts_with("kilter_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == MetricKind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), kind == MetricKind::Histogram, "{name}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let config = LogConfig { filter: "kilter=loud".to_owned(), ..LogConfig::default() };
        assert!(config.env_filter().is_err() || std::env::var("KILTER_LOG").is_ok());
    }
}
