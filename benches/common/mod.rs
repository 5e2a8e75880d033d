//! What the benchmarks of the whole service share: packets of MQTT 5, a scripted broker, mosquitto, a client of it, and
//! the program itself with its counters.

// Each benchmark uses a part of it.
#![allow(dead_code)]

pub(crate) mod mqtt;
pub(crate) mod scripted;
pub(crate) mod service;

use kilter::pipeline::ScoreRow;
use kilter::series::{Cell, Frame, Timestamp};

pub(crate) const CHANNELS: usize = 8;
/// 2026-11-24T12:00:00Z.
pub(crate) const NOON_MS: i64 = 1_795_521_600_000;

pub(crate) fn argument(name: &str, default: &str) -> String {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).unwrap_or_else(|| default.to_owned())
}

pub(crate) fn number(name: &str, default: &str) -> usize {
    argument(name, default).parse().unwrap_or_else(|_| panic!("{name} takes a number"))
}

/// Processor seconds of a process so far, by the system's count of ticks.
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// One JSON object for one row of one series: coupled waves with noise; a fault adds to the first channel.
pub(crate) fn payload(series: usize, row: usize, at_ms: i64, channels: usize, fault: f64) -> String {
    let noise = |channel: usize| ((row * 7919 + series * 104_729 + channel * 1_299_709) % 1000) as f64 / 2500.0;
    let wave = |channel: usize| 20.0 + 5.0 * (row as f64 * 0.2 + channel as f64 * 0.7).sin() + noise(channel);
    let value = |c: usize| wave(c) + if c == 0 { fault } else { 0.0 };
    let members: Vec<String> = (0..channels).map(|c| format!("\"channel_{c}\":{:.3}", value(c))).collect();
    format!("{{\"t\":{at_ms},{}}}", members.join(","))
}

/// Between 0 and 1, for rows that differ.
fn level(at_ms: i64) -> f64 {
    ((at_ms / 1000) % 977) as f64 / 977.0
}

/// A closed row to be stored.
pub(crate) fn frame(at_ms: i64) -> Frame {
    let values = vec![20.0 + level(at_ms); CHANNELS];
    Frame { at: Timestamp::from_ms(at_ms), values, cells: vec![Cell::Measured; CHANNELS] }
}

/// A judged row to be stored.
pub(crate) fn score(at_ms: i64, n_members: usize) -> ScoreRow {
    ScoreRow {
        at: Timestamp::from_ms(at_ms),
        live_score: level(at_ms),
        evidence: 0.125,
        p_value: 0.5,
        autoencoder_error: Some(0.7),
        pca_error: Some(0.8),
        baseline_error: 1.1,
        is_anomalous: false,
        contributions: vec![1.0 / CHANNELS as f32; CHANNELS],
        member_contributions: vec![1.0 / n_members as f32; n_members],
        expected: vec![20.5; CHANNELS],
    }
}

/// The value below which a share of the sorted values lies.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
