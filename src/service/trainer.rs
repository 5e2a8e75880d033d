//! Fits models beside the line, on a thread of its own, from rows that are committed.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc};

use super::batch::{Answer, FitJob, Job, Progress};
use super::measures;
use crate::bundle::ModelBundle;
use crate::pipeline::{
    FitWanted, PowerWanted, SHARED_WARM_ROWS, SharedModels, Trained, Unlearned, adopt, go_on_with, measure_power_of,
    pool_size, recalibrate, train,
};
use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, RowQuery, Store};

/// Rows over which the chain of a stored model is warmed before it takes over.
const ADOPT_ROWS: u32 = 2_000;

/// The trainer with its queues.
pub(super) struct Trainer {
    pub(super) store: Store,
    pub(super) jobs: mpsc::UnboundedReceiver<Job>,
    pub(super) answers: mpsc::UnboundedSender<Answer>,
    pub(super) progress: broadcast::Sender<Progress>,
    pub(super) is_stopping: Arc<AtomicBool>,
    /// Models that series of a kind have in common.
    pub(super) shared: SharedModels,
}

impl Trainer {
    /// Answers one job after another until the queue is closed. What a model would see is measured while nothing waits
    /// to be fitted. Blocks its thread.
    pub(super) fn run(mut self, runtime: &Handle) {
        let mut powers: VecDeque<PowerWanted> = VecDeque::new();
        loop {
            let job = match powers.front() {
                None => self.jobs.blocking_recv(),
                Some(_) => self.jobs.try_recv().ok(),
            };
            if self.is_stopping.load(Ordering::Relaxed) {
                return;
            }
            let job = match (job, powers.is_empty()) {
                (Some(Job::Fit(job)), _) => job,
                (Some(Job::Power(wanted)), _) => {
                    powers.push_back(wanted);
                    continue;
                }
                (None, true) => return,
                (None, false) => {
                    if let Some(wanted) = powers.pop_front() {
                        self.measure(&wanted, runtime);
                    }
                    continue;
                }
            };
            if let Some(answer) = self.share(&job, runtime) {
                // An error means that the pipeline has ended.
                let _ = self.answers.send(answer);
                continue;
            }
            let asked = job.clone();
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
                    if let Some(off) = trained.bundle.provenance.switched_off {
                        tracing::warn!(
                            %series, member = %off.member, gain = off.gain,
                            "the trained member is switched off: injected faults are seen worse with it"
                        );
                    }
                    Ok(trained.bundle.id().to_owned())
                }
                // Power is measured apart from the jobs that are answered here.
                Answer::Power(measured) => Ok(measured.model_id.clone()),
                Answer::Failed { reason, .. } => {
                    tracing::warn!(%series, reason, seconds, "no model could be fitted");
                    Err(reason.clone())
                }
            };
            if let Answer::Trained(trained) = &answer {
                self.shared.keep(&asked.spec, &trained.bundle);
            }
            if let (Answer::Trained(trained), true) =
                (&answer, asked.spec.power.enabled && asked.wanted.model.is_none())
            {
                powers.push_back(PowerWanted {
                    series: series.clone(),
                    bundle: Arc::clone(&trained.bundle),
                    channels: asked.channels,
                    span: (asked.wanted.from, asked.wanted.to),
                    excluded: asked.wanted.excluded,
                });
            }
            // Errors mean that nobody watches, or that the pipeline has ended.
            let _ = self.progress.send(Progress::Fitted { series, result, seconds });
            let _ = self.answers.send(answer);
        }
    }

    /// Spans of a fit's rows in which a silence held the whole series.
    async fn silenced(&self, series: &SeriesId, wanted: &FitWanted) -> Result<Vec<(Timestamp, Timestamp)>, ReadError> {
        let silences = self.store.reader().silences(Some(wanted.from)).await?;
        let held = silences.iter().filter(|silence| silence.holds_series(series));
        Ok(held.flat_map(|silence| silence.spans(wanted.from, wanted.to.plus_ms(1))).collect())
    }

    fn measure(&self, wanted: &PowerWanted, runtime: &Handle) {
        let PowerWanted { series, bundle, span: (from, to), .. } = wanted;
        let begun = Instant::now();
        let frames = match runtime.block_on(self.store.frames_between(series, *from, *to)) {
            Ok(frames) => frames,
            Err(fault) => {
                tracing::warn!(%series, %fault, "what the model would see cannot be measured");
                return;
            }
        };
        let mut go_on = || !self.is_stopping.load(Ordering::Relaxed);
        let Some(measured) = measure_power_of(wanted, &frames, &mut go_on) else { return };
        let (seconds, report) = (begun.elapsed().as_secs_f64(), &measured.report);
        tracing::info!(%series, model = bundle.id(), skill = report.model_skill, seconds, "what the model would see");
        if report.trained_member_hurts() {
            let gain = report.trained_gain;
            tracing::warn!(%series, model = bundle.id(), gain, "injected faults are seen worse with the trained member");
        }
        // An error means that the pipeline has ended.
        let _ = self.answers.send(Answer::Power(Box::new(measured)));
    }

    fn answer(&self, job: FitJob, runtime: &Handle) -> Answer {
        if job.wanted.model.is_some() {
            return self.adopt(job, runtime);
        }
        if let (Some(_), Some(bundle)) = (&job.wanted.recalibrates, &job.bundle) {
            return match runtime.block_on(self.recalibrate(&job, bundle)) {
                Ok(trained) => Answer::Trained(Box::new(trained)),
                Err(reason) => Answer::Failed { wanted: job.wanted, reason },
            };
        }
        let excluded = match runtime.block_on(self.unlearned(&job.wanted.series, &job.wanted.excluded, &job)) {
            Ok(excluded) => excluded,
            Err(reason) => return Answer::Failed { wanted: job.wanted, reason },
        };
        let FitJob { wanted, channels, spec, .. } = job;
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
        let asked = FitWanted { excluded, ..wanted.clone() };
        match train(asked, &frames, &channels, &spec, &mut report) {
            // The pipeline knows its question as it asked it.
            Ok(trained) => Answer::Trained(Box::new(Trained { wanted, ..trained })),
            Err(fault) => Answer::Failed { wanted, reason: fault.to_string() },
        }
    }

    /// The answer to a fit of a series whose kind has a model already.
    fn share(&self, job: &FitJob, runtime: &Handle) -> Option<Answer> {
        let FitJob { wanted, channels, spec, n_usable, .. } = job;
        if let (Some(_), Some(bundle)) = (&wanted.recalibrates, &job.bundle) {
            let grown = self.shared.grown(spec, bundle)?;
            let trained = go_on_with(wanted.clone(), grown, channels, spec).ok()?;
            return Some(Answer::Trained(Box::new(trained)));
        }
        if wanted.model.is_some() {
            return None;
        }
        let bundle = self.shared.find(spec, channels, *n_usable)?;
        let last = last_rows(wanted.to, SHARED_WARM_ROWS);
        let adopted = match runtime.block_on(self.store.reader().frames(&wanted.series, &last)) {
            Ok(mut frames) => {
                frames.reverse();
                adopt(wanted.clone(), bundle, &frames, channels, spec).map_err(|fault| fault.to_string())
            }
            Err(fault) => Err(format!("its rows could not be read: {fault}")),
        };
        Some(match adopted {
            Ok(trained) => Answer::Trained(Box::new(trained)),
            Err(reason) => Answer::Failed { wanted: wanted.clone(), reason },
        })
    }

    /// A larger calibration for the model in charge, by rows of the series and of all that share the model.
    async fn recalibrate(&self, job: &FitJob, bundle: &Arc<ModelBundle>) -> Result<Trained, String> {
        let FitJob { wanted, channels, spec, peers, .. } = job;
        let peers = peers.as_ref().ok_or("the calibration of its kind has grown as far as its rows go")?;
        let unreadable = |fault: ReadError| format!("its rows could not be read: {fault}");
        let own = self.store.frames_between(&wanted.series, wanted.from, wanted.to).await.map_err(unreadable)?;
        let mut gathered = vec![(own, channels, self.unlearned(&wanted.series, &wanted.excluded, job).await?)];
        let (rows_each, _) = pool_size(spec, peers.len() + 1);
        let newest = RowQuery { start: Some(wanted.from), ..last_rows(wanted.to, rows_each as u32) };
        if !peers.is_empty() {
            // All at once instead of one transaction a peer; a fault shows where they are read.
            let _ = self.store.sort_in_all().await;
        }
        for peer in peers {
            let mut frames = self.store.reader().frames(&peer.series, &newest).await.map_err(unreadable)?;
            frames.reverse();
            gathered.push((frames, &peer.channels, self.unlearned(&peer.series, &peer.excluded, job).await?));
        }
        let unlearned = gathered.iter().map(|(frames, channels, excluded)| Unlearned { frames, channels, excluded });
        let pool: Vec<Unlearned<'_>> = unlearned.collect();
        recalibrate(wanted.clone(), &pool, spec, bundle).map_err(|fault| fault.to_string())
    }

    /// Spans of a series that neither fit nor calibration may take in: alerts and, unless asked otherwise, silences.
    async fn unlearned(
        &self,
        series: &SeriesId,
        alerts: &[(Timestamp, Timestamp)],
        job: &FitJob,
    ) -> Result<Vec<(Timestamp, Timestamp)>, String> {
        let mut spans = alerts.to_vec();
        if !job.spec.alerts.learn_silenced {
            let silenced = self.silenced(series, &job.wanted).await;
            spans.extend(silenced.map_err(|fault| format!("silences could not be read: {fault}"))?);
        }
        Ok(spans)
    }

    /// Makes the stored model that a person picked ready to take over.
    fn adopt(&self, job: FitJob, runtime: &Handle) -> Answer {
        let FitJob { wanted, channels, spec, .. } = job;
        let series = wanted.series.clone();
        let last = last_rows(wanted.to, ADOPT_ROWS);
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

/// The last `limit` rows up to a time, newest first.
fn last_rows(to: Timestamp, limit: u32) -> RowQuery {
    RowQuery { end: Some(to.plus_ms(1)), limit, newest_first: true, ..RowQuery::default() }
}
