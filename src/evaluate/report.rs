//! One contender on one labelled series, as numbers.

use serde::Serialize;

use super::clock::ThreadClock;
use super::metrics::{
    Affiliation, AlarmTrack, BudgetCheck, EventReport, MetricError, OnsetReport, PointCounts, Ranking, affiliation,
    auc_pr, auc_roc, best_f1, budget_check, event_report, find_length_rank, nab_like, onset_report, point_counts, vus,
};
use super::{Contender, JudgeError, JudgedSeries, SeriesRows, judge_rows};
use crate::pipeline::SeriesSpec;

/// A labelled recording with what its manifest says.
#[derive(Debug, Clone)]
pub struct LabelledSeries {
    /// Name of its file.
    pub file: String,
    /// The group it belongs to.
    pub source: String,
    /// Which half of the set, when it has halves.
    pub half: Option<String>,
    /// Its readings.
    pub rows: SeriesRows,
    /// Labels, `[row]`, true = anomalous.
    pub label: Vec<bool>,
    /// The first so many rows are for fitting.
    pub train_rows: usize,
    /// Buffer length of VUS; derived from the first channel when none is given.
    pub vus_window: Option<usize>,
}

/// What a score is worth without any threshold, over all rows (the TSB-AD convention).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoreReport {
    /// Volume under the precision-recall surface.
    pub vus_pr: f64,
    /// Volume under the ROC surface.
    pub vus_roc: f64,
    /// Average precision, row by row.
    pub auc_pr: f64,
    /// Area under the ROC curve, row by row.
    pub auc_roc: f64,
    /// F1 of the best single threshold, an oracle.
    pub best_f1: f64,
}

/// What the alerts were worth, over the rows after training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertReport {
    /// Events found, false runs, delays.
    pub events: EventReport,
    /// Openings.
    pub onset: OnsetReport,
    /// Distance from the events; none without an event.
    pub affiliation: Option<Affiliation>,
    /// In the manner of NAB; none without an event.
    pub nab_like: Option<f64>,
    /// Rows right and wrong.
    pub points: PointCounts,
    /// Promised and realised openings.
    pub budget: BudgetCheck,
}

/// One contender on one series.
#[derive(Debug, Clone, Serialize)]
pub struct ContenderReport {
    /// The contender.
    pub contender: String,
    /// Its live score; none without both kinds of rows.
    pub live: Option<ScoreReport>,
    /// Its settled score.
    pub settled: Option<ScoreReport>,
    /// Its alerts.
    pub alerts: AlertReport,
    /// Seconds of processor time for fitting and judging.
    pub seconds: f64,
    /// Seconds of that for fitting.
    pub fit_seconds: f64,
    /// Rows judged in a second of processor time by the whole pipeline, one at a time.
    pub rows_per_second: f64,
    /// What it said, row by row.
    #[serde(skip)]
    pub judged: JudgedSeries,
}

/// All contenders on one series.
#[derive(Debug, Clone, Serialize)]
pub struct SeriesReport {
    /// Name of its file.
    pub file: String,
    /// Its group.
    pub source: String,
    /// Its half.
    pub half: Option<String>,
    /// Rows.
    pub rows: usize,
    /// Rows for fitting.
    pub train_rows: usize,
    /// Buffer length of VUS.
    pub vus_window: usize,
    /// In the order asked for.
    pub contenders: Vec<ContenderReport>,
}

/// Why a series has no report.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluateError {
    /// It could not be judged.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// Scores and labels do not fit.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// Judges a series by every contender.
///
/// # Errors
/// When a contender cannot judge it, or labels and rows differ in number.
pub fn evaluate_series(
    series: &LabelledSeries,
    contenders: &[Contender],
    spec: &SeriesSpec,
) -> Result<SeriesReport, EvaluateError> {
    let vus_window = series.vus_window.unwrap_or_else(|| {
        let first: Vec<f64> = series.rows.channel(0).collect();
        find_length_rank(&first)
    });
    let one = |contender: &Contender| evaluate_contender(series, contender, &contender.spec(spec), vus_window);
    Ok(SeriesReport {
        file: series.file.clone(),
        source: series.source.clone(),
        half: series.half.clone(),
        rows: series.rows.n_rows(),
        train_rows: series.train_rows,
        vus_window,
        contenders: contenders.iter().map(one).collect::<Result<_, _>>()?,
    })
}

fn evaluate_contender(
    series: &LabelledSeries,
    contender: &Contender,
    spec: &SeriesSpec,
    vus_window: usize,
) -> Result<ContenderReport, EvaluateError> {
    let mut clock = ThreadClock::start();
    let judged = judge_rows(&series.rows, series.train_rows, spec, &mut |_| std::ops::ControlFlow::Continue(()))?;
    let seconds = clock.lap();
    let column = |value: fn(&super::JudgedRow) -> f64| judged.rows.iter().map(value).collect::<Vec<_>>();
    Ok(ContenderReport {
        contender: contender.name.clone(),
        live: score_report(&series.label, &column(|row| row.live_score), vus_window)?,
        settled: score_report(&series.label, &column(|row| row.settled_score), vus_window)?,
        alerts: alert_report(series, &judged)?,
        seconds,
        fit_seconds: judged.fit_seconds,
        rows_per_second: judged.rows_per_second,
        judged,
    })
}

/// The measures that need no threshold; none without both kinds of rows.
///
/// # Errors
/// When lengths differ or a score is not finite.
pub fn score_report(label: &[bool], score: &[f64], vus_window: usize) -> Result<Option<ScoreReport>, MetricError> {
    let ranking = Ranking::new(label, score)?;
    let report = || {
        let volume = vus(&ranking, vus_window)?;
        Some(ScoreReport {
            vus_pr: volume.pr,
            vus_roc: volume.roc,
            auc_pr: auc_pr(&ranking)?,
            auc_roc: auc_roc(&ranking)?,
            best_f1: best_f1(&ranking)?.f1,
        })
    };
    Ok(report())
}

fn alert_report(series: &LabelledSeries, judged: &JudgedSeries) -> Result<AlertReport, MetricError> {
    let alarm: Vec<bool> = judged.rows.iter().map(|row| row.is_anomalous).collect();
    let whole = AlarmTrack::new(&series.label, &alarm)?;
    let after = AlarmTrack::new(&series.label[series.train_rows..], &alarm[series.train_rows..])?;
    Ok(AlertReport {
        events: event_report(&after),
        onset: onset_report(&after),
        affiliation: affiliation(&after),
        nab_like: nab_like(&after),
        points: point_counts(&after),
        budget: budget_check(&whole, series.train_rows, judged.openings_per_row),
    })
}
