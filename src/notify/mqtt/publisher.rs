//! The handle by which the service tells the broker what has been committed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumqttc::{AsyncClient, LastWill, MqttOptions, PublishOptions, QoS, SessionMode};
use tokio::sync::{Notify, mpsc, watch};

use super::board::Board;
use super::{MqttConnection, MqttNotifier};
use crate::notify::message::{ScoreMessage, json};
use crate::notify::{HomeAssistantConfig, MqttPublishConfig, NotifyConfig};
use crate::pipeline::Outcome;
use crate::store::RestoredSeries;
use crate::verdict::Alert;

/// Messages between the service and the connection. Scores beyond it are dropped (QoS 0), everything else waits.
const QUEUE: usize = 1_024;

/// Requests that wait for their answer. People press buttons; a flood is dropped, and said so.
const REQUESTS: usize = 256;

/// A message that was sent to us.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
}

/// Why the publisher was not made.
#[derive(Debug, thiserror::Error)]
#[error("the broker's settings cannot be used for publishing: {detail}")]
pub struct MqttPublisherError {
    /// What is wrong with them.
    pub detail: String,
}

/// State of the connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    pub(super) is_up: bool,
    /// Rises with every connection.
    pub(super) generation: u64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: AsyncClient,
    pub(super) config: MqttPublishConfig,
    pub(super) home_assistant: HomeAssistantConfig,
    pub(super) link: watch::Sender<Link>,
    pub(super) wake: Notify,
    board: Mutex<Board>,
    pub(super) asked: mpsc::Sender<Asked>,
}

impl Shared {
    /// Held for a few lines, never across an await.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the broker what has been committed. Cheap to clone; no call ever waits.
#[derive(Debug, Clone)]
pub struct MqttPublisher {
    shared: Arc<Shared>,
}

impl MqttPublisher {
    /// A publisher and the connection that it needs somebody to run. `options` say how to reach the broker; client
    /// id, session and last will are set here.
    ///
    /// # Errors
    /// When the options contradict each other.
    pub fn new(mut options: MqttOptions, config: &NotifyConfig) -> Result<(Self, MqttConnection), MqttPublisherError> {
        let base = &config.mqtt.base;
        options.set_client_id(format!("{}-notify", options.client_id()));
        options.set_session_mode(SessionMode::Clean);
        options.set_last_will(LastWill::new(base.topic("bridge/state"), "offline", QoS::AtLeastOnce, true, None));
        let (client, event_loop) = AsyncClient::builder(options)
            .capacity(QUEUE)
            .try_build()
            .map_err(|e| MqttPublisherError { detail: e.to_string() })?;
        let (asked, inbox) = mpsc::channel(REQUESTS);
        let shared = Arc::new(Shared {
            client,
            config: config.mqtt.clone(),
            home_assistant: config.home_assistant.clone(),
            link: watch::Sender::new(Link::default()),
            wake: Notify::new(),
            board: Mutex::new(Board::new(base.clone())),
            asked,
        });
        Ok((Self { shared: Arc::clone(&shared) }, MqttConnection::new(event_loop, shared, inbox)))
    }

    /// Where every series stood when the service stopped; to be called before the connection runs.
    pub fn restore(&self, restored: &[RestoredSeries]) {
        self.shared.board().restore(restored);
        self.shared.wake.notify_one();
    }

    /// Tells what a commit has written. Retained topics follow as fast as the broker takes them; a score that finds
    /// the queue full, or no broker, is dropped and counted.
    pub fn announce(&self, committed: &[Outcome]) {
        let is_up = self.shared.link.borrow().is_up;
        let mut is_stale = false;
        let mut n_dropped = 0;
        let mut board = self.shared.board();
        for outcome in committed {
            match outcome {
                Outcome::Score { series, score } if self.shared.config.scores => {
                    let (topic, state) = board.score_topic(series);
                    let payload = json(&ScoreMessage::new(score, state));
                    let options = PublishOptions::at_most_once();
                    if !is_up || self.shared.client.try_publish(topic, payload, options).is_err() {
                        n_dropped += 1;
                    }
                }
                outcome => is_stale |= board.apply(outcome),
            }
        }
        drop(board);
        if n_dropped > 0 {
            metrics::counter!("kilter_scores_unpublished_total").increment(n_dropped);
        }
        if is_stale {
            self.shared.wake.notify_one();
        }
    }

    /// A person has acknowledged or labelled an alert: its retained topic says so.
    pub fn amend(&self, alert: &Alert) {
        if self.shared.board().amend(alert) {
            self.shared.wake.notify_one();
        }
    }

    /// True while the broker is there.
    pub fn is_connected(&self) -> bool {
        self.shared.link.borrow().is_up
    }

    /// The target that delivers transitions to `<base>/alerts`.
    pub fn notifier(&self) -> MqttNotifier {
        MqttNotifier::new(Arc::clone(&self.shared))
    }
}
