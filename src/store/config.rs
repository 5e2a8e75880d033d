//! The sections `[store]` and `[retention]`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Age;

/// Name of the database inside a data directory.
pub const DATABASE_FILE: &str = "kilter.db";

/// Where the store is: `sqlite:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreUrl(PathBuf);

/// Why a text is no [`StoreUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a store; allowed: sqlite:PATH, as in \"sqlite:/var/lib/kilter/kilter.db\"")]
pub struct StoreUrlError {
    /// The text.
    pub found: String,
}

impl StoreUrl {
    /// The store in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        text.strip_prefix("sqlite:")
            .map(|rest| rest.strip_prefix("//").unwrap_or(rest))
            .filter(|path| !path.is_empty() && !path.contains([':', '?', '\0']))
            .map(|path| Self(path.into()))
            .ok_or_else(|| StoreUrlError { found: text.to_owned() })
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = StoreUrlError;
    fn try_from(text: String) -> Result<Self, StoreUrlError> {
        text.parse()
    }
}

impl From<StoreUrl> for String {
    fn from(url: StoreUrl) -> String {
        format!("sqlite:{}", url.0.display())
    }
}

/// When a commit counts as safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronous {
    /// Every commit waits for the disk: a power cut loses nothing that was acknowledged.
    #[default]
    Full,
    /// Commits wait for the operating system only: a crash of Kilter loses nothing, a power cut may lose the last
    /// commits although the broker was told they are safe.
    Normal,
}

/// The section `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// Where the store is.
    pub url: StoreUrl,
    /// When a commit counts as safe.
    pub synchronous: Synchronous,
    /// Connections for queries, each with a thread of its own, and as many again, with 2 MiB of page cache each, for
    /// ranges of rows; the writer's is extra.
    pub read_connections: u32,
    /// Page cache of the writing connection, MiB; each of those for other queries has a quarter of it.
    pub cache_mib: u32,
    /// Largest size of the database file, MiB; 0 for no limit. A commit beyond it fails as on a full disk.
    pub size_max_mib: u32,
    /// How long a commit waits for another program that holds the database, ms.
    pub busy_timeout_ms: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: StoreUrl::file(DATABASE_FILE),
            synchronous: Synchronous::Full,
            read_connections: 4,
            cache_mib: 8,
            size_max_mib: 0,
            busy_timeout_ms: 2_000,
        }
    }
}

impl StoreConfig {
    /// The store of a data directory, all else by default.
    pub fn in_dir(dir: &Path) -> Self {
        Self { url: StoreUrl::file(dir.join(DATABASE_FILE)), ..Self::default() }
    }
}

/// The section `[retention]`: how long things are kept, counted back from the newest row of each series for rows,
/// from the wall clock for alerts. Rows that a window or a training set still needs are never removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Closed rows.
    pub frames: Age,
    /// Live and settled scores.
    pub scores: Age,
    /// Sums by minute.
    pub minutes: Age,
    /// Sums by hour.
    pub hours: Age,
    /// Resolved alerts and their transitions.
    pub alerts: Age,
    /// Rows of each series that are kept however old: windows and training sets need them.
    pub frames_kept_min: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            frames: Age::days(90),
            scores: Age::days(90),
            minutes: Age::days(365),
            hours: Age::FOREVER,
            alerts: Age::days(5 * 365),
            frames_kept_min: 20_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_url_names_a_file() {
        for (text, path) in [("sqlite:kilter.db", "kilter.db"), ("sqlite:///var/lib/k.db", "/var/lib/k.db")] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().path(), Path::new(path));
        }
        for text in ["", "sqlite:", "kilter.db", "postgres://localhost/kilter", "sqlite::memory:", "sqlite:a?mode=rwc"]
        {
            assert!(text.parse::<StoreUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_defaults_survive_toml() {
        let config = StoreConfig::default();
        assert_eq!(toml::from_str::<StoreConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        let retention = Retention::default();
        assert_eq!(toml::from_str::<Retention>(&toml::to_string(&retention).unwrap()).unwrap(), retention);
        assert!(toml::from_str::<StoreConfig>("urll = 1").is_err());
    }
}
