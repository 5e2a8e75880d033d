//! Any readings in any order: closed times rise, values are finite, every reading has one result.
#![no_main]

use kilter::series::{Quality, Timestamp};
use kilter::windowing::{Assembler, GridSpec, IndexedReading};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, Vec<(u8, i32, f64)>)| {
    let (is_row, readings) = input;
    let base = Timestamp::from_ms(1_795_521_600_000);
    let mut assembler = Assembler::new(if is_row { GridSpec::row() } else { GridSpec::default() });
    let (mut last, mut n_counted) = (None, 0);
    for (channel, ms, value) in &readings {
        let reading = IndexedReading {
            channel_index: usize::from(*channel),
            at: base.plus_ms(i64::from(*ms)),
            value: *value,
            quality: Quality::Good,
        };
        let pushed = assembler.push_message(&[reading], base);
        n_counted += pushed.counts.n_readings();
        for row in pushed.closed {
            assert!(last < Some(row.frame.at));
            assert!(row.frame.values.iter().all(|value| value.is_finite()));
            last = Some(row.frame.at);
        }
    }
    assert_eq!(n_counted, readings.len() as u64);
});
