//! Two claims of the mission, measured: `cargo run --release --example networks`
//!
//! 1. On data that lie on a curved surface an autoencoder reconstructs better than PCA with as many numbers.
//! 2. A recurrent memory fades with distance; an open forget gate holds it longer, attention does not care.
//!
//! Prints the tables of `docs/networks.md` and draws `docs/manifold.svg` and `docs/memory.svg`. Every number is seeded;
//! times are not part of it. A first argument names another folder for the pictures.

mod chart;
mod manifold;
mod memory;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "docs".to_owned());
    let folder = std::path::Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let (table, picture) = manifold::measure();
    println!("{table}");
    std::fs::write(folder.join("manifold.svg"), picture)?;
    let (table, picture) = memory::measure();
    println!("{table}");
    std::fs::write(folder.join("memory.svg"), picture)
}
