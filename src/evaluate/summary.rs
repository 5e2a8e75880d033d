//! Many reports as few numbers: means per source, over sources, and what must be pooled.

use std::collections::BTreeMap;

use serde::Serialize;

use super::metrics::{BudgetCheck, MetricError, NabPoints, PointCounts, nab_standard, nab_standard_best};
use super::{ContenderReport, LabelledSeries, ScoreReport, SeriesReport};

/// Means over series, or over sources. A measure that no series has is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Means {
    /// Series behind the live and settled figures.
    pub labelled_series: usize,
    /// Of the live score.
    pub live: Option<ScoreReport>,
    /// Of the settled score.
    pub settled: Option<ScoreReport>,
    /// Affiliation F1 of the alerts.
    pub affiliation_f1: Option<f64>,
    /// Share of events touched by an alert.
    pub event_recall: Option<f64>,
    /// Share of events in which an alert opens.
    pub onset_recall: Option<f64>,
    /// False openings per 10,000 normal rows.
    pub openings_per_10k: Option<f64>,
    /// Share of normal rows in alert, those after an event included.
    pub time_in_alert: Option<f64>,
    /// Share of the normal rows before the first event in alert.
    pub time_in_alert_before: Option<f64>,
    /// Median rows from an event's start to the opening.
    pub onset_delay: Option<f64>,
    /// In the manner of NAB, per series.
    pub nab_like: Option<f64>,
}

/// One contender on one group of series.
#[derive(Debug, Clone, Serialize)]
pub struct GroupSummary {
    /// The group: a source.
    pub group: String,
    /// Series in it.
    pub series: usize,
    /// Means over them.
    pub means: Means,
    /// Pooled rows right and wrong.
    pub points: PointCounts,
    /// Pooled F1, false alarm rate and missed alarm rate of the rows after training (the SKAB protocol).
    pub protocol: Protocol,
    /// Pooled promise.
    pub budget: BudgetCheck,
    /// Realised / promised openings, pooled.
    pub realised_per_promised: Option<f64>,
    /// NAB's standard profile over the group, each opening of an alert being one of its alarms.
    pub nab_openings: Option<f64>,
    /// The same with each row in alert as an alarm, which punishes alerts for staying open.
    pub nab_rows: Option<f64>,
    /// The same for the live score at the one threshold that suits the group best, as NAB itself does.
    pub nab_best: Option<f64>,
}

/// Pooled figures of the SKAB protocol.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Protocol {
    /// Row-wise F1.
    pub f1: f64,
    /// Share of normal rows in alert.
    pub far: f64,
    /// Share of event rows without alert.
    pub mar: f64,
}

/// One contender on the whole set.
#[derive(Debug, Clone, Serialize)]
pub struct ContenderSummary {
    /// The contender.
    pub contender: String,
    /// Mean over the sources' means: every source counts the same.
    pub means: Means,
    /// Realised / promised openings, pooled over all series.
    pub realised_per_promised: Option<f64>,
    /// Normal rows, promised and realised openings behind it.
    pub budget: BudgetCheck,
    /// Mean seconds of processor time a series for fitting and judging.
    pub seconds: f64,
    /// By source, in the order of their names.
    pub sources: Vec<GroupSummary>,
}

/// Sums up every contender over the reports that `is_wanted` takes.
///
/// # Errors
/// When a report does not fit its series.
pub fn summarise(
    reports: &[(&LabelledSeries, &SeriesReport)],
    is_wanted: impl Fn(&SeriesReport) -> bool,
) -> Result<Vec<ContenderSummary>, MetricError> {
    let wanted: Vec<_> = reports.iter().filter(|(_, report)| is_wanted(report)).collect();
    let Some((_, first)) = wanted.first() else { return Ok(Vec::new()) };
    let names: Vec<&str> = first.contenders.iter().map(|contender| contender.contender.as_str()).collect();
    names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let mut groups: BTreeMap<&str, Vec<(&LabelledSeries, &ContenderReport)>> = BTreeMap::new();
            for (series, report) in &wanted {
                groups.entry(&report.source).or_default().push((series, &report.contenders[index]));
            }
            let sources = groups.iter().map(|(source, group)| summarise_group(source, group));
            let sources = sources.collect::<Result<Vec<_>, _>>()?;
            let mut budget = BudgetCheck::default();
            sources.iter().for_each(|source| budget += source.budget);
            Ok(ContenderSummary {
                contender: name.to_owned(),
                means: mean_of_means(sources.iter().map(|source| &source.means)),
                realised_per_promised: budget.ratio(),
                budget,
                seconds: wanted.iter().map(|(_, report)| report.contenders[index].seconds).sum::<f64>()
                    / wanted.len() as f64,
                sources,
            })
        })
        .collect()
}

fn summarise_group(group: &str, members: &[(&LabelledSeries, &ContenderReport)]) -> Result<GroupSummary, MetricError> {
    let mut points = PointCounts::default();
    let mut budget = BudgetCheck::default();
    for (_, report) in members {
        points += report.alerts.points;
        budget += report.alerts.budget;
    }
    let nab: Vec<NabPoints> = members.iter().map(|(series, _)| NabPoints::new(&series.label)).collect();
    let column = |report: &ContenderReport| report.judged.rows.iter().map(|row| row.live_score).collect::<Vec<f64>>();
    let alarms =
        |report: &ContenderReport| report.judged.rows.iter().map(|row| row.is_anomalous).collect::<Vec<bool>>();
    let scores: Vec<Vec<f64>> = members.iter().map(|(_, report)| column(report)).collect();
    let alarms: Vec<Vec<bool>> = members.iter().map(|(_, report)| alarms(report)).collect();
    let by_score: Vec<_> = nab.iter().zip(scores.iter().map(Vec::as_slice)).collect();
    let by_alarm: Vec<_> = nab.iter().zip(alarms.iter().map(Vec::as_slice)).collect();
    let openings: Vec<Vec<bool>> = alarms.iter().map(|alarm| openings(alarm)).collect();
    let by_opening: Vec<_> = nab.iter().zip(openings.iter().map(Vec::as_slice)).collect();
    Ok(GroupSummary {
        group: group.to_owned(),
        series: members.len(),
        means: means(members),
        points,
        protocol: Protocol { f1: points.f1(), far: points.far(), mar: points.mar() },
        realised_per_promised: budget.ratio(),
        budget,
        nab_openings: nab_standard(&by_opening)?,
        nab_rows: nab_standard(&by_alarm)?,
        nab_best: nab_standard_best(&by_score)?.map(|(score, _)| score),
    })
}

/// The rows on which an alert opens.
fn openings(alarm: &[bool]) -> Vec<bool> {
    (0..alarm.len()).map(|row| alarm[row] && (row == 0 || !alarm[row - 1])).collect()
}

fn means(members: &[(&LabelledSeries, &ContenderReport)]) -> Means {
    let over = |value: &dyn Fn(&ContenderReport) -> Option<f64>| mean(members.iter().map(|(_, report)| value(report)));
    Means {
        labelled_series: members.iter().filter(|(_, report)| report.live.is_some()).count(),
        live: mean_score(members.iter().map(|(_, report)| report.live)),
        settled: mean_score(members.iter().map(|(_, report)| report.settled)),
        affiliation_f1: over(&|report| report.alerts.affiliation.map(|found| found.f1)),
        event_recall: over(&|report| report.alerts.events.event_recall),
        onset_recall: over(&|report| report.alerts.onset.onset_recall),
        openings_per_10k: over(&|report| report.alerts.onset.openings_per_10k),
        time_in_alert: over(&|report| report.alerts.onset.time_in_alarm),
        time_in_alert_before: pooled_time(members),
        onset_delay: over(&|report| report.alerts.onset.onset_delay_median),
        nab_like: over(&|report| report.alerts.nab_like),
    }
}

/// Share in alert of the rows before the first event, pooled over series.
fn pooled_time(members: &[(&LabelledSeries, &ContenderReport)]) -> Option<f64> {
    let mut budget = BudgetCheck::default();
    members.iter().for_each(|(_, report)| budget += report.alerts.budget);
    budget.time_in_alert()
}

/// The mean of each measure over the groups that have labelled series; unlabelled groups count false alarms only in
/// the pooled promise.
fn mean_of_means<'a>(groups: impl Iterator<Item = &'a Means>) -> Means {
    let groups: Vec<&Means> = groups.filter(|means| means.labelled_series > 0).collect();
    let over = |value: &dyn Fn(&Means) -> Option<f64>| mean(groups.iter().map(|means| value(means)));
    Means {
        labelled_series: groups.iter().map(|means| means.labelled_series).sum(),
        live: mean_score(groups.iter().map(|means| means.live)),
        settled: mean_score(groups.iter().map(|means| means.settled)),
        affiliation_f1: over(&|means| means.affiliation_f1),
        event_recall: over(&|means| means.event_recall),
        onset_recall: over(&|means| means.onset_recall),
        openings_per_10k: over(&|means| means.openings_per_10k),
        time_in_alert: over(&|means| means.time_in_alert),
        time_in_alert_before: over(&|means| means.time_in_alert_before),
        onset_delay: over(&|means| means.onset_delay),
        nab_like: over(&|means| means.nab_like),
    }
}

fn mean_score(reports: impl Iterator<Item = Option<ScoreReport>>) -> Option<ScoreReport> {
    let reports: Vec<ScoreReport> = reports.flatten().collect();
    let over = |value: fn(&ScoreReport) -> f64| mean(reports.iter().map(|report| Some(value(report))));
    Some(ScoreReport {
        vus_pr: over(|report| report.vus_pr)?,
        vus_roc: over(|report| report.vus_roc)?,
        auc_pr: over(|report| report.auc_pr)?,
        auc_roc: over(|report| report.auc_roc)?,
        best_f1: over(|report| report.best_f1)?,
    })
}

/// The mean of the values that are there.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = values.flatten().fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}
