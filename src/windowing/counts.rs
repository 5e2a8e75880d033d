//! What became of each reading and of each cell.

use std::ops::AddAssign;

/// Counters of one call, or a sum of many.
///
/// Every reading ends in exactly one of `accepted`, `late`, `duplicate`, `too_far_future` and `too_old`. The next
/// three describe accepted readings; the last four describe cells and rows as they close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Fell into an open row.
    pub accepted: u64,
    /// Came when its row was closed.
    pub late: u64,
    /// Same channel and same event time as a reading already there.
    pub duplicate: u64,
    /// Further ahead of its arrival than `future_limit`.
    pub too_far_future: u64,
    /// Further behind its arrival than `past_limit`.
    pub too_old: u64,
    /// Accepted, but older than a reading of the series before it.
    pub out_of_order: u64,
    /// Accepted into a cell that already had a reading; the later event time stands.
    pub crowded: u64,
    /// Accepted and saying that there is no value.
    pub without_value: u64,
    /// Cells closed with the last reading held.
    pub held_cells: u64,
    /// Cells closed with a value on the line between two readings.
    pub interpolated_cells: u64,
    /// Cells closed with nothing.
    pub missing_cells: u64,
    /// Rows left out in a gap longer than `gap_limit`.
    pub skipped_rows: u64,
}

impl Counts {
    /// Each reading's result with its stable label, for counters by result. The values sum to the readings pushed.
    pub fn results(&self) -> [(&'static str, u64); 5] {
        [
            ("accepted", self.accepted),
            ("late", self.late),
            ("duplicate", self.duplicate),
            ("too_far_future", self.too_far_future),
            ("too_old", self.too_old),
        ]
    }

    /// What else there was to see, each with its stable label: readings that came out of order, shared a cell or said
    /// that there is no value; cells that were held, interpolated or left missing; rows that a gap left out.
    pub fn irregularities(&self) -> [(&'static str, u64); 7] {
        [
            ("out_of_order", self.out_of_order),
            ("crowded", self.crowded),
            ("without_value", self.without_value),
            ("held_cell", self.held_cells),
            ("interpolated_cell", self.interpolated_cells),
            ("missing_cell", self.missing_cells),
            ("skipped_row", self.skipped_rows),
        ]
    }

    /// Readings counted.
    pub fn n_readings(&self) -> u64 {
        self.results().iter().map(|(_, n)| n).sum()
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.late += other.late;
        self.duplicate += other.duplicate;
        self.too_far_future += other.too_far_future;
        self.too_old += other.too_old;
        self.out_of_order += other.out_of_order;
        self.crowded += other.crowded;
        self.without_value += other.without_value;
        self.held_cells += other.held_cells;
        self.interpolated_cells += other.interpolated_cells;
        self.missing_cells += other.missing_cells;
        self.skipped_rows += other.skipped_rows;
    }
}
