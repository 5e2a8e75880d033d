//! Beside the line: gauges that nobody sets on the way, because they say how things are and not what happened.

use std::time::Duration;

use tokio::sync::mpsc::WeakSender;
use tokio::sync::watch;

use super::batch::Batch;
use super::measures;
use crate::ingest::Message;
use crate::store::{ReadError, Store};

/// Between two looks: a scrape is never older.
const PERIOD: Duration = Duration::from_secs(2);

/// What is looked at.
pub(super) struct Gauges {
    pub(super) store: Store,
    /// Who is told: the store also remembers receivers of former configurations.
    pub(super) targets: Vec<String>,
    pub(super) messages: WeakSender<Message>,
    pub(super) batches: WeakSender<Batch>,
}

impl Gauges {
    /// Looks until asked to stop, the first time at once.
    pub(super) async fn run(self, mut stops: watch::Receiver<bool>) {
        loop {
            if let Err(fault) = self.look().await {
                tracing::debug!(%fault, "the store does not tell how much there is");
            }
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                _ = stops.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn look(&self) -> Result<(), ReadError> {
        // Queues that stand still are counted too: whoever would take from them is waiting itself.
        if let Some(queue) = self.messages.upgrade() {
            measures::on_queue("messages", queue.max_capacity() - queue.capacity());
        }
        if let Some(queue) = self.batches.upgrade() {
            measures::on_queue("commits", queue.max_capacity() - queue.capacity());
        }
        measures::on_disk(self.store.disk());
        let reader = self.store.reader();
        measures::on_tally(&reader.tally().await?);
        for target in reader.targets().await?.iter().filter(|target| self.targets.contains(&target.name)) {
            measures::on_pending(target);
        }
        Ok(())
    }
}
