//! What the database takes on its disk, and what is left there.

use std::path::Path;

/// Room on the disk of the database, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRoom {
    /// What the database takes: its file, the write-ahead log and the log's index.
    pub n_used: u64,
    /// What is left for it; none where the system does not tell.
    pub n_free: Option<u64>,
}

impl DiskRoom {
    /// Room of the database at `path`. Files that are not there take none.
    pub(super) fn of(path: &Path) -> Self {
        let size = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).map_or(0, |file| file.len())
        };
        Self { n_used: ["", "-wal", "-shm"].map(size).iter().sum(), n_free: free(path) }
    }
}

#[cfg(unix)]
fn free(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    // What is kept back for root is not left for us.
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_path: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_write_ahead_log_counts_and_the_disk_tells_what_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kilter.db");
        std::fs::write(&path, [0; 1000]).unwrap();
        std::fs::write(dir.path().join("kilter.db-wal"), [0; 500]).unwrap();
        let room = DiskRoom::of(&path);
        assert_eq!(room.n_used, 1500);
        // df of coreutils asks the same disk.
        let df = std::process::Command::new("df").args(["--output=avail", "-B1"]).arg(&path).output().unwrap();
        let text = String::from_utf8(df.stdout).unwrap();
        let expected: f64 = text.lines().last().unwrap().trim().parse().unwrap();
        let found = room.n_free.expect("this system tells") as f64;
        assert!((found - expected).abs() < 0.05 * expected, "{found} B, df says {expected} B");
        assert_eq!(DiskRoom::of(Path::new("/nowhere/kilter.db")), DiskRoom { n_used: 0, n_free: None });
    }
}
