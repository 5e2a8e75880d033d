//! What the whole service costs and how soon it answers; each part by its name:
//!
//! `cargo bench --bench service -- fleet|own|latency|mosquitto|training|queries|database|start [options]`
//!
//! * `fleet [--series 10000] [--seconds 60] [--grid row|time]`: one shared model, 8 channels, 1 Hz: processor and memory.
//! * `own [--series 1000]`: a model each: memory of a series.
//! * `latency [--spikes 200]`: 1,000 readings/s through mosquitto, from the publish of the deciding row to the alert.
//! * `mosquitto [--messages 200000]`: readings/s behind mosquitto beside a client that only counts.
//! * `training`: a fit of 1,000 windows, and what a fleet of 100 fits does to scoring.
//! * `queries`: 100,000 rows and a year of minutes over HTTP.
//! * `database [--rows 1000000,10000000]`: a commit and a query against the rows that are there already.
//! * `start [--series 10000] [--mib 1024]`: until ready with a large database.

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::mqtt::{Client, Mosquitto, puback, publish, read_packet, read_publish};
use common::scripted::{Broker, IN_FLIGHT};
use common::service::Service;
use common::{CHANNELS, NOON_MS, argument, frame, number, payload, processor_seconds, quantile, score};
use kilter::bundle::{FitInput, fit};
use kilter::detector::{DetectorSpec, Member};
use kilter::pipeline::{Outcome, SettledRow, TakeOver};
use kilter::series::{ChannelName, SeriesId, Timestamp};
use kilter::store::{NewModel, RowQuery, Store, StoreConfig};
use kilter::verdict::StuckSpec;
use sha2::{Digest, Sha256};

/// An entry of the configuration: rows of JSON with a time, the detector of the issue.
fn entry(broker: u16, warm_up: usize, more: &str) -> String {
    format!(
        "[mqtt]\nservers = [\"mqtt://127.0.0.1:{broker}\"]\nreceive_maximum = {IN_FLIGHT}\n\
         [defaults]\nwarm_up_rows = {warm_up}\nmembers = [\"autoencoder\", \"pca\"]\n\
         payload = {{ format = \"json_object\", time = \"/t\" }}\ntopic = \"row/{{series}}\"\n{more}\n\
         [defaults.power]\nenabled = false\n"
    )
}

fn row(series: usize, row: usize, at_ms: i64, fault: f64) -> (String, String) {
    (format!("row/machine-{series}"), payload(series, row, at_ms, CHANNELS, fault))
}

fn wall_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    (listener, port)
}

/// Many machines of one kind, one row a second each.
fn fleet() {
    let (series, seconds) = (number("--series", "10000"), number("--seconds", "45"));
    let grid = argument("--grid", "row");
    let dir = tempfile::tempdir().expect("a directory");
    let (service, mut broker) = warm_fleet(dir.path(), series, &grid);
    let warm = 200;
    let second = |i: usize, now: i64| -> Vec<_> { (0..series).map(|s| row(s, warm + i, now, 0.0)).collect() };
    let mut n_paced = 0;
    let mut pace = |broker: &mut Broker, seconds: usize| {
        for _ in 0..seconds {
            broker.pace(&second(n_paced, wall_ms()), Duration::from_secs(1)).expect("the service listens");
            n_paced += 1;
        }
    };
    // On the time grid a window is judged again once it is full of rows since the warm-up, and rows of before may still be
    // judged meanwhile: steady is what scores as many rows as it gets.
    let mut scored = service.metric("kilter_windows_scored_total");
    let mut n_steady = 0;
    while n_steady < 2 {
        pace(&mut broker, 6);
        let now = service.metric("kilter_windows_scored_total");
        let is_steady = ((now - scored) / (6 * series) as f64 - 1.0).abs() < 0.1;
        n_steady = if is_steady { n_steady + 1 } else { 0 };
        scored = now;
    }
    let (begun, before) = (Instant::now(), service.usage().0);
    let (threads, written) = (service.threads(), service.bytes_written());
    broker.waits.clear();
    pace(&mut broker, seconds);
    let (after, resident) = service.usage();
    let cores = (after - before) / begun.elapsed().as_secs_f64();
    let mib_written = (service.bytes_written() - written) / begun.elapsed().as_secs_f64() / 1024.0 / 1024.0;
    broker.waits.sort_by(f64::total_cmp);
    println!(
        "{series} series, one model, {CHANNELS} channels at 1 Hz, {grid} grid: {cores:.4} cores, {resident:.0} MiB \
         resident, {mib_written:.0} MiB/s to the disk, {:.0} rows scored, {} messages under way at the end; sent to \
         acknowledged p50 {:.1} ms, p99 {:.1} ms",
        service.metric("kilter_windows_scored_total") - scored,
        broker.n_under_way(),
        quantile(&broker.waits, 0.5) * 1e3,
        quantile(&broker.waits, 0.99) * 1e3,
    );
    for (name, seconds) in service.threads() {
        let before = threads.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, seconds)| *seconds);
        println!("  {name}: {:.3} cores", (seconds - before) / begun.elapsed().as_secs_f64());
    }
}

/// A service that judges all its series by one model.
fn warm_fleet(dir: &Path, series: usize, grid: &str) -> (Service, Broker) {
    let (listener, port) = listen();
    let more = format!("share_model = true\ngrid = \"{grid}\"\nwindow = \"32 rows\"");
    let service = Service::start(
        dir,
        &format!("{}[notify.mqtt]\nenabled = false\n[limits]\nseries_max = 100000\n", entry(port, 100, &more)),
    );
    let mut broker = Broker::accept(&listener).expect("the service connects");
    let warm = 104;
    let begun_ms = wall_ms() - warm as i64 * 1000;
    for part in 0..warm / 8 {
        let rows =
            (part * 8..part * 8 + 8).flat_map(|r| (0..series).map(move |s| row(s, r, begun_ms + r as i64 * 1000, 0.0)));
        broker.play(&rows.collect::<Vec<_>>()).expect("the service listens");
    }
    service.wait_for("kilter_training_seconds_count", 1.0);
    // Every series has taken the model over once each has a score of its last row.
    while service.metric("kilter_windows_scored_total") < series as f64 * 2.0 {
        std::thread::sleep(Duration::from_millis(500));
    }
    (service, broker)
}

/// A model for every series: what one series costs in memory.
fn own() {
    let series = number("--series", "1000");
    let dir = tempfile::tempdir().expect("a directory");
    let (listener, port) = listen();
    let more = "grid = \"row\"\nwindow = \"32 rows\"\n[defaults.autoencoder]\nepochs = 1";
    let service = Service::start(dir.path(), &format!("{}[notify.mqtt]\nenabled = false\n", entry(port, 200, more)));
    let mut broker = Broker::accept(&listener).expect("the service connects");
    let mut resident = Vec::new();
    for until in [series / 5, series] {
        let from = resident.last().map_or(0, |(n, _): &(usize, f64)| *n);
        for rows in [0..200, 200..300] {
            let messages =
                rows.clone().flat_map(|r| (from..until).map(move |s| row(s, r, NOON_MS + r as i64 * 1000, 0.0)));
            broker.play(&messages.collect::<Vec<_>>()).expect("the service listens");
            service.wait_for("kilter_training_seconds_count", until as f64);
        }
        std::thread::sleep(Duration::from_secs(2));
        resident.push((until, service.usage().1));
    }
    let [(few, with_few), (all, with_all)] = resident[..] else { return };
    println!(
        "a model each: {with_few:.0} MiB with {few} series, {with_all:.0} MiB with {all}: {:.0} KiB a series between, {:.0} \
         KiB with all that the program is",
        (with_all - with_few) * 1024.0 / (all - few) as f64,
        with_all * 1024.0 / all as f64,
    );
}

/// From publish to alert, through mosquitto, at 1,000 readings a second. Every series spikes once.
fn latency() {
    let spikes = number("--spikes", "200");
    let warm = 160;
    let (mosquitto, dir) = (Mosquitto::start(), tempfile::tempdir().expect("a directory"));
    let more = "grid = \"row\"\nwindow = \"32 rows\"\nshare_model = true\nrule = \"fixed\"\n[defaults.fixed]\n\
                open_after_rows = 1\nresolve_after_rows = 8\nlive_score = 4.0\n[defaults.autoencoder]\nepochs = 5";
    let service =
        Service::start(dir.path(), &format!("{}[notify.mqtt]\nscores = false\n", entry(mosquitto.port, 100, more)));
    wait_ready(&service);
    let publisher = Client::connect(mosquitto.port, "publisher", 100).expect("mosquitto answers");
    let mut watcher = Client::connect(mosquitto.port, "watcher", 1000).expect("mosquitto answers");
    watcher.subscribe("kilter/alerts", 1).expect("mosquitto answers");
    watcher.subscribe("row/+", 0).expect("mosquitto answers");
    // When each alert was heard, by series; when each message was, by itself.
    let opened: Arc<Mutex<HashMap<usize, Instant>>> = Arc::default();
    let hops: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let (seen, heard) = (Arc::clone(&opened), Arc::clone(&hops));
    let Client { from: mut alerts, to: mut acks } = watcher;
    std::thread::spawn(move || {
        while let Ok((kind, body)) = read_packet(&mut alerts) {
            let now = Instant::now();
            if kind >> 4 != 3 {
                continue;
            }
            let (topic, payload, packet_id) = read_publish(kind, &body);
            let text = String::from_utf8_lossy(payload);
            if topic.starts_with("row/") {
                heard.lock().expect("unpoisoned").insert(format!("{topic} {text}"), now);
            } else if let Some(name) = text.split("\"machine-").nth(1).and_then(|rest| rest.split('"').next()) {
                seen.lock().expect("unpoisoned").entry(name.parse().unwrap_or(usize::MAX)).or_insert(now);
            }
            if let Some(id) = packet_id {
                let _ = acks.write_all(&puback(id)).and_then(|()| acks.flush());
            }
        }
    });
    let Client { from: mut answers, to: mut out } = publisher;
    std::thread::spawn(move || while read_packet(&mut answers).is_ok() {});
    let mut id = 0_u16;
    let mut send = |message: &(String, String)| {
        id = id % u16::MAX + 1;
        out.write_all(&publish(&message.0, &message.1, id)).and_then(|()| out.flush()).expect("mosquitto listens");
    };
    for r in 0..warm {
        for s in 0..spikes {
            send(&row(s, r, NOON_MS + r as i64 * 1000, 0.0));
        }
        std::thread::sleep(Duration::from_millis(spikes as u64 / 5));
    }
    while service.metric("kilter_windows_scored_total") < ((warm - 110) * spikes) as f64 {
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(2));
    opened.lock().expect("unpoisoned").clear();
    let sums = |name: &str| (service.metric(&format!("{name}_sum")), service.metric(&format!("{name}_count")));
    let before = [sums("kilter_score_seconds"), sums("kilter_commit_seconds")];
    // 125 rows of 8 channels a second; after every 60 of them a series that has not spiked yet does.
    let begun = Instant::now();
    let mut published = Vec::new();
    for i in 0..spikes * 61 {
        let is_spike = i % 61 == 60;
        let s = if is_spike { i / 61 } else { i % spikes };
        let at_ms = NOON_MS + (warm * 1000 + i) as i64;
        let message = row(s, warm + i / spikes, at_ms, if is_spike { 60.0 } else { 0.0 });
        let at = Instant::now();
        send(&message);
        if is_spike {
            published.push((s, at, format!("{} {}", message.0, message.1)));
        }
        std::thread::sleep(Duration::from_millis(8 * (i as u64 + 1)).saturating_sub(begun.elapsed()));
    }
    std::thread::sleep(Duration::from_millis(500));
    let (opened, hops) = (opened.lock().expect("unpoisoned"), hops.lock().expect("unpoisoned"));
    let since = |heard: Option<&Instant>, at: &Instant| {
        heard.and_then(|heard| heard.checked_duration_since(*at)).map(|took| took.as_secs_f64() * 1e3)
    };
    let mut latencies: Vec<f64> = published.iter().filter_map(|(s, at, _)| since(opened.get(s), at)).collect();
    let mut hop_times: Vec<f64> = published.iter().filter_map(|(_, at, key)| since(hops.get(key), at)).collect();
    for times in [&mut latencies, &mut hop_times] {
        times.sort_by(f64::total_cmp);
        assert!(!times.is_empty(), "nothing came back");
    }
    let mean = |name: &str, before: (f64, f64)| {
        let after = sums(name);
        (after.0 - before.0) / (after.1 - before.1) * 1e3
    };
    println!(
        "publish to alert at 1,000 readings/s through mosquitto: p50 {:.2} ms, p99 {:.2} ms, {} alerts of {spikes} \
         spikes; publish to another subscriber: p50 {:.2} ms, p99 {:.2} ms; mean from decoding to acknowledged {:.2} ms, \
         of which the commit {:.2} ms",
        quantile(&latencies, 0.5),
        quantile(&latencies, 0.99),
        latencies.len(),
        quantile(&hop_times, 0.5),
        quantile(&hop_times, 0.99),
        mean("kilter_score_seconds", before[0]),
        mean("kilter_commit_seconds", before[1]),
    );
}

fn wait_ready(service: &Service) {
    while service.get("/readyz").is_none_or(|(status, ..)| status != 200) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many messages a second come through mosquitto to Kilter, and to a client that only counts and acknowledges.
fn mosquitto() {
    let n = number("--messages", "200000");
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..5 {
        runs[0].push(counted(n));
        runs[1].push(taken_in(n));
    }
    for runs in &mut runs {
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let [(counted, of_counting), (taken, of_kilter)] = [&runs[0][2], &runs[1][2]];
    println!(
        "behind mosquitto, QoS 1: a client that only counts {counted:.0} messages/s, Kilter {taken:.0} ({:.0} readings/s), {:.0} %",
        taken * CHANNELS as f64,
        100.0 * taken / counted,
    );
    println!("  processor time a message while it counts: {of_counting}");
    println!("  processor time a message with Kilter: {of_kilter}");
}

/// Processor seconds so far of mosquitto, this process and Kilter, and the moment.
type Meters = (Vec<(&'static str, f64)>, Instant);

fn meters(mosquitto: &Mosquitto, service: Option<&Service>) -> Meters {
    let mut seconds = vec![("mosquitto", mosquitto.seconds()), ("publisher and benchmark", own_seconds())];
    seconds.extend(service.map(|service| ("Kilter", service.usage().0)));
    (seconds, Instant::now())
}

/// Messages a second since the meters were read, and who worked on them.
fn rate(n: usize, begun: &Meters, mosquitto: &Mosquitto, service: Option<&Service>) -> (f64, String) {
    let (after, until) = meters(mosquitto, service);
    let seconds = (until - begun.1).as_secs_f64();
    let used: Vec<(&str, f64)> = begun.0.iter().zip(&after).map(|(a, b)| (a.0, b.1 - a.1)).collect();
    let parts: Vec<String> = used.iter().map(|(name, s)| format!("{name} {:.1} us", s / n as f64 * 1e6)).collect();
    let cores = used.iter().map(|(_, s)| s).sum::<f64>() / seconds;
    (n as f64 / seconds, format!("{}; {cores:.2} of the cores busy by these", parts.join(", ")))
}

/// Publishes from another thread, at most 1,000 unacknowledged.
fn blast(port: u16, messages: Vec<(String, String)>) {
    std::thread::spawn(move || {
        let mut client = Client::connect(port, "blaster", 100).expect("mosquitto answers");
        let (done, under_way) = (Arc::new(AtomicU64::new(0)), 1000);
        let acks = Arc::clone(&done);
        let mut from = client.from;
        std::thread::spawn(move || {
            while read_packet(&mut from).is_ok() {
                acks.fetch_add(1, Ordering::Relaxed);
            }
        });
        for (i, (topic, payload)) in messages.iter().enumerate() {
            while i as u64 >= done.load(Ordering::Relaxed) + under_way {
                client.to.flush().expect("mosquitto listens");
                std::thread::sleep(Duration::from_micros(200));
            }
            client.to.write_all(&publish(topic, payload, (i % 65_535) as u16 + 1)).expect("mosquitto listens");
        }
        client.to.flush().expect("mosquitto listens");
        std::thread::sleep(Duration::from_secs(2));
    });
}

fn rows_of(n: usize, from: usize) -> Vec<(String, String)> {
    (0..n).map(|i| row(i % 20, from + i / 20, NOON_MS + (from + i / 20) as i64 * 1000, 0.0)).collect()
}

fn counted(n: usize) -> (f64, String) {
    let mosquitto = Mosquitto::start();
    let mut client = Client::connect(mosquitto.port, "counter", 4096).expect("mosquitto answers");
    client.subscribe("row/+", 1).expect("mosquitto answers");
    blast(mosquitto.port, rows_of(n, 0));
    let mut begun = None;
    let mut count = 0;
    while count < n {
        let (kind, body) = read_packet(&mut client.from).expect("mosquitto sends");
        if kind >> 4 == 3 {
            begun.get_or_insert_with(|| meters(&mosquitto, None));
            count += 1;
            if let (.., Some(id)) = read_publish(kind, &body) {
                client.to.write_all(&puback(id)).expect("mosquitto listens");
            }
            if count % 64 == 0 || count == n {
                client.to.flush().expect("mosquitto listens");
            }
        }
    }
    rate(n, &begun.expect("messages came"), &mosquitto, None)
}

fn taken_in(n: usize) -> (f64, String) {
    let (mosquitto, dir) = (Mosquitto::start(), tempfile::tempdir().expect("a directory"));
    let more = "grid = \"row\"\nwindow = \"32 rows\"\n[defaults.autoencoder]\nepochs = 3";
    let service =
        Service::start(dir.path(), &format!("{}[notify.mqtt]\nenabled = false\n", entry(mosquitto.port, 200, more)));
    wait_ready(&service);
    blast(mosquitto.port, rows_of(20 * 300, 0));
    service.wait_for("kilter_training_seconds_count", 20.0);
    service.wait_for("kilter_windows_scored_total", 20.0 * 100.0);
    let before = service.metric("kilter_windows_scored_total");
    blast(mosquitto.port, rows_of(n, 300));
    while service.metric("kilter_windows_scored_total") < before + 1.0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let begun = meters(&mosquitto, Some(&service));
    // Seldom: every look costs Kilter a page of metrics.
    while service.metric("kilter_windows_scored_total") < before + n as f64 {
        std::thread::sleep(Duration::from_millis(100));
    }
    rate(n, &begun, &mosquitto, Some(&service))
}

/// Processor seconds of this thread's process so far.
fn own_seconds() -> f64 {
    processor_seconds(std::process::id())
}

fn training() {
    let n_rows = 1_031;
    let mut state = 11_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5
    };
    let cells = (0..n_rows * CHANNELS).map(|i| (i / CHANNELS, i % CHANNELS));
    let values: Vec<f64> = cells.map(|(r, c)| (r as f64 / (9.0 + c as f64)).sin() + 0.3 * noise()).collect();
    let input = FitInput {
        channels: (0..CHANNELS).map(|c| ChannelName::parse(&format!("channel-{c}")).expect("a name")).collect(),
        mask: vec![true; values.len()],
        values,
        first_at: Timestamp::from_ms(0),
        last_at: Timestamp::from_ms(1000 * n_rows as i64),
        excluded: Vec::new(),
        stuck: StuckSpec::default(),
    };
    for (name, members) in [
        ("the autoencoder", vec![Member::Autoencoder]),
        ("autoencoder and PCA", vec![Member::Autoencoder, Member::Pca]),
        ("all members", DetectorSpec::default().members),
    ] {
        let spec = DetectorSpec { members, ..DetectorSpec::default() };
        let mut seconds = Vec::new();
        for _ in 0..5 {
            let before = own_seconds();
            drop(fit(&input, &spec, &mut |_| ControlFlow::Continue(())).expect("a model"));
            seconds.push(own_seconds() - before);
        }
        seconds.sort_by(f64::total_cmp);
        println!("a fit of 1,000 windows with {name}: {:.2} s of processor (median of 5)", seconds[2]);
    }
    let (dir, (listener, port)) = (tempfile::tempdir().expect("a directory"), listen());
    let more = "grid = \"row\"\nwindow = \"32 rows\"";
    let text = entry(port, 400, more).replace("[\"autoencoder\", \"pca\"]", "[\"autoencoder\", \"pca\", \"var\"]");
    let service = Service::start(dir.path(), &format!("{text}[notify.mqtt]\nenabled = false\n"));
    let mut broker = Broker::accept(&listener).expect("the service connects");
    let rows = |series: std::ops::Range<usize>, rows: std::ops::Range<usize>| -> Vec<_> {
        rows.flat_map(|r| series.clone().map(move |s| row(s, r, NOON_MS + r as i64 * 1000, 0.0))).collect()
    };
    broker.play(&rows(0..10, 0..410)).expect("the service listens");
    service.wait_for("kilter_training_seconds_count", 10.0);
    let p99 = |broker: &mut Broker, from: usize| {
        broker.waits.clear();
        broker.pace(&rows(0..10, from..from + 1000), Duration::from_secs(10)).expect("the service listens");
        broker.waits.sort_by(f64::total_cmp);
        quantile(&broker.waits, 0.99) * 1e3
    };
    let calm = p99(&mut broker, 410);
    broker.play(&rows(1000..1100, 0..410)).expect("the service listens");
    let before = service.metric("kilter_training_seconds_count");
    let busy = p99(&mut broker, 1410);
    let trained = service.metric("kilter_training_seconds_count") - before;
    println!(
        "1,000 rows/s, sent to acknowledged: p99 {calm:.2} ms alone, {busy:.2} ms while {trained:.0} of 100 series were \
         fitted: {:+.0} %",
        100.0 * (busy / calm - 1.0)
    );
}

fn judged(series: &SeriesId, at_ms: i64) -> [Outcome; 2] {
    let series = series.clone();
    [Outcome::Frame { series: series.clone(), frame: frame(at_ms) }, Outcome::Score { series, score: score(at_ms, 2) }]
}

/// A year of a series by the minute, committed as the service does: judged by one model, all scores settled.
fn year(dir: &Path) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let store = runtime.block_on(Store::open(&StoreConfig::in_dir(dir))).expect("a store");
    let series = SeriesId::parse("year").expect("a name");
    let mut first: Vec<Outcome> = (0..CHANNELS)
        .map(|channel_index| Outcome::ChannelSeen {
            series: series.clone(),
            channel_index,
            channel: ChannelName::parse(&format!("channel_{channel_index}")).expect("a name"),
        })
        .collect();
    let minutes: Vec<i64> = (0..525_600).map(|minute| NOON_MS - 525_600 * 60_000 + minute * 60_000).collect();
    let from = Timestamp::from_ms(minutes[0]);
    let bundle = b"a year of minutes".to_vec();
    let model = NewModel {
        id: Sha256::digest(&bundle)[..8].iter().map(|byte| format!("{byte:02x}")).collect(),
        series: None,
        trained_to: from,
        bundle,
        channels: (0..CHANNELS).filter_map(|c| ChannelName::parse(&format!("channel_{c}")).ok()).collect(),
        members: Vec::new(),
        provenance: serde_json::Value::Null,
    };
    runtime.block_on(store.save_bundle(&model)).expect("a model");
    first.push(Outcome::TakeOver(TakeOver { series: series.clone(), model_id: model.id, from, from_row: 0 }));
    for part in minutes.chunks(2_000) {
        let mut outcomes = std::mem::take(&mut first);
        for at_ms in part {
            outcomes.extend(judged(&series, *at_ms));
            let settled = SettledRow { at: Timestamp::from_ms(*at_ms), settled_score: 0.25 };
            outcomes.push(Outcome::Settled { series: series.clone(), settled });
        }
        runtime.block_on(store.commit(&outcomes)).expect("a commit");
    }
    runtime.block_on(store.close()).expect("it closes");
}

fn queries() {
    let dir = tempfile::tempdir().expect("a directory");
    year(dir.path());
    let service =
        Service::start(dir.path(), "[mqtt]\nservers = [\"mqtt://127.0.0.1:1\"]\n[notify.mqtt]\nenabled = false\n");
    while service.get("/healthz").is_none() {
        std::thread::sleep(Duration::from_millis(50));
    }
    // At first it judges the kept rows again, which is no part of an answer.
    let mut spent = service.usage().0;
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let now = service.usage().0;
        if now - spent < 0.02 {
            break;
        }
        spent = now;
    }
    // 2025-11-24T12:00:00Z to 2026-11-24T12:00:00Z.
    let year = "start=2025-11-24T12:00:00Z&end=2026-11-24T12:00:00Z";
    for (what, path) in [
        ("100,000 rows of scores", "/api/v1/series/year/scores?limit=100000&start=2026-01-01T00:00:00Z".to_owned()),
        ("100,000 rows of readings", "/api/v1/series/year/readings?limit=100000&start=2026-01-01T00:00:00Z".to_owned()),
        ("a year of scores in 1,000 points", format!("/api/v1/series/year/scores?step=9h&{year}")),
        ("a year of readings in 1,000 points", format!("/api/v1/series/year/readings?step=9h&{year}")),
    ] {
        let before = service.usage().0;
        let (seconds, bytes) = service.seconds_of(&path);
        let processor_ms = (service.usage().0 - before) * 1e3 / 6.0;
        println!(
            "{what} over HTTP: {:.1} ms (median of 5), {processor_ms:.0} ms of processor, {} KiB",
            seconds * 1e3,
            bytes / 1024
        );
    }
}

/// A commit of 2,000 rows and a query of 1,000, with more and more rows in the database.
fn database() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let config = StoreConfig::in_dir(dir.path());
    let store = runtime.block_on(Store::open(&config)).expect("a store");
    let names: Vec<_> = (0..100).map(|n| SeriesId::parse(&format!("machine-{n}")).expect("a name")).collect();
    let batch = |b: i64| -> Vec<Outcome> {
        (b * 2_000..(b + 1) * 2_000)
            .flat_map(|r| judged(&names[(r % 100) as usize], NOON_MS + r / 100 * 1000))
            .collect()
    };
    runtime.block_on(store.commit(&batch(0))).expect("a commit");
    let (mut next, mut filled) = (1, 20_i64);
    for rows in argument("--rows", "100000,1000000,10000000").split(',') {
        let wanted: i64 = rows.parse::<i64>().expect("a number") / 100;
        let db = rusqlite::Connection::open(dir.path().join("kilter.db")).expect("the database");
        db.execute_batch("PRAGMA synchronous = off; PRAGMA cache_size = -65536;").expect("settings");
        // Copies of the first twenty rows of every series, further and further back; a series at a time, in rising
        // order, so that nothing is sorted and the log stays short.
        let fill = |table: &str, columns: &str| {
            let seed = format!(
                "CREATE TEMP TABLE seed_{table} AS SELECT series_id, at_ms, {columns} FROM {table} \
                 WHERE at_ms >= {NOON_MS} AND at_ms < {NOON_MS} + 20000 ORDER BY 1, 2; \
                 CREATE INDEX temp.of_{table} ON seed_{table} (series_id, at_ms);"
            );
            db.execute_batch(&seed).expect("rows to copy");
            let text = format!(
                "WITH RECURSIVE part (n) AS (SELECT {} UNION ALL SELECT n - 1 FROM part WHERE n > {}) \
                 INSERT OR FAIL INTO {table} SELECT series_id, at_ms - n * 20000, {columns} \
                 FROM part CROSS JOIN seed_{table} WHERE series_id = ?",
                wanted / 20 - 1,
                filled / 20
            );
            for number in 1..=100 {
                db.execute(&text, [number]).expect("rows");
            }
        };
        fill("frames", "channel_values, cells");
        fill(
            "scores",
            "live_score, evidence, p_value, autoencoder_error, pca_error, baseline_error, is_anomalous, detail",
        );
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);").expect("a checkpoint");
        drop(db);
        filled = wanted;
        let (mut commits, mut queries) = (Vec::new(), Vec::new());
        for _ in 0..25 {
            let outcomes = batch(next);
            next += 1;
            let begun = Instant::now();
            runtime.block_on(store.commit(&outcomes)).expect("a commit");
            commits.push(begun.elapsed().as_secs_f64() * 1e3);
            let begun = Instant::now();
            let query = RowQuery { limit: 1_000, newest_first: true, ..RowQuery::default() };
            runtime.block_on(store.reader().scores(&names[next as usize % 100], &query)).expect("rows");
            queries.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        commits.sort_by(f64::total_cmp);
        queries.sort_by(f64::total_cmp);
        let mib = std::fs::metadata(dir.path().join("kilter.db")).map_or(0, |found| found.len() >> 20);
        println!(
            "{rows} rows, {mib} MiB: a commit of 2,000 rows {:.1} ms, 1,000 rows read {:.2} ms (medians of 25)",
            quantile(&commits, 0.5),
            quantile(&queries, 0.5)
        );
    }
}

/// Time until ready with a large database.
fn start() {
    let (series, mib) = (number("--series", "10000"), number("--mib", "1024") as u64);
    let dir = tempfile::tempdir().expect("a directory");
    let (service, broker) = warm_fleet(dir.path(), series, "row");
    drop(broker);
    service.stop();
    let file = dir.path().join("kilter.db");
    let db = rusqlite::Connection::open(&file).expect("the database");
    db.execute_batch("PRAGMA synchronous = off; PRAGMA journal_mode = wal;").expect("settings");
    let size = || std::fs::metadata(&file).map_or(0, |found| found.len());
    let mut back_ms = 86_400_000_i64;
    while size() < mib << 20 {
        // The same rows once more, a day earlier.
        for (table, columns) in [
            ("frames", "channel_values, cells"),
            (
                "scores",
                "live_score, evidence, p_value, autoencoder_error, pca_error, baseline_error, is_anomalous, detail",
            ),
        ] {
            let text = format!(
                "INSERT OR IGNORE INTO {table} SELECT series_id, at_ms - {back_ms}, {columns} FROM {table} WHERE at_ms > {}",
                wall_ms() - 86_000_000
            );
            db.execute_batch(&text).expect("rows");
        }
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);").expect("a checkpoint");
        back_ms += 86_400_000;
    }
    drop(db);
    let start = || {
        let (listener, port) = listen();
        let more = "share_model = true\ngrid = \"row\"\nwindow = \"32 rows\"";
        let begun = Instant::now();
        let service =
            Service::start(dir.path(), &format!("{}[notify.mqtt]\nenabled = false\n", entry(port, 100, more)));
        let broker = Broker::accept(&listener).expect("the service connects");
        wait_ready(&service);
        (begun.elapsed().as_secs_f64(), service, broker)
    };
    let (mut times, mut resident) = (Vec::new(), 0.0);
    for _ in 0..3 {
        let (seconds, service, broker) = start();
        times.push(seconds);
        resident = service.usage().1;
        drop(broker);
        service.stop();
    }
    let (mib, n_times) = (size() >> 20, times.len());
    times.sort_by(f64::total_cmp);
    let seconds = quantile(&times, 0.5);
    println!(
        "start with {series} series and {mib} MiB: ready after {seconds:.2} s (median of {n_times}), {resident:.0} MiB resident"
    );
    // Checkpoints are 64 rows apart at most: forty rows of each series, most of them after its last.
    let (_, mut service, mut broker) = start();
    let (mut times, first_ms) = (Vec::new(), wall_ms());
    for round in 0..3 {
        let at_ms = move |r: usize| first_ms + 1000 * (40 * round + r) as i64;
        let rows = (0..40).flat_map(|r| (0..series).map(move |s| row(s, 200 + r, at_ms(r), 0.0)));
        broker.play(&rows.collect::<Vec<_>>()).expect("the service listens");
        drop(service);
        let seconds;
        (seconds, service, broker) = start();
        times.push(seconds);
    }
    times.sort_by(f64::total_cmp);
    let n_times = times.len();
    println!(
        "  killed with 40 rows of each series behind it: ready after {:.2} s (median of {n_times})",
        quantile(&times, 0.5)
    );
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("fleet") => fleet(),
        Some("own") => own(),
        Some("latency") => latency(),
        Some("mosquitto") => mosquitto(),
        Some("training") => training(),
        Some("queries") => queries(),
        Some("database") => database(),
        Some("start") => start(),
        // `cargo bench` alone runs every benchmark; this one takes minutes and is asked for by name.
        _ => println!("service: name a part: fleet, own, latency, mosquitto, training, queries, database or start"),
    }
}
