//! Fits models beside the line, on a thread of its own, from rows that are committed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc};

use super::batch::{Answer, FitJob, Progress};
use super::measures;
use crate::bundle::ModelBundle;
use crate::pipeline::{FitWanted, Trained, adopt, train};
use crate::series::Timestamp;
use crate::store::{ReadError, RowQuery, Store};

/// Rows over which the chain of a stored model is warmed before it takes over.
const ADOPT_ROWS: u32 = 2_000;

/// The trainer with its queues.
pub(super) struct Trainer {
    pub(super) store: Store,
    pub(super) jobs: mpsc::UnboundedReceiver<FitJob>,
    pub(super) answers: mpsc::UnboundedSender<Answer>,
    pub(super) progress: broadcast::Sender<Progress>,
    pub(super) is_stopping: Arc<AtomicBool>,
}

impl Trainer {
    /// Answers one job after another until the queue is closed. Blocks its thread.
    pub(super) fn run(mut self, runtime: &Handle) {
        while let Some(job) = self.jobs.blocking_recv() {
            if self.is_stopping.load(Ordering::Relaxed) {
                return;
            }
            let series = job.wanted.series.clone();
            let begun = Instant::now();
            let answer = self.answer(job, runtime);
            let seconds = begun.elapsed().as_secs_f64();
            if self.is_stopping.load(Ordering::Relaxed) {
                return;
            }
            measures::on_training(seconds);
            let result = match &answer {
                Answer::Trained(trained) => {
                    tracing::info!(%series, model = trained.bundle.id(), seconds, "a model is fitted");
                    Ok(trained.bundle.id().to_owned())
                }
                Answer::Failed { reason, .. } => {
                    tracing::warn!(%series, reason, seconds, "no model could be fitted");
                    Err(reason.clone())
                }
            };
            // Errors mean that nobody watches, or that the pipeline has ended.
            let _ = self.progress.send(Progress::Fitted { series, result, seconds });
            let _ = self.answers.send(answer);
        }
    }

    /// Spans of a fit's rows in which a silence held the whole series.
    async fn silenced(&self, wanted: &FitWanted) -> Result<Vec<(Timestamp, Timestamp)>, ReadError> {
        let silences = self.store.reader().silences(Some(wanted.from)).await?;
        let held = silences.iter().filter(|silence| silence.holds_series(&wanted.series));
        Ok(held.flat_map(|silence| silence.spans(wanted.from, wanted.to.plus_ms(1))).collect())
    }

    fn answer(&self, job: FitJob, runtime: &Handle) -> Answer {
        if job.wanted.model.is_some() {
            return self.adopt(job, runtime);
        }
        let FitJob { wanted, channels, spec } = job;
        let frames = match runtime.block_on(self.store.frames_between(&wanted.series, wanted.from, wanted.to)) {
            Ok(frames) => frames,
            Err(fault) => return Answer::Failed { wanted, reason: format!("its rows could not be read: {fault}") },
        };
        let series = wanted.series.clone();
        let mut report = |progress| {
            // An error means that nobody watches.
            let _ = self.progress.send(Progress::Fit { series: series.clone(), progress });
            if self.is_stopping.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut asked = wanted.clone();
        if !spec.alerts.learn_silenced {
            match runtime.block_on(self.silenced(&wanted)) {
                Ok(spans) => asked.excluded.extend(spans),
                Err(fault) => return Answer::Failed { wanted, reason: format!("silences could not be read: {fault}") },
            }
        }
        match train(asked, &frames, &channels, &spec, &mut report) {
            // The pipeline knows its question as it asked it.
            Ok(trained) => Answer::Trained(Box::new(Trained { wanted, ..trained })),
            Err(fault) => Answer::Failed { wanted, reason: fault.to_string() },
        }
    }

    /// Makes the stored model that a person picked ready to take over.
    fn adopt(&self, job: FitJob, runtime: &Handle) -> Answer {
        let FitJob { wanted, channels, spec } = job;
        let series = wanted.series.clone();
        let last =
            RowQuery { end: Some(wanted.to.plus_ms(1)), limit: ADOPT_ROWS, newest_first: true, ..RowQuery::default() };
        let read = async {
            let model_id = wanted.model.as_deref().unwrap_or_default();
            let bytes = self.store.load_bundle(model_id).await.map_err(|fault| fault.to_string())?;
            let bytes = bytes.ok_or_else(|| format!("model {model_id} is not in the store"))?;
            let bundle = ModelBundle::decode(&bytes).map_err(|fault| fault.to_string())?;
            let mut frames = self.store.reader().frames(&series, &last).await.map_err(|fault| fault.to_string())?;
            frames.reverse();
            Ok::<_, String>((bundle, frames))
        };
        let adopted = runtime.block_on(read).and_then(|(bundle, frames)| {
            adopt(wanted.clone(), Arc::new(bundle), &frames, &channels, &spec).map_err(|fault| fault.to_string())
        });
        match adopted {
            Ok(trained) => Answer::Trained(Box::new(trained)),
            Err(reason) => Answer::Failed { wanted, reason },
        }
    }
}
