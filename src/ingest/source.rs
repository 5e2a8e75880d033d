//! What every source of messages gives, and how it is driven.

use std::fmt;
use std::future::Future;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::decode::{DecodeError, Decoded, MessageDecoder, PAYLOAD_BYTES_MAX};
use crate::series::Timestamp;

/// Names a delivery, so that it can be acknowledged once what it says is kept. Valid for one connection only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AckToken {
    /// Which connection of the source delivered it, counted from 1.
    pub generation: u64,
    /// Packet identifier of the delivery.
    pub packet_id: u16,
}

/// A message as its source delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its payload; empty when it was longer than [`PAYLOAD_BYTES_MAX`], since nobody will read it.
    pub payload: Bytes,
    /// Length of the payload as it came.
    pub payload_bytes: usize,
    /// Arrival time.
    pub received_at: Timestamp,
    /// True when the broker had kept it for new subscribers: its arrival says nothing about its age.
    pub is_retained: bool,
    /// True when the broker says that it may have come before.
    pub is_redelivered: bool,
    /// What to acknowledge; none when nobody waits for it.
    pub ack: Option<AckToken>,
}

impl Message {
    /// A message that just arrived and needs no acknowledgement.
    pub fn new(topic: String, payload: Bytes, received_at: Timestamp) -> Self {
        let payload_bytes = payload.len();
        let payload = if payload_bytes > PAYLOAD_BYTES_MAX { Bytes::new() } else { payload };
        Self { topic, payload, payload_bytes, received_at, is_retained: false, is_redelivered: false, ack: None }
    }

    /// What the message says.
    ///
    /// # Errors
    /// When it gives no reading; it is acknowledged all the same.
    pub fn decode(&self, decoder: &MessageDecoder) -> Result<Decoded, DecodeError> {
        if self.payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::TooLarge { found: self.payload_bytes });
        }
        match self.is_retained {
            true => decoder.decode_retained(&self.topic, &self.payload),
            false => decoder.decode(&self.topic, &self.payload, self.received_at),
        }
    }
}

/// How a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more to come.
    Exhausted,
    /// It was asked to stop.
    Stopped,
    /// Nobody takes its messages any more.
    Abandoned,
}

/// Somewhere messages come from.
pub trait Source: Send + 'static {
    /// Sends messages to `out` until there are no more or `shutdown` becomes true (or its sender is gone). A full
    /// queue makes the source wait; it drops nothing. The sender is dropped as soon as no more messages come, which
    /// may be before the source has ended: acknowledgements are still taken then.
    fn run(self, out: mpsc::Sender<Message>, shutdown: watch::Receiver<bool>) -> impl Future<Output = Ended> + Send;
}

/// Resolves once `shutdown` is true or its sender is gone.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // The only error is that the sender is gone, which asks for the same.
    let _ = shutdown.wait_for(|is_over| *is_over).await;
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exhausted => "nothing more to come",
            Self::Stopped => "asked to stop",
            Self::Abandoned => "nobody takes its messages",
        })
    }
}
