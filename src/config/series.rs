//! `[defaults]` and `[[series]]`: what series are made of and what they are judged by.
//!
//! A `[[series]]` entry is `[defaults]` with some keys written anew. Without any entry, `[defaults]` alone is the one
//! entry. The keys of the grid ([`GridSpec`]) stand beside those of [`SeriesKeys`]; members and rules have a table each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::fault::{Fault, join};
use super::limits::{read_limits, read_units};
use super::rows::{RowSpan, RowSpanError, WarmUpRows};
use super::section::{known_keys, read_section, read_table};
use crate::decode::{PayloadSpec, TopicTemplate};
use crate::detector::{DetectorSpec, Member};
use crate::pipeline::{PowerSpec, SeriesSpec, WatchSpec};
use crate::series::{HumanDuration, Stride};
use crate::verdict::{AlarmBudget, AlertSpec, DecisionRule, DecisionSpec};
use crate::windowing::{GridKind, GridSpec};

/// One kind of series: the topics it speaks on, the form of its payloads, and what it is judged by.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesEntry {
    /// Topics, and what in them names series and channel.
    pub topic: TopicTemplate,
    /// How payloads carry values.
    pub payload: PayloadSpec,
    /// What the series is judged by.
    pub spec: SeriesSpec,
}

/// The keys of an entry that belong to no other part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeriesKeys {
    /// Topic template.
    pub topic: TopicTemplate,
    /// How payloads carry values.
    pub payload: PayloadSpec,
    /// Rows of a window.
    pub window: RowSpan,
    /// Members of the fused score.
    pub members: Vec<Member>,
    /// When models are fitted.
    pub warm_up_rows: WarmUpRows,
    /// Accepted false openings.
    pub alarm_budget: AlarmBudget,
    /// Rows that the settled score looks ahead.
    pub settle_delay: RowSpan,
    /// The decision rule.
    pub rule: DecisionRule,
    /// Channels of a series at most.
    pub channels_max: u32,
    /// Without a message for so long, a series has no data.
    pub silence_after: HumanDuration,
    /// One model for all series of the entry that have the same channels.
    pub share_model: bool,
    /// Keep the latent of every judged window.
    pub keep_latents: bool,
    /// Seed of everything random in a fit.
    pub seed: u64,
}

/// One JSON object per row of a machine, under the machine's name.
const DEFAULT_TOPIC: &str = "plant/{series}";
/// Rows of the shortest and the longest window.
const WINDOW_ROWS: std::ops::RangeInclusive<usize> = 2..=4096;
/// Rows of the longest settle delay.
const SETTLE_DELAY_ROWS_MAX: usize = 100_000;
/// Channels of a series at most: a window of the default length then still fits a processor's cache.
const CHANNELS_MAX: u32 = 64;

impl Default for SeriesKeys {
    fn default() -> Self {
        let detector = DetectorSpec::default();
        let rows = |n: usize| RowSpan::Rows(n as u32);
        Self {
            topic: TopicTemplate::parse(DEFAULT_TOPIC).expect("the default topic is a template"),
            payload: PayloadSpec::default(),
            window: rows(detector.window_rows),
            members: detector.members,
            warm_up_rows: WarmUpRows::default(),
            alarm_budget: AlarmBudget::default(),
            settle_delay: rows(detector.settle_delay_rows),
            rule: DecisionRule::default(),
            channels_max: CHANNELS_MAX,
            silence_after: HumanDuration::from_secs(60),
            share_model: false,
            keep_latents: false,
            seed: detector.seed,
        }
    }
}

/// Tables of an entry: one per member with settings, one per decision rule, one per rule without a score.
const TABLES: [&str; 15] = [
    "autoencoder",
    "pca",
    "kernel_pca",
    "random_features",
    "kmeans",
    "var",
    "betting",
    "quantile",
    "fixed",
    "stuck",
    "silent",
    "limits",
    "alerts",
    "power",
    "units",
];

/// Every key that `[defaults]` and `[[series]]` know, tables included.
pub(super) fn all_keys() -> Vec<String> {
    let mut keys = known_keys::<SeriesKeys>();
    keys.extend(known_keys::<GridSpec>());
    keys.extend(TABLES.map(str::to_owned));
    keys
}

/// Reads `[defaults]` and every `[[series]]`; never empty.
pub(super) fn read_entries(file: &Table, faults: &mut Vec<Fault>) -> Vec<SeriesEntry> {
    let defaults = super::section::table_at(file, "defaults", faults);
    let entries = entry_tables(file, faults);
    if entries.is_empty() {
        return vec![read_entry("defaults", &defaults, &Table::new(), faults)];
    }
    // Faults of [defaults] are told once, not once per entry.
    let n_before = faults.len();
    read_entry("defaults", &defaults, &Table::new(), faults);
    let sound_defaults = if faults.len() == n_before { defaults } else { Table::new() };
    let read = |(i, own): (usize, &Table)| read_entry(&format!("series[{i}]"), own, &sound_defaults, faults);
    let entries: Vec<SeriesEntry> = entries.iter().enumerate().map(read).collect();
    for (i, own) in entries.iter().enumerate() {
        if let Some(first) = entries[..i].iter().position(|other| other.topic == own.topic) {
            faults.push(Fault {
                path: format!("series[{i}].topic"),
                found: format!("{:?}, which series[{first}] has already", own.topic.as_str()),
                allowed: "a topic template of its own".to_owned(),
            });
        }
    }
    entries
}

fn entry_tables(file: &Table, faults: &mut Vec<Fault>) -> Vec<Table> {
    let refused = |found: &Value| Fault {
        path: "series".to_owned(),
        found: found.type_str().to_owned(),
        allowed: "entries, each under a line [[series]]".to_owned(),
    };
    match file.get("series") {
        None => Vec::new(),
        Some(Value::Array(entries)) => {
            let tables = entries.iter().filter_map(|entry| match entry {
                Value::Table(table) => Some(table.clone()),
                other => {
                    faults.push(refused(other));
                    None
                }
            });
            tables.collect()
        }
        Some(other) => {
            faults.push(refused(other));
            Vec::new()
        }
    }
}

/// Reads one entry: `own` keys over `defaults`, which are known to be sound.
fn read_entry(path: &str, own: &Table, defaults: &Table, faults: &mut Vec<Fault>) -> SeriesEntry {
    let known = all_keys();
    for key in own.keys().filter(|key| !known.contains(key)) {
        faults.push(Fault::unknown_key(path, key, &known));
    }
    let mut merged = defaults.clone();
    for (key, value) in own {
        match (merged.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if TABLES.contains(&key.as_str()) => {
                below.extend(above.clone());
            }
            _ => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    let keys: SeriesKeys = read_section(path, &part::<SeriesKeys>(&merged), faults);
    let grid: GridSpec = read_section(path, &part::<GridSpec>(&merged), faults);
    let detector = DetectorSpec {
        members: keys.members.clone(),
        autoencoder: read_table(&join(path, "autoencoder"), merged.get("autoencoder"), faults),
        pca: read_table(&join(path, "pca"), merged.get("pca"), faults),
        kernel_pca: read_table(&join(path, "kernel_pca"), merged.get("kernel_pca"), faults),
        random_features: read_table(&join(path, "random_features"), merged.get("random_features"), faults),
        kmeans: read_table(&join(path, "kmeans"), merged.get("kmeans"), faults),
        var: read_table(&join(path, "var"), merged.get("var"), faults),
        seed: keys.seed,
        ..DetectorSpec::default()
    };
    let decision = DecisionSpec {
        rule: keys.rule,
        betting: read_table(&join(path, "betting"), merged.get("betting"), faults),
        quantile: read_table(&join(path, "quantile"), merged.get("quantile"), faults),
        fixed: read_table(&join(path, "fixed"), merged.get("fixed"), faults),
        ..DecisionSpec::default()
    };
    let watches = WatchSpec {
        stuck: read_table(&join(path, "stuck"), merged.get("stuck"), faults),
        silent: read_table(&join(path, "silent"), merged.get("silent"), faults),
        limits: read_limits(&join(path, "limits"), merged.get("limits"), faults),
    };
    let alerts: AlertSpec = read_table(&join(path, "alerts"), merged.get("alerts"), faults);
    let power: PowerSpec = read_table(&join(path, "power"), merged.get("power"), faults);
    let units = read_units(&join(path, "units"), merged.get("units"), faults);
    let mut entry = compose(path, &merged, (keys, grid, detector, decision, (watches, alerts)), faults);
    entry.spec.power = power;
    entry.spec.units = units;
    entry
}

/// The keys of a table that a section knows.
fn part<T: serde::de::DeserializeOwned>(table: &Table) -> Table {
    let known = known_keys::<T>();
    table.iter().filter(|(key, _)| known.contains(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The parts of an entry.
type Sections = (SeriesKeys, GridSpec, DetectorSpec, DecisionSpec, (WatchSpec, AlertSpec));

/// Checks what only the keys together can tell.
fn compose(
    path: &str,
    merged: &Table,
    (keys, grid, mut detector, decision, (watches, alerts)): Sections,
    faults: &mut Vec<Fault>,
) -> SeriesEntry {
    let mut fault = |key: &str, allowed: String| {
        let found = merged.get(key).map_or_else(|| "the default".to_owned(), Value::to_string);
        faults.push(Fault { path: join(path, key), found, allowed });
    };
    let stride: Option<Stride> = (grid.grid == GridKind::Time).then_some(grid.stride);
    let rows = |span: RowSpan| span.rows(stride).map_err(|error: RowSpanError| error.to_string());
    let in_range = |rows: usize, range: std::ops::RangeInclusive<usize>| {
        let allowed = format!("{} to {} rows", range.start(), range.end());
        if range.contains(&rows) { Ok(rows) } else { Err(allowed) }
    };
    match rows(keys.window).and_then(|rows| in_range(rows, WINDOW_ROWS)) {
        Ok(rows) => detector.window_rows = rows,
        Err(allowed) => fault("window", allowed),
    }
    match rows(keys.settle_delay).and_then(|rows| in_range(rows, 0..=SETTLE_DELAY_ROWS_MAX)) {
        Ok(rows) => detector.settle_delay_rows = rows,
        Err(allowed) => fault("settle_delay", allowed),
    }
    if let Err(error) = detector.autoencoder.check() {
        error.faults.into_iter().for_each(|text| fault("autoencoder", text));
    }
    let tables = [("pca", detector.pca.faults()), ("kernel_pca", detector.kernel_pca.faults())];
    for (table, (key, found, allowed)) in
        tables.into_iter().flat_map(|(t, faults)| faults.into_iter().map(move |f| (t, f)))
    {
        faults.push(Fault { path: join(&join(path, table), key), found, allowed: allowed.to_owned() });
    }
    let mut fault = |key: &str, allowed: String| {
        let found = merged.get(key).map_or_else(|| "the default".to_owned(), Value::to_string);
        faults.push(Fault { path: join(path, key), found, allowed });
    };
    if !(watches.stuck.range_share >= 0.0 && watches.stuck.margin >= 1.0 && watches.stuck.rows >= 2) {
        fault("stuck", "rows from 2, range_share from 0, margin from 1".to_owned());
    }
    if !(watches.silent.pauses >= 1.0 && watches.silent.pauses_min >= 1) {
        fault("silent", "pauses from 1, pauses_min from 1".to_owned());
    }
    if keys.members.is_empty() {
        fault("members", "at least one member".to_owned());
    }
    if keys.channels_max == 0 {
        fault("channels_max", "at least 1".to_owned());
    }
    if let Err(error) = keys.alarm_budget.openings_per_row(stride) {
        fault("alarm_budget", error.to_string());
    }
    let spec = SeriesSpec {
        name: keys.topic.as_str().to_owned(),
        grid,
        detector,
        decision,
        alarm_budget: keys.alarm_budget,
        watches,
        alerts,
        power: PowerSpec::default(),
        units: BTreeMap::new(),
        warm_up: keys.warm_up_rows.0,
        channels_max: keys.channels_max as usize,
        silence_after_ms: keys.silence_after.as_ms(),
        shares_model: keys.share_model,
        keeps_latents: keys.keep_latents,
    };
    SeriesEntry { topic: keys.topic, payload: keys.payload, spec }
}
