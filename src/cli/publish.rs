//! `kilter publish`: plays recordings into a broker as MQTT messages.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::CliError;
use crate::decode::TopicTemplate;
use crate::ingest::mqtt::{MqttConfig, MqttParams, Publisher};
use crate::ingest::{LabelColumn, Recording};
use crate::series::{SeriesId, Timestamp};

/// Play recordings into a broker as MQTT messages
///
/// With {channel} in the topic every cell is a message, otherwise every row is one JSON object with its event time.
/// Several files are played at once, row by row, each as the series its file name gives. Ends with 0 once the
/// broker has confirmed every message.
#[derive(Debug, clap::Args)]
pub(super) struct PublishArgs {
    /// Recordings: a header of channel names, an optional first column `timestamp`; a last column `label` is
    /// never sent. Rows without timestamps are one second apart and end now.
    #[arg(required = true, value_name = "FILE.csv")]
    files: Vec<PathBuf>,
    /// Broker to publish to, such as mqtt://localhost:1883.
    #[arg(long, value_name = "URL")]
    broker: String,
    /// Topic template, such as plant/{series}/{channel}.
    #[arg(long, value_name = "TEMPLATE")]
    topic: String,
    /// Rows a second of every file; as fast as the broker takes them when not given.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// 1: every message is confirmed by the broker. 0: sent and forgotten.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    qos: u8,
    /// What a message holds; `number` has no event time and needs {channel} in the topic.
    #[arg(long, value_enum, default_value_t = Format::JsonObject)]
    format: Format,
    /// Name of the series, when there is one file; the file's name without its ending when not given.
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// Name to log in with.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// File that holds the password to log in with.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// Certificates (PEM) that the broker's certificate must descend from.
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Format {
    /// A JSON object: `timestamp` and a member per channel, or `timestamp` and `value` when the topic names the channel.
    JsonObject,
    /// The bare number; missing readings are not sent.
    Number,
}

/// A file on its way out.
struct Player {
    recording: Recording,
    at: Vec<Timestamp>,
    /// Topic of each channel when the template names channels, else the one topic of the rows.
    topics: Vec<String>,
    names_channel: bool,
    /// The members' names with quotes and colon, ready to be written.
    keys: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &PublishArgs) -> Result<(), CliError> {
    let template = TopicTemplate::parse(&args.topic).map_err(|error| CliError::Usage(error.to_string()))?;
    if args.format == Format::Number && !template.names_channel() {
        return Err(CliError::Usage(format!("--format number needs {{channel}} in the topic, found {:?}", args.topic)));
    }
    if args.series.is_some() && args.files.len() > 1 {
        return Err(CliError::Usage(format!("--series names one file, found {}", args.files.len())));
    }
    if args.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(CliError::Usage("--rate must be above 0".to_owned()));
    }
    let params = params(args, &template)?;
    let mut players = Vec::new();
    for file in &args.files {
        players.push(Player::open(file, args, &template)?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let n_messages = runtime.block_on(play(args, &params, &players))?;
    let n_rows: usize = players.iter().map(|player| player.at.len()).sum();
    eprintln!("published {n_messages} messages, {n_rows} rows of {} series", players.len());
    Ok(())
}

fn params(args: &PublishArgs, template: &TopicTemplate) -> Result<MqttParams, CliError> {
    let config = MqttConfig {
        servers: vec![args.broker.clone()],
        qos: args.qos,
        username: args.username.clone(),
        password_file: args.password_file.clone(),
        tls_ca: args.tls_ca.clone(),
        ..MqttConfig::default()
    };
    config.check(vec![template.filter().clone()]).map_err(|faults| {
        let faults: Vec<String> =
            faults.iter().map(|fault| format!("found {}; allowed: {}", fault.found, fault.allowed)).collect();
        CliError::Usage(faults.join("\n"))
    })
}

impl Player {
    fn open(file: &Path, args: &PublishArgs, template: &TopicTemplate) -> Result<Self, CliError> {
        let recording = Recording::open(file, LabelColumn::Ignored).map_err(CliError::failed)?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let series = args.series.as_deref().unwrap_or(&stem);
        let series = SeriesId::parse(series).map_err(|error| CliError::Usage(format!("series {series:?}: {error}")))?;
        let channels = recording.channels.iter().map(|channel| channel.as_str());
        let names: Vec<&str> = if template.names_channel() { channels.clone().collect() } else { vec![""] };
        let topics = names.iter().map(|channel| template.render(&series, channel)).collect::<Result<_, _>>();
        let topics = topics.map_err(|error| CliError::Usage(error.to_string()))?;
        let keys = channels.map(|channel| format!(",{}:", serde_json::Value::from(channel))).collect();
        let mut at = recording.row_times();
        if recording.at.is_none() {
            let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64 * 1000;
            let shift_ms = end - at.last().map_or(0, |last| last.as_ms());
            at.iter_mut().for_each(|at| *at = at.plus_ms(shift_ms));
        }
        Ok(Self { recording, at, topics, names_channel: template.names_channel(), keys })
    }

    /// Sends a row; gives the number of messages.
    async fn send(&self, row: usize, format: Format, publisher: &mut Publisher) -> Result<u64, CliError> {
        let Some(at) = self.at.get(row) else { return Ok(0) };
        let cells = self.recording.row(row).iter().zip(self.recording.row_present(row));
        let cells = cells.map(|(value, is_present)| is_present.then_some(*value));
        if !self.names_channel {
            let mut payload = format!("{{\"timestamp\":\"{at}\"");
            for (key, cell) in self.keys.iter().zip(cells) {
                payload.push_str(key);
                payload.push_str(&json_number(cell));
            }
            payload.push('}');
            publisher.publish(self.topics[0].clone(), payload).await.map_err(CliError::failed)?;
            return Ok(1);
        }
        let mut n_messages = 0;
        for (topic, cell) in self.topics.iter().zip(cells) {
            let payload = match (format, cell) {
                (Format::JsonObject, cell) => format!("{{\"timestamp\":\"{at}\",\"value\":{}}}", json_number(cell)),
                (Format::Number, Some(value)) => json_number(Some(value)),
                (Format::Number, None) => continue,
            };
            publisher.publish(topic.clone(), payload).await.map_err(CliError::failed)?;
            n_messages += 1;
        }
        Ok(n_messages)
    }
}

/// The shortest text that reads back as the same number; `null` where there is none.
fn json_number(value: Option<f64>) -> String {
    serde_json::Value::from(value).to_string()
}

async fn play(args: &PublishArgs, params: &MqttParams, players: &[Player]) -> Result<u64, CliError> {
    let began = Instant::now();
    // Two players must not share a session: the process tells them apart on one machine, the clock elsewhere.
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let client_id = format!("kilter-publish-{}-{nanos:08x}", std::process::id());
    let mut publisher = Publisher::connect(params, &client_id).map_err(CliError::failed)?;
    let n_rows = players.iter().map(|player| player.at.len()).max().unwrap_or(0);
    let mut n_messages = 0;
    for row in 0..n_rows {
        if let Some(rate) = args.rate {
            let due = began + Duration::from_secs_f64(row as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        for player in players {
            n_messages += player.send(row, args.format, &mut publisher).await?;
        }
    }
    publisher.finish().await.map_err(CliError::failed)?;
    Ok(n_messages)
}
