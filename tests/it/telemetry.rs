//! `/metrics` of a running service: every metric that is declared is there, with its labels, and says what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kilter::service::telemetry::{METRICS, MetricKind};
use serde_json::Value;

use crate::browser::wait_for;
use crate::running::{Plant, SERIES};

/// Metric → (labels, value), as Prometheus' text format has them.
type Scrape = BTreeMap<String, Vec<(BTreeMap<String, String>, f64)>>;

fn scrape(plant: &Plant) -> Scrape {
    let text = ureq::get(format!("{}/metrics", plant.base)).call().unwrap().body_mut().read_to_string().unwrap();
    let mut found = Scrape::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (what, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = what.split_once('{').map_or((what, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        let labels = pairs.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect();
        found.entry(name.to_owned()).or_default().push((labels, value.parse().unwrap()));
    }
    found
}

/// The value of a metric whose label has a value.
fn labelled(scrape: &Scrape, name: &str, label: &str, wanted: &str) -> Option<f64> {
    let fits = |labels: &BTreeMap<String, String>| labels.get(label).is_some_and(|value| value == wanted);
    scrape.get(name)?.iter().find(|(labels, _)| fits(labels)).map(|(_, value)| *value)
}

fn single(scrape: &Scrape, name: &str) -> Option<f64> {
    scrape.get(name).and_then(|samples| samples.first()).map(|(_, value)| *value)
}

/// Nobody listens there: what this receiver has to be told waits.
const GONE: &str = "[[notify.webhooks]]\nname = \"gone\"\nurl = \"http://127.0.0.1:9/\"\n";

#[test]
#[ignore = "needs mosquitto"]
fn every_metric_is_set_by_a_running_service_and_is_true() {
    let mut plant = Plant::start_with(900, GONE);
    // A gap of five rows, something that is no reading, and a member of another type than before.
    plant.publish(0..600, i64::MAX);
    plant.publish(605..1000, i64::MAX);
    plant.say("not JSON at all");
    plant.publish(1000..1060, 1000);
    let series = |plant: &Plant| plant.get("series/hall-1%2Fpump-3");
    wait_for("an alert", || series(&plant)["n_open_alerts"].as_u64() > Some(0));
    plant.say(&format!(
        "{{\"timestamp\":{},\"load\":\"high\",\"temperature\":60.0,\"vibration\":2.0}}",
        plant.first_s + 1060
    ));
    let begun = Instant::now();
    while single(&scrape(&plant), "kilter_model_skill").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(300), "the power of the model is measured after its fit");
        std::thread::sleep(Duration::from_millis(500));
    }
    let is_waiting = |found: &Scrape| labelled(found, "kilter_outbox_pending", "target", "webhook:gone") >= Some(1.0);
    wait_for("the gauges", || {
        is_waiting(&scrape(&plant)) && single(&scrape(&plant), "kilter_alerts_open") >= Some(1.0)
    });

    let found = scrape(&plant);
    for &(name, kind, labels, _) in METRICS {
        let sample = if kind == MetricKind::Histogram { format!("{name}_bucket") } else { name.to_owned() };
        let samples = found.get(&sample).unwrap_or_else(|| panic!("{name} is declared and never set"));
        let allowed: BTreeSet<&str> =
            labels.iter().copied().chain((kind == MetricKind::Histogram).then_some("le")).collect();
        for (found, _) in samples {
            let found: BTreeSet<&str> = found.keys().map(String::as_str).collect();
            assert_eq!(found, allowed, "labels of {name}");
        }
    }
    let one = series(&plant);
    let budget = &one["budget"];
    let of_series = |name: &str| labelled(&found, name, "series", SERIES);
    let per_row = |n: &Value| n.as_f64().unwrap() / budget["n_judged"].as_f64().unwrap();
    assert_eq!(single(&found, "kilter_alerts_open"), one["n_open_alerts"].as_f64());
    for state in ["normal", "anomalous", "warming_up", "no_data", "model_stale"] {
        let n = f64::from(u8::from(one["state"] == state));
        assert_eq!(labelled(&found, "kilter_series", "state", state), Some(n), "{state}: {one}");
    }
    assert_eq!(of_series("kilter_alarm_rate_promised"), budget["openings_per_row"].as_f64());
    assert_eq!(of_series("kilter_alarm_rate_realised"), Some(per_row(&budget["n_openings"])));
    let model = plant.get(&format!("models/{}", one["model_id"].as_str().unwrap()));
    assert_eq!(of_series("kilter_model_skill"), model["model_skill"].as_f64());
    let on_disk = std::fs::metadata(plant.dir.path().join("kilter.db")).unwrap().len() as f64;
    assert!(single(&found, "kilter_store_bytes") >= Some(on_disk), "the log beside the file counts");
    assert!(single(&found, "kilter_disk_free_bytes") > Some(1e6));
    assert_eq!(labelled(&found, "kilter_readings_total", "result", "accepted"), Some(1055.0 * 3.0 + 2.0));
    assert_eq!(labelled(&found, "kilter_outbox_pending", "target", "mqtt"), Some(0.0));
    let waiting =
        plant.get("targets")["data"].as_array().unwrap().iter().find(|one| one["name"] == "webhook:gone").cloned();
    assert_eq!(
        labelled(&found, "kilter_outbox_pending", "target", "webhook:gone"),
        waiting.unwrap()["n_pending"].as_f64()
    );

    // What was known before a restart is known after it, before any message.
    plant.stop_service();
    plant.start_service();
    let again = scrape(&plant);
    for name in ["kilter_model_skill", "kilter_alarm_rate_promised", "kilter_alarm_rate_realised"] {
        assert!(labelled(&again, name, "series", SERIES).is_some(), "{name} after a restart");
    }
}
