//! Alerts by e-mail: one plain message a transition, over SMTP.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::{Mailbox, MessageBuilder, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Message, SmtpTransport, Transport};

use super::delivery::{DeliveryError, Notifier};
use super::topics::encode_series;
use super::{EmailConfig, EmailFault};
use crate::store::StoredTransition;
use crate::verdict::{Alert, TransitionKind};

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Channels named in a message at most.
const CHANNELS_MAX: usize = 8;

/// Sends transitions to the people of one entry.
#[derive(Debug, Clone)]
pub struct EmailNotifier {
    target: String,
    escalates_after: Option<Duration>,
    from: Mailbox,
    to: Vec<Mailbox>,
    external_url: String,
    transport: Arc<SmtpTransport>,
}

impl EmailNotifier {
    /// A notifier for an entry of the configuration.
    ///
    /// # Errors
    /// When an address or the server cannot be read.
    pub fn new(config: &EmailConfig) -> Result<Self, EmailFault> {
        let mailbox = |key: &'static str, text: &str| {
            let fault = |_| EmailFault {
                key,
                found: format!("{text:?}"),
                allowed: "an address, as in kilter@example.com or Kilter <kilter@example.com>".to_owned(),
            };
            text.parse::<Mailbox>().map_err(fault)
        };
        let allowed = "smtp://host:25, smtp://host:587?tls=required or smtps://host:465";
        let fault =
            |_| EmailFault { key: "server", found: format!("{:?}", config.server), allowed: allowed.to_owned() };
        let mut builder = SmtpTransport::from_url(&config.server).map_err(fault)?.timeout(Some(TIMEOUT));
        if !config.username.is_empty() {
            builder = builder.credentials(Credentials::new(config.username.clone(), config.password.clone()));
        }
        if config.to.is_empty() {
            let (found, allowed) = ("no address".to_owned(), "at least one".to_owned());
            return Err(EmailFault { key: "to", found, allowed });
        }
        Ok(Self {
            target: format!("email:{}", config.name),
            escalates_after: config.unacknowledged_for.map(|length| length.to_std()),
            from: mailbox("from", &config.from)?,
            to: config.to.iter().map(|text| mailbox("to", text)).collect::<Result<_, _>>()?,
            external_url: config.external_url.trim_end_matches('/').to_owned(),
            transport: Arc::new(builder.build()),
        })
    }

    fn message(&self, told: &StoredTransition) -> Result<Message, DeliveryError> {
        let transition = &told.transition;
        let alert = &transition.alert;
        let verb = match transition.kind {
            TransitionKind::Opened if alert.openings > 1 => "opened again",
            TransitionKind::Opened => "opened",
            TransitionKind::Resolved => "resolved",
        };
        let subject = format!("[{}] {} {verb}: {}", alert.severity, alert.kind, alert.series);
        // Mail programs show an alert's messages together, and drop one that comes twice.
        let thread = format!("<alert-{}@kilter>", alert.id);
        let mut builder: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(format!("<alert-{}-{}@kilter>", alert.id, transition.sequence)))
            .references(thread);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let refused = |e: lettre::error::Error| DeliveryError::Refused { detail: e.to_string() };
        builder.header(ContentType::TEXT_PLAIN).body(self.text(alert, verb)).map_err(refused)
    }

    fn text(&self, alert: &Alert, verb: &str) -> String {
        let value = |value: Option<f64>| value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:.4}"));
        let channels: String = alert
            .channels
            .iter()
            .take(CHANNELS_MAX)
            .map(|part| {
                format!(
                    "  {}: observed {}, expected {} ({:.0} % of the blame)\n",
                    part.channel,
                    value(part.observed),
                    value(part.expected),
                    100.0 * part.contribution
                )
            })
            .collect();
        let resolved = alert.resolved_at.map_or_else(String::new, |at| format!("Resolved  {at}\n"));
        let link = match self.external_url.is_empty() {
            true => String::new(),
            false => format!("\n{}/#/series/{}\n", self.external_url, encode_series(&alert.series)),
        };
        format!(
            "{} of {} {verb}.\n\nOpened    {}\n{resolved}Severity  {}\nScore     {:.2} at its peak (1 is notable)\n\
             P-value   {:.2e}\nBudget    {}\nAlert     {}\n\nChannels, most to blame first:\n{channels}{link}",
            alert.kind,
            alert.series,
            alert.opened_at,
            alert.severity,
            alert.peak_score,
            alert.p_value,
            alert.alarm_budget,
            alert.id
        )
    }
}

impl Notifier for EmailNotifier {
    fn target(&self) -> &str {
        &self.target
    }

    fn escalates_after(&self) -> Option<Duration> {
        self.escalates_after
    }

    async fn deliver(&mut self, told: &StoredTransition) -> Result<(), DeliveryError> {
        let message = self.message(told)?;
        let transport = Arc::clone(&self.transport);
        let sent = tokio::task::spawn_blocking(move || transport.send(&message)).await;
        match sent {
            Ok(Ok(_)) => Ok(()),
            // The server refuses this message for good (5xx); everything else may be better later.
            Ok(Err(error)) if error.is_permanent() => Err(DeliveryError::Refused { detail: error.to_string() }),
            Ok(Err(error)) => Err(DeliveryError::TryAgain { detail: error.to_string() }),
            Err(error) => Err(DeliveryError::TryAgain { detail: error.to_string() }),
        }
    }
}
