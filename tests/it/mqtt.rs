//! The MQTT source and `kilter publish` against a real broker.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use assert_cmd::Command;
use kilter::decode::{MessageDecoder, PayloadSpec, TopicFilter, TopicTemplate};
use kilter::ingest::mqtt::{Acknowledger, Connection, MqttConfig, MqttParams, MqttSource, Publisher};
use kilter::ingest::{Ended, Message, Source};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::mosquitto::Mosquitto;

/// Long enough for a broker on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn params(broker: &Mosquitto, change: impl FnOnce(&mut MqttConfig)) -> MqttParams {
    let mut config =
        MqttConfig { servers: vec![broker.url()], client_id: "kilter-test".to_owned(), ..MqttConfig::default() };
    change(&mut config);
    config.check(vec![TopicFilter::parse("plant/#").expect("a filter")]).expect("valid")
}

/// A source under test, and what comes out of it.
struct Running {
    messages: mpsc::Receiver<Message>,
    acknowledger: Acknowledger,
    connection: watch::Receiver<Connection>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Ended>,
}

impl Running {
    fn start(params: MqttParams) -> Self {
        let source = MqttSource::new(params);
        let (acknowledger, connection) = (source.acknowledger(), source.connection());
        let (out, messages) = mpsc::channel(16);
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(source.run(out, stopped));
        Self { messages, acknowledger, connection, stop, ended }
    }

    async fn connected(&mut self) -> bool {
        let state = timeout(PATIENCE, self.connection.wait_for(Connection::is_connected)).await;
        match &*state.expect("in time").expect("still running") {
            Connection::Connected { is_resumed, .. } => *is_resumed,
            other => panic!("{other:?}"),
        }
    }

    /// The next message, not acknowledged.
    async fn next(&mut self) -> Message {
        timeout(PATIENCE, self.messages.recv()).await.expect("a message in time").expect("still running")
    }

    async fn next_texts(&mut self, n: usize, acknowledge: bool) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..n {
            let message = self.next().await;
            texts.push(String::from_utf8_lossy(&message.payload).into_owned());
            if acknowledge {
                self.acknowledger.acknowledge(message.ack.expect("QoS 1"));
            }
        }
        texts
    }

    /// Ends as a crash does: nothing more is acknowledged, no farewell.
    async fn crash(self) {
        self.ended.abort();
        let _ = self.ended.await;
    }

    async fn stop(self) -> Ended {
        self.stop.send_replace(true);
        timeout(PATIENCE, self.ended).await.expect("in time").expect("no panic")
    }
}

async fn publish(broker: &Mosquitto, messages: impl IntoIterator<Item = (String, Vec<u8>)>) {
    static N_PUBLISHERS: AtomicU32 = AtomicU32::new(0);
    let client_id = format!("publisher-{}", N_PUBLISHERS.fetch_add(1, Ordering::Relaxed));
    let mut publisher = Publisher::connect(&params(broker, |_| {}), &client_id).expect("options");
    for (topic, payload) in messages {
        publisher.publish(topic, payload).await.expect("sent");
    }
    timeout(PATIENCE, publisher.finish()).await.expect("in time").expect("confirmed");
}

fn numbered(range: std::ops::Range<u32>) -> Vec<(String, Vec<u8>)> {
    range.map(|i| ("plant/p".to_owned(), i.to_string().into_bytes())).collect()
}

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn what_comes_while_nobody_listens_is_delivered_later() {
    let broker = Mosquitto::start();
    let mut first = Running::start(params(&broker, |_| {}));
    assert!(!first.connected().await, "the first session is new");
    assert_eq!(first.stop().await, Ended::Stopped);
    publish(&broker, numbered(0..200)).await;
    let mut second = Running::start(params(&broker, |_| {}));
    assert!(second.connected().await, "the session was kept over a stop");
    assert_eq!(second.next_texts(200, true).await, texts(0..200));
    assert_eq!(second.stop().await, Ended::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn what_was_not_acknowledged_before_a_crash_comes_again_in_order() {
    let broker = Mosquitto::start();
    let mut first = Running::start(params(&broker, |_| {}));
    first.connected().await;
    publish(&broker, numbered(0..100)).await;
    assert_eq!(first.next_texts(40, true).await, texts(0..40));
    assert_eq!(first.next_texts(30, false).await, texts(40..70));
    // The acknowledgements are on their way once the broker has nothing of the first 40 any more; a stop of
    // the whole process at this very moment may lose the last of them, so at least what was not acknowledged comes.
    first.crash().await;
    let mut second = Running::start(params(&broker, |_| {}));
    assert!(second.connected().await);
    let mut seen = BTreeSet::new();
    let mut last = None;
    while seen.len() < 60 || !seen.contains(&99) {
        let message = second.next().await;
        let number: u32 = String::from_utf8_lossy(&message.payload).parse().expect("a number");
        assert!(last < Some(number), "{number} after {last:?}");
        last = Some(number);
        seen.insert(number);
        second.acknowledger.acknowledge(message.ack.expect("QoS 1"));
    }
    assert!((40..100).all(|number| seen.contains(&number)));
    assert_eq!(second.stop().await, Ended::Stopped);
    let mut third = Running::start(params(&broker, |_| {}));
    third.connected().await;
    publish(&broker, numbered(100..101)).await;
    assert_eq!(third.next_texts(1, true).await, texts(100..101), "all else was acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn unacknowledged_messages_hold_the_broker_back() {
    let broker = Mosquitto::start();
    let mut source = Running::start(params(&broker, |config| config.receive_maximum = 10));
    source.connected().await;
    publish(&broker, numbered(0..50)).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(source.next().await.ack.expect("QoS 1"));
    }
    assert!(timeout(Duration::from_millis(300), source.messages.recv()).await.is_err(), "an eleventh came");
    source.acknowledger.acknowledge_all(held);
    assert_eq!(source.next_texts(40, true).await, texts(10..50));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn a_broker_that_comes_late_or_goes_away_is_found_again() {
    let mut broker = Mosquitto::prepare("");
    let mut source =
        Running::start(params(&broker, |config| config.reconnect_max = kilter::series::HumanDuration::from_ms(500)));
    let is_away = |connection: &Connection| matches!(connection, Connection::Disconnected { .. });
    timeout(PATIENCE, source.connection.wait_for(is_away)).await.expect("in time").expect("running");
    broker.start_again();
    source.connected().await;
    publish(&broker, numbered(0..5)).await;
    assert_eq!(source.next_texts(5, true).await, texts(0..5));
    let stale = {
        publish(&broker, numbered(5..6)).await;
        source.next().await.ack.expect("QoS 1")
    };
    broker.stop();
    timeout(PATIENCE, source.connection.wait_for(is_away)).await.expect("in time").expect("running");
    broker.start_again();
    assert!(source.connected().await, "the broker kept the session");
    let again = source.next().await;
    assert_eq!(again.payload.as_ref(), b"5");
    source.acknowledger.acknowledge(stale);
    assert_eq!(source.acknowledger.n_stale(), 1, "an acknowledgement of the connection before is ignored");
    source.acknowledger.acknowledge(again.ack.expect("QoS 1"));
    publish(&broker, numbered(6..20)).await;
    assert_eq!(source.next_texts(14, true).await, texts(6..20));
    assert_eq!(source.stop().await, Ended::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn a_broker_that_forgot_the_session_is_subscribed_to_anew() {
    let mut broker = Mosquitto::start_with("persistence false");
    let mut source =
        Running::start(params(&broker, |config| config.reconnect_max = kilter::series::HumanDuration::from_ms(500)));
    source.connected().await;
    broker.stop();
    let is_away = |connection: &Connection| !connection.is_connected();
    timeout(PATIENCE, source.connection.wait_for(is_away)).await.expect("in time").expect("running");
    broker.start_again();
    assert!(!source.connected().await);
    publish(&broker, numbered(0..5)).await;
    assert_eq!(source.next_texts(5, true).await, texts(0..5));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn a_changed_subscription_reaches_the_old_session() {
    let broker = Mosquitto::start();
    let mut first = Running::start(params(&broker, |config| config.topics = vec!["other/#".to_owned()]));
    first.connected().await;
    assert_eq!(first.stop().await, Ended::Stopped);
    let mut second = Running::start(params(&broker, |_| {}));
    assert!(second.connected().await);
    publish(&broker, numbered(0..3)).await;
    assert_eq!(second.next_texts(3, true).await, texts(0..3));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn large_messages_are_counted_and_block_nothing() {
    let broker = Mosquitto::start();
    let mut source = Running::start(params(&broker, |_| {}));
    source.connected().await;
    let large = |bytes: usize| ("plant/large".to_owned(), vec![b'1'; bytes]);
    // Above `max_packet_bytes` the broker itself drops it; above the decoder's limit it comes without its payload.
    publish(&broker, [large(4 << 20), large(1 << 20)].into_iter().chain(numbered(0..1))).await;
    let message = source.next().await;
    assert_eq!((message.payload_bytes, message.payload.len()), (1 << 20, 0));
    let decoder =
        MessageDecoder::single(TopicTemplate::parse("plant/{series}").expect("valid"), PayloadSpec::default());
    assert_eq!(message.decode(&decoder).map_err(|error| error.reason()), Err("too_large"));
    source.acknowledger.acknowledge(message.ack.expect("QoS 1"));
    assert_eq!(source.next_texts(1, true).await, texts(0..1));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn what_the_broker_kept_says_so_and_comes_once() {
    let broker = Mosquitto::start();
    let sent = std::process::Command::new("mosquitto_pub")
        .args(["-p", broker.url().rsplit(':').next().expect("a port"), "-h", "127.0.0.1", "-q", "1", "-r"])
        .args(["-t", "plant/p", "-m", "{\"a\":1}"])
        .status();
    if sent.is_err() {
        return; // mosquitto-clients is another package.
    }
    let mut first = Running::start(params(&broker, |_| {}));
    let message = first.next().await;
    assert!(message.is_retained);
    let decoder =
        MessageDecoder::single(TopicTemplate::parse("plant/{series}").expect("valid"), PayloadSpec::default());
    assert_eq!(message.decode(&decoder).map_err(|error| error.reason()), Err("retained"));
    first.acknowledger.acknowledge(message.ack.expect("QoS 1"));
    assert_eq!(first.stop().await, Ended::Stopped);
    let mut second = Running::start(params(&broker, |_| {}));
    assert!(second.connected().await);
    publish(&broker, numbered(0..1)).await;
    assert_eq!(second.next_texts(1, true).await, texts(0..1), "the retained message does not come at every start");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn a_stop_waits_for_acknowledgements_and_leaves_the_rest_to_the_broker() {
    let broker = Mosquitto::start();
    let mut source = Running::start(params(&broker, |_| {}));
    source.connected().await;
    publish(&broker, numbered(0..100)).await;
    let mut taken = vec![source.next().await];
    source.stop.send_replace(true);
    // The queue of 16 is handed over, then the sender is gone; a slow commit acknowledges afterwards.
    while let Some(message) = timeout(PATIENCE, source.messages.recv()).await.expect("in time") {
        taken.push(message);
    }
    assert!(taken.len() < 100);
    tokio::time::sleep(Duration::from_millis(50)).await;
    source.acknowledger.acknowledge_all(taken.iter().filter_map(|message| message.ack));
    assert_eq!(timeout(PATIENCE, source.ended).await.expect("in time").expect("no panic"), Ended::Stopped);
    let mut next = Running::start(params(&broker, |_| {}));
    let n_taken = u32::try_from(taken.len()).expect("few");
    assert_eq!(next.next_texts(100 - taken.len(), true).await, texts(n_taken..100));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn a_log_in_is_read_from_a_file_and_a_wrong_one_is_said() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let passwords = directory.path().join("passwords");
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["kilter", "secret"])
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    let broker = Mosquitto::start_with(&format!("allow_anonymous false\npassword_file {}", passwords.display()));
    let file = directory.path().join("password");
    std::fs::write(&file, "secret\n").expect("written");
    let log_in = |config: &mut MqttConfig| {
        config.username = Some("kilter".to_owned());
        config.password_file = Some(file.clone());
    };
    let mut source = Running::start(params(&broker, log_in));
    source.connected().await;
    assert_eq!(source.stop().await, Ended::Stopped);
    std::fs::write(&file, "wrong").expect("written");
    let mut source = Running::start(params(&broker, log_in));
    let refused = |connection: &Connection| matches!(connection, Connection::Disconnected { reason, .. } if reason.contains("refused"));
    timeout(PATIENCE, source.connection.wait_for(refused)).await.expect("in time").expect("running");
    source.crash().await;
}

/// A certificate authority, a server and a client, made by openssl in `directory`.
fn certificates(directory: &Path) {
    let script = "set -e
        key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        openssl req -x509 $key -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > extensions
        for name in server client; do
            openssl req $key -subj /CN=$name -keyout $name.key -out $name.csr
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out $name.pem
        done";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(directory).output().expect("a shell");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn both_sides_prove_themselves_with_certificates() {
    let directory = tempfile::TempDir::new().expect("a directory");
    certificates(directory.path());
    let path = directory.path().display();
    let broker = Mosquitto::start_with(&format!(
        "cafile {path}/ca.pem\ncertfile {path}/server.pem\nkeyfile {path}/server.key\nrequire_certificate true"
    ));
    let encrypted = |config: &mut MqttConfig| {
        config.servers = vec![broker.url().replace("mqtt://", "mqtts://")];
        config.tls_ca = Some(directory.path().join("ca.pem"));
        config.tls_cert = Some(directory.path().join("client.pem"));
        config.tls_key = Some(directory.path().join("client.key"));
    };
    let mut source = Running::start(params(&broker, encrypted));
    source.connected().await;
    let mut publisher = Publisher::connect(&params(&broker, encrypted), "publisher-tls").expect("options");
    publisher.publish("plant/p".to_owned(), "7").await.expect("sent");
    publisher.finish().await.expect("confirmed");
    assert_eq!(source.next_texts(1, true).await, ["7"]);
    assert_eq!(source.stop().await, Ended::Stopped);

    let stranger = |config: &mut MqttConfig| {
        encrypted(config);
        (config.tls_cert, config.tls_key) = (None, None);
    };
    let mut source = Running::start(params(&broker, stranger));
    let is_refused = |connection: &Connection| matches!(connection, Connection::Disconnected { .. });
    timeout(PATIENCE, source.connection.wait_for(is_refused)).await.expect("in time").expect("running");
    source.crash().await;
}

fn kilter_publish(broker: &Mosquitto, args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("kilter").expect("built");
    command.args(["publish", "--broker", &broker.url()]).args(args).timeout(PATIENCE).assert()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto"]
async fn publish_plays_rows_and_cells_and_never_the_label() {
    let broker = Mosquitto::start();
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(
        path("a.csv"),
        "timestamp,temp,load,label\n2026-11-24T12:00:00Z,1.5,2,0\n2026-11-24T12:00:01Z,,3,1\n",
    )
    .expect("written");
    std::fs::write(path("b.csv"), "temp\n7\n").expect("written");
    let mut source = Running::start(params(&broker, |_| {}));
    source.connected().await;

    kilter_publish(&broker, &[&path("a.csv"), "--topic", "plant/{series}"]).success();
    let rows = source.next_texts(2, true).await;
    let expected = [
        r#"{"timestamp":"2026-11-24T12:00:00Z","temp":1.5,"load":2.0}"#,
        r#"{"timestamp":"2026-11-24T12:00:01Z","temp":null,"load":3.0}"#,
    ];
    assert_eq!(rows, expected);

    kilter_publish(
        &broker,
        &[&path("a.csv"), &path("b.csv"), "--topic", "plant/{series}/{channel}", "--format", "number"],
    )
    .success();
    let mut cells = Vec::new();
    for _ in 0..4 {
        let message = source.next().await;
        cells.push(format!("{} {}", message.topic, String::from_utf8_lossy(&message.payload)));
        source.acknowledger.acknowledge(message.ack.expect("QoS 1"));
    }
    assert_eq!(cells, ["plant/a/temp 1.5", "plant/a/load 2.0", "plant/b/temp 7.0", "plant/a/load 3.0"]);

    kilter_publish(&broker, &[&path("a.csv"), "--topic", "plant/{series}/{channel}", "--series", "c", "--rate", "50"])
        .success();
    assert_eq!(source.next_texts(4, true).await[2], r#"{"timestamp":"2026-11-24T12:00:01Z","value":null}"#);

    kilter_publish(&broker, &[&path("a.csv"), "--topic", "plant/{series}", "--format", "number"]).code(2);
    kilter_publish(&broker, &[&path("a.csv"), "--topic", "plant/{a}/{b}"]).code(2);
    kilter_publish(&broker, &[&path("none.csv"), "--topic", "plant/{series}"]).code(1);
}
