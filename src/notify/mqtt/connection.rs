//! The connection: polled without a pause, brought back with growing ones, and told everything anew each time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{ConnectionError, Event, EventLoop, Packet, PublishOptions, QoS};
use serde_json::Value;
use tokio::sync::mpsc;

use super::publisher::{Asked, Link, Shared};
use crate::notify::Backoff;
use crate::notify::home_assistant::{config_topic, device};
use crate::notify::message::json;
use crate::notify::request::answer;
use crate::series::Timestamp;
use crate::store::Store;

/// Pause between two messages on `<base>/bridge/health`.
const HEALTH_EVERY: Duration = Duration::from_secs(30);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// What requests are done in, and the wall clock.
type Answering = (Store, fn() -> Timestamp);

/// The connection of an [`super::MqttPublisher`], to be run by a task of its own.
pub struct MqttConnection {
    event_loop: EventLoop,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Asked>,
    answering: Option<Answering>,
}

impl std::fmt::Debug for MqttConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MqttConnection").finish_non_exhaustive()
    }
}

impl MqttConnection {
    pub(super) fn new(event_loop: EventLoop, shared: Arc<Shared>, inbox: mpsc::Receiver<Asked>) -> Self {
        Self { event_loop, shared, inbox, answering: None }
    }

    /// Does what is asked on `<base>/bridge/request/<verb>`, and answers. `now` is the wall clock.
    #[must_use]
    pub fn answering(mut self, store: Store, now: fn() -> Timestamp) -> Self {
        self.answering = Some((store, now));
        self
    }

    /// Runs until `shutdown`, then says `offline` and leaves. `info` stands on `<base>/bridge/info`; `health` is asked
    /// for the payload of `<base>/bridge/health`. Stop the notifiers first: they use this connection.
    pub async fn run(
        mut self,
        info: Value,
        health: impl Fn() -> Value + Send + Sync,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let shared = Arc::clone(&self.shared);
        let mut shutdown = pin!(shutdown);
        let (mut inbox, answering) = (self.inbox, self.answering);
        let poll = poll(&mut self.event_loop, &shared);
        let tell = async {
            let inbox = (&mut inbox, answering.as_ref());
            tell(&shared, &info, &health, inbox, shutdown.as_mut()).await;
            goodbye(&shared).await;
        };
        // Both on one task: a publish that waits for room in the queue waits while the queue is being emptied.
        tokio::select! {
            () = poll => {}
            () = tell => {}
        }
    }
}

/// Keeps the connection, for ever; ends when it was closed on purpose.
async fn poll(event_loop: &mut EventLoop, shared: &Shared) {
    let mut backoff = Backoff::default();
    loop {
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                backoff.reset();
                tracing::info!("connected to the broker for publishing");
                shared.link.send_modify(|link| *link = Link { is_up: true, generation: link.generation + 1 });
            }
            Ok(Event::Incoming(Packet::Publish(message))) => {
                let topic = String::from_utf8_lossy(&message.topic).into_owned();
                let asked = Asked { topic, payload: message.payload.to_vec() };
                if shared.asked.try_send(asked).is_err() {
                    tracing::warn!("too many requests over MQTT at once; one was dropped unanswered");
                }
            }
            Ok(_) => {}
            Err(ConnectionError::RequestsDone) => return,
            Err(error) => {
                shared.link.send_modify(|link| link.is_up = false);
                let pause = backoff.pause(rand::random());
                let n_attempts = backoff.n_failures();
                // As often as the connection that listens: an outage of a night is a few lines.
                if n_attempts == 1 || n_attempts.is_multiple_of(10) {
                    tracing::warn!(%error, n_attempts, "no connection to the broker for publishing; trying again");
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Says what has to be said, all of it anew after every connect, until `shutdown`.
async fn tell(
    shared: &Shared,
    info: &Value,
    health: &(impl Fn() -> Value + Sync),
    (inbox, answering): (&mut mpsc::Receiver<Asked>, Option<&Answering>),
    mut shutdown: Pin<&mut (impl Future<Output = ()> + Send)>,
) {
    let mut link = shared.link.subscribe();
    loop {
        let connected = tokio::select! {
            () = shutdown.as_mut() => return,
            connected = link.wait_for(|link| link.is_up) => connected.map(|link| link.generation),
        };
        let Ok(generation) = connected else { return };
        shared.board().all_stale();
        let is_current = |link: Link| link.is_up && link.generation == generation;
        let session = async {
            bridge(shared, "state", b"online".to_vec(), PublishOptions::at_least_once()).await;
            listen(shared, answering.is_some()).await;
            bridge(shared, "info", json(info), PublishOptions::at_most_once()).await;
            let mut timer = tokio::time::interval(HEALTH_EVERY);
            loop {
                say_stale(shared).await;
                tokio::select! {
                    () = shared.wake.notified() => {}
                    Some(asked) = inbox.recv() => on_asked(shared, answering, &asked).await,
                    _ = timer.tick() => {
                        bridge(shared, "health", json(&health()), PublishOptions::at_most_once()).await;
                    }
                }
            }
        };
        tokio::select! {
            () = shutdown.as_mut() => return,
            _ = link.wait_for(|link| !is_current(*link)) => {}
            () = session => {}
        }
    }
}

/// Subscribes to what may be asked of us. The session is clean, so it is done anew after every connect.
async fn listen(shared: &Shared, is_answering: bool) {
    let requests = is_answering.then(|| shared.config.base.topic("bridge/request/+"));
    let births = shared.home_assistant.enabled.then(|| shared.home_assistant.prefix.topic("status"));
    for filter in requests.into_iter().chain(births) {
        if let Err(error) = shared.client.subscribe(filter, QoS::AtLeastOnce).await {
            tracing::error!(%error, "requests over MQTT are not heard");
        }
    }
}

/// A request is answered; Home Assistant that has come online is told every device again.
async fn on_asked(shared: &Shared, answering: Option<&Answering>, asked: &Asked) {
    if shared.home_assistant.enabled && asked.topic == shared.home_assistant.prefix.topic("status") {
        if asked.payload == b"online" {
            shared.board().devices_untold();
        }
        return;
    }
    let verb = asked.topic.strip_prefix(&shared.config.base.topic("bridge/request/"));
    if let (Some(verb), Some((store, now))) = (verb, answering) {
        let said = answer(store, verb, &asked.payload, now()).await;
        let topic = shared.config.base.topic(&format!("bridge/response/{verb}"));
        publish(shared, topic, json(&said), PublishOptions::at_least_once()).await;
    }
}

async fn bridge(shared: &Shared, what: &str, payload: Vec<u8>, options: PublishOptions) {
    let topic = shared.config.base.topic(&format!("bridge/{what}"));
    publish(shared, topic, payload, options.retained()).await;
}

/// Every series whose topics have to be said. What is cut off by a lost connection is said after the next.
async fn say_stale(shared: &Shared) {
    loop {
        // Alone in its statement: the board must not be held while the broker takes its time.
        let stale = shared.board().take_stale();
        let Some(messages) = stale else { break };
        for (topic, payload) in messages {
            publish(shared, topic, payload, PublishOptions::at_least_once().retained()).await;
        }
    }
    if !shared.home_assistant.enabled {
        return;
    }
    loop {
        let untold = shared.board().take_untold();
        let Some(series) = untold else { return };
        let topic = config_topic(&shared.home_assistant.prefix, &series);
        let payload = json(&device(&shared.config.base, &series));
        publish(shared, topic, payload, PublishOptions::at_least_once().retained()).await;
    }
}

async fn publish(shared: &Shared, topic: String, payload: Vec<u8>, options: PublishOptions) {
    if let Err(error) = shared.client.publish(topic, payload, options).await {
        tracing::error!(%error, "a message was not queued for the broker");
    }
}

/// Says `offline`, as the last will would, and leaves in order.
async fn goodbye(shared: &Shared) {
    if !shared.link.borrow().is_up {
        return;
    }
    let leave = async {
        let topic = shared.config.base.topic("bridge/state");
        let options = PublishOptions::at_least_once().retained();
        if let Ok(notice) = shared.client.publish_tracked(topic, "offline", options).await {
            let _ = notice.wait_completion_async().await;
        }
        if shared.client.disconnect().await.is_ok() {
            // The polling side ends the task when the broker has been told.
            std::future::pending::<()>().await;
        }
    };
    let _ = tokio::time::timeout(GOODBYE, leave).await;
}
