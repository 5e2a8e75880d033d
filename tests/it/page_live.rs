//! The page on the real service: mosquitto, `kilter run` as a process, real MQTT, and Chromium. Every flow that a
//! person goes through.
//!
//! Needs `mosquitto`, `mosquitto-clients`, `chromium` and `chromium-driver`. Pictures of what a person would see are
//! left in the target directory under `tmp/page`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Browser, wait_for};
use crate::running::{Plant, SERIES, WARM_UP_ROWS, run};

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

/// Fills in the form of a new silence that comes again between two local times, and sends it.
fn ask_window(browser: &Browser, pattern: &str, from: &str, to: &str) {
    browser.click("button", "New silence…");
    browser.wait_for_text("Only at certain times (maintenance windows)");
    browser.click("label", "Only at certain times");
    browser.wait_for_text("Only between (Australia/Adelaide time)");
    browser.run(&format!(
        "document.querySelector('dialog [name=pattern]').value = '{pattern}'; \
         document.querySelector('dialog [aria-label=From]').value = '{from}'; \
         document.querySelector('dialog [aria-label=To]').value = '{to}'; \
         document.querySelector('dialog [name=comment]').value = 'oil is changed';"
    ));
    assert_eq!(browser.barriers(), Vec::<String>::new());
    assert_eq!(browser.run("return document.querySelector('dialog [name=length]').selectedOptions[0].text"), "30 days");
    browser.picture("live-window-form-phone-light");
    browser.run("document.querySelector('dialog button.primary').click()");
    wait_for("the form to close", || browser.run("return document.getElementById('dialog').open") == false);
}

#[test]
#[ignore = "needs chromium, chromedriver and mosquitto"]
fn a_maintenance_window_in_local_time_is_made_seen_holds_an_alert_and_is_ended() {
    let (port, told) = crate::channels_of_notice::receiver();
    let hook = format!("[[notify.webhooks]]\nname = \"pager\"\nurl = \"http://127.0.0.1:{port}/\"\n");
    let hook = format!("[defaults.silent]\nenabled = false\n{hook}");
    let plant = Plant::start_with(WARM_UP_ROWS, &hook);
    plant.publish(0..700, i64::MAX);
    wait_for("every row is judged", || plant.get("series/hall-1%2Fpump-3")["live_score"].is_f64());
    let browser = Browser::start();
    browser.size(390, 844, "light");
    // Half an hour off the full hour, so that a window in another zone's hours would not hold.
    browser.developer("Emulation.setTimezoneOverride", json!({"timezoneId": "Australia/Adelaide"}));
    browser.open(&plant.base, "#/alerts");
    browser.wait_for_text("Nothing is silenced");
    let local = |minutes: i64| {
        let script = format!("return new Date(Date.now() + {minutes} * 60e3).toTimeString().slice(0, 5)");
        browser.run(&script).as_str().unwrap().to_owned()
    };
    // One window is now, the other one has not come yet; the page says so of each.
    let (from, to) = (local(-20), local(20));
    ask_window(&browser, "hall-1/.*", &from, &to);
    browser.wait_for_text(&format!("only every day {from} to {to}, Australia/Adelaide time"));
    browser.wait_for_text("silent now");
    ask_window(&browser, ".*pump-3", &local(120), &local(180));
    browser.wait_for_text("outside its window now");
    browser.picture("live-windows-phone-light");
    assert_eq!(browser.barriers(), Vec::<String>::new());
    let made = plant.get("silences")["data"].clone();
    let window = made.as_array().unwrap().iter().find(|one| one["status"]["inForce"] == true).unwrap();
    let schedule = json!({"weekdays": [], "startTime": from, "endTime": to, "location": "Australia/Adelaide"});
    assert_eq!((&window["schedule"], &window["matchers"][0]["value"]), (&schedule, &json!("hall-1/.*")));

    // An alert within the window is found and shown, and nobody is told.
    plant.publish(700..760, 700);
    browser.wait_for_text("temperature does not behave as learned");
    wait_for("the silenced alert", || plant.get("alerts")["data"][0]["silenced_by"] == json!([window["id"]]));
    let pager = || {
        let targets = plant.get("targets")["data"].clone();
        targets.as_array().unwrap().iter().find(|one| one["name"] == "webhook:pager").unwrap().clone()
    };
    wait_for("the notice to be held", || pager()["n_held"] == 1);
    assert_eq!(told.lock().unwrap().len(), 0, "nobody is told while it lasts");

    // Ended on the page, it lets go: whoever waits is told of what is still open.
    let id = window["id"].as_str().unwrap();
    browser.run(&format!("document.querySelector('[data-silence=\"{id}\"] button').click()"));
    wait_for("the notice", || told.lock().unwrap().len() == 1);
    wait_for("nothing held", || pager()["n_held"] == 0);
    assert_eq!(plant.get("alerts")["data"][0]["silenced_by"], json!([]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
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
    assert_eq!(browser.complaints_beside(refused), Vec::<String>::new(), "beside the refused connections");
}

/// What judges the machine: the training curve, what it would see, its skill against the PCA, and the latent map.
#[test]
#[ignore = "needs chromium, chromedriver and mosquitto"]
fn a_model_is_looked_into() {
    // What it would see is measured on the last fifth of its rows, which must hold the longest fault.
    let plant = Plant::start_with(900, "");
    plant.publish(0..1100, i64::MAX);
    let mut id = String::new();
    // Known faults are put into its rows once it is trained: seconds, and a minute on a busy machine.
    let patience = std::time::Instant::now();
    while id.is_empty() {
        assert!(patience.elapsed() < Duration::from_secs(300), "{}", plant.get("models"));
        let models = plant.get("models");
        let measured = models["data"].as_array().unwrap().iter().find(|model| model["power_measured_to"].is_string());
        id = measured.and_then(|model| model["id"].as_str()).unwrap_or_default().to_owned();
        std::thread::sleep(Duration::from_millis(200));
    }
    let skill = plant.get(&format!("models/{id}"))["model_skill"].clone();
    assert!(skill.is_f64(), "a PCA is among the members: {skill}");
    let browser = Browser::start();
    for (width, height, scheme, screen) in [(1280, 900, "light", "desk"), (390, 844, "dark", "phone")] {
        browser.size(width, height, scheme);
        browser.open(&plant.base, "#/models");
        let skill = "return document.querySelector('[data-name=\"Skill against PCA\"]')?.textContent";
        wait_for("the skill", || browser.run(skill).as_str().is_some_and(|text| text != "–"));
        browser.picture(&format!("live-models-{screen}-{scheme}"));
        browser.click("a", &id[..8]);
        browser.wait_for_text("Training of the autoencoder");
        browser.wait_for_text("were kept, the best on rows held out");
        browser.wait_for_text("Would have seen, from this size on");
        browser.wait_for_text("Skill against PCA alone");
        browser.wait_for_text("Windows that lie close were alike to the network");
        let dots = browser.run("return document.querySelectorAll('.latent-map circle').length");
        assert!(dots.as_u64() > Some(100), "{dots} windows on the map");
        assert_eq!(browser.barriers(), Vec::<String>::new());
        let over = browser.run("return document.documentElement.scrollWidth - innerWidth");
        assert!(over.as_i64() <= Some(0), "{over} px too wide");
        browser.picture(&format!("live-model-{screen}-{scheme}"));
        browser.open(&plant.base, "#/health");
        for told in
            ["database on disk", "free on that disk", "batches waiting for the disk", "from measured to arrived"]
        {
            browser.wait_for_text(told);
        }
        let promised = "return document.querySelector('[data-name=Promised]')?.textContent";
        wait_for("promised against realised", || browser.run(promised).as_str().is_some_and(|text| text != "–"));
        browser.picture(&format!("live-health-{screen}-{scheme}"));
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The demo, as a newcomer starts it: it is quick enough on any machine to be watched from the first minute.
#[test]
#[ignore = "needs chromium, chromedriver and a few minutes"]
fn the_demo_shows_its_first_fault_without_reload_and_a_newcomer_labels_it() {
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
    // A newcomer says that it was right, with a look at what that does, and thinks again.
    browser.click("button", "It was right");
    let preview = || browser.run("return document.querySelector('dialog .body p').textContent");
    wait_for("the preview", || preview().as_str().is_some_and(|text| text.contains("changes no judgement")));
    browser.picture("demo-preview-phone-dark");
    browser.run("document.querySelector('dialog button.primary').click()");
    browser.wait_for_text("Labelled: true alert");
    browser.click("button", "Undo label");
    browser.wait_for_text("Label taken back.");
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
