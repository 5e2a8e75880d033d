//! What every handler can reach.

use std::fmt;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, mpsc, watch};

use super::about::About;
use super::activation::Activation;
use super::live::Live;
use super::readiness::Readiness;
use crate::series::SeriesId;
use crate::store::{Reader, Store};

/// What a person asks of the pipeline. Rare, so the queue needs no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Take back the level shifts that a series has accepted.
    UndoShift {
        /// The series.
        series: SeriesId,
    },
}

/// What the service hands to [`serve`](super::serve). Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// Answers questions.
    pub reader: Reader,
    /// Writes what people do to alerts; none in a service that only reads.
    pub store: Option<Store>,
    /// Where picks of people go; none where nothing judges.
    pub activations: Option<mpsc::Sender<Activation>>,
    /// Takes what people ask of the pipeline; none in a service that only reads.
    pub deeds: Option<mpsc::UnboundedSender<Deed>>,
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
    /// One permit for each event stream that may be open.
    pub(super) streams: Arc<Semaphore>,
}

/// Event streams open at once: each holds a socket and a few kilobytes.
const STREAMS_MAX: usize = 256;

impl AppState {
    /// State over a store, with nothing to tell yet: set the other fields where there is.
    pub fn new(
        reader: Reader,
        store: Option<Store>,
        readiness: watch::Receiver<Readiness>,
        metrics: PrometheusHandle,
    ) -> Self {
        Self {
            reader,
            store,
            activations: None,
            deeds: None,
            live: Live::new(),
            readiness,
            metrics,
            about: Arc::new(About::default()),
            closing: watch::Sender::new(false),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("about", &self.about).finish_non_exhaustive()
    }
}
