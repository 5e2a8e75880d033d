//! What holds for every sequence of messages, and hand-counted examples of each policy.

#![cfg(test)]

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::series::{Cell, Frame, HumanDuration, Quality, Stride, Timestamp};

/// 2026-01-01T00:00:00Z: `date -u -d 2026-01-01 +%s` → 1767225600.
static BASE: LazyLock<Timestamp> = LazyLock::new(|| Timestamp::from_ms(1_767_225_600_000));

fn reading(channel_index: usize, ms: i64, value: f64) -> IndexedReading {
    let quality = if value.is_nan() { Quality::Missing } else { Quality::Good };
    IndexedReading { channel_index, at: BASE.plus_ms(ms), value: if value.is_nan() { 0.0 } else { value }, quality }
}

/// Rows as text: `ms since *BASE: cells`, `~` held, `/` interpolated, `-` missing, `|` in front after a gap.
fn print(closed: &[Closed]) -> Vec<String> {
    let print_row = |Closed { frame, after_gap }: &Closed| {
        let cells = frame.cells.iter().zip(&frame.values).map(|(cell, value)| match cell {
            Cell::Measured => format!("{value}"),
            Cell::Held => format!("~{value}"),
            Cell::Interpolated => format!("/{value}"),
            Cell::Missing => "-".to_owned(),
        });
        let gap = if *after_gap { "|" } else { "" };
        format!("{gap}{}: {}", frame.at.ms_since(*BASE), cells.collect::<Vec<_>>().join(" "))
    };
    closed.iter().map(print_row).collect()
}

/// Pushes one message per reading and finishes.
fn run(spec: GridSpec, readings: &[IndexedReading]) -> (Vec<String>, Counts) {
    let mut assembler = Assembler::new(spec);
    let (mut closed, mut counts) = (Vec::new(), Counts::default());
    for reading in readings {
        let pushed = assembler.push_message(&[*reading], *BASE);
        closed.extend(pushed.closed);
        counts += pushed.counts;
    }
    let pushed = assembler.finish();
    closed.extend(pushed.closed);
    counts += pushed.counts;
    (print(&closed), counts)
}

fn spec(fill: FillPolicy, lateness_ms: u64, hold_limit: u32, gap_limit: u32) -> GridSpec {
    GridSpec { fill, lateness: HumanDuration::from_ms(lateness_ms), hold_limit, gap_limit, ..GridSpec::default() }
}

#[test]
fn rows_close_when_the_watermark_has_passed_their_end() {
    let mut assembler = Assembler::new(spec(FillPolicy::Mask, 500, 0, 9));
    let mut push = |ms, value| print(&assembler.push_message(&[reading(0, ms, value)], *BASE).closed);
    assert_eq!(push(0, 1.0), [""; 0]);
    assert_eq!(push(1499, 2.0), [""; 0]);
    assert_eq!(push(1500, 3.0), ["0: 1"]);
    assert_eq!(push(2499, 4.0), [""; 0]);
    assert_eq!(push(9000, 5.0), ["1000: 3", "2000: 4"]);
}

#[test]
fn missing_cells_are_held_up_to_the_limit() {
    let readings = [reading(0, 0, 1.0), reading(1, 0, 9.0), reading(0, 3000, 4.0), reading(1, 5000, 6.0)];
    let (rows, counts) = run(spec(FillPolicy::Hold, 0, 2, 9), &readings);
    assert_eq!(rows, ["0: 1 9", "1000: ~1 ~9", "2000: ~1 ~9", "3000: 4 -", "4000: ~4 -", "5000: ~4 6"]);
    assert_eq!((counts.held_cells, counts.missing_cells), (6, 2));
}

#[test]
fn missing_cells_are_interpolated_when_the_next_reading_is_near_enough() {
    let readings = [reading(0, 0, 1.0), reading(1, 0, 9.0), reading(0, 3000, 4.0), reading(1, 5000, 6.0)];
    let (rows, counts) = run(spec(FillPolicy::Interpolate, 0, 2, 9), &readings);
    assert_eq!(rows, ["0: 1 9", "1000: /2 -", "2000: /3 -", "3000: 4 -", "4000: - -", "5000: - 6"]);
    assert_eq!((counts.interpolated_cells, counts.missing_cells), (2, 6));
}

#[test]
fn a_row_waits_for_interpolation_no_longer_than_the_limit() {
    let mut assembler = Assembler::new(spec(FillPolicy::Interpolate, 0, 2, 9));
    assembler.push_message(&[reading(0, 0, 1.0), reading(1, 0, 1.0)], *BASE);
    let mut push = |ms| print(&assembler.push_message(&[reading(0, ms, 1.0)], *BASE).closed);
    assert_eq!(push(1000), ["0: 1 1"]);
    assert_eq!(push(2000), [""; 0]);
    assert_eq!(push(3000), [""; 0]);
    assert_eq!(push(4000), ["1000: 1 -", "2000: 1 -", "3000: 1 -"]);
}

#[test]
fn no_value_is_not_filled_from_the_reading_before() {
    let readings = [reading(0, 0, 1.0), reading(0, 1000, f64::NAN), reading(0, 3000, 4.0)];
    for fill in [FillPolicy::Hold, FillPolicy::Interpolate] {
        let (rows, counts) = run(spec(fill, 0, 9, 9), &readings);
        assert_eq!(rows, ["0: 1", "1000: -", "2000: -", "3000: 4"]);
        assert_eq!(counts.without_value, 1);
    }
}

#[test]
fn a_long_gap_is_skipped_and_said() {
    let (rows, counts) = run(spec(FillPolicy::Hold, 0, 9, 2), &[reading(0, 0, 1.0), reading(0, 3000, 2.0)]);
    assert_eq!(rows, ["0: 1", "1000: ~1", "2000: ~1", "3000: 2"]);
    assert_eq!(counts.skipped_rows, 0);
    let (rows, counts) = run(spec(FillPolicy::Hold, 0, 9, 2), &[reading(0, 0, 1.0), reading(0, 4000, 2.0)]);
    assert_eq!(rows, ["0: 1", "|4000: 2"]);
    assert_eq!(counts.skipped_rows, 3);
}

#[test]
fn late_duplicate_and_crowded_readings_are_counted() {
    let readings = [
        reading(0, 100, 1.0),
        reading(0, 100, 7.0), // duplicate: the first stands
        reading(0, 900, 2.0), // crowded: newer, stands
        reading(0, 500, 3.0), // crowded and out of order: older, does not stand
        reading(0, 2000, 4.0),
        reading(0, 999, 5.0), // late
    ];
    let (rows, counts) = run(spec(FillPolicy::Mask, 0, 0, 9), &readings);
    assert_eq!(rows, ["0: 2", "1000: -", "2000: 4"]);
    let expected = Counts {
        accepted: 4,
        duplicate: 1,
        late: 1,
        crowded: 2,
        out_of_order: 1,
        missing_cells: 1,
        ..Counts::default()
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_wrong_clock_does_not_move_the_grid() {
    let readings = [
        reading(0, 0, 1.0),
        reading(0, 11 * 60_000, 2.0),
        IndexedReading { at: Timestamp::from_ms(0), ..reading(0, 0, 3.0) },
        reading(0, 1000, 4.0),
    ];
    let (rows, counts) = run(spec(FillPolicy::Mask, 0, 0, 9), &readings);
    assert_eq!(rows, ["0: 1", "1000: 4"]);
    assert_eq!((counts.too_far_future, counts.too_old), (1, 1));
}

#[test]
fn a_silent_series_closes_what_has_passed_and_invents_nothing() {
    let mut assembler = Assembler::new(GridSpec::default());
    assembler.push_message(&[reading(0, 300, 1.0)], *BASE);
    assert_eq!(assembler.on_idle(BASE.plus_ms(29_999)).closed, []);
    assembler.listening_since(BASE.plus_ms(10_000));
    assert_eq!(assembler.on_idle(BASE.plus_ms(39_999)).closed, []);
    assert_eq!(print(&assembler.on_idle(BASE.plus_ms(40_000)).closed), ["0: 1"]);
    assert_eq!(assembler.on_idle(BASE.plus_ms(400_000)).closed, []);
    // A minute's row does not close after half a minute of silence: more of it may come.
    let minute = GridSpec::time(Stride::from_ms(60_000).expect("valid"));
    let mut assembler = Assembler::new(minute);
    assembler.push_message(&[reading(0, 300, 1.0)], *BASE);
    assert_eq!(assembler.on_idle(BASE.plus_ms(60_000)).closed, []);
    assert_eq!(print(&assembler.on_idle(BASE.plus_ms(61_000)).closed), ["0: 1"]);
}

#[test]
fn on_the_row_grid_a_message_is_a_row() {
    let mut assembler = Assembler::new(GridSpec::row());
    let pushed = assembler.push_message(&[reading(0, 7, 1.0), reading(1, 7, 2.0)], *BASE);
    assert_eq!((print(&pushed.closed), pushed.touched.len()), (vec!["7: 1 2".to_owned()], 0));
    assert_eq!(assembler.push_message(&[reading(0, 7, 3.0)], *BASE).counts.duplicate, 1);
    assert_eq!(assembler.push_message(&[reading(0, 6, 3.0)], *BASE).counts.late, 1);
    assert_eq!(print(&assembler.push_message(&[reading(2, 8, 3.0)], *BASE).closed), ["8: ~1 ~2 3"]);
}

/// A message of up to three channels; `ms` is its event time.
fn messages() -> impl Strategy<Value = Vec<(i64, Vec<(usize, f64)>)>> {
    let value = prop_oneof![5 => -9.0..9.0_f64, 1 => Just(f64::NAN)];
    let cells = prop::collection::btree_map(0_usize..3, value, 1..4).prop_map(|map| map.into_iter().collect());
    // Steps of up to 3 s, now and then a gap of 20 s; event times are unique, so no two messages contradict.
    let step = prop_oneof![9 => 1_i64..3000, 1 => 10_000_i64..20_000];
    prop::collection::vec((step, cells), 1..60).prop_map(|steps: Vec<(i64, Vec<(usize, f64)>)>| {
        let mut ms = 0;
        steps
            .into_iter()
            .map(|(step, cells)| {
                ms += step;
                (ms, cells)
            })
            .collect()
    })
}

fn grids() -> impl Strategy<Value = GridSpec> {
    let fill = prop_oneof![Just(FillPolicy::Hold), Just(FillPolicy::Interpolate), Just(FillPolicy::Mask)];
    (fill, 0_u64..5000, 0_u32..5, 0_u32..12).prop_map(|(fill, late, hold, gap)| spec(fill, late, hold, gap))
}

fn to_readings((ms, cells): &(i64, Vec<(usize, f64)>)) -> Vec<IndexedReading> {
    cells.iter().map(|(channel, value)| reading(*channel, *ms, *value)).collect()
}

/// All rows of all messages, padded to three channels, and the counts.
fn assemble(spec: &GridSpec, messages: &[(i64, Vec<(usize, f64)>)]) -> (Vec<Closed>, Counts) {
    let mut assembler = Assembler::new(spec.clone());
    let (mut closed, mut counts) = (Vec::new(), Counts::default());
    for message in messages {
        let pushed = assembler.push_message(&to_readings(message), *BASE);
        closed.extend(pushed.closed);
        counts += pushed.counts;
    }
    let pushed = assembler.finish();
    closed.extend(pushed.closed);
    counts += pushed.counts;
    (closed.into_iter().map(pad).collect(), counts)
}

fn pad(mut closed: Closed) -> Closed {
    closed.frame.values.resize(3, 0.0);
    closed.frame.cells.resize(3, Cell::Missing);
    closed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_within_lateness_gives_the_same_rows(
        spec in grids(), messages in messages(), delays in prop::collection::vec(0.0..1.0_f64, 60),
    ) {
        // A message that is delayed by less than `lateness` comes before the watermark passes it: sort by event
        // time plus delay.
        let lateness_ms = spec.lateness.as_ms() as f64;
        let mut shuffled: Vec<_> = messages.iter().cloned().zip(delays).collect();
        shuffled.sort_by(|(a, delay_a), (b, delay_b)| {
            (a.0 as f64 + delay_a * lateness_ms).total_cmp(&(b.0 as f64 + delay_b * lateness_ms))
        });
        let shuffled: Vec<_> = shuffled.into_iter().map(|(message, _)| message).collect();
        let (expected, _) = assemble(&spec, &messages);
        let (found, counts) = assemble(&spec, &shuffled);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(counts.late, 0);
    }

    #[test]
    fn redelivery_of_what_was_not_acknowledged_changes_nothing(
        spec in grids(), messages in messages(), from in 0_usize..60, to in 0_usize..60,
    ) {
        let to = to.min(messages.len());
        let from = from.min(to);
        let again: Vec<_> = messages[..to].iter().chain(&messages[from..]).cloned().collect();
        prop_assert_eq!(assemble(&spec, &again).0, assemble(&spec, &messages).0);
    }

    #[test]
    fn a_restart_anywhere_changes_nothing(
        spec in grids(), messages in messages(), at in 0_usize..60, n_again in 0_usize..20,
    ) {
        let at = at.min(messages.len());
        let mut assembler = Assembler::new(spec.clone());
        let mut closed = Vec::new();
        for message in &messages[..at] {
            closed.extend(assembler.push_message(&to_readings(message), *BASE).closed);
        }
        let recent: Vec<Frame> =
            closed.iter().rev().take(spec.hold_limit as usize + 1).rev().map(|row| row.frame.clone()).collect();
        let open: Vec<OpenRow> = assembler.open_rows().cloned().collect();
        let mut assembler = Assembler::restore(spec.clone(), assembler.last_closed_at(), &recent, &open);
        for message in &messages[at.saturating_sub(n_again)..] {
            closed.extend(assembler.push_message(&to_readings(message), *BASE).closed);
        }
        closed.extend(assembler.finish().closed);
        let closed: Vec<Closed> = closed.into_iter().map(pad).collect();
        prop_assert_eq!(closed, assemble(&spec, &messages).0);
    }

    #[test]
    fn what_was_touched_last_is_what_is_open(spec in grids(), messages in messages()) {
        let mut assembler = Assembler::new(spec);
        let mut stored = std::collections::BTreeMap::new();
        for message in &messages {
            let pushed = assembler.push_message(&to_readings(message), *BASE);
            for row in pushed.closed {
                stored.remove(&row.frame.at);
            }
            for row in pushed.touched {
                stored.insert(row.frame.at, row);
            }
            let trim = |row: &OpenRow| row.readings().collect::<Vec<_>>();
            let expected: Vec<_> = assembler.open_rows().map(trim).collect();
            prop_assert_eq!(stored.values().map(trim).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn nothing_panics_and_time_only_rises(
        spec in grids(), is_row in any::<bool>(),
        calls in prop::collection::vec((0_usize..6, any::<i64>(), -30_000_i64..30_000, any::<f64>()), 0..80),
    ) {
        let spec = if is_row { GridSpec { grid: GridKind::Row, ..spec } } else { spec };
        let mut assembler = Assembler::new(spec);
        let mut last: Option<Timestamp> = None;
        let mut n_readings = 0;
        for (kind, wild, ms, value) in calls {
            let near = reading(kind, ms, value);
            let anywhere = IndexedReading { at: Timestamp::from_ms(wild), ..near };
            let pushed = match kind {
                0 => assembler.push_message(&[near, anywhere], Timestamp::from_ms(wild)),
                1 => assembler.on_idle(BASE.plus_ms(ms)),
                2 => assembler.close_until(BASE.plus_ms(ms)),
                3 => assembler.push_message(&[anywhere], *BASE),
                _ => assembler.push_message(&[near], BASE.plus_ms(ms)),
            };
            n_readings += match kind { 0 => 2, 1 | 2 => 0, _ => 1 };
            n_readings -= pushed.counts.n_readings();
            for Closed { frame, .. } in pushed.closed {
                prop_assert!(last < Some(frame.at), "{last:?} then {:?}", frame.at);
                prop_assert!(frame.values.iter().all(|value| value.is_finite()));
                last = Some(frame.at);
            }
        }
        prop_assert_eq!(n_readings, 0, "every reading has one result");
    }
}
