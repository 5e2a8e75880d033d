//! What is wrong with a configuration, told so that it can be put right without reading documentation.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `mqtt.qos`, `series[2].stride`.
    pub path: String,
    /// What was found there, as written.
    pub found: String,
    /// What is allowed there.
    pub allowed: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}; allowed: {}", self.path, self.found, self.allowed)
    }
}

impl Fault {
    /// A key that nobody reads.
    pub(super) fn unknown_key(section: &str, key: &str, known: &[String]) -> Self {
        let nearest = known.iter().max_by(|a, b| similarity(a, key).total_cmp(&similarity(b, key)));
        let allowed = match nearest.filter(|name| similarity(name, key) > SIMILAR) {
            Some(nearest) => format!("`{nearest}` (the nearest known key)"),
            None => known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        Self { path: join(section, key), found: "an unknown key".to_owned(), allowed }
    }

    /// A value that its section refuses, in the words of the error that refused it.
    pub(super) fn refused(path: String, value: &toml::Value, error: &toml::de::Error) -> Self {
        Self { path, found: shortened(value), allowed: allowed_in(error.message()) }
    }
}

/// Names at least this similar (Jaro-Winkler, 0 to 1) are worth suggesting.
const SIMILAR: f64 = 0.7;

fn similarity(known: &str, key: &str) -> f64 {
    strsim::jaro_winkler(known, key)
}

/// `section.key`, or the key alone at the top.
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// The value as written, cut where it is too long for a line.
fn shortened(value: &toml::Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string().replace('\n', " ");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// The part of an error's message that says what is allowed.
fn allowed_in(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    for marker in ["allowed: ", "; write ", "expected "] {
        if let Some((_, allowed)) = line.split_once(marker) {
            return in_plain_words(allowed);
        }
    }
    in_plain_words(line)
}

/// What a parser expects, in the words of somebody who writes the file; other texts as they are.
fn in_plain_words(allowed: &str) -> String {
    let count = |max: u64| format!("a whole number from 0 to {max}");
    match allowed {
        "invalid socket address syntax" => {
            "an address and a port, such as \"127.0.0.1:8181\" or \"0.0.0.0:8181\"".to_owned()
        }
        "a sequence" => "a list in brackets, such as [\"first\", \"second\"]".to_owned(),
        "a string" | "string" => "a text in quotes".to_owned(),
        "path string" | "a path string" => "a path in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a map" => "a table of keys and values".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "u8" => count(u8::MAX.into()),
        "u16" => count(u16::MAX.into()),
        "u32" => count(u32::MAX.into()),
        "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        other => match other.strip_prefix("struct ") {
            Some(_) => "a table of keys and values".to_owned(),
            None => other.to_owned(),
        },
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read the configuration {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The text is not TOML; nothing else can be said about it.
    #[error("{path} is not TOML: {cause}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why, with the line.
        cause: Box<toml::de::Error>,
    },
    /// Faults, all of them.
    #[error("{path} has {}:{}", count(faults.len()), list(faults))]
    Faults {
        /// The file.
        path: PathBuf,
        /// At least one.
        faults: Vec<Fault>,
    },
}

fn count(n: usize) -> String {
    if n == 1 { "one fault".to_owned() } else { format!("{n} faults") }
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}
