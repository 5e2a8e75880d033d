//! Claims about networks, measured: `cargo run --release --example networks`
//!
//! 1. On data that lie on a curved surface an autoencoder reconstructs better than PCA with as many numbers.
//! 2. A recurrent memory fades with distance; an open forget gate holds it longer, attention does not care.
//! 3. Dropout and denoising noise are not the same: one series, trained with either.
//!
//! Prints the tables of `docs/networks.md` and draws `docs/manifold.svg` and `docs/memory.svg`. Every number is seeded;
//! times are not part of it. An argument names another folder for the pictures; `--dropout` measures the third claim
//! alone; `--trial` takes one seed, one distance and one epoch, to see that all of it runs.

mod chart;
mod manifold;
mod memory;
mod robust;

/// How much is measured.
struct Effort {
    seeds: u64,
    epochs: usize,
    /// Rows between two windows learned from.
    hop: usize,
    distances: &'static [usize],
    /// Steps of training for the memory.
    steps: usize,
}

const WHOLE: Effort = Effort { seeds: 5, epochs: 150, hop: 1, distances: &[4, 8, 16, 32, 64, 128, 256], steps: 300 };
const TRIAL: Effort = Effort { seeds: 1, epochs: 1, hop: 40, distances: &[4], steps: 2 };

fn main() -> std::io::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut takes = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.map(|at| arguments.remove(at)).is_some()
    };
    let effort = if takes("--trial") { TRIAL } else { WHOLE };
    let is_third_alone = takes("--dropout");
    if !is_third_alone {
        let folder = arguments.first().map_or("docs", String::as_str);
        let folder = std::path::Path::new(folder);
        std::fs::create_dir_all(folder)?;
        let (table, picture) = manifold::measure(&effort);
        println!("{table}");
        std::fs::write(folder.join("manifold.svg"), picture)?;
        let (table, picture) = memory::measure(&effort);
        println!("{table}");
        std::fs::write(folder.join("memory.svg"), picture)?;
    }
    println!("{}", robust::measure(&effort));
    Ok(())
}
