//! The server task.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

use super::router::router;
use super::state::AppState;

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
    tokio::select! {
        result = server => result,
        () = drained => Ok(()),
    }
}
