//! One connection that asks a broker whether it would let us in, and leaves no trace: under a name of its own, without
//! a session, so that a running service with the same settings notices nothing.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, Incoming};

use super::{MqttParams, OptionsError, Server, connect_options};

/// How long a broker may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Why a broker would not let us in.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The settings do not even lead to an attempt.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// It refused, or nobody listens.
    #[error("{0}")]
    Refused(String),
    /// It does not answer.
    #[error("no answer within {} s", ANSWER_LIMIT.as_secs())]
    Silent,
}

/// Connects to a broker and leaves again.
///
/// # Errors
/// When a file cannot be read, or the broker refuses or does not answer.
pub async fn probe(params: &MqttParams, server: &Server) -> Result<(), ProbeError> {
    let name = format!("{}-check-{}", params.config.client_id, std::process::id());
    let mut options = connect_options(params, server, &name)?;
    options.set_clean_start(true);
    let (client, mut event_loop) = AsyncClient::builder(options).capacity(4).build();
    let answered = async {
        loop {
            match event_loop.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(ProbeError::Refused(error.to_string())),
            }
        }
    };
    let answer = tokio::time::timeout(ANSWER_LIMIT, answered).await.unwrap_or(Err(ProbeError::Silent));
    // A polite farewell, when it can still be said.
    if answer.is_ok() && client.disconnect().await.is_ok() {
        let _ = tokio::time::timeout(ANSWER_LIMIT, event_loop.poll()).await;
    }
    answer
}
