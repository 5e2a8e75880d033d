//! Acknowledgements from any thread, each to the connection that delivered it or to nobody.
//!
//! An acknowledgement of an earlier connection must not reach the present one: the broker may have given its packet
//! identifier to another message. So every connection has a client of its own and a generation, both checked and
//! changed under one lock; whatever was handed to an earlier client is thrown away with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumqttc::{AsyncClient, ManualAck, PubAck};

use crate::ingest::AckToken;

/// Takes acknowledgements; cheap to clone, never blocks for longer than a few instructions.
#[derive(Debug, Clone, Default)]
pub struct Acknowledger {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    current: Mutex<Current>,
    n_stale: AtomicU64,
}

#[derive(Debug, Default)]
struct Current {
    generation: u64,
    client: Option<AsyncClient>,
    /// Which packet identifiers wait for their acknowledgement, one bit each.
    waiting: Vec<u64>,
    n_waiting: usize,
}

impl Acknowledger {
    /// Acknowledges a delivery. One of an earlier connection, or one that is acknowledged already, is ignored: the
    /// broker delivers it again, which changes nothing.
    pub fn acknowledge(&self, token: AckToken) {
        self.acknowledge_all([token]);
    }

    /// Acknowledges deliveries in this order.
    pub fn acknowledge_all(&self, tokens: impl IntoIterator<Item = AckToken>) {
        let mut current = self.current();
        for token in tokens {
            if !current.take(token) {
                self.shared.n_stale.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Deliveries of the present connection that wait for their acknowledgement.
    pub fn n_waiting(&self) -> usize {
        self.current().n_waiting
    }

    /// Acknowledgements ignored so far since they came for an earlier connection or twice.
    pub fn n_stale(&self) -> u64 {
        self.shared.n_stale.load(Ordering::Relaxed)
    }

    /// Begins a new connection: tokens of earlier ones are stale from here on.
    pub(super) fn begin(&self, client: Option<AsyncClient>) -> u64 {
        let mut current = self.current();
        let generation = current.generation + 1;
        *current = Current { generation, client, waiting: vec![0; 1024], n_waiting: 0 };
        generation
    }

    /// Notes a delivery of the present connection.
    pub(super) fn deliver(&self, packet_id: u16) -> AckToken {
        let mut current = self.current();
        let (word, bit) = (usize::from(packet_id) / 64, 1 << (packet_id % 64));
        if let Some(bits) = current.waiting.get_mut(word).filter(|bits| **bits & bit == 0) {
            *bits |= bit;
            current.n_waiting += 1;
        }
        AckToken { generation: current.generation, packet_id }
    }

    /// A delivery that nobody will see: no acknowledgement is to be waited for.
    pub(super) fn forget(&self, token: AckToken) {
        self.current().clear(token);
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    /// Waits for the delivery no more; false when nobody did.
    fn clear(&mut self, token: AckToken) -> bool {
        let (word, bit) = (usize::from(token.packet_id) / 64, 1 << (token.packet_id % 64));
        let is_waiting = self.waiting.get(word).is_some_and(|bits| bits & bit != 0);
        if token.generation != self.generation || !is_waiting {
            return false;
        }
        self.waiting[word] &= !bit;
        self.n_waiting -= 1;
        true
    }

    /// Hands an acknowledgement over; false when it is stale.
    fn take(&mut self, token: AckToken) -> bool {
        if !self.clear(token) {
            return false;
        }
        // The request queue has no bound of its own; `receive_maximum` bounds what can be in it. It is gone only when
        // the connection is, and then the broker delivers again.
        self.client
            .as_ref()
            .is_some_and(|client| client.try_manual_ack(ManualAck::PubAck(PubAck::new(token.packet_id, None))).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::MqttOptions;

    use super::*;

    #[test]
    fn only_the_present_connection_is_acknowledged_and_only_once() {
        let acknowledger = Acknowledger::default();
        let (client, _events) = AsyncClient::builder(MqttOptions::new("a", "localhost")).unbounded().build();
        assert_eq!(acknowledger.begin(Some(client.clone())), 1);
        let old = acknowledger.deliver(7);
        let answered = acknowledger.deliver(8);
        acknowledger.acknowledge(answered);
        assert_eq!((acknowledger.n_waiting(), acknowledger.n_stale()), (1, 0));
        acknowledger.acknowledge(answered);
        assert_eq!((acknowledger.n_waiting(), acknowledger.n_stale()), (1, 1));
        assert_eq!(acknowledger.begin(Some(client)), 2);
        let again = acknowledger.deliver(7);
        acknowledger.acknowledge_all([old, again]);
        assert_eq!((acknowledger.n_waiting(), acknowledger.n_stale()), (0, 2));
        acknowledger.acknowledge(AckToken { generation: 2, packet_id: 65_535 });
        assert_eq!(acknowledger.n_stale(), 3);
    }
}
