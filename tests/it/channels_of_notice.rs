//! The ways in which people are told: silences, escalation, e-mail, Home Assistant, and Alertmanager's own payload.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kilter::notify::{
    DeliveryError, EmailConfig, EmailNotifier, HomeAssistantConfig, MqttPublisher, Notifier, NotifyConfig,
    WebhookConfig, WebhookNotifier, deliver_outbox,
};
use kilter::pipeline::Outcome;
use kilter::series::{SeriesId, Timestamp};
use kilter::store::{NewLabel, Store, StoreConfig, StoredTransition};
use kilter::verdict::{Matcher, SeriesState, SilenceSpec};
use proptest::prelude::*;
use rumqttc::{AsyncClient, Broker, Event, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::outcomes::{NOON_MS, rows, transition};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something holds; the deadline only bounds a failing run.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A wall clock that a test turns.
#[derive(Clone)]
struct Clock(Arc<AtomicI64>);

impl Clock {
    fn at(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }

    fn turn(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// A label as somebody gives it who means it whatever was said before.
fn called(label: Option<bool>) -> NewLabel {
    NewLabel { label, replaces: true, ..NewLabel::default() }
}

/// What a receiver has been told: series, sequence.
type Told = Arc<Mutex<Vec<(String, u32)>>>;

struct Receiver {
    name: &'static str,
    escalates_after: Option<Duration>,
    told: Told,
}

impl Notifier for Receiver {
    fn target(&self) -> &str {
        self.name
    }

    fn escalates_after(&self) -> Option<Duration> {
        self.escalates_after
    }

    async fn deliver(&mut self, told: &StoredTransition) -> Result<(), DeliveryError> {
        let transition = &told.transition;
        self.told.lock().unwrap().push((transition.alert.series.to_string(), transition.sequence));
        Ok(())
    }
}

struct Serving(JoinHandle<()>, oneshot::Sender<()>);

impl Serving {
    fn start(store: &Store, notifier: impl Notifier + 'static, clock: &Clock) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (store, clock) = (store.clone(), clock.clone());
        let task = deliver_outbox(store, notifier, move || clock.now(), async move { drop(stopped.await) });
        Self(tokio::spawn(task), stop)
    }

    async fn stop(self) {
        let _ = self.1.send(());
        self.0.await.unwrap();
    }
}

async fn store(targets: &[&str]) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig::in_dir(dir.path())).await.unwrap();
    for target in targets {
        store.add_target(target).await.unwrap();
    }
    (dir, store)
}

async fn tell(store: &Store, series: &str, opened_ms: i64, sequence: u32) {
    store.commit(&[Outcome::Transition(transition(series, opened_ms, sequence))]).await.unwrap();
}

fn silence(matcher: &str, from_ms: i64, to_ms: i64) -> SilenceSpec {
    SilenceSpec {
        matchers: vec![Matcher::parse(matcher).unwrap()],
        starts_at: Timestamp::from_ms(from_ms),
        ends_at: Timestamp::from_ms(to_ms),
        schedule: None,
        created_by: "ann".to_owned(),
        comment: "new bearings".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_tells_nobody_and_what_is_still_open_when_it_ends_is_told_then() {
    let (_dir, store) = store(&["r"]).await;
    let clock = Clock::at(NOON_MS);
    store.add_silence(silence("series=~quiet-.*", NOON_MS, NOON_MS + 3_600_000), clock.now()).await.unwrap();
    let told = Told::default();
    let serving = Serving::start(&store, Receiver { name: "r", escalates_after: None, told: told.clone() }, &clock);
    // One that begins and ends in the silence, one that outlasts it, one that nobody silenced.
    tell(&store, "quiet-1", NOON_MS, 1).await;
    tell(&store, "quiet-1", NOON_MS, 2).await;
    tell(&store, "quiet-2", NOON_MS, 1).await;
    tell(&store, "loud", NOON_MS, 1).await;
    let heard =
        |series: &str| told.lock().unwrap().iter().filter(|(s, _)| s == series).map(|(_, n)| *n).collect::<Vec<_>>();
    until("the loud one", || heard("loud") == [1]).await;
    assert_eq!((heard("quiet-1"), heard("quiet-2")), (vec![], vec![]));
    let targets = store.reader().targets().await.unwrap();
    assert_eq!((targets[0].n_pending, targets[0].n_held), (0, 1), "quiet-2 is held, quiet-1 is over");
    clock.turn(3_600_001);
    until("the one that outlasts the silence", || heard("quiet-2") == [1]).await;
    tell(&store, "quiet-2", NOON_MS, 2).await;
    until("its end", || heard("quiet-2") == [1, 2]).await;
    assert!(heard("quiet-1").is_empty(), "what began and ended in the silence is no news");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_was_away_is_not_told_what_a_silence_held_meanwhile() {
    let (_dir, store) = store(&["r"]).await;
    let clock = Clock::at(NOON_MS);
    store.add_silence(silence("series=pump", NOON_MS - 1, NOON_MS + 100_000), clock.now()).await.unwrap();
    tell(&store, "pump", NOON_MS, 1).await;
    tell(&store, "pump", NOON_MS, 2).await;
    tell(&store, "fan", NOON_MS, 1).await;
    clock.turn(3_600_000);
    let told = Told::default();
    let serving = Serving::start(&store, Receiver { name: "r", escalates_after: None, told: told.clone() }, &clock);
    until("the fan", || told.lock().unwrap().len() == 1).await;
    assert_eq!(*told.lock().unwrap(), [("fan".to_owned(), 1)]);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_escalation_is_told_only_what_nobody_acknowledged_in_time() {
    let (_dir, store) = store(&["boss"]).await;
    let clock = Clock::at(NOON_MS);
    let told = Told::default();
    let receiver = Receiver { name: "boss", escalates_after: Some(Duration::from_secs(900)), told: told.clone() };
    let serving = Serving::start(&store, receiver, &clock);
    for series in ["seen", "unseen", "short"] {
        tell(&store, series, NOON_MS, 1).await;
    }
    let reader = store.reader().clone();
    let held = async || reader.held_notices("boss").await.unwrap().len();
    let deadline = Instant::now() + PATIENCE;
    while held().await < 3 {
        assert!(Instant::now() < deadline, "three are held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.acknowledge(&transition("seen", NOON_MS, 1).alert.id, clock.now()).await.unwrap();
    tell(&store, "short", NOON_MS, 2).await;
    clock.turn(899_000);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(told.lock().unwrap().is_empty(), "not yet");
    clock.turn(1_000);
    until("the one that nobody saw", || told.lock().unwrap().len() == 1).await;
    tell(&store, "seen", NOON_MS, 2).await;
    tell(&store, "unseen", NOON_MS, 2).await;
    until("its end", || told.lock().unwrap().len() == 2).await;
    assert_eq!(*told.lock().unwrap(), [("unseen".to_owned(), 1), ("unseen".to_owned(), 2)]);
    serving.stop().await;
}

/// What may happen while a receiver is served.
#[derive(Debug, Clone, Copy)]
enum Step {
    Open(usize),
    Resolve(usize),
    /// A silence of so many minutes over a series.
    Silence(usize, i64),
    ExpireAll,
    /// Minutes pass.
    Wait(i64),
    Acknowledge(usize),
    Label(usize, Option<bool>),
    /// The receiver's task is stopped and started again, as by a restart.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::Open),
        3 => (0..3_usize).prop_map(Step::Resolve),
        3 => (0..3_usize, 1..90_i64).prop_map(|(series, minutes)| Step::Silence(series, minutes)),
        1 => Just(Step::ExpireAll),
        2 => (1..60_i64).prop_map(Step::Wait),
        1 => (0..3_usize).prop_map(Step::Acknowledge),
        1 => (0..3_usize, any::<Option<bool>>()).prop_map(|(series, label)| Step::Label(series, label)),
        1 => Just(Step::Restart),
    ]
}

async fn whatever_happens(steps: &[Step]) -> Result<(), TestCaseError> {
    const SERIES: [&str; 3] = ["a", "b", "c"];
    let (_dir, store) = store(&["r"]).await;
    let (clock, told) = (Clock::at(NOON_MS), Told::default());
    let log: Arc<Mutex<Vec<(String, u32)>>> = told.clone();
    let receiver = || Receiver { name: "r", escalates_after: None, told: log.clone() };
    let mut serving = Serving::start(&store, receiver(), &clock);
    // When the open alert of each series opened.
    let mut open: [Option<i64>; 3] = [None; 3];
    for step in steps {
        clock.turn(1);
        match *step {
            Step::Open(n) if open[n].is_none() => {
                open[n] = Some(clock.now().as_ms());
                tell(&store, SERIES[n], clock.now().as_ms(), 1).await;
            }
            Step::Resolve(n) => {
                if let Some(opened_ms) = open[n].take() {
                    tell(&store, SERIES[n], opened_ms, 2).await;
                }
            }
            Step::Silence(n, minutes) => {
                let now = clock.now();
                let spec = silence(&format!("series={}", SERIES[n]), now.as_ms(), now.as_ms() + 60_000 * minutes);
                store.add_silence(spec, now).await.unwrap();
            }
            Step::ExpireAll => {
                for silence in store.reader().silences(Some(clock.now())).await.unwrap() {
                    store.expire_silence(&silence.id, clock.now()).await.unwrap();
                }
            }
            Step::Wait(minutes) => clock.turn(60_000 * minutes),
            Step::Acknowledge(n) | Step::Label(n, _) => {
                let Some(opened_ms) = open[n] else { continue };
                let id = transition(SERIES[n], opened_ms, 1).alert.id;
                match *step {
                    Step::Label(_, label) => drop(store.label(&id, &called(label), clock.now()).await.unwrap()),
                    _ => drop(store.acknowledge(&id, clock.now()).await.unwrap()),
                }
            }
            Step::Restart => {
                serving.stop().await;
                serving = Serving::start(&store, receiver(), &clock);
            }
            Step::Open(_) => {}
        }
    }
    // Every silence ends, and whatever is still open must then have been told.
    clock.turn(86_400_000);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let target = &store.reader().targets().await.unwrap()[0];
        if (target.n_pending, target.n_held) == (0, 0) {
            break;
        }
        assert!(Instant::now() < deadline, "it never comes to rest: {target:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    serving.stop().await;

    let written = store.reader().transitions(0, 10_000).await.unwrap();
    let mut sequences = std::collections::HashMap::<String, Vec<u32>>::new();
    for told in &written {
        sequences.entry(told.transition.alert.id.0.clone()).or_default().push(told.transition.sequence);
    }
    for found in sequences.values() {
        prop_assert!(matches!(found[..], [1] | [1, 2]), "sequences without gap: {found:?}");
    }
    let told = told.lock().unwrap();
    for (n, series) in SERIES.iter().enumerate() {
        let heard: Vec<u32> = told.iter().filter(|(name, _)| name == series).map(|(_, sequence)| *sequence).collect();
        prop_assert!(
            heard.iter().enumerate().all(|(place, sequence)| *sequence == place as u32 % 2 + 1),
            "opening and end take turns: {heard:?}"
        );
        prop_assert_eq!(
            heard.len() % 2 == 1,
            open[n].is_some(),
            "what is open is told, what is over is told to its end"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_receiver_hears_every_alert_that_lasts_once_and_to_its_end_whatever_is_silenced(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(whatever_happens(&steps))?;
    }
}

/// A mail server of the few words that a client needs; gives what it received: envelope and message.
fn mail_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&mails);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let into = Arc::clone(&into);
            std::thread::spawn(move || drop(receive_mail(stream, &into)));
        }
    });
    (port, mails)
}

fn receive_mail(mut stream: TcpStream, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes());
    let mut mail = String::new();
    say("220 localhost ready")?;
    while let Some(line) = lines.next().transpose()? {
        match line.split([' ', ':']).next().unwrap_or_default().to_uppercase().as_str() {
            "EHLO" | "HELO" => say("250 localhost")?,
            "MAIL" | "RCPT" => {
                mail.push_str(&format!("{line}\n"));
                // A receiver that the server does not know is refused for good.
                say(if line.contains("nobody@") { "550 no such user" } else { "250 ok" })?;
            }
            "DATA" => {
                say("354 go on")?;
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    mail.push_str(&format!("{line}\n"));
                }
                mails.lock().unwrap().push(std::mem::take(&mut mail));
                say("250 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 ok")?,
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_arrives_by_mail_and_a_refused_one_is_a_dead_letter() {
    let (_dir, store) = store(&["email:on-call", "email:nobody"]).await;
    let (port, mails) = mail_server();
    let config = |name: &str, to: &str| EmailConfig {
        name: name.to_owned(),
        server: format!("smtp://127.0.0.1:{port}"),
        username: String::new(),
        password: String::new(),
        from: "Kilter <kilter@example.com>".to_owned(),
        to: vec![to.to_owned()],
        external_url: "http://kilter.example/".to_owned(),
        unacknowledged_for: None,
    };
    let clock = Clock::at(NOON_MS);
    let serving: Vec<_> = [("on-call", "ann@example.com"), ("nobody", "nobody@example.com")]
        .map(|(name, to)| Serving::start(&store, EmailNotifier::new(&config(name, to)).unwrap(), &clock))
        .into();
    tell(&store, "hall 1/pump", NOON_MS, 1).await;
    until("a mail", || mails.lock().unwrap().len() == 1).await;
    let mail = mails.lock().unwrap()[0].clone();
    let id = transition("hall 1/pump", NOON_MS, 1).alert.id;
    for part in [
        "MAIL FROM:<kilter@example.com>",
        "RCPT TO:<ann@example.com>",
        "Subject: [warning] anomaly opened: hall 1/pump",
        &format!("Message-ID: <alert-{id}-1@kilter>"),
        "load: observed 9.0000, expected 3.0000",
        "http://kilter.example/#/series/hall%201%2Fpump",
    ] {
        // Quoted-printable may write '=' anew; none of these parts has one.
        assert!(mail.contains(part), "{part:?} is not in\n{mail}");
    }
    let deadline = Instant::now() + PATIENCE;
    let letters = loop {
        let letters = store.reader().dead_letters(10).await.unwrap();
        if !letters.is_empty() {
            break letters;
        }
        assert!(Instant::now() < deadline, "a dead letter");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((letters[0].target.as_str(), letters[0].told.transition.sequence), ("email:nobody", 1));
    assert!(letters[0].error.contains("550"), "{}", letters[0].error);
    for one in serving {
        one.stop().await;
    }
}

#[test]
fn what_cannot_be_mailed_is_refused_with_what_is_allowed() {
    let good = EmailConfig {
        name: "a".to_owned(),
        server: "smtp://localhost:25".to_owned(),
        username: String::new(),
        password: String::new(),
        from: "kilter@example.com".to_owned(),
        to: vec!["ann@example.com".to_owned()],
        external_url: String::new(),
        unacknowledged_for: None,
    };
    assert_eq!(good.check(), Ok(()));
    for (config, key) in [
        (EmailConfig { server: "localhost".to_owned(), ..good.clone() }, "server"),
        (EmailConfig { from: "kilter".to_owned(), ..good.clone() }, "from"),
        (EmailConfig { to: vec!["ann".to_owned()], ..good.clone() }, "to"),
        (EmailConfig { to: Vec::new(), ..good.clone() }, "to"),
    ] {
        assert_eq!(config.check().unwrap_err().key, key);
    }
}

/// A child that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An HTTP receiver that keeps bodies.
pub(crate) fn receiver() -> (u16, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&bodies);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            into.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (port, bodies)
}

/// Every path to a value with the kind of value that stands there: `alerts[].labels.severity: text`.
fn shape(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| shape(value, &format!("{path}.{name}"), into))
        }
        Value::Array(items) => items.iter().for_each(|item| shape(item, &format!("{path}[]"), into)),
        Value::String(_) => into.push(format!("{path}: text")),
        Value::Number(_) => into.push(format!("{path}: number")),
        Value::Bool(_) => into.push(format!("{path}: bool")),
        Value::Null => into.push(format!("{path}: null")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs prometheus-alertmanager"]
async fn the_webhook_says_what_alertmanager_says_field_by_field() {
    // What Kilter posts.
    let (_dir, store) = store(&["webhook:ops"]).await;
    let (port, ours) = receiver();
    let webhook = WebhookConfig {
        name: "ops".to_owned(),
        url: format!("http://127.0.0.1:{port}/"),
        secret: String::new(),
        external_url: "http://kilter.example".to_owned(),
        unacknowledged_for: None,
    };
    let clock = Clock::at(NOON_MS);
    let serving = Serving::start(&store, WebhookNotifier::new(webhook), &clock);
    tell(&store, "pump", NOON_MS, 1).await;
    tell(&store, "pump", NOON_MS, 2).await;
    until("two posts", || ours.lock().unwrap().len() == 2).await;
    serving.stop().await;
    let ours = ours.lock().unwrap().clone();

    // The same alert through Debian's Alertmanager.
    let dir = tempfile::tempdir().unwrap();
    let (hook, theirs) = receiver();
    let port = free_port();
    let config = format!(
        "route:\n  receiver: ops\n  group_by: [alert_id]\n  group_wait: 1ms\n  group_interval: 1s\nreceivers:\n\
         - name: ops\n  webhook_configs:\n  - url: http://127.0.0.1:{hook}/\n    send_resolved: true\n"
    );
    std::fs::write(dir.path().join("config.yml"), config).unwrap();
    let child = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", dir.path().join("config.yml").display()))
        .arg(format!("--storage.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(["--cluster.listen-address=", "--web.external-url=http://kilter.example"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus-alertmanager is installed");
    let _program = Program(child);
    let alert = &ours[0]["alerts"][0];
    let mut posted = json!({
        "labels": alert["labels"], "annotations": alert["annotations"], "startsAt": alert["startsAt"],
        "generatorURL": alert["generatorURL"],
    });
    let post =
        |body: Value| ureq::post(format!("http://127.0.0.1:{port}/api/v2/alerts")).send_json(json!([body])).map(drop);
    until("Alertmanager", || post(posted.clone()).is_ok()).await;
    until("its first post", || !theirs.lock().unwrap().is_empty()).await;
    for field in ["endsAt", "annotations"] {
        posted[field] = ours[1]["alerts"][0][field].clone();
    }
    post(posted).unwrap();
    until("its second post", || theirs.lock().unwrap().len() >= 2).await;
    let theirs = theirs.lock().unwrap().clone();

    for (n, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let mut ours = ours.clone();
        // Beyond Alertmanager's fields, and said so in the documentation.
        assert!(ours["alerts"][0].as_object_mut().unwrap().remove("kilter").is_some());
        let (mut our_shape, mut their_shape) = (Vec::new(), Vec::new());
        shape(&ours, "", &mut our_shape);
        shape(theirs, "", &mut their_shape);
        our_shape.sort();
        their_shape.sort();
        assert_eq!(our_shape, their_shape, "post {n}");
        for field in [
            "version",
            "status",
            "receiver",
            "groupLabels",
            "commonLabels",
            "commonAnnotations",
            "externalURL",
            "truncatedAlerts",
            "groupKey",
        ] {
            assert_eq!(ours[field], theirs[field], "post {n}: {field}");
        }
        for field in ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL"] {
            assert_eq!(ours["alerts"][0][field], theirs["alerts"][0][field], "post {n}: alerts[0].{field}");
        }
        // Each program hashes in its own way; both give 16 hex digits.
        for posted in [&ours, theirs] {
            let fingerprint = posted["alerts"][0]["fingerprint"].as_str().unwrap();
            assert!(fingerprint.len() == 16 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()), "{fingerprint}");
        }
    }
}

/// All that a subscriber has heard: topic, payload.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

async fn listen(port: u16) -> (AsyncClient, Heard) {
    let heard = Heard::default();
    let (client, mut event_loop) =
        AsyncClient::builder(MqttOptions::new("listener", Broker::tcp("127.0.0.1", port))).capacity(10).build();
    let (into, ready) = (heard.clone(), Arc::new(Mutex::new(false)));
    let (is_ready, subscriber) = (Arc::clone(&ready), client.clone());
    tokio::spawn(async move {
        loop {
            match event_loop.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => drop(subscriber.try_subscribe("#", QoS::AtLeastOnce)),
                Ok(Event::Incoming(Packet::SubAck(_))) => *ready.lock().unwrap() = true,
                Ok(Event::Incoming(Packet::Publish(message))) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    into.lock().unwrap().push((text(&message.topic), text(&message.payload)));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    });
    until("a subscription", || *is_ready.lock().unwrap()).await;
    (client, heard)
}

fn wall_clock() -> Timestamp {
    Timestamp::from_ms(NOON_MS + 1)
}

/// What Home Assistant publishes as its schema of device discovery: `DEVICE_DISCOVERY_SCHEMA`, the schemas of device and
/// origin, in `homeassistant/components/mqtt/schemas.py` of home-assistant/core at 0f5c1b5 (all three refuse unknown
/// keys), and for the platforms the keys of
/// <https://www.home-assistant.io/integrations/binary_sensor.mqtt>, `sensor.mqtt` and `button.mqtt`.
/// Where: allowed keys, those that are needed marked with `!`.
const DISCOVERY: &[(&str, &str)] = &[
    (
        "",
        "device! components! origin! availability availability_mode availability_topic availability_template \
         payload_available payload_not_available state_topic command_topic qos encoding",
    ),
    (
        "device",
        "identifiers! connections manufacturer model model_id name! hw_version serial_number sw_version via_device \
         suggested_area configuration_url",
    ),
    ("origin", "name! sw_version support_url"),
    (
        "binary_sensor",
        "platform! state_topic! unique_id! name device_class expire_after force_update off_delay payload_off \
         payload_on value_template icon entity_category enabled_by_default object_id qos encoding",
    ),
    (
        "sensor",
        "platform! state_topic! unique_id! name device_class state_class suggested_display_precision \
         unit_of_measurement expire_after force_update value_template icon entity_category enabled_by_default \
         object_id options last_reset_value_template qos encoding",
    ),
    (
        "button",
        "platform! command_topic! unique_id! name device_class command_template payload_press retain icon \
         entity_category enabled_by_default object_id qos encoding",
    ),
];

/// Checks a discovery message against the published schema.
fn check_discovery(message: &Value) {
    let check = |found: &Value, schema: &str| {
        let words = DISCOVERY.iter().find(|(name, _)| *name == schema).expect(schema).1.split_whitespace();
        let allowed: Vec<&str> = words.clone().map(|word| word.trim_end_matches('!')).collect();
        let found = found.as_object().unwrap_or_else(|| panic!("{schema}: an object, found {found}"));
        for key in found.keys() {
            assert!(allowed.contains(&key.as_str()), "{schema}: {key} is not in the schema");
        }
        for needed in words.filter_map(|word| word.strip_suffix('!')) {
            assert!(found.contains_key(needed), "{schema}: {needed} is missing");
        }
        for (key, topic) in found.iter().filter(|(key, _)| key.ends_with("_topic")) {
            let topic = topic.as_str().unwrap_or_default();
            assert!(!topic.is_empty() && !topic.contains(['+', '#', '\0']), "{schema}: {key} is no topic: {topic:?}");
        }
    };
    check(message, "");
    check(&message["device"], "device");
    assert!(
        message["device"]["identifiers"]
            .as_array()
            .is_some_and(|ids| !ids.is_empty() && ids.iter().all(Value::is_string))
    );
    check(&message["origin"], "origin");
    for component in message["components"].as_object().expect("components by name").values() {
        check(component, component["platform"].as_str().expect("a platform"));
        assert!(component["qos"].is_null() || (0..=2).contains(&component["qos"].as_i64().unwrap_or(-1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto"]
async fn home_assistant_sees_a_device_and_its_buttons_work_through_a_real_broker() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = dir.path().join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
    let broker = Command::new("mosquitto").arg("-c").arg(&config).stderr(Stdio::null()).spawn().expect("mosquitto");
    let _broker = Program(broker);
    until("mosquitto", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()).await;
    let (client, heard) = listen(port).await;
    let last = |topic: &str| heard.lock().unwrap().iter().rev().find(|(t, _)| t == topic).map(|(_, p)| p.clone());
    let count = |topic: &str| heard.lock().unwrap().iter().filter(|(t, _)| t == topic).count();

    let (_dir, store) = store(&["mqtt"]).await;
    let home_assistant = HomeAssistantConfig { enabled: true, ..HomeAssistantConfig::default() };
    let notify = NotifyConfig { home_assistant, ..NotifyConfig::default() };
    let mut options = MqttOptions::new("kilter", Broker::tcp("127.0.0.1", port));
    options.set_keep_alive(5);
    let (publisher, connection) = MqttPublisher::new(options, &notify).unwrap();
    let connection = connection.answering(store.clone(), wall_clock);
    let (stop, stopped) = oneshot::channel::<()>();
    let link = tokio::spawn(connection.run(json!({}), || json!({}), async move { drop(stopped.await) }));
    // Rows 0 to 9: an alert opens at row 7.
    let outcomes = rows("hall 1/pump", 0, 10);
    store.commit(&outcomes).await.unwrap();
    publisher.announce(&outcomes);
    let config_topic = "homeassistant/device/kilter_hall_201_2fpump/config";
    until("a device", || last(config_topic).is_some()).await;

    let device: Value = serde_json::from_str(&last(config_topic).unwrap()).unwrap();
    check_discovery(&device);
    assert_eq!(device["device"]["name"], "hall 1/pump");
    assert_eq!(device["availability_topic"], "kilter/bridge/state");
    let components = device["components"].as_object().unwrap();
    let mut platforms: Vec<_> = components.values().map(|c| c["platform"].as_str().unwrap()).collect();
    platforms.sort_unstable();
    assert_eq!(platforms, ["binary_sensor", "button", "button", "sensor"]);
    let mut unique: Vec<_> = components.values().map(|c| c["unique_id"].as_str().unwrap()).collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 4);
    let state_topic = components["problem"]["state_topic"].as_str().unwrap();
    until("the state that the sensor shows", || last(state_topic).is_some()).await;

    // The buttons: what Home Assistant sends when they are pressed.
    let press = async |button: &str| {
        let topic = components[button]["command_topic"].as_str().unwrap().to_owned();
        let payload = components[button]["payload_press"].as_str().unwrap().to_owned();
        client.publish(topic, payload, rumqttc::PublishOptions::at_least_once()).await.unwrap();
    };
    press("acknowledge").await;
    until("an answer", || last("kilter/bridge/response/acknowledge").is_some()).await;
    let answer: Value = serde_json::from_str(&last("kilter/bridge/response/acknowledge").unwrap()).unwrap();
    assert_eq!(
        (&answer["status"], &answer["data"]["acknowledged_at"]),
        (&json!("ok"), &json!("2026-11-24T12:00:00.001Z")),
        "{answer}"
    );
    press("false_alarm").await;
    until("an answer", || last("kilter/bridge/response/label").is_some()).await;
    let open = store.reader().alerts(&kilter::store::AlertQuery::default()).await.unwrap();
    assert_eq!((open[0].label, open[0].acknowledged_at), (Some(false), Some(wall_clock())));
    assert_eq!((open[0].labelled_by.as_deref(), open[0].labelled_at), (Some("Home Assistant"), Some(wall_clock())));

    // Requests with a transaction, a silence, and nonsense.
    let ask = async |verb: &str, body: Value| {
        let before = count(&format!("kilter/bridge/response/{verb}"));
        let topic = format!("kilter/bridge/request/{verb}");
        client.publish(topic, body.to_string(), rumqttc::PublishOptions::at_least_once()).await.unwrap();
        let topic = format!("kilter/bridge/response/{verb}");
        until(&topic, || count(&topic) > before).await;
        serde_json::from_str::<Value>(&last(&topic).unwrap()).unwrap()
    };
    let request = json!({
        "matchers": [{"name": "series", "value": "hall 1/pump"}], "endsAt": "2026-11-25T00:00:00Z", "transaction": 7,
    });
    let made = ask("silence", request).await;
    assert_eq!(
        (&made["status"], &made["transaction"], &made["data"]["status"]["state"]),
        (&json!("ok"), &json!(7), &json!("active"))
    );
    let ended = ask("silence", json!({"expire": made["data"]["id"]})).await;
    assert_eq!(ended["data"]["status"]["state"], "expired", "{ended}");
    for (verb, body, said) in [
        ("acknowledge", json!({"alert": "ffff"}), "there is no alert"),
        ("acknowledge", json!({}), "either an alert"),
        ("label", json!({"series": "hall 1/pump", "label": "no"}), "true, false or null"),
        (
            "label",
            json!({"series": "hall 1/pump", "label": true}),
            "already carries the label \"false alarm\", set by Home Assistant at 2026-11-24T12:00:00.001Z",
        ),
        ("silence", json!({"matchers": [], "endsAt": "2026-11-25T00:00:00Z"}), "1 to 32"),
        ("explode", json!({}), "there is no verb"),
        ("acknowledge", json!([1]), "a JSON object"),
    ] {
        let answer = ask(verb, body).await;
        assert_eq!(answer["status"], "error", "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(said), "{answer}");
    }

    // The button once more is harmless, and who means it replaces the label.
    let again = ask("label", json!({"series": "hall 1/pump", "label": false})).await;
    assert_eq!((&again["status"], &again["data"]["labelled_by"]), (&json!("ok"), &json!("Home Assistant")));
    let replaced = json!({"series": "hall 1/pump", "label": true, "author": "Ada", "replace": true});
    let replaced = ask("label", replaced).await;
    assert_eq!((&replaced["data"]["label"], &replaced["data"]["labelled_by"]), (&json!(true), &json!("Ada")));

    // Another state is no other device.
    let at = Timestamp::from_ms(NOON_MS + 60_000);
    let silent = Outcome::State {
        series: SeriesId::parse("hall 1/pump").unwrap(),
        state: SeriesState::NoData,
        at,
        reason: "nothing has arrived".to_owned(),
    };
    publisher.announce(&[silent]);
    until("the new state", || last(state_topic).as_deref() == Some("no_data")).await;
    ask("silences", json!({})).await;
    assert_eq!(count(config_topic), 1, "told once");

    // Home Assistant restarts: every device is told again, and states are not, because the broker keeps them.
    let (before, n_states) = (count(config_topic), count(state_topic));
    client.publish("homeassistant/status", "online", rumqttc::PublishOptions::at_least_once()).await.unwrap();
    until("the device again", || count(config_topic) > before).await;
    assert_eq!(count(state_topic), n_states);
    stop.send(()).unwrap();
    link.await.unwrap();
    until("unavailable", || last("kilter/bridge/state").as_deref() == Some("offline")).await;
}
