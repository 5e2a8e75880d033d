//! The form of an answer: a table for people, JSON or CSV for programs.

/// In which form an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::Args)]
pub struct OutputArgs {
    /// Print JSON, one document.
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print CSV with a header line.
    #[arg(long)]
    pub csv: bool,
}
