//! The page in a real browser: Chromium, headless, driven over WebDriver.
//!
//! Needs `chromium` and `chromedriver`; pictures of every view at desk and phone width, light and dark, are left in
//! the target directory under `tmp/page` for a person to look at.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kilter::verdict::SeriesState;
use serde_json::{Value, json};

use crate::served::{PUMP, Served, model, opened, plant, resolved, row, state, transition};

const AXE: &str = include_str!("../browser/axe-4.14.1.min.js");
/// Longest wait for the page to show something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser session, ended when dropped.
struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let profile = tempfile::tempdir().unwrap();
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(60))).build().new_agent();
        let base = format!("http://127.0.0.1:{port}");
        wait_for("chromedriver answers", || agent.get(format!("{base}/status")).call().is_ok());
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments}
        }}});
        let answer: Value =
            agent.post(format!("{base}/session")).send_json(wanted).unwrap().body_mut().read_json().unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer}"));
        let session = format!("{base}/session/{id}");
        Self { driver, session, agent, _profile: profile }
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        self.agent.post(url).send_json(body).unwrap().body_mut().read_json().unwrap()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let mut answer = self.ask(path, &body);
        assert!(answer["value"]["error"].is_null(), "{path} {body:.200}: {answer}");
        answer["value"].take()
    }

    fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []}))
    }

    fn developer(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters}))
    }

    fn open(&self, served: &Served, view: &str) {
        self.post("/url", json!({"url": format!("{}/{view}", served.base)}));
    }

    /// Everything that can be read on the page.
    fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or("").to_owned()
    }

    fn wait_for_text(&self, wanted: &str) {
        let started = Instant::now();
        while !self.text().contains(wanted) {
            assert!(started.elapsed() < PATIENCE, "{wanted:?} does not appear in:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The element with a text, once it is there, as WebDriver names it.
    fn find(&self, tag: &str, text: &str) -> String {
        let path = format!("//{tag}[contains(normalize-space(.), \"{text}\")]");
        let mut found = Value::Null;
        wait_for(&format!("{tag} {text:?}"), || {
            let mut list = self.post("/elements", json!({"using": "xpath", "value": path}));
            found = list[0].take();
            found.is_object()
        });
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks as a person does: where the element is. An element that was replaced meanwhile is looked for again.
    fn click(&self, tag: &str, text: &str) {
        wait_for(&format!("a click on {tag} {text:?}"), || {
            let element = self.find(tag, text);
            let answer = self.ask(&format!("/element/{element}/click"), &json!({}));
            let error = answer["value"]["error"].as_str();
            let may_pass = ["stale element reference", "element click intercepted", "element not interactable"];
            assert!(error.is_none_or(|error| may_pass.contains(&error)), "{tag} {text:?}: {answer}");
            error.is_none()
        });
    }

    fn press(&self, key: &str) {
        let strokes = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]}));
    }

    fn size(&self, width: u32, height: u32, scheme: &str) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.developer("Emulation.setDeviceMetricsOverride", screen);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.developer("Emulation.setEmulatedMedia", features);
    }

    fn picture(&self, name: &str) {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&directory).unwrap();
        let picture = self.developer("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
        std::fs::write(directory.join(format!("{name}.png")), base64(picture["data"].as_str().unwrap())).unwrap();
    }

    /// What went wrong in the page since the last call.
    fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"}));
        let lines = log.as_array().unwrap().iter();
        lines.filter(|line| line["level"] != "INFO").map(|line| line["message"].to_string()).collect()
    }

    /// Serious findings of axe-core.
    fn barriers(&self) -> Vec<String> {
        self.run(AXE);
        let script = "const done = arguments[0]; axe.run().then((found) => done(found.violations \
             .filter((one) => ['serious', 'critical'].includes(one.impact)) \
             .map((one) => one.id + ': ' + one.nodes.map((node) => node.html).join(' | '))));";
        let found = self.post("/execute/async", json!({"script": script, "args": []}));
        found.as_array().unwrap().iter().map(Value::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.agent.delete(&self.session).call().ok();
        self.driver.kill().ok();
        self.driver.wait().ok();
    }
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < PATIENCE, "{what}: waited {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// RFC 4648, section 4.
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut out, mut bits, mut n_bits) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | u32::from(digit(byte));
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            out.push((bits >> n_bits) as u8);
        }
    }
    out
}

#[test]
#[ignore = "needs chromium"]
fn an_empty_page_tells_what_to_do_next() {
    let served = Served::start();
    served.readiness.send_modify(|readiness| readiness.set("broker", false, "connection refused"));
    let browser = Browser::start();
    browser.size(390, 844, "light");
    browser.open(&served, "");
    browser.wait_for_text("No series yet");
    browser.wait_for_text("mosquitto_pub -L 'mqtt://localhost:1883/plant/pump-1'");
    browser.wait_for_text("The broker is not reached: connection refused");
    browser.picture("empty-phone-light");
    // What the line sends arrives: the page shows it by itself.
    model(&served, "pump-1");
    served.commit(&(0..60).flat_map(|r| row("pump-1", r)).collect::<Vec<_>>());
    browser.wait_for_text("Fleet: 1 series");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium"]
fn a_fault_is_seen_opened_acknowledged_labelled_and_unlabelled() {
    let served = plant();
    let browser = Browser::start();
    browser.size(390, 844, "light");
    browser.open(&served, "");
    browser.wait_for_text("Nothing needs attention");
    browser.wait_for_text("200 of 400 rows gathered; about 3 min 20 s to go");
    // A fault appears without reload.
    served.commit(&[opened(PUMP, 390), state(PUMP, SeriesState::Anomalous, 390, "an alert is open")]);
    browser.wait_for_text("Somebody should look");
    browser.click("a", "hall 1/pump-3: temperature does not behave as learned: 35 seen, 21 expected");
    browser.wait_for_text("Channels, most to blame first");
    let first = browser.run("return document.querySelector('tbody th .blame-name').textContent");
    assert_eq!(first, "temperature", "the channel that was broken is named first");
    browser.click("button", "Acknowledge");
    browser.wait_for_text("Acknowledged");
    browser.click("button", "False alarm");
    browser.wait_for_text("Would not have opened: 1");
    browser.picture("label-phone-light");
    browser.click("button", "Label as false alarm");
    browser.wait_for_text("Labelled: false alarm");
    let id = transition(PUMP, 390, 1).alert.id;
    let alert = |field: &str| served.ok(&format!("/api/v1/alerts/{id}"))[field].clone();
    assert_eq!(alert("label"), false);
    assert!(alert("acknowledged_at").is_string());
    browser.click("button", "Undo label");
    browser.wait_for_text("Label taken back.");
    assert_eq!(alert("label"), Value::Null);
    // It resolves while somebody looks.
    served.commit(&[resolved(PUMP, 390)]);
    browser.wait_for_text("(after 20 s)");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium"]
fn a_series_is_zoomed_by_keys_and_by_dragging() {
    let served = plant();
    let browser = Browser::start();
    browser.size(1280, 900, "light");
    browser.open(&served, "#/series/hall%201%2Fpump-3");
    browser.wait_for_text("Channels");
    wait_for("the charts", || browser.run("return document.querySelectorAll('.uplot').length") == 5);
    let range = || browser.run("return document.querySelector('.spread > .soft').textContent");
    let whole = range();
    browser.run("document.querySelector('.chart').focus()");
    browser.press("+");
    browser.wait_for_text("Zoom out");
    let half = range();
    assert_ne!(half, whole);
    browser.press("0");
    wait_for("back", || range() == whole);
    let plot = browser.post("/element", json!({"using": "css selector", "value": ".u-over"}));
    let moves = json!([
        {"type": "pointerMove", "origin": plot, "x": -200, "y": 0}, {"type": "pointerDown", "button": 0},
        {"type": "pointerMove", "origin": plot, "x": 100, "y": 0, "duration": 200}, {"type": "pointerUp", "button": 0},
    ]);
    browser.post("/actions", json!({"actions": [{"type": "pointer", "id": "mouse", "actions": moves}]}));
    browser.wait_for_text("Follow the newest");
    assert_ne!(range(), whole);
    browser.click("button", "Follow the newest");
    wait_for("following", || range() == whole);
    // New rows move the picture on.
    served.commit(&(400..410).flat_map(|r| row(PUMP, r)).collect::<Vec<_>>());
    wait_for("the new rows", || range() != whole);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
#[ignore = "needs chromium"]
fn a_lost_connection_is_said_and_caught_up_with() {
    let mut served = plant();
    let browser = Browser::start();
    browser.size(390, 844, "dark");
    browser.open(&served, "");
    browser.wait_for_text("Nothing needs attention");
    browser.wait_for_text("live");
    assert!(served.stop());
    browser.wait_for_text("No connection to the service since");
    browser.picture("lost-phone-dark");
    served.commit(&[opened(PUMP, 390), state(PUMP, SeriesState::Anomalous, 390, "an alert is open")]);
    served.listen();
    browser.wait_for_text("Somebody should look");
    wait_for("the notice to go", || !browser.text().contains("No connection"));
}

#[test]
#[ignore = "needs chromium"]
fn every_view_is_whole_and_free_of_barriers_on_desk_and_phone_light_and_dark() {
    let served = plant();
    served.commit(&[opened(PUMP, 390), state(PUMP, SeriesState::Anomalous, 390, "an alert is open")]);
    let id = transition(PUMP, 390, 1).alert.id;
    let model_id = served.ok("/api/v1/models")["data"][0]["id"].as_str().unwrap().to_owned();
    let browser = Browser::start();
    let views = [
        ("fleet", String::new(), "Somebody should look"),
        ("series", "#/series/hall%201%2Fpump-3".to_owned(), "Alerts of this series"),
        ("alerts", "#/alerts".to_owned(), "resolved"),
        ("alert", format!("#/alerts/{id}"), "did in other alerts"),
        ("models", "#/models".to_owned(), "PCA"),
        ("model", format!("#/models/{model_id}"), "What it judges"),
        ("health", "#/health".to_owned(), "Doing its work"),
        ("unknown", "#/series/none".to_owned(), "Not here"),
    ];
    for (width, height, screen) in [(1280, 900, "desk"), (390, 844, "phone")] {
        for scheme in ["light", "dark"] {
            browser.size(width, height, scheme);
            for (name, view, text) in &views {
                let what = format!("{name}-{screen}-{scheme}");
                browser.post("/url", json!({"url": "about:blank"}));
                browser.open(&served, view);
                browser.wait_for_text(text);
                assert_eq!(browser.barriers(), Vec::<String>::new(), "{what}");
                let over = browser.run("return document.documentElement.scrollWidth - innerWidth");
                assert!(over.as_i64().unwrap() <= 0, "{what} is {over} px too wide");
                browser.picture(&what);
            }
        }
    }
    browser.open(&served, "docs");
    browser.wait_for_text("Kilter API");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    let complaints: Vec<_> = browser.complaints().into_iter().filter(|line| !line.contains("series/none")).collect();
    assert_eq!(complaints, Vec::<String>::new());
}
