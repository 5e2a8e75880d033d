//! `alerts/stream` and `live`: server-sent events.
//!
//! `alerts/stream` is a record: it reads the transitions table, so a client that comes back with `Last-Event-ID`
//! misses nothing and gets nothing twice; the broadcast only wakes it. `live` is a convenience: it forwards the
//! broadcast, and says `lagged` when the client is too slow for it. Neither holds more than one batch in memory, and
//! neither makes anybody wait.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use utoipa::IntoParams;

use super::error::{ApiError, Problem};
use super::extract::Query;
use super::live::LiveEvent;
use super::series::parse_series;
use super::state::AppState;
use super::view::{EventView, LaggedView, Moment, TransitionView};
use crate::series::SeriesId;
use crate::store::{ReadError, Reader};

/// Transitions read at once.
const BATCH: u32 = 256;
/// How often the table is read although nothing woke the stream: another program may have written.
const POLL: Duration = Duration::from_secs(5);
/// A comment this often keeps proxies from closing a quiet stream, and finds out clients that are gone.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

type Events =
    Sse<axum::response::sse::KeepAliveStream<std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>>>;

fn respond(stream: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Events {
    let stream: std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>> = Box::pin(stream);
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name);
    // The forms of the API always turn into JSON; an empty event is better than none should one ever not.
    event.clone().json_data(data).unwrap_or(event)
}

fn permit(state: &AppState) -> Result<OwnedSemaphorePermit, ApiError> {
    let full = |_| ApiError::Unavailable("too many event streams are open; close one or try again later".to_owned());
    state.streams.clone().try_acquire_owned().map_err(full)
}

/// Completes when the server is asked to stop.
async fn closed(closing: &mut watch::Receiver<bool>) {
    // An error means the sender is gone: the server has stopped.
    let _ = closing.wait_for(|is_closing| *is_closing).await;
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ResumeParameters {
    /// Send what came after this transition; as the header `Last-Event-ID`, for clients that cannot set it. 0 sends
    /// everything that is kept.
    #[param(minimum = 0)]
    last_event_id: Option<u64>,
}

/// Transitions of alerts as they are committed, as server-sent events named `transition`. With `Last-Event-ID` (0 for
/// the beginning) it first sends what came after that one; without, it starts now. An event `lagged` means that the id
/// is unknown here, so nothing could be resumed.
#[utoipa::path(get, path = "/api/v1/alerts/stream", tag = "alerts",
    params(ResumeParameters, ("Last-Event-ID" = Option<u64>, Header, description = "Id of the last event received")),
    responses(
    (status = 200, description = "A stream of events", body = TransitionView, content_type = "text/event-stream"),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer, or too many streams are open", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn alerts(
    State(state): State<AppState>,
    Query(parameters): Query<ResumeParameters>,
    headers: HeaderMap,
) -> Result<Events, ApiError> {
    let permit = permit(&state)?;
    let asked = resume_from(&headers)?.or(parameters.last_event_id);
    // Subscribed before the table is read: what is committed in between wakes the stream.
    let watcher = state.live.subscribe();
    let newest = state.reader.last_transition_id().await?;
    let mut queue = VecDeque::new();
    let after = match asked.map(i64::try_from) {
        None => newest,
        Some(Ok(id)) if id <= newest => id,
        Some(_) => {
            queue.push_back(event("lagged", &LaggedView { missed: 0 }));
            newest
        }
    };
    let stream = Transitions {
        reader: state.reader,
        watcher,
        closing: state.closing.subscribe(),
        after,
        queue,
        _permit: permit,
    };
    Ok(respond(unfold(stream, Transitions::next)))
}

fn resume_from(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else { return Ok(None) };
    let unreadable = || ApiError::Parameter {
        parameter: "Last-Event-ID",
        found: format!("{value:?}"),
        expected: "the id of an event".to_owned(),
    };
    value.to_str().ok().and_then(|text| text.trim().parse().ok()).map(Some).ok_or_else(unreadable)
}

struct Transitions {
    reader: Reader,
    watcher: broadcast::Receiver<Arc<[LiveEvent]>>,
    closing: watch::Receiver<bool>,
    /// Id of the last transition queued.
    after: i64,
    queue: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Transitions {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            let read = self.reader.transitions(self.after, BATCH).await;
            let Ok(batch) = read.inspect_err(unanswered) else { return None };
            if batch.is_empty() {
                tokio::select! {
                    () = closed(&mut self.closing) => return None,
                    () = woken(&mut self.watcher) => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
            if batch.is_empty() {
                continue;
            }
            let Ok(silences) = self.reader.silences(None).await.inspect_err(unanswered) else { return None };
            let now = Moment::now().0;
            for stored in batch {
                self.after = stored.id;
                let view = TransitionView::new(stored, &silences, now);
                self.queue.push_back(event("transition", &view).id(view.id.to_string()));
            }
        }
    }
}

/// The stream ends, and its client comes back: with the id of the last event it has seen, where events have one.
fn unanswered(error: &ReadError) {
    tracing::warn!(%error, "an event stream ends: the store does not answer");
}

/// Completes when a transition has been committed.
async fn woken(watcher: &mut broadcast::Receiver<Arc<[LiveEvent]>>) {
    loop {
        match watcher.recv().await {
            Ok(events) if events.iter().any(|event| matches!(event, LiveEvent::Transition(_))) => return,
            Ok(_) => {}
            // There may have been one among those missed; the table knows.
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LiveParameters {
    /// Only events of this series.
    series: Option<String>,
    /// True also sends every score and settled score; otherwise states, transitions and what people did.
    #[serde(default)]
    scores: bool,
}

/// What just happened, as server-sent events: `score`, `settled`, `state`, `warm_up`, `transition`, `alert_changed`. A client that
/// is too slow gets `lagged` with the number of commits it missed and should read the resources again; there is no
/// resuming here, see `alerts/stream` for that.
#[utoipa::path(get, path = "/api/v1/live", tag = "series", params(LiveParameters), responses(
    (status = 200, description = "A stream of events", body = EventView, content_type = "text/event-stream"),
    (status = 400, description = "A parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such series", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn live(
    State(state): State<AppState>,
    Query(parameters): Query<LiveParameters>,
) -> Result<Events, ApiError> {
    let permit = permit(&state)?;
    let series = parameters.series.as_deref().map(parse_series).transpose()?;
    if let Some(series) = &series {
        state.reader.one_series(series).await?;
    }
    let watcher = Watcher {
        reader: state.reader,
        events: state.live.subscribe(),
        closing: state.closing.subscribe(),
        series,
        scores: parameters.scores,
        queue: VecDeque::from([Event::default().comment("connected")]),
        _permit: permit,
    };
    Ok(respond(unfold(watcher, Watcher::next)))
}

struct Watcher {
    reader: Reader,
    events: broadcast::Receiver<Arc<[LiveEvent]>>,
    closing: watch::Receiver<bool>,
    series: Option<SeriesId>,
    scores: bool,
    queue: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    fn wants(&self, event: &LiveEvent) -> bool {
        let is_score = matches!(event, LiveEvent::Score { .. } | LiveEvent::Settled { .. });
        (self.scores || !is_score) && self.series.as_ref().is_none_or(|series| series == event.series())
    }

    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            let received = tokio::select! {
                () = closed(&mut self.closing) => return None,
                received = self.events.recv() => received,
            };
            match received {
                Ok(events) => {
                    let wanted: Vec<&LiveEvent> = events.iter().filter(|event| self.wants(event)).collect();
                    let names_alert =
                        |event: &&LiveEvent| matches!(event, LiveEvent::Transition(_) | LiveEvent::AlertChanged(_));
                    let mut silences = Vec::new();
                    if wanted.iter().any(names_alert) {
                        let read = self.reader.silences(None).await.inspect_err(unanswered);
                        let Ok(found) = read else { return None };
                        silences = found;
                    }
                    let now = Moment::now().0;
                    self.queue.extend(wanted.into_iter().map(|happened| {
                        let view = EventView::new(happened, &silences, now);
                        event(view.name(), &view)
                    }));
                }
                Err(RecvError::Lagged(missed)) => self.queue.push_back(event("lagged", &LaggedView { missed })),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
