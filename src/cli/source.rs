//! Where the query commands ask: a data directory, through the store, or a running service, through its API. Both
//! give the forms of the API, so what is printed does not depend on it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::CliError;
use crate::http::view::{
    ActivationView, AlertView, DeadLetterView, ExplanationView, IncidentView, LevelShiftView, ModelView, Moment, Page,
    PowerView, ScoreRowView, SeriesView, SilenceView, TakeOverView, TargetView, TransitionView,
};
use crate::http::{HttpConfig, LabelPreview, NewSilence};
use crate::notify::SilenceRequest;
use crate::pipeline::explain;
use crate::series::{HumanDuration, SeriesId, Timestamp};
use crate::store::{AlertQuery, NewLabel, ReadError, Reader, RowQuery, ScoreRef, SeriesQuery, Store, StoreConfig};
use crate::verdict::{Alert, AlertId, AlertState, SeriesState, incidents};

/// Rows asked for at a time.
const PAGE: u32 = 10_000;
/// Pause between two looks at a data directory.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Pause before a lost stream is asked for again.
const RECONNECT: Duration = Duration::from_secs(1);
/// How long a service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What stands as it is in a path or a query value.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where to ask.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SourceArgs {
    /// Data directory of a service, running or not.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
    /// Address of a running service; http://127.0.0.1:8181 when neither is given.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl SourceArgs {
    /// Opens the source.
    pub(super) fn open(&self) -> Result<Source, CliError> {
        let Some(dir) = &self.data_dir else {
            let base = self.url.clone().unwrap_or_else(|| format!("http://{}", HttpConfig::LISTEN));
            let settings = ureq::Agent::config_builder().http_status_as_error(false);
            let agent =
                settings.timeout_connect(Some(TIMEOUT)).timeout_recv_response(Some(TIMEOUT)).build().new_agent();
            return Ok(Source::Service { agent, base: base.trim_end_matches('/').to_owned() });
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reader = runtime.block_on(Reader::open(&StoreConfig::in_dir(dir))).map_err(CliError::failed)?;
        Ok(Source::Store { runtime, reader })
    }
}

impl SourceArgs {
    /// The data directory, when one is named.
    pub(super) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// Lets a model judge a series, its own when none is named. Only a running service can.
    pub(super) fn activate(&self, model: &str, series: Option<&SeriesId>) -> Result<ActivationView, CliError> {
        let Source::Service { agent, base } = self.open()? else {
            let text = "the service that judges takes models over: name it with --url while it runs";
            return Err(CliError::Usage(text.to_owned()));
        };
        let failed = |error: ureq::Error| CliError::failed(format!("{base}: {error}"));
        let asked = query(&[("series", series.map(ToString::to_string))]);
        let path = format!("{base}/api/v1/models/{}/activate{asked}", encode(model));
        let mut answer = agent.post(path).send_empty().map_err(failed)?;
        if !answer.status().is_success() {
            return Err(refusal(answer));
        }
        answer.body_mut().read_json().map_err(failed)
    }

    /// Does something to an alert: `acknowledge`, or `label` with its body. A running service does it itself; a data
    /// directory is opened for writing, which needs the service to be stopped.
    pub(super) fn act(&self, id: &str, deed: &str, body: &serde_json::Value) -> Result<AlertView, CliError> {
        if let Some(dir) = &self.data_dir {
            return write_in(dir, async |store| {
                let alert = act_in(store, id, deed, body).await?;
                let alert = alert.ok_or_else(|| CliError::failed(format!("no alert {id:?}")))?;
                let silences = store.reader().silences(None).await.map_err(CliError::failed)?;
                Ok(AlertView::new(alert, &silences, Moment::now().0))
            });
        }
        self.send(|agent, base| agent.post(format!("{base}/api/v1/alerts/{}/{deed}", encode(id))).send_json(body))
    }
}

impl SourceArgs {
    /// Makes a silence.
    pub(super) fn add_silence(&self, new: &NewSilence) -> Result<SilenceView, CliError> {
        let now = Moment::now().0;
        if let Some(dir) = &self.data_dir {
            let spec = SilenceRequest::from(new.clone()).check(now).map_err(|e| CliError::Usage(e.to_string()))?;
            return write_in(dir, async |store| {
                let silence = store.add_silence(spec, now).await.map_err(CliError::failed)?;
                Ok(SilenceView::new(&silence, now))
            });
        }
        self.send(|agent, base| agent.post(format!("{base}/api/v1/silences")).send_json(new))
    }

    /// Ends a silence.
    pub(super) fn expire_silence(&self, id: &str) -> Result<SilenceView, CliError> {
        let now = Moment::now().0;
        if let Some(dir) = &self.data_dir {
            return write_in(dir, async |store| {
                let silence = store.expire_silence(id, now).await.map_err(CliError::failed)?;
                let silence = silence.ok_or_else(|| CliError::failed(format!("no silence {id:?}")))?;
                Ok(SilenceView::new(&silence, now))
            });
        }
        self.send(|agent, base| agent.delete(format!("{base}/api/v1/silences/{}", encode(id))).call())
    }

    /// Asks a running service to do something; its answer, or its refusal in its own words.
    fn send<T: DeserializeOwned>(
        &self,
        ask: impl Fn(&ureq::Agent, &str) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, CliError> {
        let Source::Service { agent, base } = self.open()? else {
            return Err(CliError::Usage("name --data-dir or --url".to_owned()));
        };
        let failed = |error: ureq::Error| CliError::failed(format!("{base}: {error}"));
        let mut answer = ask(&agent, &base).map_err(failed)?;
        if !answer.status().is_success() {
            return Err(refusal(answer));
        }
        answer.body_mut().read_json().map_err(failed)
    }
}

/// Opens a data directory for writing, which needs the service to be stopped, and does something there.
fn write_in<T>(dir: &std::path::Path, deed: impl AsyncFnOnce(&Store) -> Result<T, CliError>) -> Result<T, CliError> {
    let config = StoreConfig::in_dir(dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // The store makes what is not there; a mistyped directory must not become one.
        Reader::open(&config).await.map_err(CliError::failed)?.close().await;
        let store = Store::open(&config).await.map_err(CliError::failed)?;
        let done = deed(&store).await;
        store.close().await.map_err(CliError::failed)?;
        done
    })
}

async fn act_in(store: &Store, id: &str, deed: &str, body: &serde_json::Value) -> Result<Option<Alert>, CliError> {
    let id = AlertId(id.to_owned());
    let (text, now) = (|name: &str| body[name].as_str().map(str::to_owned), Moment::now().0);
    match deed {
        "label" => {
            let (label, replaces) = (body["label"].as_bool(), body["replace"] == true);
            let new = NewLabel { label, note: text("note"), author: text("author"), replaces };
            store.label(&id, &new, now).await.map_err(CliError::failed)
        }
        _ => store.acknowledge(&id, now).await.map_err(CliError::failed),
    }
}

/// Where questions go.
pub(super) enum Source {
    /// The store of a data directory.
    Store {
        /// Drives the store's connections.
        runtime: tokio::runtime::Runtime,
        /// The store.
        reader: Reader,
    },
    /// A running service.
    Service {
        /// Its client.
        agent: ureq::Agent,
        /// Its address, without `/` at the end.
        base: String,
    },
}

/// A text as a path segment or a query value.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// `?name=value&…` of the values that are there.
fn query(parts: &[(&str, Option<String>)]) -> String {
    let given: Vec<_> =
        parts.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode(value.as_deref()?)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

impl Source {
    /// Series by name.
    pub(super) fn series(&self, state: Option<SeriesState>) -> Result<Vec<SeriesView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let query = SeriesQuery { state, limit: u32::MAX, ..SeriesQuery::default() };
                let rows = runtime.block_on(reader.series(&query)).map_err(CliError::failed)?;
                Ok(rows.into_iter().map(|row| SeriesView::new(row, None)).collect())
            }
            Self::Service { .. } => {
                self.pages(format!("/api/v1/series{}", query(&[("state", state.map(|s| s.to_string()))])))
            }
        }
    }

    /// One series.
    pub(super) fn one_series(&self, series: &SeriesId) -> Result<SeriesView, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let row = runtime.block_on(reader.one_series(series)).map_err(CliError::failed)?;
                Ok(SeriesView::new(row, None))
            }
            Self::Service { .. } => self.get(&format!("/api/v1/series/{}", encode(series.as_str()))),
        }
    }

    /// Judged rows of a series in `[start, end)`, oldest first, in steps when one is given.
    pub(super) fn scores(
        &self,
        series: &SeriesId,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        step: Option<HumanDuration>,
    ) -> Result<Vec<ScoreRowView>, CliError> {
        let Self::Store { runtime, reader } = self else {
            let parts = [
                ("start", start.map(|at| at.to_string())),
                ("end", end.map(|at| at.to_string())),
                ("step", step.map(|step| step.to_string())),
                ("limit", Some(PAGE.to_string())),
            ];
            return self.pages(format!("/api/v1/series/{}/scores{}", encode(series.as_str()), query(&parts)));
        };
        if let Some(step) = step {
            let all = RowQuery { start, end, limit: u32::MAX, newest_first: false };
            let buckets = runtime.block_on(reader.score_buckets(series, &all, step.as_ms()));
            return Ok(buckets.map_err(CliError::failed)?.into_iter().map(ScoreRowView::from).collect());
        }
        let mut views = Vec::new();
        let mut page = RowQuery { start, end, limit: PAGE, newest_first: false };
        loop {
            let see = |rows: &mut Vec<_>, row: &ScoreRef<'_>| rows.push(ScoreRowView::new(row, false));
            let rows = runtime.block_on(reader.each_score(series, &page, Vec::new(), see)).map_err(CliError::failed)?;
            let is_last = rows.len() < PAGE as usize;
            page.start = rows.last().map(|row| row.at.0.plus_ms(1));
            views.extend(rows);
            if is_last {
                return Ok(views);
            }
        }
    }

    /// Alerts opened at or after `start`, newest opening first.
    pub(super) fn alerts(
        &self,
        state: Option<AlertState>,
        series: Option<&SeriesId>,
        start: Option<Timestamp>,
    ) -> Result<Vec<AlertView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let query = AlertQuery { state, series: series.cloned(), start, end: None, limit: u32::MAX };
                let ask = async {
                    if let Some(series) = series {
                        reader.one_series(series).await?;
                    }
                    Ok((reader.alerts(&query).await?, reader.silences(None).await?))
                };
                let asked: Result<_, ReadError> = runtime.block_on(ask);
                let (alerts, silences) = asked.map_err(CliError::failed)?;
                let now = Moment::now().0;
                Ok(alerts.into_iter().map(|alert| AlertView::new(alert, &silences, now)).collect())
            }
            Self::Service { .. } => {
                let parts = [
                    ("state", state.map(|s| s.to_string())),
                    ("series", series.map(|s| s.to_string())),
                    ("start", start.map(|at| at.to_string())),
                ];
                self.pages(format!("/api/v1/alerts{}", query(&parts)))
            }
        }
    }

    /// Why an alert opened, with so many rows before and after it.
    pub(super) fn explanation(&self, id: &str, margin: u32) -> Result<ExplanationView, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let context = runtime.block_on(reader.alert_context(&AlertId(id.to_owned()), margin));
                let context = context.map_err(CliError::failed)?;
                let context = context.ok_or_else(|| CliError::failed(format!("no alert {id:?}")))?;
                Ok(explain(context).into())
            }
            Self::Service { .. } => self.get(&format!("/api/v1/alerts/{}/explanation?margin={margin}", encode(id))),
        }
    }

    /// What a label would do.
    pub(super) fn label_preview(&self, id: &str, label: bool) -> Result<LabelPreview, CliError> {
        match self {
            Self::Store { runtime, reader } => runtime.block_on(async {
                let alert = reader.alert(&AlertId(id.to_owned())).await.map_err(CliError::failed)?;
                let alert = alert.ok_or_else(|| CliError::failed(format!("no alert {id:?}")))?;
                let context = reader.label_context(&alert.series, alert.kind, LabelPreview::ALERTS_MAX).await;
                Ok(LabelPreview::judge(&context.map_err(CliError::failed)?, &alert, label))
            }),
            Self::Service { .. } => self.get(&format!("/api/v1/alerts/{}/label/preview?label={label}", encode(id))),
        }
    }

    /// Silences, the one that ends last first.
    pub(super) fn silences(&self, expired: bool) -> Result<Vec<SilenceView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let now = Moment::now().0;
                let found = runtime.block_on(reader.silences((!expired).then_some(now))).map_err(CliError::failed)?;
                Ok(found.iter().map(|silence| SilenceView::new(silence, now)).collect())
            }
            Self::Service { .. } => {
                self.pages(format!("/api/v1/silences{}", query(&[("expired", expired.then(|| "true".to_owned()))])))
            }
        }
    }

    /// Who is told of alerts, and how far.
    pub(super) fn targets(&self) -> Result<Vec<TargetView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let rows = runtime.block_on(reader.targets()).map_err(CliError::failed)?;
                Ok(rows.into_iter().map(TargetView::from).collect())
            }
            Self::Service { .. } => self.pages("/api/v1/targets".to_owned()),
        }
    }

    /// Notices that receivers have refused for good, the newest first.
    pub(super) fn dead_letters(&self) -> Result<Vec<DeadLetterView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let rows = runtime.block_on(reader.dead_letters(1_000)).map_err(CliError::failed)?;
                Ok(rows.into_iter().map(DeadLetterView::from).collect())
            }
            Self::Service { .. } => self.pages("/api/v1/dead_letters?limit=1000".to_owned()),
        }
    }

    /// Incidents, newest opening first.
    pub(super) fn incidents(&self) -> Result<Vec<IncidentView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let query = AlertQuery { limit: 10_000, ..AlertQuery::default() };
                let alerts = runtime.block_on(reader.alerts(&query)).map_err(CliError::failed)?;
                let silences = runtime.block_on(reader.silences(None)).map_err(CliError::failed)?;
                let now = Moment::now().0;
                let view = |incident| IncidentView::new(incident, &silences, now);
                Ok(incidents(alerts).into_iter().take(1_000).map(view).collect())
            }
            Self::Service { .. } => self.pages("/api/v1/incidents?limit=1000".to_owned()),
        }
    }

    /// Models, newest first.
    pub(super) fn models(&self, series: Option<&SeriesId>) -> Result<Vec<ModelView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let models = runtime.block_on(reader.models(series)).map_err(CliError::failed)?;
                Ok(models.into_iter().map(ModelView::from).collect())
            }
            Self::Service { .. } => {
                self.pages(format!("/api/v1/models{}", query(&[("series", series.map(|s| s.to_string()))])))
            }
        }
    }

    /// Which model judged a series from which row on, oldest first.
    pub(super) fn take_overs(&self, series: &SeriesId) -> Result<Vec<TakeOverView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let rows = runtime.block_on(reader.take_overs(series)).map_err(CliError::failed)?;
                Ok(rows.into_iter().map(TakeOverView::from).collect())
            }
            Self::Service { .. } => self.pages(format!("/api/v1/series/{}/models", encode(series.as_str()))),
        }
    }

    /// Lasting changes of level that a series has accepted, newest first.
    pub(super) fn level_shifts(&self, series: &SeriesId) -> Result<Vec<LevelShiftView>, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let rows = runtime.block_on(reader.level_shifts(series)).map_err(CliError::failed)?;
                Ok(rows.into_iter().map(LevelShiftView::from).collect())
            }
            Self::Service { .. } => self.pages(format!("/api/v1/series/{}/level-shifts", encode(series.as_str()))),
        }
    }

    /// Takes back what a series has accepted.
    pub(super) fn undo_shifts(&self, series: &SeriesId) -> Result<(), CliError> {
        let Self::Service { agent, base } = self else {
            return Err(CliError::Usage("a level shift is taken back by a running service: --url".to_owned()));
        };
        let failed = |error: ureq::Error| CliError::failed(format!("{base}: {error}"));
        let path = format!("{base}/api/v1/series/{}/level-shifts/undo", encode(series.as_str()));
        let answer = agent.post(path).send_empty().map_err(failed)?;
        if answer.status().is_success() { Ok(()) } else { Err(refusal(answer)) }
    }

    /// Which faults a model would see.
    pub(super) fn power(&self, model_id: &str) -> Result<PowerView, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let power = runtime.block_on(reader.power(model_id)).map_err(CliError::failed)?;
                let never =
                    || format!("what model {model_id} would see was not measured yet: too few rows, or just fitted");
                Ok(power.ok_or_else(|| CliError::failed(never()))?.into())
            }
            Self::Service { .. } => self.get(&format!("/api/v1/models/{}/power", encode(model_id))),
        }
    }

    /// Gives every transition from now on to `each`, until that fails. A service that goes away is asked again, from
    /// where it stopped.
    pub(super) fn follow(
        &self,
        mut each: impl FnMut(&TransitionView) -> Result<(), CliError>,
    ) -> Result<std::convert::Infallible, CliError> {
        match self {
            Self::Store { runtime, reader } => {
                let mut after = runtime.block_on(reader.last_transition_id()).map_err(CliError::failed)?;
                loop {
                    let new: Result<_, ReadError> = runtime.block_on(reader.transitions(after, PAGE));
                    let new = new.map_err(CliError::failed)?;
                    if !new.is_empty() {
                        let silences = runtime.block_on(reader.silences(None)).map_err(CliError::failed)?;
                        for stored in new {
                            after = stored.id;
                            each(&TransitionView::new(stored, &silences, Moment::now().0))?;
                        }
                    }
                    std::thread::sleep(LOOK_EVERY);
                }
            }
            Self::Service { agent, base } => {
                let mut last_id: Option<String> = None;
                let mut is_first = true;
                loop {
                    let mut request =
                        agent.get(format!("{base}/api/v1/alerts/stream")).header("accept", "text/event-stream");
                    if let Some(id) = &last_id {
                        request = request.header("last-event-id", id);
                    }
                    match request.call() {
                        Ok(answer) if answer.status().is_success() => {
                            is_first = false;
                            let lines = BufReader::new(answer.into_body().into_reader()).lines();
                            read_events(lines, &mut last_id, &mut each)?;
                        }
                        Ok(answer) => return Err(refusal(answer)),
                        Err(error) if is_first => return Err(CliError::failed(format!("{base}: {error}"))),
                        Err(_) => {}
                    }
                    std::thread::sleep(RECONNECT);
                }
            }
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        let Self::Service { agent, base } = self else {
            return Err(CliError::Usage("only a service answers paths".to_owned()));
        };
        let failed = |error: ureq::Error| CliError::failed(format!("{base}: {error}"));
        let mut answer = agent.get(format!("{base}{path}")).call().map_err(failed)?;
        if !answer.status().is_success() {
            return Err(refusal(answer));
        }
        // The largest page by far is one of scores with all their channels.
        answer.body_mut().with_config().limit(1 << 30).read_json().map_err(failed)
    }

    /// All parts of a list.
    fn pages<T: DeserializeOwned>(&self, path: String) -> Result<Vec<T>, CliError> {
        let mut items = Vec::new();
        let mut next = Some(path);
        while let Some(path) = next {
            let page: Page<T> = self.get(&path)?;
            items.extend(page.data);
            next = page.next;
        }
        Ok(items)
    }
}

/// What a service said instead of an answer, in its own words.
fn refusal(mut answer: ureq::http::Response<ureq::Body>) -> CliError {
    let status = answer.status();
    let problem: Option<serde_json::Value> = answer.body_mut().read_json().ok();
    let word = |name: &str| problem.as_ref().and_then(|p| p.get(name)?.as_str().map(str::to_owned));
    CliError::failed(
        word("detail").or_else(|| word("title")).unwrap_or_else(|| format!("the service answered {status}")),
    )
}

/// Reads server-sent events until the stream ends: `id` lines are kept, data of `transition` events is given on.
fn read_events(
    lines: impl Iterator<Item = std::io::Result<String>>,
    last_id: &mut Option<String>,
    each: &mut impl FnMut(&TransitionView) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let (mut name, mut data, mut id) = (String::new(), String::new(), None);
    for line in lines {
        // A stream that breaks is asked for again.
        let Ok(line) = line else { return Ok(()) };
        if line.is_empty() {
            if name == "transition" {
                let transition = serde_json::from_str(&data).map_err(CliError::failed)?;
                each(&transition)?;
            }
            *last_id = id.take().or(last_id.take());
            name.clear();
            data.clear();
        } else if let Some(value) = line.strip_prefix("event:") {
            value.trim_start().clone_into(&mut name);
        } else if let Some(value) = line.strip_prefix("data:") {
            data.push_str(value.trim_start());
        } else if let Some(value) = line.strip_prefix("id:") {
            id = Some(value.trim_start().to_owned());
        }
    }
    Ok(())
}

/// `--since`: a length of time, back from the newest row, or a moment.
pub(super) fn since(text: &str, newest: Option<Timestamp>) -> Result<Option<Timestamp>, CliError> {
    if let Ok(length) = HumanDuration::parse(text) {
        return Ok(newest.map(|at| at.plus_ms(-length.as_ms())));
    }
    let wrong = |_| {
        CliError::Usage(format!(
            "--since {text:?}: allowed are a length of time, as in 1h, or a time, as in 2026-11-24T12:00:00Z"
        ))
    };
    Timestamp::parse(text).map(Some).map_err(wrong)
}

/// A series' name from the command line.
pub(super) fn series_id(text: &str) -> Result<SeriesId, CliError> {
    SeriesId::parse(text).map_err(|e| CliError::Usage(format!("series {text:?}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_length_of_time_or_a_moment() {
        let noon = Timestamp::from_ms(1_795_521_600_000);
        assert_eq!(since("1h", Some(noon)).unwrap(), Some(noon.plus_ms(-3_600_000)));
        assert_eq!(since("1h", None).unwrap(), None);
        assert_eq!(since("2026-11-24T12:00:00Z", None).unwrap(), Some(noon));
        assert!(matches!(since("yesterday", Some(noon)), Err(CliError::Usage(_))));
    }

    #[test]
    fn events_are_read_whole_and_the_last_id_is_kept() {
        let text =
            ": hello\n\nevent: lagged\ndata: {}\n\nid: 7\nevent: other\ndata: x\n\nid: 8\nevent: transition\ndata: {";
        let mut last_id = None;
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        read_events(lines, &mut last_id, &mut |_| Err(CliError::failed("no whole transition came"))).unwrap();
        assert_eq!(last_id.as_deref(), Some("7"), "8 was cut off");
    }

    #[test]
    fn a_query_holds_what_is_there() {
        assert_eq!(query(&[("a", None), ("b", None)]), "");
        assert_eq!(query(&[("a", Some("x y".to_owned())), ("b", None), ("c", Some("1".to_owned()))]), "?a=x%20y&c=1");
    }
}
