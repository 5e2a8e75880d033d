//! The measures equal the reference implementation, on small stored cases and on whole benchmark sets.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use kilter::evaluate::metrics::{
    AlarmTrack, Ranking, affiliation, auc_pr, auc_roc, best_f1, event_report, find_length_rank, nab_like, onset_report,
    vus,
};
use kilter::ingest::{LabelColumn, Recording};
use serde_json::{Map, Value, json};

/// Measures may differ from the reference by rounding only.
const TOLERANCE: f64 = 1e-9;

struct Case {
    name: String,
    label: Vec<bool>,
    score: Vec<f64>,
    alarm: Vec<bool>,
    channel: Vec<f64>,
    train_rows: usize,
    window: Option<usize>,
}

impl Case {
    fn from_json(case: &Value) -> Self {
        let numbers = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
        let bits = |key: &str| numbers(key).iter().map(|v| *v == 1.0).collect();
        Self {
            name: case["name"].as_str().unwrap().to_owned(),
            label: bits("label"),
            score: numbers("score"),
            alarm: bits("alarm"),
            channel: numbers("channel"),
            train_rows: case["train_rows"].as_u64().unwrap() as usize,
            window: case["window"].as_u64().map(|w| w as usize),
        }
    }

    fn to_json(&self) -> Value {
        let bits = |values: &[bool]| values.iter().map(|v| u8::from(*v)).collect::<Vec<_>>();
        json!({"name": self.name, "label": bits(&self.label), "score": self.score, "alarm": bits(&self.alarm),
               "channel": self.channel, "train_rows": self.train_rows, "window": self.window})
    }

    /// Our measures under the reference's names, and the seconds that those of the score took.
    fn judge(&self) -> (Map<String, Value>, f64) {
        let began = Instant::now();
        let ranking = Ranking::new(&self.label, &self.score).unwrap();
        let window = self.window.unwrap_or_else(|| find_length_rank(&self.channel));
        let volume = vus(&ranking, window);
        let best = best_f1(&ranking).unwrap();
        let areas = (auc_pr(&ranking), auc_roc(&ranking));
        let seconds = began.elapsed().as_secs_f64();
        let track = AlarmTrack::new(&self.label[self.train_rows..], &self.alarm[self.train_rows..]).unwrap();
        let near = affiliation(&track);
        let mut found = json!({
            "window": window, "vus_roc": volume.map(|v| v.roc), "vus_pr": volume.map(|v| v.pr),
            "auc_pr": areas.0, "auc_roc": areas.1, "best_f1": best.f1, "best_threshold": best.threshold,
            "aff_p": near.and_then(|a| a.precision), "aff_r": near.map(|a| a.recall), "aff_f1": near.map(|a| a.f1),
            "nab_like": nab_like(&track),
        });
        let found = found.as_object_mut().unwrap();
        for report in [json!(event_report(&track)), json!(onset_report(&track))] {
            found.extend(report.as_object().unwrap().clone());
        }
        found.remove("false_openings");
        (found.clone(), seconds)
    }

    fn check(&self, expected: &Value) -> (f64, f64) {
        let (found, seconds) = self.judge();
        let mut worst = 0.0_f64;
        for (key, expected) in expected.as_object().unwrap() {
            let found = found.get(key).unwrap_or_else(|| panic!("{key} is measured"));
            match (found.as_f64(), expected.as_f64()) {
                (None, None) => {}
                (Some(found), Some(expected)) if (found - expected).abs() <= TOLERANCE => {
                    worst = worst.max((found - expected).abs());
                }
                _ => panic!("{}: {key} is {found}, the reference says {expected}", self.name),
            }
        }
        assert_eq!(found.len(), expected.as_object().unwrap().len(), "every measure has a reference");
        (worst, seconds)
    }
}

#[test]
fn measures_equal_the_stored_reference_on_small_cases() {
    let golden: Value = serde_json::from_str(include_str!("../golden/metrics.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 7);
    for case in cases {
        Case::from_json(case).check(&case["found"]);
    }
}

/// Two scores for a recording: its smoothed squared z-score, and noise with many ties.
fn cases_of(name: &str, recording: &Recording, train_rows: usize) -> [Case; 2] {
    let n_channels = recording.channels.len();
    let mut smooth = 0.0;
    let moments: Vec<(f64, f64)> = (0..n_channels)
        .map(|c| {
            let column: Vec<f64> = (0..train_rows).map(|row| recording.row(row)[c]).collect();
            let mean = column.iter().sum::<f64>() / train_rows as f64;
            let variance = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / train_rows as f64;
            (mean, variance.max(1e-9))
        })
        .collect();
    let z2: Vec<f64> = (0..recording.n_rows())
        .map(|row| {
            let terms = recording.row(row).iter().zip(&moments).map(|(v, (m, s))| ((v - m).powi(2) / s).min(100.0));
            smooth += 0.03 * (terms.sum::<f64>() / n_channels as f64 - smooth);
            smooth
        })
        .collect();
    let mut state = 20_26_u64;
    let noise: Vec<f64> = (0..recording.n_rows())
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % 1000) as f64 / 1000.0
        })
        .collect();
    let channel: Vec<f64> = (0..recording.n_rows()).map(|row| recording.row(row)[0]).collect();
    [("smoothed z-score", z2), ("noise", noise)].map(|(kind, score)| {
        let mut sorted = score.clone();
        sorted.sort_by(f64::total_cmp);
        let threshold = sorted[sorted.len() * 97 / 100];
        Case {
            name: format!("{name}, {kind}"),
            label: recording.label.clone().unwrap(),
            alarm: score.iter().map(|s| *s > threshold).collect(),
            score,
            channel: channel.clone(),
            train_rows,
            window: None,
        }
    })
}

#[test]
#[ignore = "needs python3 with numpy, KILTER_QUALITY_BENCH (folder of metrics.py) and KILTER_BENCH_DATA (labelled set)"]
fn measures_equal_the_reference_on_a_benchmark_set_and_are_five_times_as_fast() {
    let folder = |name: &str| PathBuf::from(std::env::var(name).unwrap_or_else(|_| panic!("set {name}")));
    let (bench, data) = (folder("KILTER_QUALITY_BENCH"), folder("KILTER_BENCH_DATA"));
    let python = std::env::var("KILTER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut manifest = csv::Reader::from_path(data.join("MANIFEST.csv")).unwrap();
    let (mut n_cases, mut worst, mut ours, mut theirs) = (0, 0.0_f64, 0.0, 0.0);
    for row in manifest.deserialize::<std::collections::HashMap<String, String>>() {
        let row = row.unwrap();
        let recording = Recording::open(&data.join(&row["file"]), LabelColumn::Read).unwrap();
        let cases = cases_of(&row["file"], &recording, row["train_rows"].parse().unwrap());
        let input = json!(cases.iter().map(Case::to_json).collect::<Vec<_>>()).to_string();
        let mut child = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics_recipe.py"))
            .env("KILTER_QUALITY_BENCH", &bench)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{python} failed on {}", row["file"]);
        let results: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        for (case, result) in cases.iter().zip(&results) {
            let (difference, seconds) = case.check(&result["found"]);
            worst = worst.max(difference);
            ours += seconds;
            theirs += result["seconds"].as_f64().unwrap();
            n_cases += 1;
        }
    }
    println!(
        "{n_cases} cases, largest difference {worst:.1e}; {ours:.3} s against {theirs:.1} s: {:.0} times as fast",
        theirs / ours
    );
    assert!(theirs > 5.0 * ours, "{ours} s is not five times as fast as {theirs} s");
}
