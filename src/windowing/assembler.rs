//! Readings of one series in, closed rows out.
//!
//! On the time grid a row closes when the watermark, the newest event time of the series minus `lateness`, has
//! passed its end. What a closed row holds does not depend on the order in which messages came, as long as none
//! came later than `lateness` allows; and giving the same messages again changes nothing.

use std::collections::VecDeque;

use super::fill::{Ahead, Filler};
use super::open_row::Filled;
use super::{Counts, FillPolicy, GridKind, GridSpec, OpenRow};
use crate::series::{Cell, Frame, Quality, Timestamp};

/// A reading whose channel is known by its position in the series' frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IndexedReading {
    /// Position of the channel in the series' frames.
    pub channel_index: usize,
    /// Event time.
    pub at: Timestamp,
    /// The value in the sender's unit; 0.0 when there is none.
    pub value: f64,
    /// Whether there is a value.
    pub quality: Quality,
}

/// A row that nothing more can change.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// The row; it has a cell for each channel known when it closed.
    pub frame: Frame,
    /// True when rows before it were left out, so that windows must start anew.
    pub after_gap: bool,
}

/// What a call did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pushed {
    /// Rows closed, `at` strictly rising over the life of the series.
    pub closed: Vec<Closed>,
    /// Rows that this call changed and that are still open, `at` rising.
    pub touched: Vec<OpenRow>,
    /// What became of the readings and the cells.
    pub counts: Counts,
}

/// Makes rows from the readings of one series.
#[derive(Debug, Clone)]
pub struct Assembler {
    spec: GridSpec,
    /// Channels known: the length of the next frame.
    n_channels: usize,
    /// Open rows with their grid index, rising. Rows without a reading are not in it.
    open: VecDeque<(i64, OpenRow)>,
    /// Grid index of the last closed row.
    closed_until: Option<i64>,
    /// Event time of the last closed row.
    last_closed_at: Option<Timestamp>,
    newest_at: Option<Timestamp>,
    heard_at: Option<Timestamp>,
    filler: Filler,
}

/// How far rows may be closed.
#[derive(Debug, Clone, Copy)]
struct Horizon {
    /// Index of the first row that must stay open.
    end: i64,
    /// True when nothing more comes for the rows before `end`, so that none waits for its neighbours.
    is_final: bool,
}

impl Assembler {
    /// An assembler for a series that has no rows yet.
    pub fn new(spec: GridSpec) -> Self {
        Self {
            spec,
            n_channels: 0,
            open: VecDeque::new(),
            closed_until: None,
            last_closed_at: None,
            newest_at: None,
            heard_at: None,
            filler: Filler::default(),
        }
    }

    /// An assembler that goes on where another ended.
    ///
    /// `recent` are the last closed rows, oldest first, at least `hold_limit` + 1 of them where there are as many;
    /// `open` the rows that were last reported open, in any order. The grid may have changed in between: open
    /// readings find their new rows, except on the row grid, where nothing is ever open.
    pub fn restore(spec: GridSpec, last_closed_at: Option<Timestamp>, recent: &[Frame], open: &[OpenRow]) -> Self {
        let mut assembler = Self::new(spec);
        assembler.filler = Filler::resume(recent);
        assembler.n_channels = recent.iter().map(Frame::n_channels).max().unwrap_or(0);
        assembler.last_closed_at = last_closed_at.max(recent.last().map(|frame| frame.at));
        assembler.closed_until = assembler.last_closed_at.map(|at| assembler.index(at));
        if assembler.spec.grid == GridKind::Time {
            for row in open {
                for reading in row.readings() {
                    assembler.newest_at = assembler.newest_at.max(Some(reading.at));
                    assembler.place(&reading, &mut Counts::default());
                }
            }
        }
        assembler
    }

    /// The policies.
    pub fn spec(&self) -> &GridSpec {
        &self.spec
    }

    /// Event time of the last closed row.
    pub fn last_closed_at(&self) -> Option<Timestamp> {
        self.last_closed_at
    }

    /// Newest event time accepted.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.newest_at
    }

    /// The rows that are open now, `at` rising.
    pub fn open_rows(&self) -> impl Iterator<Item = &OpenRow> {
        self.open.iter().map(|(_, row)| row)
    }

    /// Takes the readings of one message. On the row grid they share one event time.
    pub fn push_message(&mut self, readings: &[IndexedReading], received_at: Timestamp) -> Pushed {
        self.heard_at = self.heard_at.max(Some(received_at));
        match self.spec.grid {
            GridKind::Time => self.push_to_grid(readings, received_at),
            GridKind::Row => self.push_as_row(readings, received_at),
        }
    }

    /// Closes every row that ends at or before `at`, as it is.
    pub fn close_until(&mut self, at: Timestamp) -> Pushed {
        let mut pushed = Pushed::default();
        self.close(Horizon { end: self.index(at), is_final: true }, &mut pushed);
        pushed
    }

    /// Closes every row: the recording is over.
    pub fn finish(&mut self) -> Pushed {
        let mut pushed = Pushed::default();
        self.close(Horizon { end: i64::MAX, is_final: true }, &mut pushed);
        pushed
    }

    /// Closes rows of a series that has fallen silent: after `idle_after` without a message, event time is taken to
    /// go on as the arrival clock does. Call it now and then, while messages can arrive.
    pub fn on_idle(&mut self, now: Timestamp) -> Pushed {
        let mut pushed = Pushed::default();
        let heard_at = *self.heard_at.get_or_insert(now);
        let silent_ms = now.ms_since(heard_at);
        if let Some(newest_at) = self.newest_at
            && silent_ms >= self.spec.idle_after.as_ms()
        {
            let watermark = newest_at.as_ms() + silent_ms - self.spec.lateness.as_ms();
            self.close(Horizon { end: watermark.div_euclid(self.spec.stride.as_ms()), is_final: true }, &mut pushed);
        }
        pushed
    }

    /// Says that messages could not arrive before `now` (the broker was away): silence counts from here.
    pub fn listening_since(&mut self, now: Timestamp) {
        self.heard_at = self.heard_at.max(Some(now));
    }

    fn index(&self, at: Timestamp) -> i64 {
        at.as_ms().div_euclid(self.spec.stride.as_ms())
    }

    fn push_to_grid(&mut self, readings: &[IndexedReading], received_at: Timestamp) -> Pushed {
        let mut pushed = Pushed::default();
        let mut touched: Vec<i64> = Vec::new();
        for reading in readings {
            if !self.spec.is_timely(reading.at, received_at, 1, &mut pushed.counts) {
                continue;
            }
            let is_older = self.newest_at.is_some_and(|newest| reading.at < newest);
            if let Some(index) = self.place(reading, &mut pushed.counts) {
                pushed.counts.out_of_order += u64::from(is_older);
                self.newest_at = self.newest_at.max(Some(reading.at));
                if !touched.contains(&index) {
                    touched.push(index);
                }
            }
        }
        if let Some(newest_at) = self.newest_at {
            let watermark = newest_at.as_ms() - self.spec.lateness.as_ms();
            let end = watermark.div_euclid(self.spec.stride.as_ms());
            self.close(Horizon { end, is_final: false }, &mut pushed);
        }
        if !touched.is_empty() {
            let rows = self.open.iter().filter(|(index, _)| touched.contains(index));
            pushed.touched = rows.map(|(_, row)| row.clone()).collect();
        }
        pushed
    }

    fn push_as_row(&mut self, readings: &[IndexedReading], received_at: Timestamp) -> Pushed {
        let mut pushed = Pushed::default();
        let n_readings = readings.len() as u64;
        let Some(first) = readings.first() else { return pushed };
        if !self.spec.is_timely(first.at, received_at, n_readings, &mut pushed.counts) {
            return pushed;
        }
        match self.last_closed_at {
            Some(last) if first.at == last => pushed.counts.duplicate += n_readings,
            Some(last) if first.at < last => pushed.counts.late += n_readings,
            _ => {
                let mut row = OpenRow::new(first.at, self.n_channels);
                for reading in readings {
                    self.n_channels = self.n_channels.max(reading.channel_index + 1);
                    fill_counted(&mut row, &IndexedReading { at: first.at, ..*reading }, &mut pushed.counts);
                }
                row.grow(self.n_channels);
                self.newest_at = Some(first.at);
                self.last_closed_at = Some(first.at);
                self.closed_until = Some(self.index(first.at));
                let frame = self.filler.close(row, self.spec.fill, &self.spec, |_| Ahead::Nothing, &mut pushed.counts);
                pushed.closed.push(Closed { frame, after_gap: false });
            }
        }
        pushed
    }

    /// True when a reading of that time would be taken in: neither untimely nor of a row that is closed.
    pub fn would_take(&self, at: Timestamp, received_at: Timestamp) -> bool {
        let is_late = match self.spec.grid {
            GridKind::Time => self.closed_until.is_some_and(|closed| self.index(at) <= closed),
            GridKind::Row => self.last_closed_at.is_some_and(|last| at <= last),
        };
        !is_late && self.spec.is_timely(at, received_at, 1, &mut Counts::default())
    }

    /// Puts a reading into its open row; gives the row's index when that changed anything or could have.
    fn place(&mut self, reading: &IndexedReading, counts: &mut Counts) -> Option<i64> {
        let index = self.index(reading.at);
        if self.closed_until.is_some_and(|closed| index <= closed) {
            counts.late += 1;
            return None;
        }
        self.n_channels = self.n_channels.max(reading.channel_index + 1);
        // Nearly always the last row or a new one after it, so the search starts at the end.
        let position = self.open.iter().rposition(|(open, _)| *open <= index);
        let position = match position {
            Some(position) if self.open[position].0 == index => position,
            _ => {
                let row = OpenRow::new(self.spec.stride.floor(reading.at), self.n_channels);
                let position = position.map_or(0, |before| before + 1);
                self.open.insert(position, (index, row));
                position
            }
        };
        fill_counted(&mut self.open[position].1, reading, counts).then_some(index)
    }

    /// Closes rows before the horizon, in order, until one has to wait.
    fn close(&mut self, horizon: Horizon, pushed: &mut Pushed) {
        while let Some(&(first, _)) = self.open.front()
            && first < horizon.end
        {
            let next = self.closed_until.map_or(first, |closed| closed + 1);
            let n_empty = first - next;
            let is_gap = n_empty > i64::from(self.spec.gap_limit);
            if is_gap {
                pushed.counts.skipped_rows += n_empty.unsigned_abs();
                self.filler.forget();
            }
            let index = if is_gap { first } else { next };
            if !horizon.is_final && self.waits_for_neighbours(index, horizon) {
                return;
            }
            let mut row = match self.open.front() {
                Some((front, _)) if *front == index => self.open.pop_front().map(|(_, row)| row),
                _ => None,
            }
            .unwrap_or_else(|| OpenRow::new(Timestamp::from_ms(index * self.spec.stride.as_ms()), self.n_channels));
            row.grow(self.n_channels);
            let open = &self.open;
            let ahead = |channel_index| next_reading(open, channel_index, index, horizon);
            let frame = self.filler.close(row, self.spec.fill, &self.spec, ahead, &mut pushed.counts);
            self.closed_until = Some(index);
            self.last_closed_at = Some(frame.at);
            pushed.closed.push(Closed { frame, after_gap: is_gap });
        }
    }

    /// True when a cell of the row can be interpolated or not, depending on rows that are not sure yet.
    fn waits_for_neighbours(&self, index: i64, horizon: Horizon) -> bool {
        if self.spec.fill != FillPolicy::Interpolate {
            return false;
        }
        let row = self.open.front().filter(|(front, _)| *front == index).map(|(_, row)| row);
        (0..self.n_channels).filter(|i| row.is_none_or(|row| !row.is_heard(*i))).any(|i| {
            let n_left = self.filler.n_left(i, &self.spec);
            let is_far = index + i64::from(n_left) < horizon.end;
            n_left > 0 && !is_far && next_reading(&self.open, i, index, horizon) == Ahead::Unsure
        })
    }
}

/// Fills and counts; true when the reading was accepted.
fn fill_counted(row: &mut OpenRow, reading: &IndexedReading, counts: &mut Counts) -> bool {
    let filled = row.fill(reading);
    if filled == Filled::Duplicate {
        counts.duplicate += 1;
        return false;
    }
    counts.accepted += 1;
    counts.crowded += u64::from(filled == Filled::Crowded);
    counts.without_value += u64::from(!reading.has_value());
    true
}

/// The channel's next reading after row `index`, among the rows that are sure.
fn next_reading(open: &VecDeque<(i64, OpenRow)>, channel_index: usize, index: i64, horizon: Horizon) -> Ahead {
    let sure = open.iter().filter(|(ahead, _)| *ahead > index).take_while(|(ahead, _)| *ahead < horizon.end);
    let mut heard = sure.filter(|(_, row)| row.is_heard(channel_index));
    match heard.next() {
        Some((ahead, row)) if row.frame.cells[channel_index] == Cell::Measured => {
            Ahead::Next(row.frame.values[channel_index], u32::try_from(ahead - index).unwrap_or(u32::MAX))
        }
        Some(_) => Ahead::Nothing,
        None if horizon.is_final => Ahead::Nothing,
        None => Ahead::Unsure,
    }
}
