//! Reads a section key by key, so that one fault does not hide the next.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::fault::{Fault, join};

/// The keys a section knows, in the order of its fields.
///
/// A section is a struct with `#[serde(default, deny_unknown_fields)]`: its own refusal of an impossible key names
/// every possible one, so the list needs no second place to be kept in.
pub fn known_keys<T: DeserializeOwned>() -> Vec<String> {
    let impossible = Table::from_iter([("?".to_owned(), Value::Boolean(true))]);
    match T::deserialize(impossible) {
        Ok(_) => Vec::new(),
        Err(error) => error.message().split('`').skip(3).step_by(2).map(str::to_owned).collect(),
    }
}

/// Reads a section, collects every fault of it, and returns what the sound keys say.
pub(super) fn read_section<T: DeserializeOwned + Default>(path: &str, table: &Table, faults: &mut Vec<Fault>) -> T {
    let known = known_keys::<T>();
    let mut sound = Table::new();
    for (key, value) in table {
        if !known.contains(key) {
            faults.push(Fault::unknown_key(path, key, &known));
            continue;
        }
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        match T::deserialize(alone) {
            Ok(_) => {
                sound.insert(key.clone(), value.clone());
            }
            Err(error) => faults.push(Fault::refused(join(path, key), value, &error)),
        }
    }
    // Keys that are sound alone are sound together, unless the section itself compares them.
    T::deserialize(sound.clone()).unwrap_or_else(|error| {
        faults.push(Fault::refused(path.to_owned(), &Value::Table(sound), &error));
        T::default()
    })
}

/// The table at a key of the file; a fault when something else stands there, an empty table when nothing does.
pub(super) fn table_at(file: &Table, key: &str, faults: &mut Vec<Fault>) -> Table {
    match file.get(key) {
        None => Table::new(),
        Some(Value::Table(table)) => table.clone(),
        Some(other) => {
            let found = format!("{} {other}", other.type_str());
            faults.push(Fault { path: key.to_owned(), found, allowed: format!("a section, [{key}]") });
            Table::new()
        }
    }
}

/// Reads a section that stands inside another one; a fault when something else than a table stands there.
pub(super) fn read_table<T: DeserializeOwned + Default>(
    path: &str,
    value: Option<&Value>,
    faults: &mut Vec<Fault>,
) -> T {
    match value {
        None => T::default(),
        Some(Value::Table(table)) => read_section(path, table, faults),
        Some(other) => {
            let allowed = format!("a table of {}", known_keys::<T>().join(", "));
            faults.push(Fault { path: path.to_owned(), found: other.to_string(), allowed });
            T::default()
        }
    }
}
