//! The loop that serves one target from the outbox.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;

use super::Backoff;
use crate::series::Timestamp;
use crate::store::{CommitError, ReadError, Store, StoredTransition};
use crate::verdict::{Alert, AlertId, AlertState, Silence, TransitionKind};

/// Transitions read from the outbox at a time, and so the most that a crash repeats.
const BATCH: u32 = 64;

/// How long a target may take over what is left when the service stops.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Between two looks whether a silence or a wait is over, while a target holds something back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// Name of the target in the store: `mqtt`, `webhook:<name>`, `email:<name>`.
    fn target(&self) -> &str;

    /// For an escalation: how long nobody may have acknowledged an alert before this receiver is told of it. None tells
    /// at once.
    fn escalates_after(&self) -> Option<Duration> {
        None
    }

    /// Tells one transition and returns when the receiver has acknowledged it.
    fn deliver(&mut self, told: &StoredTransition) -> impl Future<Output = Result<(), DeliveryError>> + Send;
}

/// Serves a target until `shutdown`, then once more for a moment, so that what the last commit wrote is told too.
/// `now` is the wall clock.
///
/// An alert that a silence holds is not told; if it is still open when nothing holds it any more, it is told then. An
/// opening that was never told takes its resolution with it.
pub async fn deliver_outbox(
    store: Store,
    notifier: impl Notifier,
    now: impl Fn() -> Timestamp + Send,
    shutdown: impl Future<Output = ()> + Send,
) {
    let mut shutdown = pin!(shutdown);
    let mut changes = store.outbox_changes();
    let target = notifier.target().to_owned();
    let mut desk = Desk { store, notifier, now, backoff: Backoff::default(), target: target.clone(), n_held: 0 };
    loop {
        changes.mark_unchanged();
        let pause = match desk.drain().await {
            Ok(()) => None,
            Err(detail) => {
                let pause = desk.backoff.pause(rand::random());
                // The first failures are ordinary (a broker that restarts); then it is worth a line each time the
                // pause has grown, which soon is once a minute.
                let n_failures = desk.backoff.n_failures();
                tracing::warn!(target_name = %target, n_failures, pause_ms = pause.as_millis() as u64, %detail, "notices wait");
                Some(pause)
            }
        };
        tokio::select! {
            () = &mut shutdown => break,
            () = wait(&mut changes, pause, desk.n_held > 0) => {}
        }
    }
    match tokio::time::timeout(LAST_CALL, desk.drain()).await {
        Ok(Ok(())) => {}
        Ok(Err(detail)) => tracing::info!(target_name = %target, %detail, "notices stay in the outbox"),
        Err(_) => tracing::info!(target_name = %target, "notices stay in the outbox"),
    }
}

/// After a failure the pause alone counts: new transitions do not hurry a receiver that is away.
async fn wait(changes: &mut watch::Receiver<u64>, pause: Option<Duration>, is_holding: bool) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        // The sender lives in the store, which this task holds.
        None if is_holding => drop(tokio::time::timeout(LOOK_EVERY, changes.changed()).await),
        None => drop(changes.changed().await),
    }
}

/// What to do with a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Tell,
    Hold,
    /// Its opening was never told, so its end is no news.
    Drop,
}

/// One target with what it needs.
struct Desk<N, C> {
    store: Store,
    notifier: N,
    now: C,
    backoff: Backoff,
    target: String,
    n_held: usize,
}

fn unread(error: ReadError) -> String {
    error.to_string()
}

fn unwritten(error: CommitError) -> String {
    error.to_string()
}

impl<N: Notifier, C: Fn() -> Timestamp + Send> Desk<N, C> {
    /// Tells all that is pending; what stopped it otherwise. What was acknowledged is marked in either case.
    async fn drain(&mut self) -> Result<(), String> {
        self.store.add_target(&self.target).await.map_err(unwritten)?;
        loop {
            let silences = self.store.reader().silences(None).await.map_err(unread)?;
            let mut held = self.release(&silences).await?;
            let pending = self.store.pending(&self.target, BATCH).await.map_err(unread)?;
            if pending.is_empty() {
                self.n_held = held.len();
                return Ok(());
            }
            let mut delivered = None;
            let mut result = Ok(());
            for told in &pending {
                let alert_id = &told.transition.alert.id;
                match self.choose(told, &silences, &held).await? {
                    Choice::Hold => {
                        held.insert(alert_id.clone());
                        let now = (self.now)();
                        self.store.hold_notice(&self.target, alert_id, told.id, now).await.map_err(unwritten)?;
                        self.count("held");
                        continue;
                    }
                    Choice::Drop => {
                        held.remove(alert_id);
                        self.store.release_notice(&self.target, alert_id, Some(told.id)).await.map_err(unwritten)?;
                        continue;
                    }
                    Choice::Tell => {}
                }
                match self.notifier.deliver(told).await {
                    Ok(()) => {
                        self.backoff.reset();
                        self.count("delivered");
                        delivered = Some(told.id);
                    }
                    Err(DeliveryError::Refused { detail }) => self.bury(told.id, &detail).await?,
                    Err(DeliveryError::TryAgain { detail }) => {
                        self.count("failed");
                        result = Err(detail);
                        break;
                    }
                }
            }
            self.n_held = held.len();
            if let Some(id) = delivered {
                self.store.mark_delivered(&self.target, id, (self.now)()).await.map_err(unwritten)?;
            }
            result?;
        }
    }

    /// Tells what is held and need not be any more; gives the alerts that are still held.
    async fn release(&mut self, silences: &[Silence]) -> Result<BTreeSet<AlertId>, String> {
        let mut still = BTreeSet::new();
        for notice in self.store.reader().held_notices(&self.target).await.map_err(unread)? {
            let id = &notice.alert_id;
            let alert = self.store.reader().alert(id).await.map_err(unread)?;
            let Some(alert) = alert.filter(|alert| alert.state == AlertState::Open) else {
                // Over: its resolution, which comes in order, takes the row away.
                still.insert(id.clone());
                continue;
            };
            let now = (self.now)();
            let is_due = self.notifier.escalates_after().is_none_or(|after| {
                alert.acknowledged_at.is_none()
                    && now.ms_since(notice.held_at) >= i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
            });
            let is_silenced = silences.iter().any(|silence| silence.holds(&alert, now));
            let told = self.store.reader().transition(notice.transition_id).await.map_err(unread)?;
            let Some(mut told) = told.filter(|_| is_due && !is_silenced) else {
                still.insert(id.clone());
                continue;
            };
            // What people have said meanwhile goes with it.
            let Alert { acknowledged_at, label, note, labelled_by, labelled_at, .. } = alert;
            let alert = told.transition.alert;
            told.transition.alert = Alert { acknowledged_at, label, note, labelled_by, labelled_at, ..alert };
            match self.notifier.deliver(&told).await {
                Ok(()) => {
                    self.backoff.reset();
                    self.count("delivered");
                }
                Err(DeliveryError::Refused { detail }) => self.bury(told.id, &detail).await?,
                Err(DeliveryError::TryAgain { detail }) => return Err(detail),
            }
            self.store.release_notice(&self.target, id, None).await.map_err(unwritten)?;
        }
        Ok(still)
    }

    async fn choose(
        &mut self,
        told: &StoredTransition,
        silences: &[Silence],
        held: &BTreeSet<AlertId>,
    ) -> Result<Choice, String> {
        let transition = &told.transition;
        let is_held = held.contains(&transition.alert.id);
        if transition.kind == TransitionKind::Resolved {
            return Ok(if is_held { Choice::Drop } else { Choice::Tell });
        }
        if is_held || self.notifier.escalates_after().is_some() {
            return Ok(Choice::Hold);
        }
        let holds = |at| silences.iter().any(|silence| silence.holds(&transition.alert, at));
        if holds((self.now)()) {
            return Ok(Choice::Hold);
        }
        if holds(transition.at) {
            // A target that was away while the silence lasted: what began and ended in it is no news.
            let alert = self.store.reader().alert(&transition.alert.id).await.map_err(unread)?;
            if alert.is_none_or(|alert| alert.state == AlertState::Resolved) {
                return Ok(Choice::Hold);
            }
        }
        Ok(Choice::Tell)
    }

    async fn bury(&mut self, id: i64, detail: &str) -> Result<(), String> {
        tracing::error!(target_name = %self.target, transition = id, %detail, "a notice was refused and put aside");
        self.count("refused");
        let attempts = self.backoff.n_failures() + 1;
        self.store.bury(&self.target, id, attempts, detail, (self.now)()).await.map_err(unwritten)
    }

    fn count(&self, result: &'static str) {
        metrics::counter!("kilter_deliveries_total", "target" => self.target.clone(), "result" => result).increment(1);
    }
}
