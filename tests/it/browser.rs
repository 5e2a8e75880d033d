//! A real browser for tests: Chromium, headless, driven over WebDriver.
//!
//! Needs `chromium` and `chromedriver` (Debian's `chromium` and `chromium-driver`).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const AXE: &str = include_str!("../browser/axe-4.14.1.min.js");
/// Longest wait for the page to show something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser session, ended when dropped.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
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

    pub(crate) fn post(&self, path: &str, body: Value) -> Value {
        let mut answer = self.ask(path, &body);
        assert!(answer["value"]["error"].is_null(), "{path} {body:.200}: {answer}");
        answer["value"].take()
    }

    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []}))
    }

    pub(crate) fn developer(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters}))
    }

    /// Opens a view of the service at `base`: what stands after the address's last slash.
    pub(crate) fn open(&self, base: &str, view: &str) {
        self.post("/url", json!({"url": format!("{base}/{view}")}));
    }

    /// Everything that can be read on the page.
    pub(crate) fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or("").to_owned()
    }

    pub(crate) fn wait_for_text(&self, wanted: &str) {
        self.wait_longer_for_text(wanted, PATIENCE);
    }

    pub(crate) fn wait_longer_for_text(&self, wanted: &str, patience: Duration) {
        let started = Instant::now();
        while !self.text().contains(wanted) {
            assert!(started.elapsed() < patience, "{wanted:?} does not appear in:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The element with a text, once it is there, as WebDriver names it.
    pub(crate) fn find(&self, tag: &str, text: &str) -> String {
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
    pub(crate) fn click(&self, tag: &str, text: &str) {
        wait_for(&format!("a click on {tag} {text:?}"), || {
            let element = self.find(tag, text);
            let answer = self.ask(&format!("/element/{element}/click"), &json!({}));
            let error = answer["value"]["error"].as_str();
            let may_pass = ["stale element reference", "element click intercepted", "element not interactable"];
            assert!(error.is_none_or(|error| may_pass.contains(&error)), "{tag} {text:?}: {answer}");
            error.is_none()
        });
    }

    pub(crate) fn press(&self, key: &str) {
        let strokes = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]}));
    }

    pub(crate) fn size(&self, width: u32, height: u32, scheme: &str) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.developer("Emulation.setDeviceMetricsOverride", screen);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.developer("Emulation.setEmulatedMedia", features);
    }

    pub(crate) fn picture(&self, name: &str) {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&directory).unwrap();
        let picture = self.developer("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
        std::fs::write(directory.join(format!("{name}.png")), base64(picture["data"].as_str().unwrap())).unwrap();
    }

    /// What went wrong in the page since the last call.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"}));
        let lines = log.as_array().unwrap().iter();
        lines.filter(|line| line["level"] != "INFO").map(|line| line["message"].to_string()).collect()
    }

    /// The same, without the lines that hold a text.
    pub(crate) fn complaints_beside(&self, expected: &str) -> Vec<String> {
        self.complaints().into_iter().filter(|line| !line.contains(expected)).collect()
    }

    /// Serious findings of axe-core.
    pub(crate) fn barriers(&self) -> Vec<String> {
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

pub(crate) fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
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
