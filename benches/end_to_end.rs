//! The whole service at full load: a scripted broker, decode, assemble, score, commit, acknowledge.
//!
//! `cargo bench --bench end_to_end -- [--series N] [--rows N] [--window N] [--channels N] [--members LIST]`. The broker
//! is a loop over packets made beforehand, so that it costs next to nothing; the service is the program itself, with its
//! store's default of one fsync a batch. One JSON object of all channels a message is one row, QoS 1. A window counts
//! once its message is acknowledged, which is after its commit. Prints windows a second, processor seconds by thread and
//! resident memory; with `--shared` the series share a model.

mod common;

use std::net::TcpListener;
use std::time::Duration;

use common::scripted::{Broker, IN_FLIGHT};
use common::service::Service;
use common::{CHANNELS, NOON_MS, argument, number, payload};

const WARM_UP_ROWS: usize = 200;
const ROUNDS: usize = 5;

fn messages(series: usize, rows: std::ops::Range<usize>, channels: usize) -> Vec<(String, String)> {
    let of_row = |row: usize| {
        let at_ms = NOON_MS + row as i64 * 1000;
        (0..series).map(move |s| (format!("row/machine-{s}"), payload(s, row, at_ms, channels, 0.0)))
    };
    rows.flat_map(of_row).collect()
}

fn main() {
    let (series, rows, window) = (number("--series", "20"), number("--rows", "4000"), number("--window", "32"));
    let channels = number("--channels", &CHANNELS.to_string());
    let members = argument("--members", "autoencoder,pca");
    let is_shared = std::env::args().any(|argument| argument == "--shared");
    let dir = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let names: Vec<String> = members.split(',').map(|member| format!("{member:?}")).collect();
    let warm_up = WARM_UP_ROWS.max(4 * window);
    let service = Service::start(
        dir.path(),
        &format!(
            "[mqtt]\nservers = [\"mqtt://127.0.0.1:{port}\"]\nreceive_maximum = {IN_FLIGHT}\n\
             [notify.mqtt]\nenabled = false\n[defaults]\nwarm_up_rows = {warm_up}\nmembers = [{}]\n\
             window = \"{window} rows\"\nshare_model = {is_shared}\n[defaults.autoencoder]\nepochs = 3\n\
             [defaults.power]\nenabled = false\n[[series]]\ntopic = \"row/{{series}}\"\n\
             payload = {{ format = \"json_object\", time = \"/t\" }}\ngrid = \"row\"\n",
            names.join(", "),
        ),
    );
    let mut broker = Broker::accept(&listener).expect("the service connects");
    broker.play(&messages(series, 0..warm_up, channels)).expect("the service listens");
    let fits = if is_shared { 1 } else { series };
    service.wait_for("kilter_training_seconds_count", fits as f64);
    // The first rows are judged, and everything is warm.
    let mut first = warm_up + (2000 / series).max(2);
    broker.play(&messages(series, warm_up..first, channels)).expect("the service listens");
    // Every series has taken its model over once a row of each gives a score, and none judges older rows meanwhile.
    loop {
        let before = service.metric("kilter_windows_scored_total");
        broker.play(&messages(series, first..first + 1, channels)).expect("the service listens");
        first += 1;
        if service.metric("kilter_windows_scored_total") - before == series as f64 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let scored = service.metric("kilter_windows_scored_total");
    let ((before, _), threads_before) = (service.usage(), service.threads());
    let mut rates = Vec::new();
    for round in 0..ROUNDS {
        let messages = messages(series, first + round * rows / ROUNDS..first + (round + 1) * rows / ROUNDS, channels);
        let seconds = broker.play(&messages).expect("the service listens").as_secs_f64();
        rates.push(messages.len() as f64 / seconds);
    }
    let (after, resident) = service.usage();
    let n = (rows * series) as f64;
    let scored = service.metric("kilter_windows_scored_total") - scored;
    rates.sort_by(f64::total_cmp);
    let rate = rates[ROUNDS / 2];
    println!(
        "members {members}, {series} series, {channels} channels, T {window}: {rate:.0} windows/s acknowledged (rounds \
         {:.0} to {:.0}), {:.0} readings/s, {scored:.0} of {n:.0} scored, {:.1} us of processor a window, {resident:.0} \
         MiB resident",
        rates[0],
        rates[ROUNDS - 1],
        rate * channels as f64,
        (after - before) / n * 1e6,
    );
    for (name, seconds) in service.threads() {
        let before = threads_before.iter().find(|(other, _)| *other == name).map_or(0.0, |(_, seconds)| *seconds);
        if seconds - before > 0.01 * (after - before) {
            println!("  {name}: {:.1} us a window", (seconds - before) / n * 1e6);
        }
    }
}
