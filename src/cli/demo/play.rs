//! What happens on the stage: the plant learns in fast motion, waits for its models, then lives on with faults.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::CliError;
use super::bars::Bars;
use super::voice::Voice;
use crate::http::{Live, LiveEvent, Readiness};
use crate::series::Timestamp;
use crate::service::Progress;
use crate::simulate::{DemoPlan, MACHINES, Plant, Publisher, Tally, WARM_UP_ROWS};
use crate::verdict::TransitionKind;

/// What start, warm-up and fits take of the run, about, in seconds.
const PREPARATION_SECONDS: f64 = 45.0;
/// The shortest live part, in seconds.
const LIVE_SECONDS_MIN: f64 = 20.0;
/// How long the service may take to subscribe.
const LISTEN_LIMIT: Duration = Duration::from_secs(20);
/// Rows after the last one of the warm-up until that one is closed for sure: readings may be late.
const CLOSING_ROWS: usize = 2;
/// Time between two rows while models are fitted.
const WALK: Duration = Duration::from_secs(1);
/// How long the plant waits for its models.
const FITS_LIMIT: Duration = Duration::from_secs(600);
/// How long after the last row alerts may still come.
const AFTERGLOW: Duration = Duration::from_millis(1500);

/// Names of series whose first fit has ended.
type FittedSeries = BTreeSet<String>;

/// How fast, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    minutes: f64,
    speed: f64,
}

impl Pace {
    /// Checks the arguments.
    pub(super) fn check(minutes: f64, speed: f64) -> Result<Self, CliError> {
        if !(0.5..=1440.0).contains(&minutes) {
            return Err(CliError::Usage(format!("--minutes: found {minutes}; allowed: 0.5 to 1440")));
        }
        if !(1.0..=100_000.0).contains(&speed) {
            return Err(CliError::Usage(format!("--speed: found {speed}; allowed: 1 to 100000")));
        }
        Ok(Self { minutes, speed })
    }

    /// Rows of each machine after the warm-up.
    pub(super) fn n_live_rows(self) -> usize {
        let live_seconds = (self.minutes * 60.0 - PREPARATION_SECONDS).max(LIVE_SECONDS_MIN);
        (live_seconds * self.speed / 60.0) as usize
    }
}

/// The plant on its way through the plan.
#[derive(Debug)]
pub(super) struct Play {
    plan: DemoPlan,
    plant: Plant,
    pace: Pace,
    publisher: Publisher,
    bars: Bars,
    voice: Voice,
    fitted: watch::Receiver<FittedSeries>,
    readiness: watch::Receiver<Readiness>,
    n_rows: usize,
}

impl Play {
    /// Connects the plant to the broker.
    pub(super) async fn begin(
        plan: &DemoPlan,
        pace: Pace,
        broker: SocketAddr,
        bars: Bars,
        voice: Voice,
        fitted: watch::Receiver<FittedSeries>,
        readiness: watch::Receiver<Readiness>,
    ) -> Result<Self, CliError> {
        let (publisher, _) = Publisher::connect(broker, &[]).await.map_err(CliError::failed)?;
        Ok(Self { plant: plan.plant(), plan: plan.clone(), pace, publisher, bars, voice, fitted, readiness, n_rows: 0 })
    }

    /// From the first row to the last.
    pub(super) async fn run(&mut self) -> Result<(), CliError> {
        // What is sent before the service has subscribed, nobody hears.
        let listening = timeout(LISTEN_LIMIT, self.readiness.wait_for(Readiness::is_ready));
        let is_listening = listening.await.is_ok_and(|answer| answer.is_ok());
        if !is_listening {
            return Err(CliError::Failed("the service does not listen to the broker".to_owned()));
        }
        self.voice.warming_up(WARM_UP_ROWS)?;
        while self.n_rows < WARM_UP_ROWS + CLOSING_ROWS {
            self.publish_row().await?;
            if self.n_rows.is_multiple_of(64) || self.n_rows >= WARM_UP_ROWS {
                for (name, _) in MACHINES {
                    self.bars.on_warm_up(name, self.n_rows.min(WARM_UP_ROWS) as u64, WARM_UP_ROWS as u64);
                }
            }
        }
        self.wait_for_models().await?;
        self.voice.live(self.pace.speed)?;
        let begun = Instant::now();
        let first_row = self.n_rows;
        while self.n_rows < self.plan.n_rows {
            let seconds = (self.n_rows - first_row) as f64 * self.plan.spec.stride.as_ms() as f64 / 1e3;
            sleep_until(begun + Duration::from_secs_f64(seconds / self.pace.speed)).await;
            self.tell_new_faults()?;
            self.publish_row().await?;
        }
        sleep(AFTERGLOW).await;
        Ok(())
    }

    /// The plant goes on at a walk while its models are fitted; the service keeps these rows and judges them afterwards.
    async fn wait_for_models(&mut self) -> Result<(), CliError> {
        let deadline = Instant::now() + FITS_LIMIT;
        while self.fitted.borrow().len() < MACHINES.len() {
            if Instant::now() > deadline {
                return Err(CliError::Failed(format!("no models after {} s of learning", FITS_LIMIT.as_secs())));
            }
            // Either something has been fitted, or a second has passed.
            let _ = timeout(WALK, self.fitted.changed()).await;
            self.tell_new_faults()?;
            self.publish_row().await?;
        }
        Ok(())
    }

    /// Event time of the last row that was published.
    pub(super) fn last_at(&self) -> Timestamp {
        self.plan.spec.at_row(self.n_rows.saturating_sub(1))
    }

    async fn publish_row(&mut self) -> Result<(), CliError> {
        for _ in MACHINES {
            if let Some(row) = self.plant.next() {
                self.publisher.publish(&row).await.map_err(CliError::failed)?;
            }
        }
        self.n_rows += 1;
        Ok(())
    }

    fn tell_new_faults(&self) -> Result<(), CliError> {
        let at = self.plan.spec.at_row(self.n_rows);
        let mut faults = self.plan.schedule.faults().iter().filter(|fault| fault.starts_at == at);
        faults.try_for_each(|fault| self.voice.injected(fault))
    }
}

/// Prints every alert as its transitions are committed, until the service ends.
pub(super) async fn watch_alerts(live: Live, voice: Voice, tally: Arc<Mutex<Tally>>) -> Result<(), CliError> {
    let mut events = live.subscribe();
    // The service holds the other end; ours must not keep it open.
    drop(live);
    loop {
        let batch = match events.recv().await {
            Ok(batch) => batch,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        };
        for event in batch.iter() {
            let LiveEvent::Transition(transition) = event else { continue };
            match transition.kind {
                // One that came back is told as it resolves again; it was counted when it first opened.
                TransitionKind::Opened if transition.sequence > 1 => {}
                TransitionKind::Opened => {
                    let cause = tally.lock().unwrap_or_else(PoisonError::into_inner).on_opened(&transition.alert);
                    voice.opened(&transition.alert, &cause)?;
                }
                TransitionKind::Resolved => voice.resolved(&transition.alert)?,
            }
        }
    }
}

/// Shows how far the fits are, and collects the series whose first fit has ended.
pub(super) fn watch_fits(
    mut progress: broadcast::Receiver<Progress>,
    bars: Bars,
) -> (watch::Receiver<FittedSeries>, JoinHandle<()>) {
    let (sender, receiver) = watch::channel(FittedSeries::new());
    let watching = tokio::spawn(async move {
        loop {
            match progress.recv().await {
                Ok(Progress::Fit { series, progress }) => bars.on_fit(series.as_str(), progress),
                Ok(Progress::Fitted { series, .. }) => {
                    bars.on_fitted(series.as_str());
                    sender.send_modify(|fitted| {
                        fitted.insert(series.as_str().to_owned());
                    });
                }
                Ok(Progress::WarmUp { .. }) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    (receiver, watching)
}
