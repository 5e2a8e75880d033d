//! A recorded file as a source: each row a message, as `kilter publish` would send it.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::source::stopped;
use super::{Ended, Message, Source};
use crate::series::Timestamp;

/// Plays messages that are known beforehand, in their order, as fast as they are taken. A message arrives at its
/// event time, so that a recording of last year is not refused for its age.
#[derive(Debug, Clone)]
pub struct Replay {
    messages: Vec<(Timestamp, String, Bytes)>,
}

impl Replay {
    /// A source of these messages: arrival time, topic, payload.
    pub fn new(messages: Vec<(Timestamp, String, Bytes)>) -> Self {
        Self { messages }
    }
}

impl Source for Replay {
    async fn run(self, out: mpsc::Sender<Message>, mut shutdown: watch::Receiver<bool>) -> Ended {
        for (at, topic, payload) in self.messages {
            tokio::select! {
                biased;
                () = stopped(&mut shutdown) => return Ended::Stopped,
                sent = out.send(Message::new(topic, payload, at)) => {
                    if sent.is_err() {
                        return Ended::Abandoned;
                    }
                }
            }
        }
        Ended::Exhausted
    }
}
