//! The page on the real service: mosquitto, `kilter run` as a process, real MQTT, and Chromium. Every flow that a
//! person goes through.
//!
//! Needs `mosquitto`, `mosquitto-clients`, `chromium` and `chromium-driver`. Pictures of what a person would see are
//! left in the target directory under `tmp/page`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::browser::{Browser, wait_for};
use crate::mosquitto::{Mosquitto, free_port};

/// Rows after which the machine's one model is fitted.
const WARM_UP_ROWS: i64 = 500;
const SERIES: &str = "hall-1/pump-3";

/// A broker, the service on it, and a machine that publishes.
struct Plant {
    broker: Mosquitto,
    service: Option<Child>,
    base: String,
    dir: tempfile::TempDir,
    first_s: i64,
}

impl Plant {
    fn start() -> Self {
        let broker = Mosquitto::start();
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = format!(
            "[mqtt]\nservers = [\"{}\"]\n[store]\nurl = \"sqlite:{}/kilter.db\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
             [log]\nfilter = \"warn\"\n[defaults]\ntopic = \"plant/{{site}}/{{machine}}\"\nwarm_up_rows = {WARM_UP_ROWS}\n\
             silence_after = \"1h\"\n[defaults.autoencoder]\nepochs = 3\n",
            broker.url(),
            dir.path().display()
        );
        std::fs::write(dir.path().join("kilter.toml"), text).unwrap();
        // All rows lie in the last half hour, as they would on a running machine.
        let first_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 - 1_800;
        let base = format!("http://127.0.0.1:{port}");
        let mut plant = Self { broker, service: None, base, dir, first_s };
        plant.start_service();
        plant
    }

    fn start_service(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kilter"));
        command.arg("run").arg("--config").arg(self.dir.path().join("kilter.toml")).stdout(Stdio::null());
        self.service = Some(command.spawn().unwrap());
        let url = format!("{}/readyz", self.base);
        wait_for("the service is ready", || ureq::get(&url).call().is_ok());
    }

    fn stop_service(&mut self) {
        let Some(mut service) = self.service.take() else { return };
        let asked = Command::new("kill").args(["-TERM", &service.id().to_string()]).status();
        assert!(asked.unwrap().success());
        assert!(service.wait().unwrap().success(), "the service ends well");
    }

    /// Publishes rows of the machine over MQTT: load with a rhythm of 40 rows, temperature behind it, vibration with
    /// it. From `broken` on the temperature sensor reads 12 too much.
    fn publish(&self, rows: std::ops::Range<i64>, broken: i64) {
        let mut text = "timestamp,load,temperature,vibration\n".to_owned();
        for row in rows {
            let angle = |behind: f64| (row as f64 - behind) * std::f64::consts::TAU / 40.0;
            let noise = |salt: i64| (row * 7919 + salt * 104_729).rem_euclid(1009) as f64 / 1009.0 - 0.5;
            let fault = if row >= broken { 12.0 } else { 0.0 };
            let (load, vibration) = (50.0 + 30.0 * angle(0.0).sin(), 2.0 + 0.8 * angle(0.0).sin());
            let temperature = 60.0 + 8.0 * angle(6.0).sin() + fault;
            let (a, b, c) = (load + 3.0 * noise(1), temperature + noise(2), vibration + 0.2 * noise(3));
            writeln!(text, "{},{a:.3},{b:.3},{c:.4}", self.first_s + row).unwrap();
        }
        let file = self.dir.path().join("rows.csv");
        std::fs::write(&file, text).unwrap();
        let args = ["--broker", &self.broker.url(), "--topic", &format!("plant/{SERIES}")].map(str::to_owned);
        run(Command::new(env!("CARGO_BIN_EXE_kilter")).arg("publish").args(args).arg(&file));
    }

    fn get(&self, path: &str) -> Value {
        ureq::get(format!("{}/api/v1/{path}", self.base)).call().unwrap().body_mut().read_json().unwrap()
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            service.kill().ok();
            service.wait().ok();
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Marks the document, so that a reload would show.
fn mark(browser: &Browser) {
    browser.run("window.isMarked = true");
}

fn assert_never_reloaded(browser: &Browser) {
    assert_eq!(browser.run("return window.isMarked === true"), json!(true), "the page was never reloaded");
}

#[test]
#[ignore = "needs chromium, chromedriver and mosquitto"]
fn from_the_first_reading_to_a_silenced_alarm() {
    let plant = Plant::start();
    let browser = Browser::start();
    browser.size(390, 844, "light");
    browser.open(&plant.base, "");
    browser.wait_for_text("No series yet");
    mark(&browser);
    browser.picture("live-1-empty-phone-light");
    // The line that the page shows works as it stands, and a series appears without reload.
    let line = browser.run("return document.querySelector('.command code').textContent");
    run(Command::new("sh").arg("-c").arg(line.as_str().unwrap()));
    browser.wait_for_text("Fleet: 1 series");
    // A machine appears, warms up and is judged.
    plant.publish(0..200, i64::MAX);
    browser.wait_for_text("rows gathered");
    browser.wait_for_text("to go");
    browser.picture("live-2-warming-up-phone-light");
    plant.publish(200..700, i64::MAX);
    browser.wait_for_text("normal 1");
    browser.wait_for_text("Nothing needs attention");
    // Its temperature sensor breaks.
    plant.publish(700..760, 700);
    browser.wait_for_text("Somebody should look");
    browser.picture("live-3-alert-in-fleet-phone-light");
    browser.click("a", &format!("{SERIES}: temperature does not behave as learned"));
    browser.wait_for_text("Channels, most to blame first");
    let first = browser.run("return document.querySelector('tbody th .blame-name').textContent");
    assert_eq!(first, "temperature", "the channel that was broken is named first");
    browser.wait_for_text("How sure:");
    wait_for("the charts", || browser.run("return document.querySelectorAll('.uplot').length").as_i64() >= Some(4));
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture("live-4-alert-phone-light");
    let id = browser.run("return location.hash.split('/').pop()").as_str().unwrap().to_owned();
    let alert = |field: &str| plant.get(&format!("alerts/{id}"))[field].clone();
    browser.click("button", "Acknowledge");
    browser.wait_for_text("Acknowledged");
    assert!(alert("acknowledged_at").is_string());
    // A label is looked at before it is applied, and can be taken back.
    browser.click("button", "False alarm");
    let preview = || browser.run("return document.querySelector('dialog .body p').textContent");
    wait_for("the preview", || preview().as_str().is_some_and(|text| text.contains("would count as ordinary")));
    assert_eq!(alert("label"), Value::Null, "a preview changes nothing");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture("live-5-preview-phone-light");
    browser.click("button", "Label as false alarm");
    browser.wait_for_text("Labelled: false alarm");
    assert_eq!(alert("label"), json!(false));
    browser.click("button", "Undo label");
    browser.wait_for_text("Label taken back.");
    assert_eq!(alert("label"), Value::Null);
    silence_and_end(&plant, &browser);
    assert_never_reloaded(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Silences the alert on screen, finds the silence in the list of alerts, and ends it.
fn silence_and_end(plant: &Plant, browser: &Browser) {
    browser.click("button", "Silence…");
    browser.wait_for_text("Nobody is told while it lasts");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture("live-6-silence-phone-light");
    browser.run("document.querySelector('dialog button.primary').click()");
    browser.wait_for_text("Silenced.");
    wait_for("the silence", || plant.get("silences")["data"].as_array().is_some_and(|list| list.len() == 1));
    let silence = plant.get("silences")["data"][0].clone();
    assert_eq!(silence["matchers"][0]["name"], "series");
    assert_eq!(silence["matchers"][0]["value"], SERIES);
    browser.click("a", "Alerts");
    browser.wait_for_text(&format!("series is {SERIES}"));
    browser.wait_for_text("silenced");
    browser.picture("live-7-alerts-phone-light");
    browser.click("button", "End it");
    browser.wait_for_text("Nothing is silenced");
    wait_for("the end of the silence", || plant.get("silences")["data"].as_array().is_some_and(Vec::is_empty));
}

#[test]
#[ignore = "needs chromium, chromedriver and mosquitto"]
fn a_machine_is_looked_at_closely_and_a_cut_server_is_caught_up_with() {
    let mut plant = Plant::start();
    let browser = Browser::start();
    browser.size(1440, 900, "dark");
    plant.publish(0..700, i64::MAX);
    wait_for("every row is judged", || plant.get("series/hall-1%2Fpump-3")["live_score"].is_f64());
    browser.open(&plant.base, "#/series/hall-1%2Fpump-3");
    browser.wait_for_text("Expected band: from the last 1,000 rows");
    mark(&browser);
    let n_charts = "return document.querySelectorAll('.uplot').length";
    wait_for("the charts", || browser.run(n_charts) == 6);
    let shown = || browser.run("return document.querySelector('.spread > .soft').textContent");
    let whole = shown();
    browser.run("[...document.querySelectorAll('button')].find((one) => one.ariaLabel === 'Closer').click()");
    browser.wait_for_text("Follow the newest");
    assert_ne!(shown(), whole, "the button shows a shorter range");
    assert!(browser.run("return location.hash").as_str().unwrap().contains("?from="), "the address names the range");
    browser.click("button", "Zoom out");
    wait_for("the whole range", || shown() == whole);
    assert_eq!(browser.barriers(), Vec::<String>::new());
    browser.picture("live-8-series-desk-dark");
    // The server goes away. The broker keeps what is published meanwhile.
    plant.stop_service();
    browser.wait_for_text("No connection to the service since");
    browser.picture("live-9-lost-desk-dark");
    plant.publish(700..760, 700);
    plant.start_service();
    browser.wait_for_text("temperature does not behave as learned");
    wait_for("the notice to go", || !browser.text().contains("No connection"));
    browser.picture("live-10-caught-up-desk-dark");
    assert_never_reloaded(&browser);
    let refused = "net::ERR_";
    let complaints: Vec<_> = browser.complaints().into_iter().filter(|line| !line.contains(refused)).collect();
    assert_eq!(complaints, Vec::<String>::new(), "beside the refused connections");
}

/// The demo, as a newcomer starts it: it is quick enough on any machine to be watched from the first minute.
#[test]
#[ignore = "needs chromium, chromedriver and a few minutes"]
fn the_demo_shows_its_first_fault_without_reload() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(dir.path());
    let browser = Browser::start();
    browser.size(390, 844, "dark");
    browser.open(&demo.base, "");
    browser.wait_for_text("Fleet: 4 series");
    mark(&browser);
    let patience = Duration::from_secs(420);
    browser.wait_longer_for_text("Somebody should look", patience);
    browser.click("a", "does not behave as learned");
    browser.wait_for_text("Channels, most to blame first");
    browser.picture("demo-alert-phone-dark");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    assert_never_reloaded(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// `kilter demo` as a process of its own.
struct Demo {
    child: Child,
    base: String,
}

impl Demo {
    fn start(dir: &Path) -> Self {
        let log = dir.join("demo.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kilter"));
        command.args(["demo", "--minutes", "10", "--data-dir"]).arg(dir.join("data"));
        command.stdout(std::fs::File::create(&log).unwrap()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let mut base = String::new();
        wait_for("the demo names its dashboard", || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let found = text.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
            base = found.unwrap_or_default().trim_end_matches('/').to_owned();
            !base.is_empty()
        });
        Self { child, base }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
