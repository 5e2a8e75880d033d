//! What stands in the cells that no reading fell into.

use super::{Counts, FillPolicy, GridSpec, IndexedReading, OpenRow};
use crate::series::{Cell, Frame};

/// What may be carried on from a channel's last reading.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Carried {
    value: f64,
    /// Cells since the reading, all of them filled from it.
    n_filled: u32,
}

/// Per channel, the last reading that the following cells may be filled from.
#[derive(Debug, Clone, Default)]
pub(super) struct Filler {
    carried: Vec<Option<Carried>>,
}

/// What the rows ahead say about a cell without a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ahead {
    /// The channel's next reading has this value and comes so many rows later.
    Next(f64, u32),
    /// There is none, or none that may be used.
    Nothing,
    /// It cannot be known yet.
    Unsure,
}

impl Filler {
    /// Takes up where the last closed rows ended, oldest first.
    pub(super) fn resume(recent: &[Frame]) -> Self {
        let mut filler = Self::default();
        for frame in recent {
            filler.carried.resize(frame.n_channels().max(filler.carried.len()), None);
            for (i, cell) in frame.cells.iter().enumerate() {
                let carried = &mut filler.carried[i];
                match cell {
                    Cell::Measured => *carried = Some(Carried { value: frame.values[i], n_filled: 0 }),
                    Cell::Held | Cell::Interpolated => {
                        if let Some(carried) = carried {
                            carried.n_filled += 1;
                        }
                    }
                    Cell::Missing => *carried = None,
                }
            }
        }
        filler
    }

    /// Nothing is carried over a gap.
    pub(super) fn forget(&mut self) {
        self.carried.fill(None);
    }

    /// How many more cells of the channel may be filled from its last reading.
    pub(super) fn n_left(&self, channel_index: usize, spec: &GridSpec) -> u32 {
        let carried = self.carried.get(channel_index).copied().flatten();
        carried.map_or(0, |carried| spec.hold_limit.saturating_sub(carried.n_filled))
    }

    /// Finishes a row; `ahead` is asked for channels without a reading when the policy is to interpolate.
    pub(super) fn close(
        &mut self,
        row: OpenRow,
        policy: FillPolicy,
        spec: &GridSpec,
        mut ahead: impl FnMut(usize) -> Ahead,
        counts: &mut Counts,
    ) -> Frame {
        let OpenRow { mut frame, heard_ms } = row;
        self.carried.resize(frame.n_channels().max(self.carried.len()), None);
        for (i, heard) in heard_ms.iter().enumerate() {
            let n_left = self.n_left(i, spec);
            let carried = &mut self.carried[i];
            let (value, cell) = match (*carried, policy) {
                _ if frame.cells[i] == Cell::Measured => {
                    *carried = Some(Carried { value: frame.values[i], n_filled: 0 });
                    continue;
                }
                (Some(last), FillPolicy::Hold) if *heard < 0 && n_left > 0 => {
                    counts.held_cells += 1;
                    (last.value, Cell::Held)
                }
                (Some(last), FillPolicy::Interpolate) if *heard < 0 && n_left > 0 => match ahead(i) {
                    Ahead::Next(next, n_rows) if n_rows <= n_left => {
                        counts.interpolated_cells += 1;
                        let n_before = f64::from(last.n_filled) + 1.0;
                        let share = n_before / (n_before + f64::from(n_rows));
                        // Not `last + share * (next - last)`: the difference of two huge values overflows.
                        (last.value * (1.0 - share) + next * share, Cell::Interpolated)
                    }
                    _ => (0.0, Cell::Missing),
                },
                _ => (0.0, Cell::Missing),
            };
            frame.values[i] = value;
            frame.cells[i] = cell;
            match cell {
                Cell::Missing => {
                    counts.missing_cells += 1;
                    *carried = None;
                }
                _ => *carried = carried.map(|last| Carried { n_filled: last.n_filled + 1, ..last }),
            }
        }
        frame
    }
}

impl IndexedReading {
    /// True when the reading carries a number that may be used.
    pub(super) fn has_value(&self) -> bool {
        self.quality == crate::series::Quality::Good && self.value.is_finite()
    }
}
