//! Starts the four tasks and those beside the line, watches them, and stops them in the order in which data flows.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::batch::{Answer, Batch, Job, Progress};
use super::gauges::Gauges;
use super::keeper::keep;
use super::listener::Listener;
use super::log_keeper::keep_log;
use super::measures::{self, Intake};
use super::nightly::measure_nightly;
use super::pipeline_task::PipelineTask;
use super::refusals::Refusals;
use super::restoring::restore;
use super::telemetry::{TelemetryError, install_metrics};
use super::trainer::Trainer;
use super::writer_task::WriterTask;
use crate::config::Config;
use crate::decode::{MessageDecoder, Route};
use crate::http::{About, Activation, AppState, Live, Readiness, serve};
use crate::ingest::Source;
use crate::ingest::mqtt::{Connection, MqttFault, MqttSource, OptionsError, connect_options};
use crate::notify::{
    EmailNotifier, MqttConnection, MqttPublisher, MqttPublisherError, WebhookNotifier, deliver_outbox,
};
use crate::pipeline::Pipeline;
use crate::series::Timestamp;
use crate::store::{CommitError, Deed, OpenError, ReadError, Reader, Store};

/// Batches between pipeline and writer: enough that neither waits for a moment of the other, few enough to stay small.
const BATCHES_QUEUED: usize = 8;

/// Picks of people that may wait; each is answered at once.
const ACTIVATIONS_QUEUED: usize = 16;

/// How long rows on their way may take to be committed after the last message.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// How long transitions may still be delivered after the last row is committed.
const NOTIFY_LIMIT: Duration = Duration::from_secs(5);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] OpenError),
    /// What the store keeps.
    #[error("restoring from the store: {0}")]
    Restore(#[from] ReadError),
    /// The first rows after restoring.
    #[error("writing the store: {0}")]
    Commit(#[from] CommitError),
    /// The address for queries.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        cause: std::io::Error,
    },
    /// Metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The broker settings contradict each other.
    #[error("{}", list(.0))]
    Mqtt(Vec<MqttFault>),
    /// A file of the broker settings.
    #[error("the broker settings: {0}")]
    MqttFiles(#[from] OptionsError),
    /// The connection that publishes.
    #[error(transparent)]
    Publisher(#[from] MqttPublisherError),
}

fn list(faults: &[MqttFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Why the service ended otherwise than asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store refused rows for good.
    #[error("the store: {0}")]
    Store(#[from] CommitError),
    /// A task ended that never should.
    #[error("the {task} ended by itself")]
    Ended {
        /// Which.
        task: &'static str,
    },
}

/// A service that is ready to run: restored, listening, not yet connected to the broker.
#[derive(Debug)]
pub struct Service {
    config: Config,
    store: Store,
    pipeline: Pipeline,
    decoder: MessageDecoder,
    source: MqttSource,
    publishing: Option<(MqttPublisher, MqttConnection)>,
    queue_capacity: usize,
    listener: Option<TcpListener>,
    state: AppState,
    readiness: watch::Sender<Readiness>,
    progress: broadcast::Sender<Progress>,
    /// What the restored pipeline wants done first.
    first: Vec<crate::pipeline::Outcome>,
    /// Models that people pick.
    activations: mpsc::Receiver<Activation>,
}

impl Service {
    /// Opens the store, restores every series and binds the address for queries.
    ///
    /// # Errors
    /// When the store cannot be opened or read, or the address is taken. A broker that is away is no error.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let metrics = install_metrics()?;
        let store = Store::open(&config.store).await?;
        let specs = config.series.iter().map(|entry| entry.spec.clone()).collect();
        let routes = config
            .series
            .iter()
            .map(|entry| Route { template: entry.topic.clone(), payload: entry.payload.clone() })
            .collect();
        let decoder = MessageDecoder::new(routes);
        let mut pipeline = Pipeline::new(specs, config.limits.series_max as usize);
        let first = restore(&store, &mut pipeline, now()).await?;
        tracing::info!(n_series = pipeline.n_series(), "restored");
        for (series, skill) in store.reader().skills().await? {
            measures::on_skill(&series, skill);
        }
        for (series, openings_per_row, n_openings, n_judged) in store.reader().alarm_rates().await? {
            measures::on_budget(&series, openings_per_row, n_openings, n_judged);
        }
        // It was read, or nothing would start.
        metrics::gauge!("kilter_config_last_reload_successful").set(1.0);
        let listener = if config.http.enabled {
            let address = config.http.listen;
            Some(TcpListener::bind(address).await.map_err(|cause| StartError::Listen { address, cause })?)
        } else {
            None
        };
        let params = config.mqtt.check(decoder.filters()).map_err(StartError::Mqtt)?;
        let publishing = if config.notify.mqtt.enabled {
            let options = connect_options(&params, &params.servers[0], &config.mqtt.client_id)?;
            let (publisher, connection) = MqttPublisher::new(options, &config.notify)?;
            publisher.restore(&store.restore().await?);
            Some((publisher, connection))
        } else {
            None
        };
        for target in config.notify.targets() {
            store.add_target(&target).await?;
        }
        for gone in store.keep_targets(&config.notify.targets()).await? {
            tracing::info!(target = gone, "no longer configured: forgotten with the notices that waited for it");
        }
        // Room for every message that may be under way: the store may be slow without the broker noticing.
        let queue_capacity = usize::from(config.mqtt.receive_maximum);
        let source = MqttSource::new(params);
        let (readiness, watching) = watch::channel(Readiness::default());
        readiness.send_modify(|readiness| {
            readiness.set("store", true, "open");
            readiness.set("broker", false, "not connected yet");
        });
        let mut state = AppState::new(store.reader().clone(), Some(store.clone()), watching, metrics);
        state.about = Arc::new(about(&config));
        let (to_pipeline, activations) = mpsc::channel(ACTIVATIONS_QUEUED);
        state.activations = Some(to_pipeline);
        Ok(Self {
            config,
            store,
            pipeline,
            decoder,
            source,
            publishing,
            queue_capacity,
            listener,
            state,
            readiness,
            progress: broadcast::Sender::new(1024),
            first,
            activations,
        })
    }

    /// Where queries are answered, once started with `[http]` on.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// What is committed, as it is committed.
    pub fn live(&self) -> Live {
        self.state.live.clone()
    }

    /// How far warm-ups and fits are.
    pub fn progress(&self) -> broadcast::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Whether it does its work.
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    /// Questions to its store.
    pub fn reader(&self) -> Reader {
        self.store.reader().clone()
    }

    /// Runs until `shutdown` completes, then drains in flow order: ingest, pipeline, writer, notifier.
    ///
    /// # Errors
    /// When the store refuses rows for good, or a task ends by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self {
            config,
            store,
            pipeline,
            decoder,
            source,
            publishing,
            queue_capacity,
            listener,
            state,
            readiness,
            progress,
            first,
            activations,
        } = self;
        let (stop_ingest, ingest_stops) = watch::channel(false);
        let (stop_writer, writer_stops) = watch::channel(false);
        let (stop_beside, beside_stops) = watch::channel(false);
        let fits_stop = Arc::new(AtomicBool::new(false));

        let (to_pipeline, messages) = mpsc::channel(queue_capacity);
        let (to_writer, batches) = mpsc::channel::<Batch>(BATCHES_QUEUED);
        let (to_trainer, jobs) = mpsc::unbounded_channel::<Job>();
        let (to_answers, answers) = mpsc::unbounded_channel::<Answer>();

        let (to_deeds, deeds) = mpsc::unbounded_channel();
        let mut state = state;
        state.deeds = Some(to_deeds);
        let live = state.live.clone();
        let acknowledger = source.acknowledger();
        let broker = watch_broker(source.connection(), readiness.clone());
        let http = listener.map(|listener| {
            let mut stops = beside_stops.clone();
            tokio::spawn(serve(listener, state, async move {
                let _ = stops.wait_for(|stop| *stop).await;
            }))
        });
        let (stop_notifiers, notifiers_stop) = watch::channel(false);
        let mut notifiers = tokio::task::JoinSet::new();
        for webhook in config.notify.webhooks.clone() {
            notifiers.spawn(deliver_outbox(
                store.clone(),
                WebhookNotifier::new(webhook),
                now,
                stopped(notifiers_stop.clone()),
            ));
        }
        for email in &config.notify.emails {
            match EmailNotifier::new(email) {
                Ok(mails) => {
                    drop(notifiers.spawn(deliver_outbox(store.clone(), mails, now, stopped(notifiers_stop.clone()))));
                }
                // The configuration was checked; said all the same should it ever differ.
                Err(fault) => tracing::error!(email = email.name, %fault, "no e-mail is sent"),
            }
        }
        let mut publisher = None;
        let mut publishing_task = None;
        if let Some((to_broker, connection)) = publishing {
            notifiers.spawn(deliver_outbox(store.clone(), to_broker.notifier(), now, stopped(notifiers_stop.clone())));
            let (info, health) = (bridge_info(&config), bridge_health(readiness.subscribe()));
            let connection = connection.answering(store.clone(), now);
            publishing_task = Some(tokio::spawn(connection.run(info, health, stopped(beside_stops.clone()))));
            notifiers.spawn(tell_board(store.clone(), to_broker.clone(), stopped(notifiers_stop.clone())));
            publisher = Some(to_broker);
        }
        let (to_said, said) = mpsc::unbounded_channel();
        let listener = Listener { store: store.clone(), n_time: pipeline.rows_reached_back(), to_pipeline: to_said };
        let hearing = tokio::spawn(listener.run(beside_stops.clone()));
        let is_measured = config.series.iter().any(|entry| entry.spec.power.enabled);
        let nightly = is_measured.then(|| {
            let work = measure_nightly(store.reader().clone(), to_trainer.downgrade(), beside_stops.clone());
            tokio::spawn(work)
        });
        let gauges = Gauges {
            store: store.clone(),
            targets: config.notify.targets(),
            messages: to_pipeline.downgrade(),
            batches: to_writer.downgrade(),
        };
        let gauges = tokio::spawn(gauges.run(beside_stops.clone()));
        let log_keeper = tokio::spawn(keep_log(store.clone(), beside_stops.clone()));
        let keeper = tokio::spawn(keep(store.clone(), config.retention.clone(), beside_stops));
        let writer = WriterTask {
            store: store.clone(),
            batches,
            acknowledger,
            publisher,
            fits: to_trainer,
            live,
            readiness,
            is_stopping: writer_stops,
        };
        let mut writer = tokio::spawn(writer.run());
        let trainer = Trainer {
            store: store.clone(),
            jobs,
            answers: to_answers,
            progress: progress.clone(),
            is_stopping: Arc::clone(&fits_stop),
            shared: pipeline.shared_models(),
        };
        let trainer = on_thread("trainer", {
            let runtime = tokio::runtime::Handle::current();
            move || trainer.run(&runtime)
        });
        let task = PipelineTask {
            pipeline,
            decoder,
            intake: Intake::new(),
            refusals: Refusals::default(),
            messages,
            answers,
            activations,
            said,
            deeds,
            batches: to_writer,
            progress,
            connection: source.connection(),
            was_connected: false,
            now,
        };
        let mut pipeline = on_thread("pipeline", move || run_here(task.run(first)));
        let mut ingest = tokio::spawn(source.run(to_pipeline, ingest_stops));

        tokio::pin!(shutdown);
        let mut result = Ok(());
        tokio::select! {
            () = &mut shutdown => tracing::info!("stopping"),
            _ = &mut ingest => result = Err(RunError::Ended { task: "broker connection" }),
            ended = &mut writer => result = Err(writer_result(ended).err().unwrap_or(RunError::Ended { task: "writer" })),
        }

        // In flow order: each task ends when the one before it has closed its queue.
        let _ = stop_ingest.send(true);
        fits_stop.store(true, Ordering::Relaxed);
        if tokio::time::timeout(DRAIN_LIMIT, &mut pipeline).await.is_err() {
            // The store has not taken rows for a while: what waits was never acknowledged and comes again.
            let _ = stop_writer.send(true);
            let _ = pipeline.await;
        }
        let _ = stop_writer.send(true);
        if !writer.is_finished() {
            let ended = writer.await;
            if result.is_ok() {
                result = writer_result(ended);
            }
        }
        if !ingest.is_finished() {
            // It still takes the acknowledgements of what was just committed.
            let _ = ingest.await;
        }
        let _ = trainer.await;
        let _ = stop_notifiers.send(true);
        let told = async { while notifiers.join_next().await.is_some() {} };
        if tokio::time::timeout(NOTIFY_LIMIT, told).await.is_err() {
            tracing::warn!("some transitions are not delivered yet; they go out from the outbox after the next start");
        }
        let _ = stop_beside.send(true);
        if let Some(publishing) = publishing_task {
            let _ = publishing.await;
        }
        let _ = keeper.await;
        let _ = log_keeper.await;
        let _ = gauges.await;
        let _ = hearing.await;
        if let Some(nightly) = nightly {
            let _ = nightly.await;
        }
        if let Some(http) = http {
            let _ = http.await;
        }
        broker.abort();
        if let Err(fault) = store.close().await {
            tracing::warn!(%fault, "the store closed untidily; what was committed is safe");
        }
        tracing::info!("stopped");
        result
    }
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

fn about(config: &Config) -> About {
    let entries: Vec<_> = config.series.iter().map(|entry| (&entry.topic, &entry.payload)).collect();
    About::listening(config.mqtt.servers.first().map(ToString::to_string), &entries)
}

/// What stands on `<base>/bridge/info`.
fn bridge_info(config: &Config) -> serde_json::Value {
    let digest = Sha256::digest(format!("{config:?}"));
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config_hash": hash,
        "client_id": config.mqtt.client_id,
    })
}

/// What stands on `<base>/bridge/health`.
fn bridge_health(readiness: watch::Receiver<Readiness>) -> impl Fn() -> serde_json::Value + Send + Sync {
    move || {
        let readiness = readiness.borrow();
        serde_json::json!({ "is_ready": readiness.is_ready(), "checks": readiness.checks })
    }
}

/// Completes once a stop is asked for.
async fn stopped(mut stops: watch::Receiver<bool>) {
    // An error means that the supervisor is gone, which is a stop as well.
    let _ = stops.wait_for(|stop| *stop).await;
}

/// Tells the broker what people do to alerts.
async fn tell_board(store: Store, publisher: MqttPublisher, stop: impl Future<Output = ()>) {
    let mut deeds = store.deeds();
    let tell = async {
        while let Some(deed) = deeds.recv().await {
            if let Deed::Acknowledged(alert) | Deed::Labelled(alert) = deed {
                publisher.amend(&alert);
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = tell => {}
    }
}

fn writer_result(ended: Result<Result<(), CommitError>, tokio::task::JoinError>) -> Result<(), RunError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => Err(RunError::Store(fault)),
        Err(_) => Err(RunError::Ended { task: "writer" }),
    }
}

/// Runs a task on a thread of its own; the receiver completes when it ends, also by a panic.
fn on_thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (ended, end) = oneshot::channel();
    let spawned = std::thread::Builder::new().name(format!("kilter-{name}")).spawn(move || {
        // An error means that nobody waits any more.
        let _ = ended.send(work());
    });
    if let Err(fault) = spawned {
        tracing::error!(name, %fault, "a thread could not be started");
    }
    end
}

/// Runs a future on this thread alone.
fn run_here<T>(future: impl Future<Output = T>) -> Option<T> {
    match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => Some(runtime.block_on(future)),
        Err(fault) => {
            tracing::error!(%fault, "a runtime could not be started");
            None
        }
    }
}

/// Tells readiness how the broker connection stands.
fn watch_broker(mut connection: watch::Receiver<Connection>, readiness: watch::Sender<Readiness>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let state = connection.borrow_and_update().clone();
            metrics::gauge!("kilter_mqtt_connected").set(if state.is_connected() { 1.0 } else { 0.0 });
            let detail = match &state {
                Connection::Connecting => "connecting".to_owned(),
                Connection::Connected { server, .. } => format!("connected to {server}"),
                Connection::Disconnected { reason, n_attempts } => format!("{reason} ({n_attempts} attempts)"),
                Connection::Closed => "closed".to_owned(),
            };
            readiness.send_modify(|readiness| readiness.set("broker", state.is_connected(), detail));
            if connection.changed().await.is_err() {
                return;
            }
        }
    })
}
