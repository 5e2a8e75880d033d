//! The server task.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::live::{Live, LiveEvent};
use super::router::router;
use super::state::AppState;
use crate::store::{AlertQuery, Deed, Store};
use crate::verdict::AlertState;

/// How long answers under way may take once the server is asked to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// Serves the API and the page on a listener until `shutdown` completes; answers under way are finished, event
/// streams are ended.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let watching =
        state.store.as_ref().map(|store| tokio::spawn(tell_deeds(store.deeds(), store.clone(), state.live.clone())));
    let closing = state.closing.clone();
    let mut closed = closing.subscribe();
    let drained = async move {
        // An error means the sender is gone, which ends the server as well.
        let _ = closed.wait_for(|is_closing| *is_closing).await;
        tokio::time::sleep(DRAIN_LIMIT).await;
    };
    let server = axum::serve(listener, router(state)).with_graceful_shutdown(async move {
        shutdown.await;
        closing.send_replace(true);
    });
    let result = tokio::select! {
        result = server => result,
        () = drained => Ok(()),
    };
    if let Some(watching) = watching {
        watching.abort();
    }
    result
}

/// Tells whoever watches what people do, through whichever door they came.
async fn tell_deeds(mut deeds: mpsc::UnboundedReceiver<Deed>, store: Store, live: Live) {
    while let Some(deed) = deeds.recv().await {
        match deed {
            Deed::Acknowledged(alert) | Deed::Labelled(alert) => live.publish(vec![LiveEvent::AlertChanged(alert)]),
            Deed::Silenced => {
                // What an open alert says about its silences may be different now.
                let query = AlertQuery { state: Some(AlertState::Open), ..AlertQuery::default() };
                match store.reader().alerts(&query).await {
                    Ok(open) => live.publish(open.into_iter().map(LiveEvent::AlertChanged).collect()),
                    Err(error) => tracing::warn!(%error, "watchers are not told of a silence"),
                }
            }
        }
    }
}
