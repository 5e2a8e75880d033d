//! Transitions on `<base>/alerts`, QoS 1, delivered when the PUBACK has come.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::PublishOptions;

use super::publisher::Shared;
use crate::notify::message::json;
use crate::notify::{AlertMessage, DeliveryError, Notifier};
use crate::store::StoredTransition;

/// How long a connection is waited for before the attempt counts as failed.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the broker may take to acknowledge.
const ACKNOWLEDGE: Duration = Duration::from_secs(15);

/// The target `mqtt` of the outbox.
#[derive(Debug, Clone)]
pub struct MqttNotifier {
    shared: Arc<Shared>,
    topic: String,
}

impl MqttNotifier {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let topic = shared.config.base.topic("alerts");
        Self { shared, topic }
    }
}

impl Notifier for MqttNotifier {
    fn target(&self) -> &str {
        "mqtt"
    }

    async fn deliver(&mut self, told: &StoredTransition) -> Result<(), DeliveryError> {
        let failed = |detail: String| DeliveryError::TryAgain { detail };
        let mut link = self.shared.link.subscribe();
        if tokio::time::timeout(CONNECT, link.wait_for(|link| link.is_up)).await.is_err() {
            return Err(failed("no connection to the broker".to_owned()));
        }
        let payload = json(&AlertMessage::from(&told.transition));
        let acknowledged = async {
            let published =
                self.shared.client.publish_tracked(self.topic.clone(), payload, PublishOptions::at_least_once());
            let notice = published.await.map_err(|e| e.to_string())?;
            notice.wait_completion_async().await.map_err(|e| e.to_string())
        };
        match tokio::time::timeout(ACKNOWLEDGE, acknowledged).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(failed("the broker does not acknowledge".to_owned())),
        }
    }
}
