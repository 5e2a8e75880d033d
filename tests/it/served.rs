//! The real server on a free port over a real store, and outcomes to fill it with.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use kilter::decode::{PayloadSpec, TopicTemplate};
use kilter::detector::{ChannelPower, FaultKind, FaultPower, Member, PowerReport};
use kilter::http::{About, AppState, Deed, Live, Readiness, serve};
use kilter::pipeline::{BudgetRow, ModelPower, Outcome, PowerRow, ScoreRow, SettledRow, ShiftDeed, TakeOver};
use kilter::series::{Cell, ChannelName, Frame, SeriesId, Timestamp};
use kilter::service::telemetry::install_metrics;
use kilter::store::{NewModel, Store, StoreConfig};
use kilter::verdict::{
    Alert, AlertChannel, AlertId, AlertKind, AlertState, SeriesState, Severity, Transition, TransitionKind,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot, watch};

/// 2026-11-24T12:00:00Z.
pub(crate) const NOON_MS: i64 = 1_795_521_600_000;
/// A name that has to be percent-encoded in a path.
pub(crate) const PUMP: &str = "hall 1/pump-3";
pub(crate) const PUMP_PATH: &str = "/api/v1/series/hall%201%2Fpump-3";

pub(crate) fn at(row: i64) -> Timestamp {
    Timestamp::from_ms(NOON_MS + 1000 * row)
}

pub(crate) fn name(text: &str) -> SeriesId {
    SeriesId::parse(text).unwrap()
}

/// A server over a store of its own, stopped when dropped.
pub(crate) struct Served {
    runtime: Option<tokio::runtime::Runtime>,
    running: Option<(oneshot::Sender<()>, mpsc::Receiver<()>)>,
    address: std::net::SocketAddr,
    state: AppState,
    pub(crate) base: String,
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) agent: ureq::Agent,
    takes_deeds: bool,
    /// What people ask of the pipeline, which is not here.
    deeds: (UnboundedSender<Deed>, Mutex<UnboundedReceiver<Deed>>),
    _dir: tempfile::TempDir,
}

impl Served {
    /// Starts on a free port; there is no pipeline that could do what people ask of one.
    pub(crate) fn start() -> Self {
        Self::start_with(false)
    }

    /// With `takes_deeds`, what people ask of the pipeline is taken, and found in [`Served::asked`].
    fn start_with(takes_deeds: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = runtime.block_on(Store::open(&StoreConfig::in_dir(dir.path()))).unwrap();
        let (readiness, ready) = watch::channel(Readiness::default());
        let mut state = AppState::new(store.reader().clone(), Some(store.clone()), ready, install_metrics().unwrap());
        let (topic, payload) = (TopicTemplate::parse("plant/{series}").unwrap(), PayloadSpec::default());
        let broker = Some("mqtt://localhost:1883".to_owned());
        state.about = Arc::new(About::listening(broker, &[(&topic, &payload)]));
        let live = state.live.clone();
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(20))).build().new_agent();
        let (address, base) = ("127.0.0.1:0".parse().unwrap(), String::new());
        let (runtime, running) = (Some(runtime), None);
        let (to_deeds, deeds) = unbounded_channel();
        let deeds = (to_deeds, Mutex::new(deeds));
        let mut served = Self {
            runtime,
            running,
            address,
            base,
            state,
            store,
            live,
            readiness,
            agent,
            takes_deeds,
            deeds,
            _dir: dir,
        };
        served.listen();
        served
    }

    /// Serves, on the same port as before.
    pub(crate) fn listen(&mut self) {
        let listener = self.block_on(tokio::net::TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        self.base = format!("http://{}", self.address);
        let mut state = AppState::new(
            self.state.reader.clone(),
            self.state.store.clone(),
            self.state.readiness.clone(),
            self.state.metrics.clone(),
        );
        (state.live, state.about) = (self.live.clone(), self.state.about.clone());
        state.deeds = self.takes_deeds.then(|| self.deeds.0.clone());
        let (stop, stopping) = oneshot::channel::<()>();
        let (ended, stopped) = mpsc::channel();
        self.runtime.as_ref().unwrap().spawn(async move {
            serve(listener, state, async { drop(stopping.await) }).await.unwrap();
            ended.send(()).ok();
        });
        self.running = Some((stop, stopped));
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.as_ref().expect("the runtime lives until the end").block_on(future)
    }

    /// Commits, then tells whoever watches.
    pub(crate) fn commit(&self, outcomes: &[Outcome]) {
        self.block_on(self.store.commit(outcomes)).unwrap();
        self.live.on_committed(outcomes);
    }

    /// What somebody asks of the pipeline, once they do.
    pub(crate) fn asked(&self) -> Deed {
        let next = async { tokio::time::timeout(Duration::from_secs(20), self.deeds.1.lock().await.recv()).await };
        self.block_on(next).expect("somebody asks").expect("the sender lives in here")
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(&mut self) -> bool {
        let Some((stop, stopped)) = self.running.take() else { return false };
        stop.send(()).is_ok() && stopped.recv_timeout(Duration::from_secs(10)).is_ok()
    }

    /// Its address, as `--url` takes it.
    pub(crate) fn url(&self) -> String {
        self.base.clone()
    }

    /// Its data directory.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self._dir.path()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        answer(self.agent.get(format!("{}{path}", self.base)).call().unwrap())
    }

    pub(crate) fn ok(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.agent.post(format!("{}{path}", self.base)).send_json(body).unwrap())
    }

    /// Checks that a path is refused as `application/problem+json` with a status and a word in the detail.
    pub(crate) fn refused(&self, path: &str, status: u16, word: &str) {
        let response = self.agent.get(format!("{}{path}", self.base)).call().unwrap();
        check_problem(path, response, status, word);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn answer(mut response: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn check_problem(what: &str, response: ureq::http::Response<ureq::Body>, status: u16, word: &str) {
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
    let (found, body) = answer(response);
    assert_eq!(found, status, "{what}: {body}");
    assert_eq!(body["status"], status, "{what}: {body}");
    assert!(body["type"].as_str().unwrap().starts_with("/docs#"), "{what}: {body}");
    assert!(body["detail"].as_str().unwrap().contains(word), "{what}: {word:?} is not in {body}");
}

/// A series is seen with two channels.
pub(crate) fn seen(series: &str) -> Vec<Outcome> {
    let channel = |channel_index: usize, text: &str| Outcome::ChannelSeen {
        series: name(series),
        channel_index,
        channel: ChannelName::parse(text).unwrap(),
    };
    vec![
        Outcome::SeriesSeen { series: name(series), at: at(0) },
        channel(0, "load"),
        channel(1, "temperature"),
        state(series, SeriesState::Normal, 0, "judged"),
    ]
}

pub(crate) fn state(series: &str, state: SeriesState, row: i64, reason: &str) -> Outcome {
    Outcome::State { series: name(series), state, at: at(row), reason: reason.to_owned() }
}

/// A quiet row of two channels, judged by the autoencoder.
pub(crate) fn score(at: Timestamp, live_score: f64, expected: [f64; 2]) -> ScoreRow {
    ScoreRow {
        at,
        live_score,
        evidence: 0.1,
        p_value: 0.5,
        autoencoder_error: Some(1.0),
        pca_error: None,
        baseline_error: 0.5,
        is_anomalous: false,
        contributions: vec![0.75, 0.25],
        member_contributions: vec![1.0],
        expected: expected.to_vec(),
    }
}

/// Row `row` of a series: load is the row number, temperature is missing on every tenth; the live score is 0.2, and 5
/// on every hundredth.
pub(crate) fn row(series: &str, row: i64) -> [Outcome; 2] {
    let is_missing = row % 10 == 0;
    let frame = Frame {
        at: at(row),
        values: vec![row as f64, if is_missing { 0.0 } else { 20.0 }],
        cells: vec![Cell::Measured, if is_missing { Cell::Missing } else { Cell::Held }],
    };
    let live_score = if row % 100 == 50 { 5.0 } else { 0.2 };
    let score = score(at(row), live_score, [row as f64 + 0.5, 21.0]);
    [Outcome::Frame { series: name(series), frame }, Outcome::Score { series: name(series), score }]
}

pub(crate) fn transition(series: &str, opened_row: i64, sequence: u32) -> Transition {
    let series = name(series);
    let is_open = sequence == 1;
    let alert = Alert {
        id: AlertId::new(&series, AlertKind::Anomaly, at(opened_row)),
        kind: AlertKind::Anomaly,
        series,
        state: if is_open { AlertState::Open } else { AlertState::Resolved },
        severity: Severity::Warning,
        opened_at: at(opened_row),
        resolved_at: (!is_open).then(|| at(opened_row + 20)),
        peak_score: 5.0,
        p_value: 0.001,
        evidence: 1.5,
        alarm_budget: "1 per week".to_owned(),
        channels: vec![
            AlertChannel {
                channel: ChannelName::parse("temperature").unwrap(),
                contribution: 0.9,
                observed: Some(35.0),
                expected: Some(21.0),
            },
            AlertChannel {
                channel: ChannelName::parse("load").unwrap(),
                contribution: 0.1,
                observed: None,
                expected: Some(3.0),
            },
        ],
        model_id: None,
        acknowledged_at: None,
        label: None,
        note: None,
        labelled_by: None,
        labelled_at: None,
        openings: 1,
    };
    let kind = if is_open { TransitionKind::Opened } else { TransitionKind::Resolved };
    Transition { kind, at: at(opened_row + 20 * i64::from(sequence - 1)), sequence, alert }
}

pub(crate) fn opened(series: &str, row: i64) -> Outcome {
    Outcome::Transition(transition(series, row, 1))
}

pub(crate) fn resolved(series: &str, row: i64) -> Outcome {
    Outcome::Transition(transition(series, row, 2))
}

/// A model with made-up bytes that judges a series from its first row.
pub(crate) fn model(served: &Served, series: &str) -> String {
    let bundle = format!("model of {series}").into_bytes();
    let id: String = Sha256::digest(&bundle)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let new = NewModel {
        id: id.clone(),
        series: Some(name(series)),
        trained_to: at(0),
        bundle,
        channels: vec![ChannelName::parse("load").unwrap(), ChannelName::parse("temperature").unwrap()],
        members: vec!["pca".to_owned()],
        provenance: json!({"seed": 7, "n_rows": 50}),
    };
    served.commit(&seen(series));
    served.block_on(served.store.save_bundle(&new)).unwrap();
    let taken = TakeOver { series: name(series), model_id: id.clone(), from: at(0), from_row: 0 };
    served.commit(&[Outcome::TakeOver(taken)]);
    id
}

/// A server with one series of 300 judged rows.
pub(crate) fn with_pump() -> Served {
    let served = Served::start();
    model(&served, PUMP);
    served.commit(&(0..300).flat_map(|r| row(PUMP, r)).collect::<Vec<_>>());
    let settled = SettledRow { at: at(7), settled_score: 0.7 };
    served.commit(&[Outcome::Settled { series: name(PUMP), settled }]);
    served
}

/// What a model would see, on one channel and on all.
fn power(series: &str, model_id: &Value) -> PowerRow {
    let fault = |seen| FaultPower { kind: FaultKind::Shift, size: Some(1.5), rows: 25, seen, area: seen };
    let on = |size, seen| ChannelPower { channel: 1, kind: FaultKind::Shift, size, rows: 25, seen };
    let report = PowerReport {
        fused: vec![fault(0.75), FaultPower { kind: FaultKind::Stuck, size: None, ..fault(0.5) }],
        members: vec![(Member::Pca, vec![fault(0.5)])],
        channels: vec![on(1.05, 0.25), on(2.1, 1.0), on(4.2, 1.0)],
        n_rows: 300,
        model_skill: Some(0.125),
        trained_gain: None,
    };
    let channels = ["load", "temperature"].map(|name| ChannelName::parse(name).unwrap()).to_vec();
    let units = vec![None, Some("°C".to_owned())];
    let model_id = model_id.as_str().expect("a model judges it").to_owned();
    PowerRow { series: name(series), model_id, at: at(399), power: ModelPower { channels, units, report } }
}

/// A small plant: one machine with a past, one warming up, one silent.
pub(crate) fn plant() -> Served {
    let served = Served::start_with(true);
    for (name, n_rows) in [(PUMP, 400), ("hall 2/fan-1", 200), ("hall 2/fan-2", 200)] {
        model(&served, name);
        served.commit(&(0..n_rows).flat_map(|r| row(name, r)).collect::<Vec<_>>());
    }
    served.commit(&[
        opened(PUMP, 150),
        resolved(PUMP, 150),
        state("hall 2/fan-1", SeriesState::WarmingUp, 199, "too few rows"),
        Outcome::WarmUp { series: self::name("hall 2/fan-1"), n_rows: 200, n_wanted: 400 },
        state("hall 2/fan-2", SeriesState::NoData, 199, "nothing has arrived for 30 s"),
    ]);
    served.commit(&[
        Outcome::Power(power(PUMP, &served.ok("/api/v1/series/hall%201%2Fpump-3")["model_id"])),
        Outcome::Budget(BudgetRow {
            series: self::name(PUMP),
            at: at(399),
            asked: "1 per week".to_owned(),
            explanation: Some("1 per week runs at 1 per day until more rows have been calibrated on".to_owned()),
            openings_per_row: 1.0 / 86_400.0,
            n_judged: 400,
            n_promised: 0.005,
            n_openings: 1,
        }),
        Outcome::Shift { series: self::name(PUMP), deed: ShiftDeed::Accepted { at: at(200), factor: 2.5 } },
    ]);
    served.readiness.send_modify(|readiness| {
        readiness.set("store", true, "open");
        readiness.set("broker", true, "connected to mqtt://localhost:1883");
    });
    served
}
