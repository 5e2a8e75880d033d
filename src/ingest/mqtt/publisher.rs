//! Messages to a broker, in order, each until the broker has confirmed it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{
    AsyncClient, DisconnectProperties, DisconnectReasonCode, Event, EventLoop, Incoming, PublishNotice,
    PublishNoticeError, PublishOptions, QoS,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::{MqttParams, OptionsError, Server, connect_options};

/// How many messages may wait for their confirmation; the next one waits for the first of them.
const UNCONFIRMED_MAX: usize = 1000;

/// How many attempts in a row may fail before the broker is given up.
const ATTEMPTS_MAX: u32 = 12;

/// How long the broker keeps the session when the connection breaks.
const SESSION_EXPIRY_S: u32 = 300;

/// How long the farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(5);

/// Why messages do not get to the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The connection cannot even be tried.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The broker cannot be reached or refuses.
    #[error("{server}: {reason}")]
    Unreachable {
        /// The broker.
        server: Server,
        /// What went wrong last.
        reason: String,
    },
    /// The broker answered, and does not want the message.
    #[error("the broker refuses a message on {topic:?}: {reason}")]
    Refused {
        /// Its topic.
        topic: String,
        /// The broker's reason.
        reason: PublishNoticeError,
    },
    /// The topic is none.
    #[error("{topic:?} is not a topic to publish on")]
    Topic {
        /// The topic.
        topic: String,
    },
}

/// A connection that messages go out on.
#[derive(Debug)]
pub struct Publisher {
    server: Server,
    client: AsyncClient,
    qos: QoS,
    unconfirmed: VecDeque<(String, Bytes, PublishNotice)>,
    fault: watch::Receiver<Option<String>>,
    polling: JoinHandle<()>,
}

impl Publisher {
    /// Connects to the first server; messages wait until the connection stands.
    ///
    /// # Errors
    /// When a file or the password of the section cannot be read.
    pub fn connect(params: &MqttParams, client_id: &str) -> Result<Self, PublishError> {
        let server = params.servers[0].clone();
        let mut options = connect_options(params, &server, client_id)?;
        options.set_clean_start(false).set_session_expiry_interval(Some(SESSION_EXPIRY_S)).set_max_request_batch(64);
        let (client, events) = AsyncClient::builder(options).capacity(256).build();
        let (faults, fault) = watch::channel(None);
        let qos = if params.is_acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        let polling = tokio::spawn(poll(events, faults));
        Ok(Self { server, client, qos, unconfirmed: VecDeque::new(), fault, polling })
    }

    /// Sends a message; waits when many are unconfirmed.
    ///
    /// # Errors
    /// When the broker cannot be reached for long, or refuses this message or one before it.
    pub async fn publish(&mut self, topic: String, payload: impl Into<Bytes>) -> Result<(), PublishError> {
        self.send(topic, payload.into()).await?;
        while self.unconfirmed.len() >= UNCONFIRMED_MAX {
            self.confirm_first().await?;
        }
        Ok(())
    }

    /// Waits until the broker has confirmed every message, and says goodbye.
    ///
    /// # Errors
    /// When the broker cannot be reached for long or refuses a message.
    pub async fn finish(mut self) -> Result<(), PublishError> {
        while !self.unconfirmed.is_empty() {
            self.confirm_first().await?;
        }
        // The session was for broken connections only; nothing of it is left at the broker.
        let properties = DisconnectProperties {
            session_expiry_interval: Some(0),
            reason_string: None,
            user_properties: Vec::new(),
            server_reference: None,
        };
        let reason = DisconnectReasonCode::NormalDisconnection;
        if self.client.disconnect_with_properties(reason, properties).await.is_ok() {
            // A farewell that does not get through changes nothing: every message is confirmed.
            let _ = tokio::time::timeout(FAREWELL_MAX, &mut self.polling).await;
        }
        Ok(())
    }

    async fn send(&mut self, topic: String, payload: Bytes) -> Result<(), PublishError> {
        let mut fault = self.fault.clone();
        let sending = self.client.publish_tracked(topic.clone(), payload.clone(), PublishOptions::new(self.qos));
        // A connection that was given up refuses every topic: its own fault comes first.
        let sent = tokio::select! {
            biased;
            reason = given_up(&mut fault) => return Err(self.unreachable(reason)),
            sent = sending => sent,
        };
        let notice = sent.map_err(|_| PublishError::Topic { topic: topic.clone() })?;
        self.unconfirmed.push_back((topic, payload, notice));
        Ok(())
    }

    async fn confirm_first(&mut self) -> Result<(), PublishError> {
        let Some((topic, payload, notice)) = self.unconfirmed.pop_front() else { return Ok(()) };
        let mut fault = self.fault.clone();
        let answer = tokio::select! {
            biased;
            answer = notice.wait_completion_async() => answer,
            reason = given_up(&mut fault) => return Err(self.unreachable(reason)),
        };
        match answer {
            Ok(()) => Ok(()),
            // The broker lost the session: everything unconfirmed goes out again, in the same order.
            Err(PublishNoticeError::SessionReset | PublishNoticeError::Recv | PublishNoticeError::Qos0NotFlushed) => {
                let again: Vec<_> = self.unconfirmed.drain(..).map(|(topic, payload, _)| (topic, payload)).collect();
                self.send(topic, payload).await?;
                for (topic, payload) in again {
                    self.send(topic, payload).await?;
                }
                Ok(())
            }
            Err(reason) => Err(PublishError::Refused { topic, reason }),
        }
    }

    fn unreachable(&self, reason: String) -> PublishError {
        PublishError::Unreachable { server: self.server.clone(), reason }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

/// Resolves once the broker has been given up, with the reason.
async fn given_up(fault: &mut watch::Receiver<Option<String>>) -> String {
    match fault.wait_for(Option::is_some).await {
        Ok(reason) => reason.clone().unwrap_or_default(),
        Err(_) => "the connection has ended".to_owned(),
    }
}

/// Drives the connection until it is closed on request or given up.
async fn poll(mut events: EventLoop, fault: watch::Sender<Option<String>>) {
    let mut backoff = Backoff::new(Duration::from_secs(5));
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => backoff.reset(),
            Ok(_) => {}
            Err(rumqttc::ConnectionError::RequestsDone) => return,
            Err(error) => {
                let is_final = matches!(error, rumqttc::ConnectionError::ConnectionRefused(_));
                let wait = backoff.next(&mut rand::rng());
                if is_final || backoff.n_failures() > ATTEMPTS_MAX {
                    fault.send_replace(Some(error.to_string()));
                    return;
                }
                sleep(wait).await;
            }
        }
    }
}
