//! Why a command ended without doing what was asked, and the exit code that says so.

use std::io;
use std::process::ExitCode;

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// It was tried and failed; the text is for people and names what was found and expected.
    #[error("{0}")]
    Failed(String),
    /// The arguments contradict each other or name something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The configuration has faults; the text lists all of them.
    #[error("{0}")]
    Configuration(String),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl CliError {
    /// A failure told in the words of the error that caused it.
    pub fn failed(cause: impl std::fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }

    /// True when the reader of our output went away (`kilter scores … | head`), which is no fault.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Io(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }

    /// 1 failed, 2 usage, 78 configuration (systemd's EX_CONFIG); 0 for a closed pipe.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            _ if self.is_closed_pipe() => ExitCode::SUCCESS,
            Self::Failed(_) | Self::Io(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Configuration(_) => ExitCode::from(78),
        }
    }
}
