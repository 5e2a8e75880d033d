//! The real thing for tests: mosquitto, `kilter run` as a process of its own, and a machine that publishes.
//!
//! Needs `mosquitto`.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::browser::wait_for;
use crate::mosquitto::{Mosquitto, free_port};

/// Rows after which the machine's one model is fitted.
pub(crate) const WARM_UP_ROWS: i64 = 500;
/// The machine.
pub(crate) const SERIES: &str = "hall-1/pump-3";

/// A broker, the service on it, and a machine that publishes.
pub(crate) struct Plant {
    pub(crate) broker: Mosquitto,
    service: Option<Child>,
    pub(crate) base: String,
    pub(crate) dir: tempfile::TempDir,
    /// Event time of its first row, seconds since 1970.
    pub(crate) first_s: i64,
}

impl Plant {
    pub(crate) fn start() -> Self {
        Self::start_with(WARM_UP_ROWS, "")
    }

    /// Its one model is fitted after so many rows; with more sections in the configuration.
    pub(crate) fn start_with(warm_up_rows: i64, sections: &str) -> Self {
        let broker = Mosquitto::start();
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let text = format!(
            "[mqtt]\nservers = [\"{}\"]\n[store]\nurl = \"sqlite:{}/kilter.db\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n\
             [log]\nfilter = \"info\"\n[defaults]\ntopic = \"plant/{{site}}/{{machine}}\"\nwarm_up_rows = {warm_up_rows}\n\
             silence_after = \"1h\"\nkeep_latents = true\n[defaults.autoencoder]\nepochs = 3\n{sections}",
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

    /// Starts the service and waits until it is ready.
    pub(crate) fn start_service(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kilter"));
        command.arg("run").arg("--config").arg(self.dir.path().join("kilter.toml")).stdout(Stdio::null());
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        command.stderr(log);
        self.service = Some(command.spawn().unwrap());
        let url = format!("{}/readyz", self.base);
        wait_for("the service is ready", || ureq::get(&url).call().is_ok());
    }

    /// Asks the service to stop and waits until it has.
    pub(crate) fn stop_service(&mut self) {
        let Some(mut service) = self.service.take() else { return };
        let asked = Command::new("kill").args(["-TERM", &service.id().to_string()]).status();
        assert!(asked.unwrap().success());
        assert!(service.wait().unwrap().success(), "the service ends well");
    }

    /// Publishes rows of the machine over MQTT: load with a rhythm of 40 rows, temperature behind it, vibration with
    /// it. From `broken` on the temperature sensor reads 12 too much.
    pub(crate) fn publish(&self, rows: std::ops::Range<i64>, broken: i64) {
        self.publish_to(&format!("plant/{SERIES}"), rows, broken);
    }

    /// The same of another machine, that of a topic.
    pub(crate) fn publish_to(&self, topic: &str, rows: std::ops::Range<i64>, broken: i64) {
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
        let args = ["--broker", &self.broker.url(), "--topic", topic].map(str::to_owned);
        run(Command::new(env!("CARGO_BIN_EXE_kilter")).arg("publish").args(args).arg(&file));
    }

    /// Publishes one payload under the machine's topic, with the broker's own program.
    pub(crate) fn say(&self, payload: &str) {
        let topic = format!("{}/plant/{SERIES}", self.broker.url());
        run(Command::new("mosquitto_pub").args(["-L", &topic, "-q", "1", "-m", payload]));
    }

    /// What the service has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// An answer of the API; a problem where there is none, as of a series whose first rows are not committed yet.
    pub(crate) fn get(&self, path: &str) -> Value {
        let request = ureq::get(format!("{}/api/v1/{path}", self.base)).config().http_status_as_error(false).build();
        request.call().unwrap().body_mut().read_json().unwrap()
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            service.kill().ok();
            service.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("the service logged:\n{}", self.log());
        }
    }
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
