//! A broker that is a loop over packets made beforehand, so that it costs next to nothing.

use std::collections::VecDeque;
use std::io::{BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::mqtt::{publish, read_packet};

/// Unacknowledged messages under way at most.
pub(crate) const IN_FLIGHT: usize = 8_192;

/// The broker's side of the one connection.
pub(crate) struct Broker {
    to: BufWriter<TcpStream>,
    acknowledged: mpsc::Receiver<(u16, Instant)>,
    under_way: VecDeque<(u16, Instant)>,
    /// Seconds from sending to acknowledgement, of every message since it was last emptied.
    pub(crate) waits: Vec<f64>,
    next_id: u16,
}

impl Broker {
    /// Waits for the service, lets it in and takes its subscription.
    pub(crate) fn accept(listener: &TcpListener) -> std::io::Result<Self> {
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
                    4 => send.send((u16::from_be_bytes([body[0], body[1]]), Instant::now())).is_err(),
                    12 => pong.write_all(&[0xd0, 0]).is_err(),
                    _ => false,
                };
                if is_over {
                    return;
                }
            }
        });
        Ok(Self { to, acknowledged, under_way: VecDeque::new(), waits: Vec::new(), next_id: 1 })
    }

    /// Sends messages, topic and payload each, and waits until the service has acknowledged them all.
    pub(crate) fn play(&mut self, messages: &[(String, String)]) -> std::io::Result<Duration> {
        let packets = self.packets(messages);
        let begun = Instant::now();
        self.send(packets)?;
        while !self.under_way.is_empty() {
            self.take_one()?;
        }
        Ok(begun.elapsed())
    }

    /// Sends messages evenly over a length of time, ten times a millisecond at most; acknowledgements are taken as they
    /// come.
    pub(crate) fn pace(&mut self, messages: &[(String, String)], over: Duration) -> std::io::Result<()> {
        let packets = self.packets(messages);
        let begun = Instant::now();
        let n = packets.len();
        let mut packets = packets.into_iter().peekable();
        let mut sent = 0;
        while packets.peek().is_some() {
            let due = (n as f64 * begun.elapsed().as_secs_f64() / over.as_secs_f64()).ceil() as usize;
            let now: Vec<_> = packets.by_ref().take(due.min(n).saturating_sub(sent)).collect();
            sent += now.len();
            self.send(now)?;
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(over.saturating_sub(begun.elapsed()));
        Ok(())
    }

    fn packets(&mut self, messages: &[(String, String)]) -> Vec<(u16, Vec<u8>)> {
        let packet = |(topic, payload): &(String, String)| {
            let id = self.next_id;
            self.next_id = self.next_id % u16::MAX + 1;
            (id, publish(topic, payload, id))
        };
        messages.iter().map(packet).collect()
    }

    fn send(&mut self, packets: Vec<(u16, Vec<u8>)>) -> std::io::Result<()> {
        for (id, packet) in packets {
            self.under_way.push_back((id, Instant::now()));
            self.to.write_all(&packet)?;
            if self.under_way.len() >= IN_FLIGHT {
                self.to.flush()?;
                while self.under_way.len() > IN_FLIGHT - 64 {
                    self.take_one()?;
                }
            }
        }
        self.to.flush()?;
        while let Ok((id, at)) = self.acknowledged.try_recv() {
            self.taken(id, at);
        }
        Ok(())
    }

    /// Messages that wait for their acknowledgement.
    pub(crate) fn n_under_way(&self) -> usize {
        self.under_way.len()
    }

    fn take_one(&mut self) -> std::io::Result<()> {
        let (id, at) = self.acknowledged.recv().map_err(std::io::Error::other)?;
        self.taken(id, at);
        Ok(())
    }

    fn taken(&mut self, id: u16, at: Instant) {
        // Mostly the oldest one.
        if let Some(place) = self.under_way.iter().position(|(other, _)| *other == id)
            && let Some((_, sent)) = self.under_way.remove(place)
        {
            self.waits.push(at.duration_since(sent).as_secs_f64());
        }
    }
}
