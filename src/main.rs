//! The `kilter` program.

use std::process::ExitCode;

use clap::Parser;
use kilter::cli::Cli;

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
