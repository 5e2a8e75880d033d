//! What this client remembers of its session between two processes: that there is nothing to remember.
//!
//! The client crate refuses a session that only the broker knows, and refuses to subscribe within it, since packets
//! that the client had sent may still be under way. This client sends nothing but acknowledgements and its
//! subscription, and takes no QoS 2; so an empty memory is the true one, and saying so lets a new process go on with
//! the old session and still correct its subscription.

use std::pin::Pin;

use rumqttc::{PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey};

/// Publishes this client may have under way: it sends none, and the crate asks for at least one.
pub(super) const PUBLISHES_UNDER_WAY: u16 = 16;

/// What the client crate's trait gives back; it has no public name there.
type SessionStoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

/// A store that holds one empty session.
#[derive(Debug)]
pub(super) struct EmptySession {
    pub(super) session_expiry_s: u32,
}

impl SessionStore for EmptySession {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> SessionStoreFuture<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(self.session_expiry_s),
            outgoing_inflight_upper_limit: Some(PUBLISHES_UNDER_WAY),
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(std::future::ready(Ok(Some(session))))
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> SessionStoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> SessionStoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
