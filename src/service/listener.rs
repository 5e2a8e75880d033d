//! Beside the line: what people say about alerts, on its way to the pipeline.

use tokio::sync::{mpsc, watch};

use crate::pipeline::FalseAlarm;
use crate::series::SeriesId;
use crate::store::{Deed, Store};
use crate::verdict::{Alert, AlertKind, TransitionKind};

/// Transitions looked at in one go.
const BATCH: u32 = 256;

/// What the pipeline has to know.
#[derive(Debug)]
pub(super) enum Said {
    /// An alert was acknowledged or labelled.
    Amended(Box<Alert>),
    /// All alerts of a series that are called false now.
    False(SeriesId, Vec<FalseAlarm>),
}

/// Completes once a stop is asked for.
async fn stopped(stops: &mut watch::Receiver<bool>) {
    // An error means that the supervisor is gone, which is a stop as well.
    let _ = stops.wait_for(|stop| *stop).await;
}

/// The listener with its queue.
pub(super) struct Listener {
    pub(super) store: Store,
    /// Rows of the longest window of any series.
    pub(super) n_time: usize,
    pub(super) to_pipeline: mpsc::UnboundedSender<Said>,
}

impl Listener {
    /// Runs until asked to stop.
    pub(super) async fn run(self, mut stops: watch::Receiver<bool>) {
        let mut deeds = self.store.deeds();
        let mut changes = self.store.outbox_changes();
        let mut seen = self.store.reader().last_transition_id().await.unwrap_or(i64::MAX);
        loop {
            tokio::select! {
                deed = deeds.recv() => match deed {
                    Some(deed) => self.on_deed(deed).await,
                    None => return,
                },
                changed = changes.changed() => match changed {
                    Ok(()) => seen = self.on_transitions(seen).await,
                    Err(_) => return,
                },
                () = stopped(&mut stops) => return,
            }
        }
    }

    async fn on_deed(&self, deed: Deed) {
        let (alert, is_label) = match deed {
            Deed::Acknowledged(alert) => (alert, false),
            Deed::Labelled(alert) => (alert, true),
            Deed::Silenced => return,
        };
        let (series, kind) = (alert.series.clone(), alert.kind);
        // An error means that the pipeline has ended; the store has it all for the next start.
        let _ = self.to_pipeline.send(Said::Amended(Box::new(alert)));
        if is_label && kind == AlertKind::Anomaly {
            self.teach(series).await;
        }
    }

    /// An alert that was called false while it was open teaches all of its rows once it is over.
    async fn on_transitions(&self, mut seen: i64) -> i64 {
        loop {
            let Ok(batch) = self.store.reader().transitions(seen, BATCH).await else { return seen };
            let Some(last) = batch.last() else { return seen };
            seen = last.id;
            for told in batch {
                let alert = told.transition.alert;
                let is_over = told.transition.kind == TransitionKind::Resolved;
                if is_over && alert.label == Some(false) && alert.kind == AlertKind::Anomaly {
                    self.teach(alert.series).await;
                }
            }
        }
    }

    async fn teach(&self, series: SeriesId) {
        match self.store.reader().false_alarms(&series, self.n_time).await {
            Ok(alarms) => drop(self.to_pipeline.send(Said::False(series, alarms))),
            Err(fault) => tracing::error!(%series, %fault, "a label is kept, but takes effect only at the next start"),
        }
    }
}
