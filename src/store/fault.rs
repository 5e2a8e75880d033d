//! What can go wrong with the store, sorted by what the caller may do.

use std::path::PathBuf;

use crate::series::SeriesId;

/// What the caller may do after a failed commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Keep the batch, acknowledge nothing, try again later: the cause may go away.
    TryAgain,
    /// Stop: the same batch will fail again.
    Stop,
}

/// Why a transaction was not committed. Nothing of it is in the store, or (when the answer was lost) all of it;
/// committing it again is right in both cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Another program holds the database.
    #[error("the store is locked by another program: {detail}")]
    Locked {
        /// What SQLite said.
        detail: String,
    },
    /// No room.
    #[error("the disk of the store is full: {detail}")]
    DiskFull {
        /// What SQLite said.
        detail: String,
    },
    /// No right to write, or the file is gone.
    #[error("the store is not writable: {detail}")]
    NotWritable {
        /// What SQLite said.
        detail: String,
    },
    /// The disk failed to read or write.
    #[error("the disk of the store failed: {detail}")]
    Disk {
        /// What SQLite said.
        detail: String,
    },
    /// The file is damaged.
    #[error("the store is damaged, restore it from a backup or run SQLite's .recover: {detail}")]
    Damaged {
        /// What SQLite said.
        detail: String,
    },
    /// The store refuses what the batch says.
    #[error("the store refused the batch: {detail}")]
    Refused {
        /// What is wrong with it.
        detail: String,
    },
}

impl CommitError {
    /// What the caller may do.
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Locked { .. } | Self::DiskFull { .. } | Self::NotWritable { .. } | Self::Disk { .. } => {
                Reaction::TryAgain
            }
            Self::Damaged { .. } | Self::Refused { .. } => Reaction::Stop,
        }
    }
}

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const PROTOCOL: i32 = 15;
    pub(super) const PERM: i32 = 3;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
}

impl CommitError {
    /// What a result code of SQLite means, extended or primary; without one the store refuses.
    pub(super) fn of_code(code: Option<i32>, detail: String) -> Self {
        match code.map(|code| code & 0xff) {
            Some(code::BUSY | code::LOCKED | code::PROTOCOL) => Self::Locked { detail },
            Some(code::FULL) => Self::DiskFull { detail },
            Some(code::READONLY | code::CANTOPEN | code::PERM | code::AUTH) => Self::NotWritable { detail },
            Some(code::IOERR) => Self::Disk { detail },
            Some(code::CORRUPT | code::NOTADB) => Self::Damaged { detail },
            _ => Self::Refused { detail },
        }
    }
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(e) => e.code().and_then(|c| c.parse::<i32>().ok()),
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolTimedOut => Some(code::IOERR),
            _ => None,
        };
        Self::of_code(code, error.to_string())
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Written by a newer Kilter.
    #[error("{path} was written by a newer Kilter (schema {found}, this program knows {known}); update Kilter")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Highest schema version in the file.
        found: i64,
        /// Highest schema version this program knows.
        known: i64,
    },
    /// Written by an older Kilter, and opened for reading only.
    #[error(
        "{path} was written by an older Kilter (schema {found}, this program reads {known}); `kilter run` updates it"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Highest schema version in the file.
        found: i64,
        /// The schema version this program reads.
        known: i64,
    },
    /// Another program's database.
    #[error("{path} is not a Kilter database ({detail}); name another file in [store] url")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// There is nothing to read.
    #[error("there is no store at {path}")]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// Another Kilter writes it.
    #[error("{path} is in use by another Kilter; stop it, or query it with --url")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The directory cannot be made, or the lock file cannot be written.
    #[error("{path} cannot be opened for writing: {cause}")]
    Directory {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// Locked, full, not writable, damaged.
    #[error("{path} cannot be opened: {cause}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: CommitError,
    },
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The series has never spoken.
    #[error("no series {series:?}")]
    NoSuchSeries {
        /// The name asked for.
        series: SeriesId,
    },
    /// What the row holds makes no sense: a damaged blob, a word that is no state.
    #[error("{table} holds a damaged row ({detail})")]
    DamagedRow {
        /// Where.
        table: &'static str,
        /// What was found, and what was expected.
        detail: String,
    },
    /// The question itself makes no sense.
    #[error("{detail}")]
    BadQuery {
        /// What was found, and what is allowed.
        detail: String,
    },
    /// The database did not answer.
    #[error("the store cannot be read: {cause}")]
    Unusable {
        /// Why.
        #[from]
        cause: CommitError,
    },
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unusable { cause: error.into() }
    }
}
