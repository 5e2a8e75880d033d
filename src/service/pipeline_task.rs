//! The second of the four tasks: messages in, batches out, on a thread of its own.

use std::time::{Duration, Instant};

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::batch::{Answer, Batch, FitJob, Progress};
use super::listener::Said;
use super::measures::{self, Intake};
use super::refusals::Refusals;
use super::rest::PipelineRest;
use crate::decode::{Decoded, MessageDecoder};
use crate::http::{Activation, Deed};
use crate::ingest::mqtt::Connection;
use crate::ingest::{AckToken, Message};
use crate::pipeline::{Incoming, Outcome, Pipeline};
use crate::series::Timestamp;

/// Messages of one batch at most: some milliseconds of work, so that no acknowledgement waits long.
const BATCH_MESSAGES_MAX: usize = 2048;

/// Messages of which the network is asked at once, at most: their windows stay in the second-level cache.
const JUDGED_TOGETHER_MAX: usize = 64;

/// How often time passing is noticed when nothing else happens.
const IDLE_PERIOD: Duration = Duration::from_millis(500);

/// The pipeline with its queues.
pub(super) struct PipelineTask {
    pub(super) pipeline: Pipeline,
    pub(super) decoder: MessageDecoder,
    pub(super) intake: Intake,
    pub(super) refusals: Refusals,
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) answers: mpsc::UnboundedReceiver<Answer>,
    pub(super) activations: mpsc::Receiver<Activation>,
    pub(super) said: mpsc::UnboundedReceiver<Said>,
    pub(super) deeds: mpsc::UnboundedReceiver<Deed>,
    pub(super) batches: mpsc::Sender<Batch>,
    pub(super) progress: broadcast::Sender<Progress>,
    pub(super) connection: watch::Receiver<Connection>,
    pub(super) was_connected: bool,
    pub(super) now: fn() -> Timestamp,
}

/// Why the pipeline ended early.
#[derive(Debug, thiserror::Error)]
#[error("the writer is gone")]
pub(super) struct WriterGone;

impl PipelineTask {
    /// Runs until the message queue is closed and empty; then leaves a checkpoint of every series.
    ///
    /// It sends to the writer only and waits for it when the writer is behind: messages then gather in the queue,
    /// the next batch is larger, and in the end the broker is slowed down.
    ///
    /// `first` is what the restored pipeline wants done before any message.
    pub(super) async fn run(mut self, first: Vec<Outcome>) -> Result<(), WriterGone> {
        self.send(first, Vec::new(), Instant::now()).await?;
        let mut taken = Vec::with_capacity(BATCH_MESSAGES_MAX);
        let mut rest = PipelineRest::since(Instant::now());
        let mut ticks = tokio::time::interval(IDLE_PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(answer) = self.answers.recv() => {
                    let outcomes = self.on_answer(answer);
                    self.send(outcomes, Vec::new(), Instant::now()).await?;
                }
                Some(activation) = self.activations.recv() => {
                    let (is_known, outcomes) = self.pipeline.activate(&activation.series, &activation.model_id);
                    self.send(outcomes, Vec::new(), Instant::now()).await?;
                    // An error means that whoever asked has gone.
                    let _ = activation.answer.send(is_known);
                }
                Some(said) = self.said.recv() => {
                    let outcomes = self.on_said(said);
                    if !outcomes.is_empty() {
                        self.send(outcomes, Vec::new(), Instant::now()).await?;
                    }
                }
                Some(deed) = self.deeds.recv() => {
                    let Deed::UndoShift { series } = deed;
                    let outcomes = self.pipeline.undo_shift(&series, (self.now)());
                    tracing::info!(%series, "accepted level shifts are taken back");
                    self.send(outcomes, Vec::new(), Instant::now()).await?;
                }
                n_taken = self.messages.recv_many(&mut taken, BATCH_MESSAGES_MAX) => {
                    if n_taken == 0 {
                        break;
                    }
                    measures::on_queue("messages", self.messages.len());
                    let begun = Instant::now();
                    let (outcomes, acks) = self.on_messages(&mut taken);
                    self.send(outcomes, acks, begun).await?;
                    if let Some(rest) = rest.after(n_taken, Instant::now()) {
                        tokio::time::sleep(rest).await;
                    }
                }
                _ = ticks.tick() => {
                    let outcomes = self.on_tick();
                    if !outcomes.is_empty() {
                        self.send(outcomes, Vec::new(), Instant::now()).await?;
                    }
                }
            }
        }
        let outcomes = self.pipeline.checkpoint_all();
        self.send(outcomes, Vec::new(), Instant::now()).await
    }

    /// Silence means something only while messages can arrive.
    fn on_tick(&mut self) -> Vec<Outcome> {
        let is_connected = self.connection.borrow().is_connected();
        let was_connected = std::mem::replace(&mut self.was_connected, is_connected);
        if is_connected && !was_connected {
            self.pipeline.listening_since((self.now)());
        }
        if is_connected { self.pipeline.on_idle((self.now)()) } else { Vec::new() }
    }

    fn on_messages(&mut self, taken: &mut Vec<Message>) -> (Vec<Outcome>, Vec<AckToken>) {
        let mut outcomes = Vec::with_capacity(4 * taken.len());
        let mut acks = Vec::with_capacity(taken.len());
        for messages in taken.chunks_mut(JUDGED_TOGETHER_MAX) {
            let mut decoded = Vec::with_capacity(messages.len());
            for message in messages {
                acks.extend(message.ack.take());
                match message.decode(&self.decoder) {
                    Ok(said) => decoded.push((&*message, said)),
                    Err(refusal) => self.refusals.on_refused(&message.topic, &refusal, Instant::now()),
                }
            }
            let incoming: Vec<_> = decoded
                .iter()
                .map(|(message, said): &(&Message, Decoded)| Incoming {
                    spec_index: said.route,
                    readings: &said.readings,
                    received_at: message.received_at,
                })
                .collect();
            let processed = self.pipeline.on_messages(&incoming, &mut outcomes);
            for ((message, said), processed) in decoded.iter().zip(&processed) {
                self.intake.on_processed(message, &said.readings, processed);
                self.refusals.on_members_left_out(&message.topic, said, Instant::now());
            }
        }
        taken.clear();
        (outcomes, acks)
    }

    fn on_said(&mut self, said: Said) -> Vec<Outcome> {
        match said {
            Said::Amended(alert) => {
                self.pipeline.amend(&alert);
                Vec::new()
            }
            Said::False(series, alarms) => self.pipeline.on_false_alarms(&series, alarms),
        }
    }

    fn on_answer(&mut self, answer: Answer) -> Vec<Outcome> {
        match answer {
            Answer::Power(measured) => self.pipeline.on_power(*measured),
            Answer::Trained(trained) => self.pipeline.on_trained(*trained),
            Answer::Failed { wanted, reason } => self.pipeline.on_fit_failed(&wanted, &reason, (self.now)()),
        }
    }

    async fn send(
        &mut self,
        mut outcomes: Vec<Outcome>,
        acks: Vec<AckToken>,
        begun: Instant,
    ) -> Result<(), WriterGone> {
        let mut fits = Vec::new();
        outcomes.retain(|outcome| match outcome {
            Outcome::FitWanted(wanted) => {
                let peers = self.pipeline.pool(wanted);
                if let Some((channels, spec)) = self.pipeline.describe(&wanted.series) {
                    fits.push(FitJob {
                        wanted: wanted.clone(),
                        channels: channels.to_vec(),
                        spec: spec.clone(),
                        n_usable: self.pipeline.usable_rows(&wanted.series),
                        bundle: self.pipeline.bundle_of(&wanted.series),
                        peers,
                    });
                }
                false
            }
            Outcome::WarmUp { series, n_rows, n_wanted } => {
                if self.progress.receiver_count() > 0 {
                    let warm_up = Progress::WarmUp { series: series.clone(), n_rows: *n_rows, n_wanted: *n_wanted };
                    // An error means that the last watcher has just left.
                    let _ = self.progress.send(warm_up);
                }
                // It goes on: the page shows it too. The store has no place for it.
                true
            }
            _ => true,
        });
        self.batches.send(Batch { outcomes, acks, fits, begun }).await.map_err(|_| WriterGone)
    }
}
