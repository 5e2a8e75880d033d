//! The third of the four tasks: batches are committed, then acknowledged, then told.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::batch::{Batch, Job};
use super::measures;
use super::rest::WriterRest;
use crate::http::{Live, Readiness};
use crate::ingest::mqtt::Acknowledger;
use crate::notify::MqttPublisher;
use crate::pipeline::Outcome;
use crate::store::{CommitError, Reaction, Store};
use crate::verdict::TransitionKind;

/// Batches joined into one transaction at most.
const BATCHES_JOINED_MAX: usize = 16;

/// Rows of large fleets wait for company in the store, at most about twice as long as this.
const WAIT: Duration = Duration::from_secs(10);

/// First and longest wait before a failed commit is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// The writer with its queues.
pub(super) struct WriterTask {
    pub(super) store: Store,
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) acknowledger: Acknowledger,
    pub(super) publisher: Option<MqttPublisher>,
    pub(super) fits: mpsc::UnboundedSender<Job>,
    pub(super) live: Live,
    pub(super) readiness: watch::Sender<Readiness>,
    pub(super) is_stopping: watch::Receiver<bool>,
}

/// One line for each alert that opens or ends. Rows that come again after a crash may say it again.
fn log_transition(outcome: &Outcome) {
    let Outcome::Transition(transition) = outcome else { return };
    let alert = &transition.alert;
    let (series, severity, kind, id) = (&alert.series, alert.severity, alert.kind, &alert.id.0);
    let channel = alert.channels.first().map_or("", |part| part.channel.as_str());
    let openings = alert.openings;
    match transition.kind {
        TransitionKind::Opened => tracing::info!(%series, %kind, %severity, channel, id, openings, "an alert opened"),
        TransitionKind::Resolved => tracing::info!(%series, %kind, %severity, channel, id, "an alert ended"),
    }
}

impl WriterTask {
    /// Runs until the pipeline has gone and everything is committed.
    ///
    /// # Errors
    /// When the store refuses a batch for good, or cannot take it while the service stops: what it held was never
    /// acknowledged and comes again.
    pub(super) async fn run(mut self) -> Result<(), CommitError> {
        let mut taken = Vec::with_capacity(BATCHES_JOINED_MAX);
        let mut rest = WriterRest::since(Instant::now());
        let (mut look, mut newest) = (tokio::time::Instant::now() + WAIT, 0);
        loop {
            let received = tokio::time::timeout_at(look, self.batches.recv_many(&mut taken, BATCHES_JOINED_MAX)).await;
            let pause = match received {
                Ok(0) => return Ok(()),
                Ok(_) => rest.after(self.take(&mut taken).await?, Instant::now()),
                Err(_) => None,
            };
            if tokio::time::Instant::now() >= look {
                // A few at a time, between which batches have their turn.
                match self.store.sort_in_some(newest).await {
                    Ok(None) => continue,
                    Ok(Some(now)) => newest = now,
                    Err(fault) => tracing::debug!(%fault, "rows wait on"),
                }
                look = (look + WAIT).max(tokio::time::Instant::now());
            }
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Commits some batches together, acknowledges and tells; returns how many messages they were.
    async fn take(&mut self, taken: &mut Vec<Batch>) -> Result<usize, CommitError> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut acks = Vec::new();
        let mut fits = Vec::new();
        let mut begun = Instant::now();
        for batch in taken.drain(..) {
            if outcomes.is_empty() {
                outcomes = batch.outcomes;
            } else {
                outcomes.extend(batch.outcomes);
            }
            acks.extend(batch.acks);
            fits.extend(batch.fits);
            begun = begun.min(batch.begun);
        }
        if !outcomes.is_empty() {
            self.commit(&outcomes).await?;
        }
        let n_messages = acks.len();
        self.acknowledger.acknowledge_all(acks);
        measures::on_committed(&outcomes, begun.elapsed());
        outcomes.iter().for_each(log_transition);
        self.live.on_committed(&outcomes);
        if let Some(publisher) = &self.publisher {
            publisher.announce(&outcomes);
        }
        for fit in fits {
            // An error means that the trainer has stopped; the fit is asked for again after the restart.
            let _ = self.fits.send(Job::Fit(fit));
        }
        Ok(n_messages)
    }

    /// Commits, trying again for as long as the cause may go away. Nothing is acknowledged meanwhile, so nothing is lost.
    async fn commit(&mut self, outcomes: &[Outcome]) -> Result<(), CommitError> {
        let mut wait = RETRY_FIRST;
        let mut since = None;
        loop {
            let begun = Instant::now();
            let fault = match self.store.commit(outcomes).await {
                Ok(_) => {
                    measures::on_commit(begun.elapsed());
                    if let Some(since) = since.map(|since: Instant| since.elapsed()) {
                        tracing::info!(seconds = since.as_secs_f64(), "the store takes rows again");
                        self.readiness.send_modify(|readiness| readiness.set("store", true, "rows are committed"));
                    }
                    return Ok(());
                }
                Err(fault) => fault,
            };
            measures::on_commit_failed();
            if fault.reaction() == Reaction::Stop || *self.is_stopping.borrow() {
                tracing::error!(%fault, "the store refuses rows; unacknowledged messages come again after a restart");
                return Err(fault);
            }
            if since.is_none() {
                since = Some(begun);
                tracing::error!(%fault, "rows cannot be committed; acknowledgements stop until they can");
                self.readiness.send_modify(|readiness| readiness.set("store", false, fault.to_string()));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.is_stopping.wait_for(|is_stopping| *is_stopping) => {}
            }
            wait = (wait * 2).min(RETRY_LONGEST);
        }
    }
}
