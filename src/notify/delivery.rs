//! The loop that serves one target from the outbox.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;

use super::Backoff;
use crate::series::Timestamp;
use crate::store::{ReadError, Store, StoredTransition};

/// Transitions read from the outbox at a time, and so the most that a crash repeats.
const BATCH: u32 = 64;

/// How long a target may take over what is left when the service stops.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Why a transition did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The receiver is away or busy: try again later.
    #[error("not delivered: {detail}")]
    TryAgain {
        /// What happened.
        detail: String,
    },
    /// The receiver refuses this notice for good: put it aside and go on.
    #[error("refused: {detail}")]
    Refused {
        /// What it said.
        detail: String,
    },
}

/// Tells one receiver.
pub trait Notifier: Send {
    /// Name of the target in the store: `mqtt`, `webhook:<name>`.
    fn target(&self) -> &str;

    /// Tells one transition and returns when the receiver has acknowledged it.
    fn deliver(&mut self, told: &StoredTransition) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// Serves a target until `shutdown`, then once more for a moment, so that what the last commit wrote is told too.
/// `now` is the wall clock.
pub async fn deliver_outbox(
    store: Store,
    mut notifier: impl Notifier,
    now: impl Fn() -> Timestamp + Send,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let mut changes = store.outbox_changes();
    let mut backoff = Backoff::default();
    let target = notifier.target().to_owned();
    loop {
        changes.mark_unchanged();
        let pause = match drain(&store, &mut notifier, &now, &mut backoff).await {
            Ok(()) => None,
            Err(detail) => {
                let pause = backoff.pause(rand::random());
                // The first failures are ordinary (a broker that restarts); then it is worth a line each time the
                // pause has grown, which soon is once a minute.
                let n_failures = backoff.n_failures();
                tracing::warn!(target_name = %target, n_failures, pause_ms = pause.as_millis() as u64, %detail, "notices wait");
                Some(pause)
            }
        };
        tokio::select! {
            () = &mut shutdown => break,
            () = wait(&mut changes, pause) => {}
        }
    }
    let last = drain(&store, &mut notifier, &now, &mut backoff);
    match tokio::time::timeout(LAST_CALL, last).await {
        Ok(Ok(())) => {}
        Ok(Err(detail)) => tracing::info!(target_name = %target, %detail, "notices stay in the outbox"),
        Err(_) => tracing::info!(target_name = %target, "notices stay in the outbox"),
    }
}

/// After a failure the pause alone counts: new transitions do not hurry a receiver that is away.
async fn wait(changes: &mut watch::Receiver<u64>, pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        // The sender lives in the store, which this task holds.
        None => drop(changes.changed().await),
    }
}

/// Tells all that is pending; what stopped it otherwise. What was acknowledged is marked in either case.
async fn drain(
    store: &Store,
    notifier: &mut impl Notifier,
    now: &(impl Fn() -> Timestamp + Send),
    backoff: &mut Backoff,
) -> Result<(), String> {
    let target = notifier.target().to_owned();
    store.add_target(&target).await.map_err(|e| e.to_string())?;
    loop {
        let pending = store.pending(&target, BATCH).await.map_err(|e: ReadError| e.to_string())?;
        if pending.is_empty() {
            return Ok(());
        }
        let mut delivered = None;
        let mut stopped = None;
        for told in &pending {
            match notifier.deliver(told).await {
                Ok(()) => {
                    backoff.reset();
                    metrics::counter!("kilter_notices_total", "target" => target.clone(), "result" => "delivered")
                        .increment(1);
                    delivered = Some(told.id);
                }
                Err(error) => {
                    stopped = Some((told.id, error));
                    break;
                }
            }
        }
        if let Some(id) = delivered {
            store.mark_delivered(&target, id, now()).await.map_err(|e| e.to_string())?;
        }
        match stopped {
            None => {}
            Some((id, DeliveryError::Refused { detail })) => {
                tracing::error!(target_name = %target, transition = id, %detail, "a notice was refused and put aside");
                metrics::counter!("kilter_notices_total", "target" => target.clone(), "result" => "refused")
                    .increment(1);
                let attempts = backoff.n_failures() + 1;
                store.bury(&target, id, attempts, &detail, now()).await.map_err(|e| e.to_string())?;
            }
            Some((_, DeliveryError::TryAgain { detail })) => return Err(detail),
        }
    }
}
