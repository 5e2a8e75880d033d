//! The same readings give the same scores however they are cut into messages.

use std::ops::ControlFlow;
use std::path::Path;

use kilter::config::Config;
use kilter::pipeline::{Outcome, Pipeline, Replay, SeriesSpec};
use kilter::series::{ChannelName, Quality, Reading, SeriesId, Timestamp};

const ROWS: usize = 620;
const FIRST_MS: i64 = 1_795_521_600_000;

/// The configuration's defaults with the closed-form members, fitted once.
fn spec() -> SeriesSpec {
    let members = r#"["pca", "random_features", "kmeans", "var"]"#;
    let text = format!("[defaults]\nmembers = {members}\nwarm_up_rows = 300\n");
    let config = Config::parse(&text, Path::new("kilter.toml")).unwrap();
    config.series[0].spec.clone()
}

/// Three coupled channels a second, with a fault of the third and a few readings missing.
fn readings() -> Vec<Reading> {
    let channels = ["current", "load", "temperature"].map(|name| ChannelName::parse(name).unwrap());
    let mut readings = Vec::new();
    for row in 0..ROWS {
        let wobble = |salt: usize| ((row * 7919 + salt * 104_729) % 1009) as f64 / 1009.0 - 0.5;
        let load = (row as f64 / 11.0).sin() + 0.2 * wobble(1);
        let fault = if (500..530).contains(&row) { 4.0 } else { 0.0 };
        let values = [3.0 * load + 0.3 * wobble(2), load, 0.5 * load + 0.1 * wobble(3) + fault];
        for (index, (channel, value)) in channels.iter().zip(values).enumerate() {
            if (row * 3 + index) % 101 != 100 {
                readings.push(Reading {
                    series: SeriesId::parse("pump").unwrap(),
                    channel: channel.clone(),
                    at: Timestamp::from_ms(FIRST_MS + 1000 * row as i64),
                    value,
                    quality: Quality::Good,
                });
            }
        }
    }
    readings
}

/// What the pipeline says when `of_a_message` readings at a time arrive: scores, settled scores and transitions.
fn said(readings: &[Reading], of_a_message: usize) -> Vec<String> {
    let mut replay = Replay::new(Pipeline::new(vec![spec()], 1));
    let mut go_on = |_: &_, _| ControlFlow::Continue(());
    let mut outcomes = Vec::new();
    for message in readings.chunks(of_a_message) {
        let received_at = message.last().unwrap().at;
        outcomes.extend(replay.on_message(0, message, received_at, &mut go_on).unwrap());
    }
    outcomes.extend(replay.finish(&mut go_on).unwrap());
    let mut said: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Score { score, .. } => Some(format!("{:?}", score)),
            Outcome::Settled { settled, .. } => Some(format!("{:?}", settled)),
            Outcome::Transition(transition) => Some(format!("{:?} at {:?}", transition.kind, transition.at)),
            _ => None,
        })
        .collect();
    said.sort();
    said
}

#[test]
fn the_cut_into_messages_changes_no_bit() {
    let readings = readings();
    let expected = said(&readings, 1);
    let n_scores = expected.iter().filter(|line| line.starts_with("ScoreRow")).count();
    assert_eq!(n_scores, ROWS - 300, "every row after the warm-up has a score");
    assert!(expected.iter().any(|line| line.starts_with("Opened")), "the fault opens an alert");
    for of_a_message in [3, 7, 250] {
        assert_eq!(said(&readings, of_a_message), expected, "{of_a_message} readings a message");
    }
}
