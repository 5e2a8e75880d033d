//! The `kilter` program.

use std::process::ExitCode;

use clap::Parser;
use kilter::cli::Cli;

/// Gives back what a burst of messages took: ten thousand series have 203 MiB resident, where glibc's arenas kept 256.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_closed_pipe() {
                eprintln!("kilter: {error}");
            }
            error.exit_code()
        }
    }
}
