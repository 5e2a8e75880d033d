//! `kilter demo`: the whole product on a simulated plant.
//!
//! A broker on loopback, four machines that publish MQTT, and the ordinary service between them. Nothing here judges
//! anything: alerts are printed as the service commits them, and held against the faults only to write the report.

mod bars;
mod play;
mod stage;
mod voice;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use self::bars::Bars;
use self::play::{Pace, Play};
use self::stage::Stage;
use self::voice::Voice;
use super::CliError;
use crate::service::Service;
use crate::simulate::{DemoPlan, Tally};

/// Show the whole product on a simulated plant: broker, machines, faults, alerts, report
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Length of the run, in minutes of your time.
    #[arg(long, value_name = "N", default_value_t = 3.0)]
    minutes: f64,
    /// Seconds of plant time in a second of yours, once the plant has been learned.
    #[arg(long, value_name = "X", default_value_t = 1200.0)]
    speed: f64,
    /// Seed of the plant: the same seed is the same plant, minute by minute.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where to keep the store and report.json; a temporary directory when not given.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &DemoArgs) -> Result<(), CliError> {
    let pace = Pace::check(args.minutes, args.speed)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(demo(args, pace))
}

async fn demo(args: &DemoArgs, pace: Pace) -> Result<(), CliError> {
    let begun = Instant::now();
    let plan = DemoPlan::new(args.seed, pace.n_live_rows(), stage::now());
    let stage = Stage::set(args.data_dir.as_deref())?;
    let service = Service::start(stage.config.clone()).await.map_err(CliError::failed)?;
    let bars = Bars::new();
    let voice = Voice::new(bars.clone());
    voice.greet(&plan, stage.broker, service.http_address(), &stage.dir)?;

    let tally = Arc::new(Mutex::new(Tally::new(&plan.schedule, plan.spec.stride)));
    let watching_alerts = tokio::spawn(play::watch_alerts(service.live(), voice.clone(), Arc::clone(&tally)));
    let (fitted, watching_fits) = play::watch_fits(service.progress(), bars.clone());
    let readiness = service.readiness();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut running = tokio::spawn(service.run(async move {
        let _ = stopped.await;
    }));

    let mut play = Play::begin(&plan, pace, stage.broker, bars.clone(), voice.clone(), fitted, readiness).await?;
    let mut ended: Result<(), CliError> = tokio::select! {
        played = play.run() => played,
        signal = tokio::signal::ctrl_c() => signal.map_err(CliError::Io).and_then(|()| voice.interrupted()),
        ended = &mut running => Err(CliError::Failed(match ended {
            Ok(Err(error)) => format!("the service ended: {error}"),
            Ok(Ok(())) => "the service ended by itself".to_owned(),
            Err(error) => format!("the service broke: {error}"),
        })),
    };
    let last_at = play.last_at();
    drop(play);
    let _ = stop.send(());
    if !running.is_finished() {
        let drained = running.await.map_err(CliError::failed).and_then(|result| result.map_err(CliError::failed));
        ended = ended.and(drained);
    }
    // Its sender ended with the service, so whatever was committed has been heard.
    let _ = watching_alerts.await;
    watching_fits.abort();
    bars.clear();

    let report = tally.lock().unwrap_or_else(PoisonError::into_inner).report(last_at, begun.elapsed().as_secs_f64());
    stage.keep(&report)?;
    voice.report(&report, &plan, &stage.dir)?;
    ended
}
