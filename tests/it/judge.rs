//! `kilter score` and `kilter evaluate` from outside: the promises of their output.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// A recording of two coupled channels with noise, a shift of the second over `fault`, and labels.
fn recording(n_rows: usize, fault: std::ops::Range<usize>, is_timed: bool) -> String {
    let mut text = if is_timed { "timestamp,load,temp,label\n" } else { "load,temp,label\n" }.to_owned();
    let mut state = 5_u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    for row in 0..n_rows {
        let load = (row as f64 / 12.0).sin() + 0.2 * noise();
        let shift = if fault.contains(&row) { 2.5 } else { 0.0 };
        let temp = 40.0 + 0.7 * load + 0.2 * noise() + shift;
        if is_timed {
            // Every 50th second comes twice, as clocks do when they stumble.
            write!(text, "{},", 1_700_000_000 + row - usize::from(row % 50 == 49)).unwrap();
        }
        // Every 97th load is missing.
        let load = if row % 97 == 96 { String::new() } else { format!("{load:.5}") };
        writeln!(text, "{load},{temp:.5},{}", u8::from(fault.contains(&row))).unwrap();
    }
    text
}

fn kilter(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("kilter").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

fn score(folder: &Path, arguments: &[&str]) -> Vec<Vec<String>> {
    let output = kilter(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

#[test]
fn score_writes_one_line_per_input_row_and_every_number_is_finite() {
    let folder = tempfile::tempdir().unwrap();
    for (is_timed, grid) in [(false, "row"), (true, "row"), (true, "time")] {
        fs::write(folder.path().join("pump.csv"), recording(700, 500..560, is_timed)).unwrap();
        let lines = score(folder.path(), &["score", "pump.csv", "--train-rows", "300", "--grid", grid]);
        let header = "row,timestamp,phase,live_score,settled_score,evidence,p_value,autoencoder_error,pca_error,\
                      baseline_error,is_anomalous,top_channel";
        assert_eq!(lines[0].join(","), header);
        assert_eq!(lines.len(), 701, "{grid}");
        for (row, line) in lines[1..].iter().enumerate() {
            assert_eq!(line[0], row.to_string());
            assert_eq!(line[1].is_empty(), !is_timed);
            assert_eq!(line[2], if row < 300 { "training" } else { "scoring" }, "row {row}, {grid}");
            assert!(line[3..10].iter().all(|cell| cell.parse::<f64>().unwrap().is_finite()), "{line:?}");
            assert!(["0", "1"].contains(&line[10].as_str()));
            assert!(["load", "temp"].contains(&line[11].as_str()));
        }
        let in_alert: Vec<usize> = (0..700).filter(|row| lines[row + 1][10] == "1").collect();
        assert!(in_alert.first().is_some_and(|row| (500..560).contains(row)), "{grid}: {in_alert:?}");
        let blamed = lines[501..511].iter().filter(|line| line[11] == "temp").count();
        assert!(blamed > 5, "the channel that was shifted is to blame, in {blamed} of its first 10 rows");
    }
}

#[test]
fn a_live_score_uses_nothing_after_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let whole = recording(600, 400..440, false);
    let cut: Vec<&str> = whole.lines().take(1 + 420).collect();
    fs::write(folder.path().join("whole.csv"), &whole).unwrap();
    fs::write(folder.path().join("cut.csv"), cut.join("\n")).unwrap();
    let whole = score(folder.path(), &["score", "whole.csv", "--train-rows", "250"]);
    let cut = score(folder.path(), &["score", "cut.csv", "--train-rows", "250"]);
    for row in 1..=420 {
        for column in [0, 3, 5, 6, 7, 8, 9, 10, 11] {
            assert_eq!(whole[row][column], cut[row][column], "row {row}, {}", whole[0][column]);
        }
    }
    let settled = |lines: &[Vec<String>], rows: std::ops::Range<usize>| {
        lines[rows].iter().map(|l| l[4].clone()).collect::<Vec<_>>()
    };
    assert_eq!(settled(&whole, 1..380), settled(&cut, 1..380), "settled scores look ahead by the settle delay only");
}

#[test]
fn labels_are_never_read_for_scoring() {
    let folder = tempfile::tempdir().unwrap();
    let text = recording(400, 300..320, false);
    let spoiled: String = text.lines().enumerate().fold(String::new(), |mut all, (line, text)| {
        let kept = if line == 0 { text.to_owned() } else { format!("{},soup", text.rsplit_once(',').unwrap().0) };
        all.push_str(&kept);
        all.push('\n');
        all
    });
    fs::write(folder.path().join("a.csv"), &text).unwrap();
    fs::write(folder.path().join("b.csv"), spoiled).unwrap();
    let arguments = |file| ["score", file, "--train-rows", "200"];
    assert_eq!(score(folder.path(), &arguments("a.csv")), score(folder.path(), &arguments("b.csv")));
}

#[test]
fn score_sums_up_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pump.csv"), recording(700, 500..560, true)).unwrap();
    let output = kilter(folder.path(), &["score", "pump.csv", "--train-rows", "300"]);
    let (rows, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let rows: Vec<Vec<&str>> = rows.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let open: Vec<usize> = (0..rows.len()).filter(|row| rows[*row][10] == "1").collect();
    assert!(open.windows(2).all(|pair| pair[1] == pair[0] + 1), "one alert: {open:?}");
    assert!(told.contains("300 rows to learn from, 400 scored, 1 alert\n"), "{told}");
    let (first, last) = (open[0], open[open.len() - 1]);
    assert!(told.contains(&format!("alert from row {first} ({}) to row {last} (", rows[first][1])), "{told}");
    let worst = open.iter().max_by(|a, b| {
        let score = |row: usize| rows[row][3].parse::<f64>().unwrap();
        score(**a).total_cmp(&score(**b))
    });
    assert!(told.contains(&format!("at row {} (", worst.unwrap())) && told.contains("most to blame temp"), "{told}");
}

#[test]
fn score_draws_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pump.csv"), recording(500, 300..340, false)).unwrap();
    score(folder.path(), &["score", "pump.csv", "--train-rows", "200", "--plot", "pump.svg"]);
    let svg = fs::read_to_string(folder.path().join("pump.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for word in ["load", "temp", "evidence", "notable"] {
        assert!(svg.contains(word), "{word} is in the picture");
    }
}

#[test]
fn what_cannot_be_scored_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short.csv"), "a\n1\n2\n3\n").unwrap();
    fs::write(folder.path().join("bad.csv"), "a\n1\ntwo\n").unwrap();
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = kilter(folder.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(output.stdout.is_empty());
    };
    check(&["score", "none.csv"], 1, "none.csv");
    check(&["score", "bad.csv"], 1, "line 3, column 1 (a)");
    check(&["score", "short.csv", "--train-rows", "9"], 2, "9 training rows");
    check(&["score", "short.csv", "--train-rows", "3"], 1, "50 usable rows are needed");
    check(&["score", "short.csv", "--grid", "time"], 2, "timestamp");
    check(&["score", "short.csv", "--grid", "hexagonal"], 2, "row or time");
    // A row a minute on a grid of one second: no window is ever full.
    let row = |i: u32| format!("2026-11-25T{:02}:{:02}:00Z,{}\n", i / 60, i % 60, f64::from(i).sin());
    let minutes = "timestamp,a\n".to_owned() + &(0..300).map(row).collect::<String>();
    fs::write(folder.path().join("minutes.csv"), minutes).unwrap();
    fs::write(folder.path().join("seconds.toml"), "[defaults]\nstride = \"1s\"\nmembers = [\"pca\"]\n").unwrap();
    let by_seconds = ["score", "minutes.csv", "--train-rows", "200", "--config", "seconds.toml"];
    check(&by_seconds, 1, "set `stride` to the distance of the rows");
    check(&["evaluate", "short.csv"], 1, "label");
    check(&["evaluate", "."], 1, "bad.csv");
}

#[test]
fn evaluate_puts_every_contender_beside_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = "file,source,train_rows,half\n".to_owned();
    for (name, source, half, fault) in
        [("a.csv", "pumps", 1, 400..440), ("b.csv", "pumps", 2, 450..480), ("c.csv", "fans", 1, 350..420)]
    {
        fs::write(folder.path().join(name), recording(600, fault, false)).unwrap();
        writeln!(manifest, "{name},{source},250,{half}").unwrap();
    }
    fs::write(folder.path().join("MANIFEST.csv"), manifest).unwrap();
    fs::write(folder.path().join("not listed.csv"), "junk").unwrap();
    let output = kilter(folder.path(), &["evaluate", ".", "--json", "--halves", "--svg", "svg", "--out", "scores"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> =
        found["summary"].as_array().unwrap().iter().map(|c| c["contender"].as_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"fused"));
    assert!(names.contains(&"pca") && names.last() == Some(&"baseline"), "{names:?}");
    assert_eq!(found["series"].as_array().unwrap().len(), 3);
    assert_eq!(found["halves"].as_object().unwrap().len(), 2);
    let fused = &found["summary"][0];
    let of = |source: usize| fused["sources"][source]["means"]["live"]["vus_pr"].as_f64().unwrap();
    let mean = fused["means"]["live"]["vus_pr"].as_f64().unwrap();
    assert!((mean - (of(0) + of(1)) / 2.0).abs() < 1e-12, "every source counts the same");
    assert!(mean > 0.5, "a shift of five noise widths ranks high: {mean}");
    assert!(folder.path().join("svg/a.svg").is_file());
    let scores = fs::read_to_string(folder.path().join("scores/fused/c.csv")).unwrap();
    assert_eq!(scores.lines().count(), 601);
    let table = kilter(folder.path(), &["evaluate", ".", "--source", "fans", "--contender", "baseline"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("baseline") && table.contains("fans (1)") && !table.contains("pumps"), "{table}");
}
