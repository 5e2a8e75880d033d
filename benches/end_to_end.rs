//! The whole service at full load: a scripted broker, decode, assemble, score, commit, acknowledge.
//!
//! `cargo bench --bench end_to_end -- [--series N] [--rows N] [--members LIST]`. The broker is a loop over packets made
//! beforehand, so that it costs next to nothing; the service is the program itself, with its store's default of one
//! fsync a batch. One JSON object of eight channels a message is one row, QoS 1. A window counts once its message is
//! acknowledged, which is after its commit. Prints windows a second, processor seconds and resident memory.

use std::collections::VecDeque;
use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const CHANNELS: usize = 8;
/// 2026-11-24T12:00:00Z.
const NOON_MS: i64 = 1_795_521_600_000;
/// Unacknowledged messages under way at most.
const IN_FLIGHT: usize = 8_192;
const WARM_UP_ROWS: usize = 200;

struct Load {
    series: usize,
    rows: usize,
    window: usize,
    members: String,
}

fn argument(name: &str, default: &str) -> String {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).unwrap_or_else(|| default.to_owned())
}

fn number(name: &str, default: &str) -> usize {
    argument(name, default).parse().unwrap_or_else(|_| panic!("{name} takes a number"))
}

/// A PUBLISH of MQTT 5 at QoS 1 for one row of one series.
fn packet(series: usize, row: usize, packet_id: u16) -> Vec<u8> {
    let noise = |channel: usize| ((row * 7919 + series * 104_729 + channel * 1_299_709) % 1000) as f64 / 2500.0;
    let wave = |channel: usize| 20.0 + 5.0 * (row as f64 * 0.2 + channel as f64 * 0.7).sin() + noise(channel);
    let members: Vec<String> = (0..CHANNELS).map(|c| format!("\"channel_{c}\":{:.3}", wave(c))).collect();
    let payload = format!("{{\"t\":{},{}}}", NOON_MS + row as i64 * 1000, members.join(","));
    let topic = format!("row/machine-{series}");
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 8);
    body.extend((topic.len() as u16).to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(packet_id.to_be_bytes());
    body.push(0);
    body.extend(payload.as_bytes());
    let mut packet = vec![0x32];
    let mut rest = body.len();
    while rest >= 128 {
        packet.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    packet.push(rest as u8);
    packet.extend(body);
    packet
}

/// Reads one packet: its first byte and its body.
fn read_packet(from: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    from.read_exact(&mut byte)?;
    let (kind, mut length, mut shift) = (byte[0], 0, 0);
    loop {
        from.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok((kind, body))
}

/// The broker's side of the one connection.
struct Broker {
    to: BufWriter<TcpStream>,
    acknowledged: mpsc::Receiver<u16>,
    under_way: VecDeque<u16>,
    next_id: u16,
}

impl Broker {
    /// Waits for the service, lets it in and takes its subscription.
    fn accept(listener: &TcpListener) -> std::io::Result<Self> {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut from = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        let mut to = BufWriter::with_capacity(1 << 16, stream);
        read_packet(&mut from)?;
        to.write_all(&[0x20, 3, 0, 0, 0])?;
        to.flush()?;
        let (_, subscribe) = read_packet(&mut from)?;
        to.write_all(&[0x90, 4, subscribe[0], subscribe[1], 0, 1])?;
        to.flush()?;
        let (send, acknowledged) = mpsc::channel();
        let mut pong = to.get_ref().try_clone()?;
        std::thread::spawn(move || {
            while let Ok((kind, body)) = read_packet(&mut from) {
                let is_over = match kind >> 4 {
                    4 => send.send(u16::from_be_bytes([body[0], body[1]])).is_err(),
                    12 => pong.write_all(&[0xd0, 0]).is_err(),
                    _ => false,
                };
                if is_over {
                    return;
                }
            }
        });
        Ok(Self { to, acknowledged, under_way: VecDeque::new(), next_id: 1 })
    }

    /// Sends rows `rows` of every series and waits until the service has acknowledged them all.
    fn play(&mut self, series: usize, rows: std::ops::Range<usize>) -> std::io::Result<Duration> {
        let mut packets = Vec::with_capacity(series * rows.len());
        for row in rows {
            for series in 0..series {
                packets.push((self.next_id, packet(series, row, self.next_id)));
                self.next_id = self.next_id % u16::MAX + 1;
            }
        }
        let begun = Instant::now();
        for (id, packet) in packets {
            self.under_way.push_back(id);
            self.to.write_all(&packet)?;
            if self.under_way.len() >= IN_FLIGHT {
                self.to.flush()?;
                while self.under_way.len() > IN_FLIGHT - 64 {
                    self.take_one()?;
                }
            }
        }
        self.to.flush()?;
        while !self.under_way.is_empty() {
            self.take_one()?;
        }
        Ok(begun.elapsed())
    }

    fn take_one(&mut self) -> std::io::Result<()> {
        let id = self.acknowledged.recv().map_err(std::io::Error::other)?;
        if self.under_way.front() == Some(&id) {
            self.under_way.pop_front();
        } else {
            self.under_way.retain(|other| *other != id);
        }
        Ok(())
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn configuration(dir: &std::path::Path, broker: u16, http: u16, load: &Load) -> std::path::PathBuf {
    let members: Vec<String> = load.members.split(',').map(|member| format!("{member:?}")).collect();
    let text = format!(
        "[mqtt]\nservers = [\"mqtt://127.0.0.1:{broker}\"]\nreceive_maximum = {IN_FLIGHT}\n\
         [store]\nurl = \"sqlite:{}/kilter.db\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n[log]\nfilter = \"warn\"\n\
         [notify.mqtt]\nenabled = false\n[defaults]\nwarm_up_rows = {WARM_UP_ROWS}\nmembers = [{}]\n\
         window = \"{} rows\"\n[defaults.autoencoder]\nepochs = 3\n[[series]]\ntopic = \"row/{{series}}\"\n\
         payload = {{ format = \"json_object\", time = \"/t\" }}\ngrid = \"row\"\n",
        dir.display(),
        members.join(", "),
        load.window
    );
    let file = dir.join("kilter.toml");
    std::fs::write(&file, text).expect("a file");
    file
}

/// The sum of a counter over its labels, from `/metrics`.
fn metric(http: u16, name: &str) -> f64 {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", http)) else { return 0.0 };
    let mut text = String::new();
    let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    if asked.and_then(|()| stream.read_to_string(&mut text).map(drop)).is_err() {
        return 0.0;
    }
    let values = text.lines().filter(|line| line.starts_with(name));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Processor seconds so far and resident MiB of a process.
fn usage(child: &Child) -> (f64, f64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let resident = read("status");
    let kib = resident.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    ((ticks(11) + ticks(12)) / 100.0, kib.unwrap_or(0.0_f64) / 1024.0)
}

fn main() {
    let load = Load {
        series: number("--series", "20"),
        rows: number("--rows", "4000"),
        window: number("--window", "32"),
        members: argument("--members", "autoencoder,pca"),
    };
    let dir = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (port, http) = (listener.local_addr().expect("bound").port(), free_port());
    let config = configuration(dir.path(), port, http, &load);
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_kilter")).arg("run").arg("--config").arg(&config).spawn().expect("it starts");
    let mut broker = Broker::accept(&listener).expect("the service connects");
    broker.play(load.series, 0..WARM_UP_ROWS).expect("the service listens");
    while metric(http, "kilter_training_seconds_count") < load.series as f64 {
        std::thread::sleep(Duration::from_millis(200));
    }
    // The first rows are judged, and everything is warm.
    broker.play(load.series, WARM_UP_ROWS..WARM_UP_ROWS + 100).expect("the service listens");
    let scored = metric(http, "kilter_windows_scored_total");
    let (before, _) = usage(&child);
    let first = WARM_UP_ROWS + 100;
    let rounds = 5;
    let mut rates = Vec::new();
    for round in 0..rounds {
        let rows = first + round * load.rows / rounds..first + (round + 1) * load.rows / rounds;
        let n = rows.len() * load.series;
        let seconds = broker.play(load.series, rows).expect("the service listens").as_secs_f64();
        rates.push(n as f64 / seconds);
    }
    let (after, resident) = usage(&child);
    let n = (load.rows * load.series) as f64;
    let scored = metric(http, "kilter_windows_scored_total") - scored;
    rates.sort_by(f64::total_cmp);
    let rate = rates[rounds / 2];
    println!(
        "members {}, {} series, T {}: {rate:.0} windows/s acknowledged (rounds {:.0} to {:.0}), {:.0} readings/s, \
         {scored:.0} of {n:.0} scored, {:.1} us of processor a window, {resident:.0} MiB resident",
        load.members,
        load.series,
        load.window,
        rates[0],
        rates[rounds - 1],
        rate * CHANNELS as f64,
        (after - before) / n * 1e6,
    );
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
}
