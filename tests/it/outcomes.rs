//! What a pipeline says, made up: outcomes for tests of what comes after it.

use kilter::pipeline::{Outcome, ScoreRow, SettledRow};
use kilter::series::{Cell, ChannelName, Frame, SeriesId, Timestamp};
use kilter::verdict::{
    Alert, AlertChannel, AlertId, AlertKind, AlertState, SeriesState, Severity, Transition, TransitionKind,
};
use kilter::windowing::OpenRow;

pub(crate) use crate::served::NOON_MS;

pub(crate) fn series(name: &str) -> SeriesId {
    SeriesId::parse(name).unwrap()
}

pub(crate) fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

pub(crate) fn frame(at_ms: i64) -> Frame {
    let value = (at_ms / 1000) as f64 % 7.0;
    Frame { at: at(at_ms), values: vec![value, 10.0 - value], cells: vec![Cell::Measured, Cell::Held] }
}

pub(crate) fn score(at_ms: i64) -> ScoreRow {
    ScoreRow {
        at: at(at_ms),
        live_score: (at_ms / 1000) as f64 % 5.0,
        evidence: 0.25,
        p_value: 0.5,
        autoencoder_error: Some(1.5),
        pca_error: None,
        baseline_error: 2.5,
        is_anomalous: false,
        contributions: vec![0.25, 0.75],
        member_contributions: vec![1.0],
        expected: vec![3.0, 4.0],
    }
}

pub(crate) fn transition(name: &str, opened_ms: i64, sequence: u32) -> Transition {
    let series = series(name);
    let is_open = sequence == 1;
    let alert = Alert {
        id: AlertId::new(&series, AlertKind::Anomaly, at(opened_ms)),
        kind: AlertKind::Anomaly,
        series,
        state: if is_open { AlertState::Open } else { AlertState::Resolved },
        severity: Severity::Warning,
        opened_at: at(opened_ms),
        resolved_at: (!is_open).then(|| at(opened_ms + 60_000)),
        peak_score: 2.0 + f64::from(sequence),
        p_value: 0.001,
        evidence: 1.5,
        alarm_budget: "1 per week".to_owned(),
        channels: vec![AlertChannel {
            channel: channel("load"),
            contribution: 1.0,
            observed: Some(9.0),
            expected: Some(3.0),
        }],
        model_id: None,
        acknowledged_at: None,
        label: None,
        note: None,
        labelled_by: None,
        labelled_at: None,
        openings: 1,
    };
    let kind = if is_open { TransitionKind::Opened } else { TransitionKind::Resolved };
    Transition { kind, at: at(opened_ms + i64::from(sequence - 1) * 60_000), sequence, alert }
}

/// What a pipeline says while a series of 1 Hz rows is read and judged: rows `[from, to)`.
pub(crate) fn rows(name: &str, from: i64, to: i64) -> Vec<Outcome> {
    let series = series(name);
    let mut outcomes = vec![
        Outcome::SeriesSeen { series: series.clone(), at: at(NOON_MS) },
        Outcome::ChannelSeen { series: series.clone(), channel_index: 0, channel: channel("load") },
        Outcome::ChannelSeen { series: series.clone(), channel_index: 1, channel: channel("pressure") },
    ];
    for row in from..to {
        let at_ms = NOON_MS + 1000 * row;
        let heard = OpenRow { frame: frame(at_ms), heard_ms: vec![3, -1] };
        outcomes.push(Outcome::OpenRow { series: series.clone(), row: heard });
        if row > 0 {
            outcomes.push(Outcome::Frame { series: series.clone(), frame: frame(at_ms - 1000) });
            outcomes.push(Outcome::Score { series: series.clone(), score: score(at_ms - 1000) });
        }
        if row > 31 {
            let settled = SettledRow { at: at(at_ms - 32_000), settled_score: row as f64 };
            outcomes.push(Outcome::Settled { series: series.clone(), settled });
        }
        if row % 10 == 0 {
            let bytes = vec![row as u8; 4];
            outcomes.push(Outcome::Checkpoint { series: series.clone(), at: at(at_ms), bytes });
        }
        if row % 50 == 7 {
            outcomes.push(Outcome::Transition(transition(name, at_ms, 1)));
            let (state, reason) = (SeriesState::Anomalous, format!("row {row}"));
            outcomes.push(Outcome::State { series: series.clone(), state, at: at(at_ms), reason });
        }
        if row % 50 == 27 {
            outcomes.push(Outcome::Transition(transition(name, at_ms - 20_000, 2)));
            let (state, reason) = (SeriesState::Normal, format!("row {row}"));
            outcomes.push(Outcome::State { series: series.clone(), state, at: at(at_ms), reason });
        }
    }
    outcomes
}
