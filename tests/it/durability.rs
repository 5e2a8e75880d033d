//! Nothing is lost: the real process is killed at random instants in the middle of a stream of QoS 1 messages, and ends
//! with exactly the rows and scores of an undisturbed run.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kilter::series::{Frame, SeriesId};
use kilter::store::{Reader, RowQuery, ScoreView, SeriesQuery, StoreConfig};
use rand::{RngExt, SeedableRng};
use rumqttc::{AckMode, AsyncClient, Event, MqttOptions, Outgoing, Packet, PublishOptions};

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

const FIRST_MS: i64 = 1_795_521_600_000;

/// Rows of each of the four series.
const N_ROWS: i64 = 900;

/// Rows after which the one model is fitted.
const WARM_UP_ROWS: usize = 200;

/// Messages under way at most: fewer than a window needs, so that a window spans many acknowledgements.
const RECEIVE_MAXIMUM: u16 = 100;

/// A process that ends with the value, by force.
struct Running(Child);

impl Running {
    fn kill(mut self) {
        // SIGKILL: nothing is flushed, nothing is said goodbye to.
        self.0.kill().expect("the process is ours");
        self.0.wait().expect("the process is ours");
    }

    fn ask_to_stop(mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill is a program").success());
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.0.try_wait().expect("the process is ours") {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it stops when asked to"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "it stops well: {status}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free").local_addr().expect("bound").port()
}

fn mosquitto(dir: &Path, port: u16) -> Running {
    let kept = dir.join("broker");
    std::fs::create_dir_all(&kept).expect("a folder");
    let config = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
         max_queued_messages 0\n",
        kept.display()
    );
    let file = dir.join("mosquitto.conf");
    std::fs::write(&file, config).expect("a file");
    let child = Command::new("mosquitto").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let broker = Running(child.expect("mosquitto is installed"));
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < deadline, "mosquitto answers");
        std::thread::sleep(Duration::from_millis(20));
    }
    broker
}

fn configuration(dir: &Path, port: u16, http: u16) -> PathBuf {
    let text = format!(
        r#"
[mqtt]
servers = ["mqtt://127.0.0.1:{port}"]
receive_maximum = {RECEIVE_MAXIMUM}
[store]
url = "sqlite:{}/kilter.db"
[http]
listen = "127.0.0.1:{http}"
[log]
filter = "warn"
[defaults]
warm_up_rows = {WARM_UP_ROWS}
# The last rows stay open for as long as the test may last, however slow the machine.
idle_after = "1h"
silence_after = "1h"
members = ["pca", "random_features", "kmeans", "var"]
[[series]]
topic = "cell/{{series}}/{{channel}}"
payload = {{ format = "json", value = "/v", time = "/t" }}
[[series]]
topic = "row/{{series}}"
payload = {{ format = "json_object", time = "/t" }}
grid = "row"
"#,
        dir.display()
    );
    let file = dir.join("kilter.toml");
    std::fs::write(&file, text).expect("a file");
    file
}

fn service(config: &Path) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_kilter")).arg("run").arg("--config").arg(config).spawn();
    Running(child.expect("the program starts"))
}

/// Topic and payload of every message, in order: two series with a topic a channel, two with a topic a row.
fn messages() -> Vec<(String, String)> {
    let mut messages = Vec::new();
    for row in 0..N_ROWS {
        let at = FIRST_MS + 1000 * row;
        let phase = row as f64 / 7.0;
        let fault = if (600..640).contains(&row) { 4.0 } else { 0.0 };
        for series in ["c1", "c2"] {
            for (channel, value) in [("load", phase.sin() + fault), ("heat", phase.cos())] {
                messages.push((format!("cell/{series}/{channel}"), format!(r#"{{"t":{at},"v":{value}}}"#)));
            }
        }
        for series in ["r1", "r2"] {
            let payload = format!(r#"{{"t":{at},"load":{},"heat":{}}}"#, phase.sin() + fault, phase.cos());
            messages.push((format!("row/{series}"), payload));
        }
    }
    messages
}

/// Publishes everything at QoS 1 and returns when the broker has acknowledged all of it.
async fn publish(port: u16, pause_each: usize) {
    let mut options = MqttOptions::new("durability-test", ("127.0.0.1", port));
    options.set_ack_mode(AckMode::Automatic);
    let (client, mut event_loop) = AsyncClient::builder(options).capacity(64).build();
    let messages = messages();
    let n_messages = messages.len();
    let sending = tokio::spawn(async move {
        for (index, (topic, payload)) in messages.into_iter().enumerate() {
            client.publish(topic, payload, PublishOptions::at_least_once()).await.expect("the queue is open");
            if index % pause_each == 0 {
                // Pace, not synchronisation: the stream must last longer than the kills.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        client
    });
    let mut n_acknowledged = 0;
    while n_acknowledged < n_messages {
        match event_loop.poll().await.expect("the broker stays") {
            Event::Incoming(Packet::PubAck(_)) => n_acknowledged += 1,
            Event::Outgoing(Outgoing::Disconnect) => panic!("the publisher left early"),
            _ => {}
        }
    }
    drop(sending.await.expect("all sent"));
}

type Kept = Vec<(SeriesId, Vec<Frame>, Vec<ScoreView>)>;

/// Every closed row and every score of the store.
async fn kept(dir: &Path) -> Kept {
    let Ok(reader) = Reader::open(&StoreConfig::in_dir(dir)).await else { return Vec::new() };
    let all = RowQuery { limit: 100_000, ..RowQuery::default() };
    let mut kept = Vec::new();
    for row in reader.series(&SeriesQuery::default()).await.expect("series are read") {
        let frames = reader.frames(&row.series, &all).await.expect("frames are read");
        let scores = reader.scores(&row.series, &all).await.expect("scores are read");
        kept.push((row.series, frames, scores));
    }
    kept
}

/// Waits until every row has closed. On the time grid with a lateness of one second the last two rows stay open: the
/// newest event time is that of row N - 1, so rows that end at or before the start of row N - 2 are closed.
async fn wait_for_the_end(dir: &Path) -> Kept {
    let deadline = Instant::now() + PATIENCE;
    let n_rows = |series: &str| if series.starts_with('c') { N_ROWS - 2 } else { N_ROWS };
    loop {
        let now = kept(dir).await;
        let is_done = |(series, frames, scores): &(SeriesId, Vec<Frame>, Vec<ScoreView>)| {
            let n_rows = n_rows(series.as_str()) as usize;
            frames.len() == n_rows && scores.len() == n_rows - WARM_UP_ROWS
        };
        if now.len() == 4 && now.iter().all(is_done) {
            return now;
        }
        assert!(Instant::now() < deadline, "every row is scored; so far {:?}", summary(&now));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn summary(kept: &Kept) -> Vec<String> {
    let one = |(series, frames, scores): &(SeriesId, Vec<Frame>, Vec<ScoreView>)| {
        let there: std::collections::BTreeSet<i64> = frames.iter().map(|frame| frame.at.as_ms()).collect();
        let newest = there.last().map_or(0, |at| (at - FIRST_MS) / 1000 + 1);
        let missing: Vec<i64> = (0..newest).filter(|row| !there.contains(&(FIRST_MS + 1000 * row))).collect();
        format!("{series}: {} rows, {} scores, without rows {missing:?}", frames.len(), scores.len())
    };
    kept.iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs mosquitto"]
async fn killed_at_random_instants_it_ends_with_the_rows_of_an_undisturbed_run() {
    let seed = std::env::var("KILTER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("KILTER_SEED={seed}");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);

    let calm_dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let _calm_broker = mosquitto(calm_dir.path(), port);
    let http = free_port();
    let calm = service(&configuration(calm_dir.path(), port, http));
    wait_until_ready(http).await;
    publish(port, 20).await;
    let expected = wait_for_the_end(calm_dir.path()).await;
    calm.ask_to_stop();

    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let _broker = mosquitto(dir.path(), port);
    let http = free_port();
    let config = configuration(dir.path(), port, http);
    let mut running = service(&config);
    wait_until_ready(http).await;
    let publishing = tokio::spawn(publish(port, 12));
    let mut n_kills = 0;
    while !publishing.is_finished() {
        tokio::time::sleep(Duration::from_millis(random.random_range(30..400))).await;
        running.kill();
        n_kills += 1;
        running = service(&config);
    }
    publishing.await.expect("all is published");
    let found = wait_for_the_end(dir.path()).await;
    wait_until_ready(http).await;
    running.ask_to_stop();
    assert!(n_kills >= 3, "the stream was long enough to be cut {n_kills} times");
    assert_eq!(summary(&found), summary(&expected), "after {n_kills} kills");
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.0, expected.0);
        for (found, expected) in found.1.iter().zip(&expected.1) {
            assert_eq!(found, expected, "row of {} after {n_kills} kills", found.at);
        }
        for (found, expected) in found.2.iter().zip(&expected.2) {
            assert_eq!(found, expected, "score of {} after {n_kills} kills", found.at);
        }
    }
}

/// The session has to exist before the first message: a broker keeps nothing for a client that it has never seen.
async fn wait_until_ready(http: u16) {
    let deadline = Instant::now() + PATIENCE;
    let url = format!("http://127.0.0.1:{http}/readyz");
    while tokio::task::block_in_place(|| ureq::get(&url).call()).is_err() {
        assert!(Instant::now() < deadline, "the service is ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
