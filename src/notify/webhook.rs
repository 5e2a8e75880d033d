//! Alerts by HTTP, in the shape of Alertmanager's webhook, version 4: receivers that exist understand it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::delivery::{DeliveryError, Notifier};
use super::signature::hmac_sha256;
use super::topics::encode_series;
use super::{AlertMessage, WebhookConfig};
use crate::store::StoredTransition;
use crate::verdict::{Alert, AlertState};

/// How long a receiver may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What Alertmanager sends for "not over yet".
const NO_END: &str = "0001-01-01T00:00:00Z";

/// Posts transitions to one receiver.
#[derive(Debug, Clone)]
pub struct WebhookNotifier {
    target: String,
    config: Arc<WebhookConfig>,
    agent: ureq::Agent,
}

impl WebhookNotifier {
    /// A notifier for a receiver.
    pub fn new(config: WebhookConfig) -> Self {
        let settings = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        Self {
            target: format!("webhook:{}", config.name),
            config: Arc::new(config),
            agent: settings.build().new_agent(),
        }
    }
}

impl Notifier for WebhookNotifier {
    fn target(&self) -> &str {
        &self.target
    }

    fn escalates_after(&self) -> Option<Duration> {
        self.config.unacknowledged_for.map(|length| length.to_std())
    }

    async fn deliver(&mut self, told: &StoredTransition) -> Result<(), DeliveryError> {
        let body = payload(&self.config, told).to_string();
        let (config, agent) = (Arc::clone(&self.config), self.agent.clone());
        let sent = tokio::task::spawn_blocking(move || post(&agent, &config, body));
        sent.await.unwrap_or_else(|e| Err(DeliveryError::TryAgain { detail: e.to_string() }))
    }
}

fn post(agent: &ureq::Agent, config: &WebhookConfig, body: String) -> Result<(), DeliveryError> {
    let mut request = agent.post(&config.url).content_type("application/json");
    if !config.secret.is_empty() {
        let signature = hmac_sha256(config.secret.as_bytes(), body.as_bytes());
        request = request.header("X-Kilter-Signature", format!("sha256={signature}"));
    }
    let answer = request.send(body).map_err(|e| match e {
        // What was configured cannot be asked at all; no later attempt will differ.
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => DeliveryError::Refused { detail: e.to_string() },
        e => DeliveryError::TryAgain { detail: e.to_string() },
    })?;
    judge_status(answer.status().as_u16())
}

/// 2xx has arrived. A client error will be one again, except for those that speak of time.
fn judge_status(status: u16) -> Result<(), DeliveryError> {
    let detail = format!("the receiver answered with status {status}");
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 => Err(DeliveryError::TryAgain { detail }),
        400..=499 => Err(DeliveryError::Refused { detail }),
        _ => Err(DeliveryError::TryAgain { detail }),
    }
}

/// <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>
fn payload(config: &WebhookConfig, told: &StoredTransition) -> Value {
    let alert = &told.transition.alert;
    let status = status(alert);
    let labels = labels(alert);
    let annotations = annotations(alert);
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alert_id=\"{}\"}}", alert.id),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": config.name,
        "groupLabels": {"alert_id": alert.id.0},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": config.external_url,
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": alert.opened_at.to_string(),
            "endsAt": alert.resolved_at.map_or_else(|| NO_END.to_owned(), |at| at.to_string()),
            "generatorURL": format!(
                "{}/#/series/{}", config.external_url.trim_end_matches('/'), encode_series(&alert.series)
            ),
            "fingerprint": alert.id.0,
            // Beyond Alertmanager's fields: the alert as the API gives it, with its sequence.
            "kilter": AlertMessage::from(&told.transition),
        }],
    })
}

fn status(alert: &Alert) -> &'static str {
    match alert.state {
        AlertState::Open => "firing",
        AlertState::Resolved => "resolved",
    }
}

fn labels(alert: &Alert) -> Value {
    json!({
        "alertname": format!("Kilter{}", camel(alert.kind.as_str())),
        "series": alert.series.as_str(),
        "kind": alert.kind.as_str(),
        "severity": alert.severity.as_str(),
        "alert_id": alert.id.0,
    })
}

fn annotations(alert: &Alert) -> Value {
    let blamed: Vec<_> = alert.channels.iter().take(3).map(|c| c.channel.as_str()).collect();
    let summary = match blamed.is_empty() {
        true => format!("{}: {}", alert.series, alert.kind),
        false => format!("{}: {} on {}", alert.series, alert.kind, blamed.join(", ")),
    };
    json!({
        "summary": summary,
        "description": format!(
            "Peak score {:.2} (1 is notable), p-value {:.2e}, budget {}.", alert.peak_score, alert.p_value, alert.alarm_budget
        ),
    })
}

/// `out_of_range` → `OutOfRange`.
fn camel(words: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    words.split('_').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_alerts_are_written_as_prometheus_writes_them() {
        assert_eq!(camel("out_of_range"), "OutOfRange");
        assert_eq!(camel("anomaly"), "Anomaly");
    }

    #[test]
    fn an_answer_says_whether_to_try_again() {
        assert_eq!(judge_status(204), Ok(()));
        for (status, is_final) in [(400, true), (404, true), (408, false), (429, false), (500, false), (301, false)] {
            let is_refused = matches!(judge_status(status), Err(DeliveryError::Refused { .. }));
            assert_eq!(is_refused, is_final, "{status}");
        }
    }
}
