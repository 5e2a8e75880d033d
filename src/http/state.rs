//! What every handler can reach.

use std::fmt;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use super::about::About;
use super::live::Live;
use super::readiness::Readiness;

/// What the service hands to [`serve`](super::serve). Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// What just happened.
    pub live: Live,
    /// Whether the service does its work.
    pub readiness: watch::Receiver<Readiness>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// What is running.
    pub about: Arc<About>,
    /// True once the server is asked to stop, so that endless answers end.
    pub(super) closing: watch::Sender<bool>,
}

impl AppState {
    /// State over a readiness watch and a metrics handle.
    pub fn new(live: Live, readiness: watch::Receiver<Readiness>, metrics: PrometheusHandle, about: About) -> Self {
        Self { live, readiness, metrics, about: Arc::new(about), closing: watch::Sender::new(false) }
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("about", &self.about).finish_non_exhaustive()
    }
}
