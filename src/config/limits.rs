//! Tables whose keys are channels: `[defaults.limits]` and `[defaults.units]`.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::fault::{Fault, join};
use super::section::read_table;
use crate::series::ChannelName;
use crate::verdict::Limits;

/// Reads a table of channels; every entry is one channel's limits.
pub(super) fn read_limits(path: &str, value: Option<&Value>, faults: &mut Vec<Fault>) -> BTreeMap<ChannelName, Limits> {
    let empty = Table::new();
    let table = match value {
        None => &empty,
        Some(Value::Table(table)) => table,
        Some(other) => {
            let allowed = "a table of channels, such as temperature = { low = -40.0, high = 120.0 }".to_owned();
            faults.push(Fault { path: path.to_owned(), found: other.to_string(), allowed });
            &empty
        }
    };
    table.iter().filter_map(|(channel, value)| read_channel(path, channel, value, faults)).collect()
}

fn read_channel(path: &str, channel: &str, value: &Value, faults: &mut Vec<Fault>) -> Option<(ChannelName, Limits)> {
    let path = join(path, channel);
    let n_before = faults.len();
    let limits: Limits = read_table(&path, Some(value), faults);
    let mut fault = |allowed: String| faults.push(Fault { path: path.clone(), found: value.to_string(), allowed });
    let name = ChannelName::parse(channel).map_err(|error| fault(error.to_string())).ok();
    let is_sound = match (limits.low, limits.high) {
        (Some(low), Some(high)) => low < high,
        (Some(bound), None) | (None, Some(bound)) => bound.is_finite(),
        (None, None) => false,
    };
    if faults.len() == n_before && !is_sound {
        let allowed = "low, high or both, low below high".to_owned();
        faults.push(Fault { path, found: value.to_string(), allowed });
    }
    (faults.len() == n_before).then_some(()).and(name).map(|name| (name, limits))
}

/// Reads a table of channels and their units.
pub(super) fn read_units(path: &str, value: Option<&Value>, faults: &mut Vec<Fault>) -> BTreeMap<ChannelName, String> {
    let mut units = BTreeMap::new();
    let entries = match value {
        None => return units,
        Some(Value::Table(table)) => table,
        Some(other) => {
            let allowed = "a table of channels and units, such as temperature = \"°C\"".to_owned();
            faults.push(Fault { path: path.to_owned(), found: other.to_string(), allowed });
            return units;
        }
    };
    for (channel, unit) in entries {
        match (ChannelName::parse(channel), unit) {
            (Ok(name), Value::String(unit)) => drop(units.insert(name, unit.clone())),
            (Err(error), _) => {
                faults.push(Fault { path: join(path, channel), found: channel.clone(), allowed: error.to_string() });
            }
            (_, other) => {
                let allowed = "a unit as text, such as \"°C\"".to_owned();
                faults.push(Fault { path: join(path, channel), found: other.to_string(), allowed });
            }
        }
    }
    units
}
