//! As much of MQTT 5 as a benchmark needs, and mosquitto.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A packet from its first byte and its body.
fn framed(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    while rest >= 128 {
        packet.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    packet.push(rest as u8);
    packet.extend(body);
    packet
}

/// A PUBLISH at QoS 1.
pub(crate) fn publish(topic: &str, payload: &str, packet_id: u16) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 8);
    body.extend((topic.len() as u16).to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(packet_id.to_be_bytes());
    body.push(0);
    body.extend(payload.as_bytes());
    framed(0x32, &body)
}

/// Reads one packet: its first byte and its body.
pub(crate) fn read_packet(from: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
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

/// A connected client. Reading and writing halves may go to threads of their own.
pub(crate) struct Client {
    pub(crate) from: BufReader<TcpStream>,
    pub(crate) to: BufWriter<TcpStream>,
}

impl Client {
    /// Connects with a clean session; the broker may have `in_flight` messages under way to it.
    pub(crate) fn connect(port: u16, name: &str, in_flight: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            from: BufReader::with_capacity(1 << 16, stream.try_clone()?),
            to: BufWriter::with_capacity(1 << 16, stream),
        };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 3, 0x21];
        body.extend(in_flight.to_be_bytes());
        body.extend((name.len() as u16).to_be_bytes());
        body.extend(name.as_bytes());
        client.send(&framed(0x10, &body))?;
        read_packet(&mut client.from)?;
        Ok(client)
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) -> std::io::Result<()> {
        let mut body = vec![0, 1, 0];
        body.extend((filter.len() as u16).to_be_bytes());
        body.extend(filter.as_bytes());
        body.push(qos);
        self.send(&framed(0x82, &body))?;
        read_packet(&mut self.from).map(drop)
    }

    pub(crate) fn send(&mut self, packet: &[u8]) -> std::io::Result<()> {
        self.to.write_all(packet)?;
        self.to.flush()
    }
}

/// Topic and payload of a PUBLISH's body, and the packet identifier at QoS 1.
pub(crate) fn read_publish(kind: u8, body: &[u8]) -> (&str, &[u8], Option<u16>) {
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = std::str::from_utf8(&body[2..2 + length]).unwrap_or_default();
    let mut rest = &body[2 + length..];
    let mut packet_id = None;
    if kind & 0b110 != 0 {
        packet_id = Some(u16::from_be_bytes([rest[0], rest[1]]));
        rest = &rest[2..];
    }
    // Properties are short: one byte says how long.
    let properties = usize::from(rest[0]);
    (topic, &rest[1 + properties..], packet_id)
}

/// A PUBACK.
pub(crate) fn puback(packet_id: u16) -> Vec<u8> {
    framed(0x40, &packet_id.to_be_bytes())
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// Debian's mosquitto with its own defaults, but for queues without a limit and no delay for small packets.
pub(crate) struct Mosquitto {
    child: Child,
    pub(crate) port: u16,
    _dir: tempfile::TempDir,
}

impl Mosquitto {
    pub(crate) fn start() -> Self {
        let (dir, port) = (tempfile::tempdir().expect("a directory"), free_port());
        let file = dir.path().join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\n"
        );
        std::fs::write(&file, text).expect("a file");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(&file).env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("mosquitto is installed");
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port, _dir: dir }
    }

    /// Processor seconds so far.
    pub(crate) fn seconds(&self) -> f64 {
        super::processor_seconds(self.child.id())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
