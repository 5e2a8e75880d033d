//! Recordings: what is written is read back, and no bytes bring the reader down.

#![allow(clippy::unwrap_used)]

use kilter::ingest::{LabelColumn, Recording};
use proptest::prelude::*;

/// A recording as text: channels, and per row the cells with `None` for a missing reading, and the label.
fn text(n_channels: usize, rows: &[(Vec<Option<f64>>, bool)], is_timed: bool) -> String {
    let mut text = String::new();
    if is_timed {
        text.push_str("timestamp,");
    }
    for channel in 0..n_channels {
        text.push_str(&format!("channel {channel},"));
    }
    text.push_str("label\n");
    for (row, (cells, label)) in rows.iter().enumerate() {
        if is_timed {
            text.push_str(&format!("{},", 1_700_000_000 + row / 2));
        }
        for cell in cells {
            text.push_str(&cell.map_or(String::new(), |value| format!("{value:?}")));
            text.push(',');
        }
        text.push_str(if *label { "1\n" } else { "0\n" });
    }
    text
}

/// Cells and label of each row.
type Rows = Vec<(Vec<Option<f64>>, bool)>;

fn rows() -> impl Strategy<Value = (usize, Rows)> {
    (1_usize..5).prop_flat_map(|n_channels| {
        let cell = prop::option::weighted(0.9, prop::num::f64::NORMAL | prop::num::f64::ZERO);
        let row = (prop::collection::vec(cell, n_channels), any::<bool>());
        (Just(n_channels), prop::collection::vec(row, 1..40))
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((n_channels, rows) in rows(), is_timed in any::<bool>()) {
        let text = text(n_channels, &rows, is_timed);
        let recording = Recording::read(text.as_bytes(), LabelColumn::Read).unwrap();
        prop_assert_eq!(recording.n_rows(), rows.len());
        prop_assert_eq!(recording.at.is_some(), is_timed);
        for (row, (cells, label)) in rows.iter().enumerate() {
            for (channel, cell) in cells.iter().enumerate() {
                prop_assert_eq!(recording.row_present(row)[channel], cell.is_some());
                prop_assert_eq!(recording.row(row)[channel], cell.unwrap_or(0.0));
            }
            prop_assert_eq!(recording.label.as_ref().unwrap()[row], *label);
        }
        let times = recording.row_times();
        prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn random_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_both_ways(&bytes);
    }

    #[test]
    fn text_that_looks_like_a_recording_is_read_or_refused(text in "(timestamp,)?[a-c\"#;é]{0,4},?(label)?\r?\n([-0-9.eE+nainfTZ:, \"]{0,20}\r?\n){0,6}") {
        read_both_ways(text.as_bytes());
    }

    #[test]
    fn a_recording_with_one_byte_changed_is_read_or_refused((n_channels, rows) in rows(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text(n_channels, &rows, true).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        read_both_ways(&bytes);
    }
}

/// Reads with and without labels; what is read keeps its promises.
fn read_both_ways(bytes: &[u8]) {
    for label in [LabelColumn::Ignored, LabelColumn::Read] {
        if let Ok(recording) = Recording::read(bytes, label) {
            let n_cells = recording.n_rows() * recording.channels.len();
            assert!(n_cells > 0);
            assert_eq!((recording.values.len(), recording.present.len()), (n_cells, n_cells));
            assert!(recording.values.iter().all(|value| value.is_finite()));
            assert!(recording.at.as_ref().is_none_or(|at| at.len() == recording.n_rows()));
            assert!(recording.label.as_ref().is_none_or(|label| label.len() == recording.n_rows()));
        }
    }
}
