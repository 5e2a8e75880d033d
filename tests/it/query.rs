//! The query commands: a data directory and a running service give the same answer, in every form.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use kilter::detector::{ChannelPower, FaultKind, FaultPower, PowerReport};
use kilter::pipeline::{BudgetRow, ModelPower, Outcome, PowerRow, ShiftDeed};
use kilter::series::ChannelName;
use serde_json::Value;

use crate::served::{PUMP, PUMP_PATH, Served, at, name, opened, resolved, with_pump};

fn kilter(args: &[&str]) -> (String, String, Option<i32>) {
    let output = assert_cmd::Command::cargo_bin("kilter").unwrap().args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// Asks the directory and the service, and gives their one answer.
fn both(served: &Served, args: &[&str]) -> String {
    let dir = served.dir().to_str().unwrap().to_owned();
    let (from_dir, errors, code) = kilter(&[args, &["--data-dir", &dir]].concat());
    assert_eq!(code, Some(0), "{args:?}: {errors}");
    let (from_service, errors, code) = kilter(&[args, &["--url", &served.url()]].concat());
    assert_eq!(code, Some(0), "{args:?}: {errors}");
    assert_eq!(from_dir, from_service, "{args:?}");
    from_dir
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_directory_and_a_service_give_the_same_answer() {
    let served = with_pump();
    served.commit(&[opened(PUMP, 10), resolved(PUMP, 10), opened(PUMP, 50)]);

    let series = json(&both(&served, &["series", "--json"]));
    assert_eq!((series.len(), &series[0]["series"]), (1, &Value::from(PUMP)));
    assert!(json(&both(&served, &["series", "--json", "--state", "no_data"])).is_empty());
    assert!(both(&served, &["series"]).contains("normal"));

    // 300 rows of one second: the last hour is all of them, the last minute 61, both ends included.
    assert_eq!(json(&both(&served, &["scores", PUMP, "--json"])).len(), 300);
    assert_eq!(json(&both(&served, &["scores", PUMP, "--since", "1m", "--json"])).len(), 61);
    let between = ["scores", PUMP, "--since", "2026-11-24T12:00:07Z", "--until", "2026-11-24T12:00:09Z", "--csv"];
    let csv = both(&served, &between);
    let lines: Vec<_> = csv.lines().collect();
    assert!(lines[0].starts_with("at,live_score,settled_score,evidence,p_value,"), "{csv}");
    assert_eq!((lines.len(), lines[1].starts_with("2026-11-24T12:00:07Z,")), (3, true), "{csv}");
    assert_eq!(json(&both(&served, &["scores", PUMP, "--step", "1m", "--json"])).len(), 5);

    let alerts = json(&both(&served, &["alerts", "--json"]));
    assert_eq!((alerts.len(), &alerts[0]["state"]), (2, &Value::from("open")));
    assert_eq!(json(&both(&served, &["alerts", "--state", "resolved", "--series", PUMP, "--json"])).len(), 1);
    assert_eq!(json(&both(&served, &["alerts", "--since", "10s", "--json"])).len(), 1);
    assert!(both(&served, &["alerts"]).contains("temperature 90% (35.0000, expected 21.0000)"));
    assert!(!json(&both(&served, &["models", "list", "--json"])).is_empty());
}

#[test]
fn what_is_not_there_is_said_plainly() {
    let served = with_pump();
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for (args, expected) in [
        (&["scores", "fan", "--url", &served.url()][..], "no series"),
        (&["series", "--data-dir", empty][..], "there is no store"),
        (&["series", "--url", "http://127.0.0.1:1"][..], "http://127.0.0.1:1"),
    ] {
        let (_, errors, code) = kilter(args);
        assert_eq!(code, Some(1), "{args:?}");
        assert!(errors.to_lowercase().contains(expected), "{args:?}: {errors}");
    }
    let (_, errors, code) = kilter(&["scores", PUMP, "--since", "lately", "--url", &served.url()]);
    assert_eq!((code, errors.contains("lately")), (Some(2), true), "{errors}");
}

#[test]
fn an_alert_is_acknowledged_and_labelled_through_either_door() {
    let served = with_pump();
    served.commit(&[opened(PUMP, 10), opened(PUMP, 50)]);
    let alerts = json(&both(&served, &["alerts", "--json"]));
    let (first, second) = (alerts[0]["id"].as_str().unwrap(), alerts[1]["id"].as_str().unwrap());
    let url = served.url();
    let (said, errors, code) = kilter(&["acknowledge", first, "--url", &url]);
    assert_eq!((code, said.contains(first)), (Some(0), true), "{errors}");
    assert_eq!(kilter(&["label", first, "false", "--note", "cleaning", "--url", &url]).2, Some(0));
    let (_, errors, code) = kilter(&["label", first, "true", "--url", &url]);
    assert_eq!((code, errors.contains("already carries the label \"false alarm\"")), (Some(1), true), "{errors}");
    assert_eq!(kilter(&["label", first, "true", "--replace", "--author", "Ada", "--url", &url]).2, Some(0));
    assert_eq!(kilter(&["label", first, "none", "--url", &url]).2, Some(0));
    assert_eq!(kilter(&["label", first, "false", "--url", &url]).2, Some(0));
    // Somebody else writes the directory.
    let dir = served.dir().to_str().unwrap().to_owned();
    let (_, errors, code) = kilter(&["acknowledge", second, "--data-dir", &dir]);
    assert_eq!((code, errors.contains("in use")), (Some(1), true), "{errors}");
    assert_eq!(kilter(&["acknowledge", "ffff", "--url", &url]).2, Some(1));
    let alerts = json(&both(&served, &["alerts", "--json"]));
    assert_eq!((&alerts[0]["label"], &alerts[1]["label"]), (&Value::Bool(false), &Value::Null));
    assert!(alerts[0]["acknowledged_at"].is_string());
}

#[test]
fn what_a_receiver_has_refused_is_seen_through_either_door() {
    let served = with_pump();
    served.block_on(served.store.add_target("webhook:pager")).unwrap();
    served.commit(&[opened(PUMP, 10), resolved(PUMP, 10)]);
    let pending = served.block_on(served.store.pending("webhook:pager", 10)).unwrap();
    let said = "404: no such hook";
    served.block_on(served.store.bury("webhook:pager", pending[0].id, 3, said, at(400))).unwrap();
    let letters = json(&both(&served, &["targets", "--dead", "--json"]));
    assert_eq!(
        (letters.len(), &letters[0]["error"], &letters[0]["attempts"]),
        (1, &Value::from(said), &Value::from(3))
    );
    assert_eq!(letters[0]["transition"]["alert"]["series"], PUMP);
    let targets = json(&both(&served, &["targets", "--json"]));
    assert_eq!((&targets[0]["n_pending"], &targets[0]["n_dead"]), (&Value::from(1), &Value::from(1)));
}

/// Follows, and gives the first lines that come once something happens again and again.
fn followed(args: &[&str], mut happens: impl FnMut()) -> String {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("kilter"))
        .args(["alerts", "--follow", "--json"])
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, heard) = mpsc::channel();
    let out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(lines.send(line))));
    // It follows from its start on, which is not told: what happens is repeated until it is heard.
    let line = (0..100).find_map(|_| {
        happens();
        heard.recv_timeout(Duration::from_millis(200)).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    line.expect("a transition is told")
}

#[test]
fn follow_tells_a_transition_as_it_is_committed() {
    let served = with_pump();
    let mut row = 10;
    let mut happens = || {
        row += 1;
        served.commit(&[opened(PUMP, row)]);
    };
    let dir = served.dir().to_str().unwrap().to_owned();
    for args in [&["--data-dir", &dir][..], &["--url", &served.url()]] {
        let told: Value = serde_json::from_str(&followed(args, &mut happens)).unwrap();
        assert_eq!((&told["transition"], &told["alert"]["series"]), (&Value::from("opened"), &Value::from(PUMP)));
    }
}

#[test]
fn a_model_is_trained_from_the_store_listed_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    let recording = dir.path().join("pump.csv");
    let row = |n: i32| {
        let angle = f64::from(n) / 9.0;
        format!("{:.6},{:.6}\n", angle.sin(), (angle * 1.7).cos())
    };
    let text: String = std::iter::once("load,pressure\n".to_owned()).chain((0..120).map(row)).collect();
    std::fs::write(&recording, text).unwrap();
    let (said, errors, code) =
        kilter(&["train", "pump", "--from", recording.to_str().unwrap(), "--rows", "120", "--data-dir", data]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(said.contains("fitted on 120 rows"), "{said}");
    let models = json(&kilter(&["models", "list", "--series", "pump", "--json", "--data-dir", data]).0);
    let id = models[0]["id"].as_str().unwrap();
    assert!(said.contains(id));
    let file = dir.path().join("bundle");
    let (_, errors, code) = kilter(&["models", "export", id, file.to_str().unwrap(), "--data-dir", data]);
    assert_eq!(code, Some(0), "{errors}");
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(kilter::bundle::ModelBundle::decode(&bytes).unwrap().id(), id);
    assert_eq!(Path::new(&file).metadata().unwrap().len(), models[0]["n_bytes"].as_u64().unwrap());
}

#[test]
fn power_level_shifts_and_budgets_are_told_by_a_directory_and_a_service_alike() {
    let served = with_pump();
    let model_id = served.ok(PUMP_PATH)["model_id"].as_str().unwrap().to_owned();
    let power = |channel, kind, size, seen| ChannelPower { channel, kind, size, rows: 25, seen };
    let report = PowerReport {
        fused: vec![FaultPower { kind: FaultKind::Shift, size: Some(1.5), rows: 25, seen: 0.9, area: 0.97 }],
        members: Vec::new(),
        channels: vec![power(0, FaultKind::Shift, 2.1, 0.9)],
        n_rows: 600,
        model_skill: Some(0.125),
        trained_gain: None,
    };
    let channels = vec![ChannelName::parse("temperature").unwrap()];
    let power = ModelPower { channels, units: vec![Some("°C".to_owned())], report };
    let budget = BudgetRow {
        series: name(PUMP),
        at: at(299),
        asked: "1 per week".to_owned(),
        explanation: Some("asked for 1 per week, runs at 120.960 per week".to_owned()),
        openings_per_row: 2e-4,
        n_judged: 300,
        n_promised: 0.06,
        n_openings: 2,
    };
    let accepted = ShiftDeed::Accepted { at: at(200), factor: 2.5 };
    served.commit(&[
        Outcome::Power(PowerRow { series: name(PUMP), model_id: model_id.clone(), at: at(299), power }),
        Outcome::Budget(budget),
        Outcome::Shift { series: name(PUMP), deed: accepted },
    ]);

    let text = both(&served, &["models", "power", PUMP]);
    assert!(text.contains("temperature: a 2.1 °C shift for 25 rows is seen with probability 0.9"), "{text}");
    assert!(text.contains("+0.125 against the PCA alone"), "{text}");
    let told: Value = serde_json::from_str(&both(&served, &["models", "power", PUMP, "--json"])).unwrap();
    assert_eq!(told, served.ok(&format!("/api/v1/models/{model_id}/power")));
    served.refused("/api/v1/models/0123456789abcdef/power", 404, "power");

    let series = &json(&both(&served, &["series", "--json"]))[0];
    let asked = (&series["budget"]["alarm_budget"], &series["budget"]["n_openings"]);
    assert_eq!(asked, (&Value::from("1 per week"), &Value::from(2)));
    assert!(series["budget"]["explanation"].as_str().unwrap().contains("120.960 per week"), "{series}");

    let shifts = json(&both(&served, &["shifts", PUMP, "--json"]));
    assert_eq!((shifts.len(), &shifts[0]["factor"], &shifts[0]["undone_at"]), (1, &Value::from(2.5), &Value::Null));
    served.commit(&[Outcome::Shift { series: name(PUMP), deed: ShiftDeed::Undone { undone_at: at(250) } }]);
    let text = both(&served, &["shifts", PUMP]);
    assert!(text.contains("2.5 times as large count as normal; taken back at"), "{text}");
    // A service that only reads says so; one that runs takes the deed to its pipeline.
    let (status, problem) = served.post(&format!("{PUMP_PATH}/level-shifts/undo"), &Value::Null);
    assert_eq!(status, 503, "{problem}");
}
