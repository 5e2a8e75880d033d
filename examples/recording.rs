//! A labelled recording of the simulated plant, as CSV on standard output.
//!
//! `cargo run --release --example recording -- pump-1 1 > pump-1.csv`: the machine and the seed of the plant. The first
//! 2880 rows are clean; faults of six kinds follow, spread over the plant's machines.

use std::io::{self, BufWriter};

use kilter::series::Timestamp;
use kilter::simulate::{DemoPlan, write_recording};

/// Rows after the clean ones, in which the plant has 24 faults.
const LIVE_ROWS: usize = 5400;
/// The plant's last row lies at about this time; midnight starts the day of its machines.
const ENDS_AT_MS: i64 = 1_795_521_600_000;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let machine = arguments.next().unwrap_or_else(|| "pump-1".to_owned());
    let seed = arguments.next().map_or(Ok(1), |text| text.parse());
    let seed = seed.map_err(|cause| io::Error::new(io::ErrorKind::InvalidInput, format!("seed: {cause}")))?;
    let plan = DemoPlan::new(seed, LIVE_ROWS, Timestamp::from_ms(ENDS_AT_MS));
    write_recording(&mut plan.plant(), &machine, plan.n_rows, BufWriter::new(io::stdout().lock()))
}
