//! What people ask over MQTT: `<base>/bridge/request/<verb>` with a JSON object, answered on
//! `<base>/bridge/response/<verb>` with `{status, data, error, transaction}`.
//!
//! Verbs: `acknowledge {alert | series}`, `label {alert | series, label, note, author, replace}`,
//! `silence {matchers, …}` or `silence {expire}`, `silences {}`. A `series` means the alert of that series that opened last and is still open, so
//! that a button needs no memory.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::message::SilenceMessage;
use super::{AlertMessage, SilenceRequest};
use crate::series::{SeriesId, Timestamp};
use crate::store::{AlertQuery, NewLabel, Store};
use crate::verdict::{Alert, AlertId, AlertState};

/// The verbs, for the answer to an unknown one.
const VERBS: &str = "acknowledge, label, silence, silences";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    alert: Option<String>,
    series: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    alert: Option<String>,
    series: Option<String>,
    label: Value,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    replace: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    expire: String,
}

/// Does what a request asks for; gives the answer. `now` is the wall clock.
pub(super) async fn answer(store: &Store, verb: &str, payload: &[u8], now: Timestamp) -> Value {
    let (transaction, result) = match serde_json::from_slice::<Value>(payload) {
        Ok(Value::Object(mut request)) => {
            let transaction = request.remove("transaction").unwrap_or(Value::Null);
            (transaction, act(store, verb, Value::Object(request), now).await)
        }
        Ok(other) => (Value::Null, Err(format!("found {}, expected a JSON object", kind(&other)))),
        Err(error) => (Value::Null, Err(format!("the payload is no JSON object: {error}"))),
    };
    match result {
        Ok(data) => json!({"status": "ok", "data": data, "error": null, "transaction": transaction}),
        Err(error) => json!({"status": "error", "data": null, "error": error, "transaction": transaction}),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn read<T: DeserializeOwned>(request: Value) -> Result<T, String> {
    serde_json::from_value(request).map_err(|error| error.to_string())
}

async fn act(store: &Store, verb: &str, request: Value, now: Timestamp) -> Result<Value, String> {
    match verb {
        "acknowledge" => {
            let which: Which = read(request)?;
            let id = find(store, which).await?;
            told(store.acknowledge(&id, now).await.map_err(|e| e.to_string())?, &id)
        }
        "label" => {
            let Label { alert, series, label, note, author, replace } = read(request)?;
            let label = match label {
                Value::Null => None,
                Value::Bool(label) => Some(label),
                other => return Err(format!("label: found {}, expected true, false or null", kind(&other))),
            };
            let new = NewLabel { label, note, author, replaces: replace };
            let id = find(store, Which { alert, series }).await?;
            told(store.label(&id, &new, now).await.map_err(|e| e.to_string())?, &id)
        }
        "silence" if request.get("expire").is_some() => {
            let Expire { expire } = read(request)?;
            let silence = store.expire_silence(&expire, now).await.map_err(|e| e.to_string())?;
            let silence = silence.ok_or_else(|| format!("there is no silence {expire:?}"))?;
            Ok(json!(SilenceMessage::new(&silence, now)))
        }
        "silence" => {
            let spec = read::<SilenceRequest>(request)?.check(now).map_err(|e| e.to_string())?;
            let silence = store.add_silence(spec, now).await.map_err(|e| e.to_string())?;
            Ok(json!(SilenceMessage::new(&silence, now)))
        }
        "silences" => {
            let silences = store.reader().silences(Some(now)).await.map_err(|e| e.to_string())?;
            Ok(json!(silences.iter().map(|s| SilenceMessage::new(s, now)).collect::<Vec<_>>()))
        }
        other => Err(format!("there is no verb {:?}; there are: {VERBS}", other.chars().take(64).collect::<String>())),
    }
}

fn told(alert: Option<Alert>, id: &AlertId) -> Result<Value, String> {
    let alert = alert.ok_or_else(|| format!("there is no alert {:?}", id.0))?;
    Ok(json!(AlertMessage::from(&alert)))
}

async fn find(store: &Store, which: Which) -> Result<AlertId, String> {
    match which {
        Which { alert: Some(id), series: None } => Ok(AlertId(id)),
        Which { alert: None, series: Some(series) } => {
            let series = SeriesId::parse(&series).map_err(|error| format!("series: {error}"))?;
            let query = AlertQuery {
                state: Some(AlertState::Open),
                series: Some(series.clone()),
                limit: 1,
                ..AlertQuery::default()
            };
            let open = store.reader().alerts(&query).await.map_err(|e| e.to_string())?;
            open.into_iter().next().map(|alert| alert.id).ok_or_else(|| format!("no alert of {series} is open"))
        }
        _ => Err("name either an alert, as in {\"alert\": \"0123456789abcdef\"}, or a series".to_owned()),
    }
}
