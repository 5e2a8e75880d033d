//! The plant's side of the broker: rows go out as MQTT messages, alerts and states come back.

use std::net::SocketAddr;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, PublishOptions, QoS};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::plant::PlantRow;

/// Topic template of the plant's messages.
pub const PUBLISHER_TOPIC: &str = "plant/{series}";

/// Messages that may wait for the socket; a full queue makes the plant wait.
const QUEUE_MESSAGES: usize = 256;

/// The plant lost its broker.
#[derive(Debug, thiserror::Error)]
#[error("the plant cannot publish: the connection to its broker is gone")]
pub struct PublishError;

/// A connection of the plant to a broker.
#[derive(Debug)]
pub struct Publisher {
    client: AsyncClient,
    polling: JoinHandle<()>,
}

/// A message that came back.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Publisher {
    /// Connects to a broker and subscribes to `topics`; what arrives there comes out of the receiver.
    ///
    /// # Errors
    /// When the broker does not answer or refuses.
    pub async fn connect(
        address: SocketAddr,
        topics: &[&str],
    ) -> Result<(Self, mpsc::UnboundedReceiver<Heard>), PublishError> {
        let mut options = MqttOptions::new("kilter-plant", (address.ip().to_string(), address.port()));
        options.set_keep_alive(30);
        let (client, mut event_loop) = AsyncClient::builder(options).capacity(QUEUE_MESSAGES).build();
        for topic in topics {
            client.subscribe(*topic, QoS::AtLeastOnce).await.map_err(|_| PublishError)?;
        }
        // What is published before the broker has confirmed a subscription may pass it by.
        let mut n_waiting = topics.len();
        while n_waiting > 0 {
            let event = event_loop.poll().await.map_err(|_| PublishError)?;
            n_waiting -= usize::from(matches!(event, Event::Incoming(Incoming::SubAck(_))));
        }
        // Unbounded on purpose: the polling task must never wait, and only alerts and states come this way.
        let (sender, receiver) = mpsc::unbounded_channel();
        let polling = tokio::spawn(async move {
            while let Ok(event) = event_loop.poll().await {
                if let Event::Incoming(Incoming::Publish(message)) = event {
                    let topic = String::from_utf8_lossy(&message.topic).into_owned();
                    // Nobody listening any more is no reason to stop publishing.
                    let _ = sender.send(Heard { topic, payload: message.payload.to_vec() });
                }
            }
        });
        Ok((Self { client, polling }, receiver))
    }

    /// Sends a row, at least once.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn publish(&self, row: &PlantRow) -> Result<(), PublishError> {
        if self.polling.is_finished() {
            return Err(PublishError);
        }
        let options = PublishOptions::new(QoS::AtLeastOnce);
        self.client.publish(topic_of(row), payload_of(row), options).await.map_err(|_| PublishError)
    }
}

/// The topic of a row, as [`PUBLISHER_TOPIC`] says.
fn topic_of(row: &PlantRow) -> String {
    PUBLISHER_TOPIC.replace("{series}", row.series.as_str())
}

/// A row as one JSON object: `{"time": …, "load": …, "current": …}`.
fn payload_of(row: &PlantRow) -> String {
    let channels = row.kind.channels().iter().zip(&row.values);
    let mut object: Map<String, Value> = channels.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    object.insert("time".to_owned(), json!(row.at.to_string()));
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Stride, Timestamp};
    use crate::simulate::{Plant, PlantSpec, Schedule, start_broker};

    #[tokio::test]
    async fn a_subscriber_hears_every_row_that_was_published() {
        let spec = PlantSpec { seed: 1, starts_at: Timestamp::from_ms(1_795_478_400_000), stride: Stride::SECOND };
        let address = start_broker().expect("loopback has a free port");
        let (publisher, mut heard) = Publisher::connect(address, &["plant/#"]).await.expect("connected");
        let rows: Vec<_> = Plant::new(spec, Schedule::clean()).take(400).collect();
        for row in &rows {
            publisher.publish(row).await.expect("published");
        }
        for row in &rows {
            let message = heard.recv().await.expect("still connected");
            assert_eq!(message.topic, format!("plant/{}", row.series));
            let object: Value = serde_json::from_slice(&message.payload).expect("an object");
            assert_eq!(object["time"], row.at.to_string());
            assert_eq!(object["current"], row.values[1]);
        }
    }
}
