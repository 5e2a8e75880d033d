//! What people do about an alert of the running service, from the command line: silence, explain, label, undo.

use kilter::series::Timestamp;
use serde_json::{Value, json};

use crate::browser::wait_for;
use crate::running::{Plant, SERIES, WARM_UP_ROWS};

fn kilter(plant: &Plant, args: &[&str]) -> String {
    let mut command = assert_cmd::Command::cargo_bin("kilter").unwrap();
    let output = command.args(args).args(["--url", &plant.base]).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
#[ignore = "needs mosquitto"]
fn silenced_time_is_not_learned_and_an_alert_is_explained_previewed_labelled_and_undone() {
    let plant = Plant::start_with(WARM_UP_ROWS, "[defaults.alerts]\nlearn_silenced = false\n");
    plant.publish(0..100, i64::MAX);
    wait_for("the series", || plant.get("series")["data"].as_array().is_some_and(|list| list.len() == 1));
    // Maintenance of the whole machine from row 400 on, while it warms up.
    let start = Timestamp::from_ms(1000 * (plant.first_s + 400)).to_string();
    let matcher = format!("series={SERIES}");
    let silence =
        ["silence", "add", &matcher, "--start", &start, "--for", "10h", "--comment", "new bearings", "--json"];
    let made = as_json(&kilter(&plant, &silence))[0].clone();
    assert_eq!((&made["comment"], &made["status"]["state"]), (&json!("new bearings"), &json!("active")));
    plant.publish(100..650, i64::MAX);
    wait_for("a model", || plant.get("models")["data"].as_array().is_some_and(|list| !list.is_empty()));
    let provenance = plant.get("models")["data"][0]["provenance"].clone();
    let n_silenced = WARM_UP_ROWS - 400;
    assert_eq!(provenance["n_excluded"], n_silenced, "rows 400 to 499 were silenced: {provenance}");

    let id = made["id"].as_str().unwrap();
    assert!(kilter(&plant, &["silence", "expire", id]).contains(id));
    assert_eq!(as_json(&kilter(&plant, &["silence", "list", "--json"])), json!([]));
    plant.publish(650..760, 700);
    let alerts = || as_json(&kilter(&plant, &["alerts", "--state", "open", "--json"]));
    wait_for("an alert", || alerts().as_array().is_some_and(|list| !list.is_empty()));
    let alert = alerts()[0].clone();
    let id = alert["id"].as_str().unwrap();
    assert_eq!(alert["channels"][0]["channel"], "temperature", "the channel that was broken is named first");
    let log = plant.log();
    let line = log.lines().find(|line| line.contains("an alert opened")).unwrap_or_else(|| panic!("{log}"));
    for said in [SERIES, id, "temperature", alert["severity"].as_str().unwrap()] {
        assert!(line.contains(said), "{said:?} in {line:?}");
    }

    // Computed again, to the last bit; as JSON, a table, CSV and a picture.
    let explained = as_json(&kilter(&plant, &["explain", id, "--json"]));
    assert!(explained["n_rebuilt"].as_u64() > Some(50), "{}", explained["notes"]);
    assert_eq!((&explained["is_equal"], &explained["n_equal"]), (&json!(true), &explained["n_rebuilt"]));
    let picture = plant.dir.path().join("why.svg");
    let table = kilter(&plant, &["explain", id, "--plot", picture.to_str().unwrap()]);
    assert!(table.contains("temperature") && table.contains("to the last bit"), "{table}");
    let svg = std::fs::read_to_string(picture).unwrap();
    assert!(svg.contains("<svg") && svg.contains("temperature"));
    assert!(kilter(&plant, &["explain", id, "--csv"]).starts_with("at,phase,channel,observed,expected"));

    // What a label would do is said first, and changes nothing.
    let label = || as_json(&kilter(&plant, &["alerts", "--json"]))[0]["label"].clone();
    let preview = kilter(&plant, &["label", id, "false", "--preview"]);
    assert!(
        preview.contains("would count as ordinary") && preview.contains("The label can be taken back"),
        "{preview}"
    );
    assert_eq!(label(), Value::Null);
    kilter(&plant, &["label", id, "false", "--note", "cleaning"]);
    assert_eq!(label(), false);
    kilter(&plant, &["label", id, "none"]);
    assert_eq!(label(), Value::Null);
    assert!(kilter(&plant, &["acknowledge", id]).contains(id));
    assert!(alerts()[0]["acknowledged_at"].is_string());
}

#[test]
#[ignore = "needs mosquitto"]
fn check_says_that_the_service_runs_and_is_connected() {
    let mut plant = Plant::start();
    let check = || {
        let mut command = assert_cmd::Command::cargo_bin("kilter").unwrap();
        let output =
            command.args(["check", "--connect", "--config"]).arg(plant.dir.path().join("kilter.toml")).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("written by the service that runs at {}", plant.base)), "{said}");
    assert!(said.contains(": connected\n"), "the broker answers: {said}");
    plant.stop_service();
    let mut command = assert_cmd::Command::cargo_bin("kilter").unwrap();
    let output = command.args(["check", "--connect", "--config"]).arg(plant.dir.path().join("kilter.toml")).output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.contains("kilter.db: can be written"), "{said}");
}
