//! Any bytes as a recording: rows or an error.
#![no_main]

use kilter::ingest::{LabelColumn, Recording};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recording) = Recording::read(bytes, LabelColumn::Read) {
        let times = recording.row_times();
        assert!(times.len() == recording.n_rows());
        assert!(recording.values.iter().all(|value| value.is_finite()));
    }
});
