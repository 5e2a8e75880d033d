//! The source itself: one connection after the other, each with a client and a generation of its own.
//!
//! The task that polls the client crate waits for nothing else: messages go into a queue that `receive_maximum`
//! bounds, and a second task hands them on at the pace of whoever takes them.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rumqttc::{
    AckMode, AsyncClient, ConnAck, ConnectionError, Event, EventLoop, Incoming, Publish, QoS, RetainForwardRule,
    SubAck, SubscribeFilter, SubscribeReasonCode,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::session::{EmptySession, PUBLISHES_UNDER_WAY};
use super::{Acknowledger, Connection, MqttParams, OptionsError, Server, connect_options};
use crate::ingest::source::stopped;
use crate::ingest::{Ended, Message, Source};
use crate::series::Timestamp;

/// A connection that lasts this long is a good one: the next failure waits shortly again.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// How long a stop waits for the acknowledgements of what was handed on.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How long a stop waits for the farewell to be written.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// How often a stop looks whether all is acknowledged.
const DRAIN_TICK: Duration = Duration::from_millis(2);

/// Messages from a broker, through a session that outlives the connection and the process.
#[derive(Debug)]
pub struct MqttSource {
    params: MqttParams,
    acknowledger: Acknowledger,
    connection: watch::Sender<Connection>,
}

/// A message on its way to the queue's other end; one without acknowledgement holds its place in it.
type Queued = (Message, Option<OwnedSemaphorePermit>);

/// How a connection ended.
enum Parted {
    Stopped,
    Abandoned,
    Failed(String),
}

impl MqttSource {
    /// A source that is not connected yet.
    pub fn new(params: MqttParams) -> Self {
        let (connection, _) = watch::channel(Connection::Connecting);
        Self { params, acknowledger: Acknowledger::default(), connection }
    }

    /// Where its deliveries are acknowledged.
    pub fn acknowledger(&self) -> Acknowledger {
        self.acknowledger.clone()
    }

    /// How it and its broker stand, now and later.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.subscribe()
    }
}

impl Source for MqttSource {
    async fn run(self, out: mpsc::Sender<Message>, shutdown: watch::Receiver<bool>) -> Ended {
        let (queue, queued) = mpsc::unbounded_channel();
        let handing_on = tokio::spawn(hand_on(queued, out, self.acknowledger.clone(), shutdown.clone()));
        let places = Arc::new(Semaphore::new(usize::from(self.params.config.receive_maximum)));
        let ended = Session { source: &self, queue, places }.run(shutdown).await;
        self.acknowledger.begin(None);
        self.connection.send_replace(Connection::Closed);
        handing_on.abort();
        ended
    }
}

/// Hands messages on at the pace of whoever takes them. When it is time to stop, what nobody took is left to the
/// broker, which delivers it again.
async fn hand_on(
    mut queued: mpsc::UnboundedReceiver<Queued>,
    out: mpsc::Sender<Message>,
    acknowledger: Acknowledger,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut stop = pin!(stopped(&mut shutdown));
    loop {
        let message = tokio::select! {
            biased;
            () = &mut stop => break,
            next = queued.recv() => match next {
                Some((message, _place)) => message,
                None => return,
            },
        };
        let ack = message.ack;
        let sent = tokio::select! {
            sent = out.send(message) => sent.is_ok(),
            () = &mut stop => false,
        };
        if !sent {
            if let Some(token) = ack {
                acknowledger.forget(token);
            }
            break;
        }
    }
    // From here on the queue refuses; what is in it is forgotten.
    drop(out);
    queued.close();
    while let Some((message, _)) = queued.recv().await {
        if let Some(token) = message.ack {
            acknowledger.forget(token);
        }
    }
}

/// What the connections of one run share.
struct Session<'a> {
    source: &'a MqttSource,
    queue: mpsc::UnboundedSender<Queued>,
    places: Arc<Semaphore>,
}

impl Session<'_> {
    async fn run(self, mut shutdown: watch::Receiver<bool>) -> Ended {
        let params = &self.source.params;
        let mut backoff = Backoff::new(params.config.reconnect_max.to_std());
        for server in params.servers.iter().cycle() {
            self.source.connection.send_if_modified(|connection| {
                let was_connected = connection.is_connected();
                if was_connected {
                    *connection = Connection::Connecting;
                }
                was_connected
            });
            let began = Instant::now();
            let reason = match self.open(server) {
                Err(error) => error.to_string(),
                Ok((client, events)) => match self.connection(server, client, events, &mut shutdown).await {
                    Parted::Stopped => return Ended::Stopped,
                    Parted::Abandoned => return Ended::Abandoned,
                    Parted::Failed(reason) => reason,
                },
            };
            self.source.acknowledger.begin(None);
            if began.elapsed() > GOOD_CONNECTION && self.source.connection.borrow().is_connected() {
                backoff.reset();
            }
            let wait = backoff.next(&mut rand::rng());
            let n_attempts = backoff.n_failures();
            if n_attempts == 1 || n_attempts.is_multiple_of(10) {
                tracing::warn!(%server, %reason, n_attempts, "no connection to the broker; trying again");
            }
            self.source.connection.send_replace(Connection::Disconnected { reason, n_attempts });
            tokio::select! {
                () = stopped(&mut shutdown) => return Ended::Stopped,
                () = sleep(wait) => {}
            }
        }
        Ended::Exhausted
    }

    /// A client for one connection. Its request queue has no bound, so that an acknowledgement never waits;
    /// `receive_maximum` bounds what can be in it.
    fn open(&self, server: &Server) -> Result<(AsyncClient, EventLoop), OptionsError> {
        let params = &self.source.params;
        let config = &params.config;
        let session_expiry_s = u32::try_from(config.session_expiry.as_ms() / 1000).unwrap_or(u32::MAX);
        let mut options = connect_options(params, server, &config.client_id)?;
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(session_expiry_s))
            .set_session_store(EmptySession { session_expiry_s })
            .set_ack_mode(AckMode::Manual)
            .set_receive_maximum(Some(config.receive_maximum))
            .set_max_packet_size(Some(config.max_packet_bytes))
            // It publishes nothing. The client crate walks over the place of every possible publish at each flush:
            // with its default of 65,535 places that took nine tenths of the processor under load.
            .set_outgoing_inflight_upper_limit(PUBLISHES_UNDER_WAY)
            // A flush costs the client crate a walk over all packet identifiers, so a commit's acknowledgements go
            // out in few of them.
            .set_max_request_batch(1024);
        Ok(AsyncClient::builder(options).unbounded().build())
    }

    /// One connection from its first packet to its end.
    async fn connection(
        &self,
        server: &Server,
        client: AsyncClient,
        mut events: EventLoop,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Parted {
        self.source.acknowledger.begin(Some(client.clone()));
        let mut is_resumed = false;
        let watched = shutdown.clone();
        {
            let mut stop = pin!(stopped(shutdown));
            loop {
                let event = tokio::select! {
                    biased;
                    () = &mut stop => break,
                    event = events.poll() => event,
                };
                match event {
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        if !self.deliver(publish).await {
                            // The queue also closes when it is time to stop, which may show there first.
                            match is_over(&watched) {
                                true => break,
                                false => return Parted::Abandoned,
                            }
                        }
                    }
                    Ok(Event::Incoming(Incoming::ConnAck(ConnAck { session_present, .. }))) => {
                        is_resumed = session_present;
                        // The empty session has been read and will not change; with a store the client crate would
                        // gather it anew for every acknowledgement.
                        events.options.clear_session_store();
                        if let Err(error) = client.try_subscribe_many(self.subscriptions()) {
                            return Parted::Failed(error.to_string());
                        }
                    }
                    Ok(Event::Incoming(Incoming::SubAck(answer))) => match self.refused(&answer) {
                        Some(reason) => return Parted::Failed(reason),
                        None => self.connected(server, is_resumed),
                    },
                    Ok(_) => {}
                    Err(error) => return Parted::Failed(self.explain(&error)),
                }
            }
        }
        self.part(client, &mut events).await;
        Parted::Stopped
    }

    /// Subscribed anew at every connection, since the configuration may have changed since the session began; what
    /// the broker keeps for new subscribers comes only when the subscription is new.
    fn subscriptions(&self) -> Vec<SubscribeFilter> {
        let params = &self.source.params;
        let qos = if params.is_acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let subscribe = |filter: &crate::decode::TopicFilter| SubscribeFilter {
            retain_forward_rule: RetainForwardRule::OnNewSubscribe,
            ..SubscribeFilter::new(filter.as_str(), qos)
        };
        params.filters.iter().map(subscribe).collect()
    }

    fn refused(&self, answer: &SubAck) -> Option<String> {
        let mut answers = self.source.params.filters.iter().zip(&answer.return_codes);
        let (filter, code) = answers.find(|(_, code)| !matches!(code, SubscribeReasonCode::Success(_)))?;
        Some(format!("the broker refuses the subscription to {filter}: {code:?}"))
    }

    fn connected(&self, server: &Server, is_resumed: bool) {
        let server = server.to_string();
        tracing::info!(%server, is_resumed, "connected to the broker");
        self.source.connection.send_replace(Connection::Connected { server, since: now(), is_resumed });
    }

    fn explain(&self, error: &ConnectionError) -> String {
        let text = error.to_string();
        match text.contains("SessionTakenOver") {
            true => format!("another client uses the client_id {:?} ({text})", self.source.params.config.client_id),
            false => text,
        }
    }

    /// Puts a message into the queue; false when nobody takes messages any more. Acknowledged ones are bounded by
    /// `receive_maximum`. For the others the socket is left unread while the queue is full, but never for so long
    /// that the broker would miss a sign of life.
    async fn deliver(&self, publish: Publish) -> bool {
        let Publish { dup, qos, retain, topic, pkid, payload, .. } = publish;
        // The protocol allows nothing but UTF-8; should a broker not care, the topic matches no template.
        let topic = String::from_utf8(topic.into()).unwrap_or_else(|error| error.to_string());
        let ack = (qos != QoS::AtMostOnce).then(|| self.source.acknowledger.deliver(pkid));
        let message = Message { is_retained: retain, is_redelivered: dup, ack, ..Message::new(topic, payload, now()) };
        let place = match ack {
            Some(_) => None,
            None => {
                let longest = self.source.params.config.keep_alive.to_std() / 3;
                timeout(longest, Arc::clone(&self.places).acquire_owned()).await.ok().and_then(Result::ok)
            }
        };
        let is_taken = self.queue.send((message, place)).is_ok();
        if let (false, Some(token)) = (is_taken, ack) {
            self.source.acknowledger.forget(token);
        }
        is_taken
    }

    /// Takes the last acknowledgements and says goodbye; the broker keeps the session.
    async fn part(&self, client: AsyncClient, events: &mut EventLoop) {
        let drained = async {
            let mut tick = tokio::time::interval(DRAIN_TICK);
            while self.source.acknowledger.n_waiting() > 0 || !self.queue.is_closed() {
                let mut poll = pin!(events.poll());
                loop {
                    tokio::select! {
                        event = &mut poll => match event {
                            Ok(_) => break,
                            Err(_) => return,
                        },
                        _ = tick.tick() => {
                            if self.source.acknowledger.n_waiting() == 0 && self.queue.is_closed() {
                                return;
                            }
                        }
                    }
                }
            }
        };
        if timeout(DRAIN_MAX, drained).await.is_err() {
            let n_waiting = self.source.acknowledger.n_waiting();
            tracing::warn!(n_waiting, "stopped before everything was acknowledged; the broker will deliver it again");
        }
        if self.source.connection.borrow().is_connected() {
            let _ = timeout(FAREWELL_MAX, self.received(&client, events)).await;
        }
        if client.try_disconnect().is_ok() {
            // Ends with an error by design: the client crate reports the end of its requests as one.
            let _ = timeout(FAREWELL_MAX, async { while events.poll().await.is_ok() {} }).await;
        }
    }

    /// Waits until the broker has taken all that was sent so far. Acknowledgements have no answer, and a socket that
    /// is closed while messages arrive makes the broker throw away what it has not read yet; so the subscription is
    /// made once more, which changes nothing, and its answer is awaited.
    async fn received(&self, client: &AsyncClient, events: &mut EventLoop) {
        if client.try_subscribe_many(self.subscriptions()).is_ok() {
            while let Ok(event) = events.poll().await {
                if matches!(event, Event::Incoming(Incoming::SubAck(_))) {
                    return;
                }
            }
        }
    }
}

/// True when it is time to stop.
fn is_over(shutdown: &watch::Receiver<bool>) -> bool {
    *shutdown.borrow() || shutdown.has_changed().is_err()
}

/// The arrival clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
