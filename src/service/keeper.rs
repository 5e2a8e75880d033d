//! Beside the line: removes what is older than `[retention]` says, a little at a time.

use std::time::Duration;

use tokio::sync::watch;

use super::supervisor::now;
use crate::store::{Retention, Store};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(60);

/// Rows removed in one transaction at most: commits of new rows wait for it.
const ROWS_MAX: u64 = 20_000;

/// Runs until asked to stop.
pub(super) async fn keep(store: Store, retention: Retention, mut stops: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        match store.forget(&retention, now(), ROWS_MAX).await {
            Ok(forgotten) => tracing::debug!(?forgotten, "old rows removed"),
            Err(fault) => tracing::warn!(%fault, "old rows could not be removed"),
        }
    }
}
