//! The list of a benchmark set: which recordings it holds and what is known about each.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why a file is not a manifest.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}; a manifest is CSV with at least the column `file`", path.display())]
pub struct ManifestError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: csv::Error,
}

/// One line of a manifest. Columns other than these are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ManifestEntry {
    /// Name of the recording, in the folder of the manifest.
    pub file: String,
    /// The group it belongs to.
    #[serde(default)]
    pub source: Option<String>,
    /// The first so many rows are for fitting.
    #[serde(default)]
    pub train_rows: Option<usize>,
    /// Buffer length of VUS.
    #[serde(default)]
    pub vus_window: Option<usize>,
    /// Which half of the set.
    #[serde(default)]
    pub half: Option<String>,
}

/// Reads a manifest.
///
/// # Errors
/// When the file cannot be read or a line does not fit.
pub fn read_manifest(path: &Path) -> Result<Vec<ManifestEntry>, ManifestError> {
    let fault = |cause| ManifestError { path: path.into(), cause };
    let mut reader = csv::Reader::from_path(path).map_err(fault)?;
    reader.deserialize().map(|entry| entry.map_err(fault)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_may_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("MANIFEST.csv");
        std::fs::write(&path, "source,file,licence,train_rows,half\nSKAB,a.csv,GPL,400,1\n,b.csv,,,\n").unwrap();
        let entries = read_manifest(&path).unwrap();
        assert_eq!(entries[0].source.as_deref(), Some("SKAB"));
        assert_eq!((entries[0].train_rows, entries[0].half.as_deref()), (Some(400), Some("1")));
        assert_eq!((entries[1].file.as_str(), entries[1].train_rows, entries[1].vus_window), ("b.csv", None, None));
    }

    #[test]
    fn a_file_that_is_no_manifest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        let text = read_manifest(&path).unwrap_err().to_string();
        assert!(text.contains("x.csv") && text.contains("file"), "{text}");
        assert!(read_manifest(&folder.path().join("none.csv")).is_err());
    }
}
