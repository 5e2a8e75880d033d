//! Where the demo plays: a directory, a broker, and a configuration like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::CliError;
use crate::config::Config;
use crate::series::Timestamp;
use crate::simulate::{DEMO_ALARM_BUDGET, MACHINES, PUBLISHER_TOPIC, Report, WARM_UP_ROWS, start_broker};
use crate::store::DATABASE_FILE;

/// Lies in a directory that a demo made, and says that the store in it may be written anew.
const MARKER_FILE: &str = "made-by-kilter-demo";
/// The closing report.
const REPORT_FILE: &str = "report.json";
/// The configuration, for whoever wants to see it.
const CONFIG_FILE: &str = "kilter.toml";

/// A stage that is set.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) dir: PathBuf,
    pub(super) broker: SocketAddr,
    pub(super) config: Config,
}

impl Stage {
    /// Makes the directory, starts the broker and writes the configuration.
    pub(super) fn set(dir: Option<&Path>) -> Result<Self, CliError> {
        let dir = match dir {
            Some(dir) => dir.to_owned(),
            None => std::env::temp_dir().join(format!("kilter-demo-{}", std::process::id())),
        };
        let cannot = |error: std::io::Error| CliError::Failed(format!("cannot use {}: {error}", dir.display()));
        fs::create_dir_all(&dir).map_err(cannot)?;
        clear_earlier_demo(&dir)?;
        fs::write(dir.join(MARKER_FILE), "").map_err(cannot)?;
        let broker = start_broker().map_err(CliError::failed)?;
        let text = config_text(&dir, broker);
        let path = dir.join(CONFIG_FILE);
        fs::write(&path, &text).map_err(cannot)?;
        let config = Config::parse(&text, &path).map_err(|error| CliError::Configuration(error.to_string()))?;
        Ok(Self { dir, broker, config })
    }

    /// Writes the report beside the store.
    pub(super) fn keep(&self, report: &Report) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(report).map_err(CliError::failed)?;
        Ok(fs::write(self.dir.join(REPORT_FILE), text + "\n")?)
    }
}

/// Removes the store of an earlier demo; any other store stays, and the demo does not touch it.
fn clear_earlier_demo(dir: &Path) -> Result<(), CliError> {
    let database = dir.join(DATABASE_FILE);
    if !database.exists() {
        return Ok(());
    }
    if !dir.join(MARKER_FILE).exists() {
        let dir = dir.display();
        return Err(CliError::Usage(format!("{dir} holds a store that no demo made; give another --data-dir")));
    }
    for suffix in ["", "-wal", "-shm"] {
        let path = dir.join(format!("{DATABASE_FILE}{suffix}"));
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn config_text(dir: &Path, broker: SocketAddr) -> String {
    // A path is quoted as Rust quotes it, which is also how TOML reads it.
    let store = format!("sqlite:{}", dir.join(DATABASE_FILE).display());
    let default_listen = crate::http::HttpConfig::LISTEN;
    let is_free = TcpListener::bind(default_listen).is_ok();
    let listen = if is_free { default_listen } else { SocketAddr::new(default_listen.ip(), 0) };
    format!(
        r#"# What the demo ran with; `kilter run --config` reads the same form.
[mqtt]
servers = ["mqtt://{broker}"]
client_id = "kilter-demo"

[store]
url = {store:?}

[http]
listen = "{listen}"

[log]
filter = "off"

[defaults]
topic = "{PUBLISHER_TOPIC}"
payload = "json_object"
stride = "1m"
warm_up_rows = {WARM_UP_ROWS}
alarm_budget = "{DEMO_ALARM_BUDGET}"
# The plant's minutes pass in milliseconds, and it holds its breath while it is learned.
idle_after = "1h"
silence_after = "1h"

[defaults.units]
{}"#,
        units()
    )
}

/// Units of the channels on which the kinds of machines agree, a line each.
fn units() -> String {
    let kinds = MACHINES.map(|(_, kind)| kind);
    let unit_of = |channel: &'static str| {
        let units: BTreeSet<&str> = kinds.iter().filter_map(|kind| kind.unit(channel)).collect();
        let unit = units.first().filter(|_| units.len() == 1)?;
        Some((channel, format!("{channel} = {unit:?}\n")))
    };
    let lines: BTreeMap<&str, String> =
        kinds.iter().flat_map(|kind| kind.channels()).copied().filter_map(unit_of).collect();
    lines.into_values().collect()
}

/// The wall clock.
pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
