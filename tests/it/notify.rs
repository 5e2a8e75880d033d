//! Notices from the outbox: over MQTT and HTTP, through lost brokers, refusals and crashes.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kilter::notify::{
    DeliveryError, HomeAssistantConfig, MqttPublisher, Notifier, NotifyConfig, WebhookConfig, WebhookNotifier,
    deliver_outbox,
};
use kilter::pipeline::Outcome;
use kilter::series::Timestamp;
use kilter::store::{Store, StoreConfig, StoredTransition};
use rumqttc::{AsyncClient, Broker, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::outcomes::{NOON_MS, rows, transition};

const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    Timestamp::from_ms(NOON_MS)
}

/// Waits until something holds; the deadline only bounds a failing run.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A running task with the switch that ends it.
struct Running(JoinHandle<()>, oneshot::Sender<()>);

impl Running {
    fn start<F: Future<Output = ()> + Send + 'static>(task: impl FnOnce(oneshot::Receiver<()>) -> F) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self(tokio::spawn(task(stopped)), stop)
    }

    async fn stop(self) {
        let _ = self.1.send(());
        self.0.await.unwrap();
    }
}

fn serve(store: &Store, notifier: impl Notifier + 'static) -> Running {
    let store = store.clone();
    Running::start(|stopped| deliver_outbox(store, notifier, now, async move { drop(stopped.await) }))
}

/// All that a subscriber has heard: topic, payload, retained.
type Heard = Arc<Mutex<Vec<(String, String, bool)>>>;

/// Subscribes to everything of a broker and of every broker that follows on its port.
async fn listen(port: u16, client_id: &str) -> Heard {
    let heard = Heard::default();
    let (client, mut event_loop) =
        AsyncClient::builder(MqttOptions::new(client_id, Broker::tcp("127.0.0.1", port))).capacity(10).build();
    let (into, is_ready) = (heard.clone(), Arc::new(Mutex::new(false)));
    let ready = Arc::clone(&is_ready);
    tokio::spawn(async move {
        loop {
            match event_loop.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    client.try_subscribe("#", QoS::AtLeastOnce).unwrap();
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => *ready.lock().unwrap() = true,
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let topic = String::from_utf8_lossy(&message.topic).into_owned();
                    let payload = String::from_utf8_lossy(&message.payload).into_owned();
                    into.lock().unwrap().push((topic, payload, message.retain));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    until("a subscription", || *is_ready.lock().unwrap()).await;
    heard
}

fn last(heard: &Heard, topic: &str) -> Option<String> {
    heard.lock().unwrap().iter().rev().find(|(t, ..)| t == topic).map(|(_, payload, _)| payload.clone())
}

fn alerts(heard: &Heard) -> Vec<Value> {
    let heard = heard.lock().unwrap();
    let alerts = heard.iter().filter(|(topic, ..)| topic == "kilter/alerts");
    alerts.map(|(_, payload, _)| serde_json::from_str(payload).unwrap()).collect()
}

fn options(port: u16) -> MqttOptions {
    let mut options = MqttOptions::new("kilter", Broker::tcp("127.0.0.1", port));
    options.set_keep_alive(5);
    options
}

fn config() -> NotifyConfig {
    let home_assistant = HomeAssistantConfig { enabled: true, ..HomeAssistantConfig::default() };
    NotifyConfig { home_assistant, ..NotifyConfig::default() }
}

/// The topics of the contract, said live and again to who comes later.
async fn the_broker_hears_what_the_contract_says(port: u16) {
    let heard = listen(port, "early").await;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    let (publisher, connection) = MqttPublisher::new(options(port), &config()).unwrap();
    let link = Running::start(|stopped| {
        connection.run(json!({"version": "1"}), || json!({"series": 1}), async move { drop(stopped.await) })
    });
    let notifier = serve(&store, publisher.notifier());
    until("online", || last(&heard, "kilter/bridge/state").as_deref() == Some("online")).await;
    assert!(publisher.is_connected());
    store.add_target("mqtt").await.unwrap();

    // Rows 0 to 9: an alert opens at row 7.
    let outcomes = rows("hall 1/pump", 0, 10);
    store.commit(&outcomes).await.unwrap();
    publisher.announce(&outcomes);
    until("an alert", || alerts(&heard).len() == 1).await;
    let opened = &alerts(&heard)[0];
    assert_eq!((&opened["transition"], &opened["sequence"]), (&json!("opened"), &json!(1)));
    assert_eq!((&opened["series"], &opened["state"]), (&json!("hall 1/pump"), &json!("open")));
    assert_eq!(opened["opened_at"], "2026-11-24T12:00:07Z");
    assert_eq!(opened["channels"][0]["observed"], 9.0);
    let topic = |what: &str| format!("kilter/series/hall%201%2Fpump/{what}");
    until("a state", || last(&heard, &topic("state")).as_deref() == Some("anomalous")).await;
    until("the current alert", || last(&heard, &topic("alert")).is_some_and(|alert| !alert.is_empty())).await;
    let current: Value = serde_json::from_str(&last(&heard, &topic("alert")).unwrap()).unwrap();
    assert_eq!(current["id"], opened["id"]);
    until("scores", || last(&heard, &topic("score")).is_some_and(|score| score.contains("12:00:08"))).await;
    let score: Value = serde_json::from_str(&last(&heard, &topic("score")).unwrap()).unwrap();
    let mut keys: Vec<_> = score.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["evidence", "live_score", "p_value", "state", "time"]);
    until("info", || last(&heard, "kilter/bridge/info").as_deref() == Some(r#"{"version":"1"}"#)).await;
    until("health", || last(&heard, "kilter/bridge/health").as_deref() == Some(r#"{"series":1}"#)).await;
    until("a device", || last(&heard, "homeassistant/device/kilter_hall_201_2fpump/config").is_some()).await;

    // It resolves: the current alert is empty, and the broker forgets the topic.
    let resolved = [Outcome::Transition(transition("hall 1/pump", NOON_MS + 7_000, 2))];
    store.commit(&resolved).await.unwrap();
    publisher.announce(&resolved);
    until("the end", || alerts(&heard).len() == 2).await;
    assert_eq!(alerts(&heard)[1]["id"], opened["id"]);
    assert_eq!(alerts(&heard)[1]["sequence"], 2);
    until("no alert", || last(&heard, &topic("alert")).as_deref() == Some("")).await;

    let late = listen(port, "late").await;
    until("retained topics", || last(&late, &topic("state")).is_some() && last(&late, "kilter/bridge/state").is_some())
        .await;
    let late_topics = late.lock().unwrap().iter().filter(|m| m.2).map(|m| m.0.clone()).collect::<Vec<_>>();
    assert!(!late_topics.contains(&topic("alert")) && !late_topics.contains(&"kilter/alerts".to_owned()));

    notifier.stop().await;
    assert!(store.pending("mqtt", 10).await.unwrap().is_empty(), "PUBACK came, so all is marked");
    link.stop().await;
    until("offline", || last(&heard, "kilter/bridge/state").as_deref() == Some("offline")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_broker_hears_what_the_contract_says() {
    let address = kilter::simulate::start_broker().unwrap();
    the_broker_hears_what_the_contract_says(address.port()).await;
}

/// Mosquitto on a port, ended with the value.
struct Mosquitto(Child);

impl Mosquitto {
    fn start(dir: &Path, port: u16) -> Self {
        let file = dir.join("mosquitto.conf");
        std::fs::write(&file, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
        let child = Command::new("mosquitto").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let broker = Self(child.expect("mosquitto is installed"));
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto answers");
            std::thread::sleep(Duration::from_millis(20));
        }
        broker
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto"]
async fn mosquitto_hears_what_the_contract_says() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _broker = Mosquitto::start(dir.path(), port);
    the_broker_hears_what_the_contract_says(port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto"]
async fn a_broker_that_comes_back_is_told_what_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    store.add_target("mqtt").await.unwrap();
    let (publisher, connection) = MqttPublisher::new(options(port), &config()).unwrap();
    let link = Running::start(|stopped| connection.run(json!({}), || json!({}), async move { drop(stopped.await) }));
    let notifier = serve(&store, publisher.notifier());
    // No broker yet.
    let outcomes = rows("pump", 0, 30);
    store.commit(&outcomes).await.unwrap();
    publisher.announce(&outcomes);
    for n in 2..4 {
        let broker = Mosquitto::start(dir.path(), port);
        let heard = listen(port, &format!("listener-{n}")).await;
        until("the state", || last(&heard, "kilter/series/pump/state").as_deref() == Some("normal")).await;
        if n == 2 {
            until("the alerts missed", || alerts(&heard).len() >= 2).await;
            let sequences: Vec<_> = alerts(&heard).iter().map(|a| a["sequence"].as_i64().unwrap()).collect();
            assert_eq!(sequences, [1, 2]);
        }
        drop(broker);
        until("the loss", || !publisher.is_connected()).await;
    }
    notifier.stop().await;
    link.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto"]
async fn the_last_will_speaks_for_a_service_that_vanishes() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let _broker = Mosquitto::start(dir.path(), port);
    let heard = listen(port, "listener").await;
    let (_publisher, connection) = MqttPublisher::new(options(port), &config()).unwrap();
    let link = Running::start(|stopped| connection.run(json!({}), || json!({}), async move { drop(stopped.await) }));
    until("online", || last(&heard, "kilter/bridge/state").as_deref() == Some("online")).await;
    link.0.abort();
    until("offline", || last(&heard, "kilter/bridge/state").as_deref() == Some("offline")).await;
}

/// One request as a receiver saw it: headers in lower case, and the body.
type Request = (HashMap<String, String>, String);

/// An HTTP receiver that gives the answers in turn, the last one for ever.
fn receiver(answers: &'static [u16]) -> (u16, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let Some((name, value)) = line.split_once(": ") else {
                    if line.trim().is_empty() { break } else { continue }
                };
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            let mut body = vec![0; headers["content-length"].parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            into.lock().unwrap().push((headers, String::from_utf8(body).unwrap()));
            let status = answers[n.min(answers.len() - 1)];
            write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
    });
    (port, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_signed_tried_again_and_put_aside_when_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    // Busy, taken, refused, taken.
    let (port, seen) = receiver(&[503, 200, 422, 200]);
    let webhook = WebhookConfig {
        name: "ops".to_owned(),
        url: format!("http://127.0.0.1:{port}/hook"),
        secret: "s3cret".to_owned(),
        external_url: "http://kilter.example/".to_owned(),
        unacknowledged_for: None,
    };
    store.add_target("webhook:ops").await.unwrap();
    // A second target that never answers delays nobody.
    let dead = WebhookConfig {
        name: "dead".to_owned(),
        url: format!("http://127.0.0.1:{}/", free_port()),
        secret: String::new(),
        external_url: String::new(),
        unacknowledged_for: None,
    };
    let dead = serve(&store, WebhookNotifier::new(dead));
    let notifier = serve(&store, WebhookNotifier::new(webhook));
    for (opened_ms, sequence) in [(NOON_MS, 1), (NOON_MS, 2), (NOON_MS + 100_000, 1)] {
        store.commit(&[Outcome::Transition(transition("pump", opened_ms, sequence))]).await.unwrap();
    }
    until("four posts", || seen.lock().unwrap().len() == 4).await;
    notifier.stop().await;
    dead.0.abort();
    assert!(store.pending("webhook:ops", 10).await.unwrap().is_empty());

    let seen = seen.lock().unwrap();
    let bodies: Vec<Value> = seen.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(bodies[0], bodies[1], "the busy one came again, the same");
    assert_eq!((&bodies[0]["version"], &bodies[0]["status"]), (&json!("4"), &json!("firing")));
    assert_eq!((&bodies[0]["receiver"], &bodies[0]["truncatedAlerts"]), (&json!("ops"), &json!(0)));
    let alert = &bodies[2]["alerts"][0];
    assert_eq!((&alert["status"], &alert["endsAt"]), (&json!("resolved"), &json!("2026-11-24T12:01:00Z")));
    assert_eq!(alert["labels"]["alertname"], "KilterAnomaly");
    assert_eq!(alert["kilter"]["sequence"], 2);
    assert_eq!(bodies[3]["alerts"][0]["startsAt"], "2026-11-24T12:01:40Z", "the refused one stops nobody");
    // python3 -c "import hmac,sys; print(hmac.new(b's3cret', open('body','rb').read(), 'sha256').hexdigest())" gives
    // the same for the same body; here the header is there and changes with the body.
    let signature = |n: usize| seen[n].0["x-kilter-signature"].clone();
    assert!(signature(0).starts_with("sha256=") && signature(0).len() == 71);
    assert_eq!(signature(0), signature(1));
    assert_ne!(signature(1), signature(2));
}

#[tokio::test]
async fn a_target_is_told_what_happens_from_its_first_day_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    store.commit(&[Outcome::Transition(transition("pump", NOON_MS, 1))]).await.unwrap();
    assert!(store.pending("mqtt", 10).await.unwrap().is_empty(), "nobody knows it yet");
    store.add_target("mqtt").await.unwrap();
    store.commit(&[Outcome::Transition(transition("pump", NOON_MS, 2))]).await.unwrap();
    store.add_target("mqtt").await.unwrap();
    let pending = store.pending("mqtt", 10).await.unwrap();
    assert_eq!(pending.iter().map(|p| p.transition.sequence).collect::<Vec<_>>(), [2]);
    store.mark_delivered("mqtt", pending[0].id, now()).await.unwrap();
    store.mark_delivered("mqtt", pending[0].id - 1, now()).await.unwrap();
    assert!(store.pending("mqtt", 10).await.unwrap().is_empty());
}

/// Transitions that the crash test sends.
const N_TOLD: u32 = 300;

/// Appends to a file; a receiver that never forgets.
struct Logbook(std::fs::File);

impl Notifier for Logbook {
    fn target(&self) -> &str {
        "logbook"
    }

    async fn deliver(&mut self, told: &StoredTransition) -> Result<(), DeliveryError> {
        let line = format!("{} {}\n", told.transition.alert.id, told.transition.sequence);
        self.0.write_all(line.as_bytes()).map_err(|e| DeliveryError::TryAgain { detail: e.to_string() })
    }
}

/// The process that is killed: commits transitions, each with a row, from the first that the store lacks, and
/// delivers them meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the crash test kills"]
async fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os("KILTER_CRASH_DIR") else { return };
    let dir = Path::new(&dir);
    let store = Store::open(&StoreConfig::in_dir(dir)).await.unwrap();
    store.add_target("logbook").await.unwrap();
    let file = std::fs::File::options().append(true).create(true).open(dir.join("logbook")).unwrap();
    let notifier = serve(&store, Logbook(file));
    // Redelivery: everything from some rows before the last one that the store has.
    let n_closed = store.restore().await.unwrap().first().map_or(0, |pump| pump.n_closed) as i64;
    for n in (n_closed - 5).max(0)..i64::from(N_TOLD) {
        let at_ms = NOON_MS + 1000 * n;
        let mut batch = rows("pump", n + 1, n + 2);
        batch.retain(|outcome| !matches!(outcome, Outcome::Transition(_)));
        batch.push(Outcome::Transition(transition("pump", at_ms, 1)));
        store.commit(&batch).await.unwrap();
    }
    notifier.stop().await;
    std::fs::write(dir.join("done"), "").unwrap();
}

#[test]
fn a_crash_at_any_instant_repeats_at_worst_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut n_kills = 0_u64;
    while !dir.path().join("done").exists() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "notify::the_process_that_is_killed", "--ignored"])
            .env("KILTER_CRASH_DIR", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Instants spread over start-up, commits and deliveries; after that it may finish.
        let patience = Duration::from_millis(if n_kills < 25 { 20 + n_kills * 37 % 230 } else { 60_000 });
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        let _ = child.wait();
        n_kills += 1;
        assert!(n_kills < 40, "it never finishes");
    }
    let logbook = std::fs::read_to_string(dir.path().join("logbook")).unwrap();
    let mut firsts: Vec<&str> = Vec::new();
    let mut n_repeated = 0;
    for line in logbook.lines() {
        if firsts.contains(&line) { n_repeated += 1 } else { firsts.push(line) }
    }
    let expected: Vec<_> =
        (0..i64::from(N_TOLD)).map(|n| format!("{} 1", transition("pump", NOON_MS + 1000 * n, 1).alert.id)).collect();
    println!("{n_repeated} repeated in {n_kills} lives");
    assert_eq!(firsts, expected, "each at least once and in order; {n_repeated} repeated in {n_kills} lives");
}
