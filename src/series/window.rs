//! A fixed-length section of a series' grid, and the buffer that lends it out.

use super::{Cell, Frame, Timestamp};

/// The last `n_time` rows of a series, in a model's channel order. Borrowed: scoring copies nothing.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    /// Values in the sender's unit, `[time, channel]` row-major; 0.0 where the mask is false.
    pub values: &'a [f64],
    /// `[time, channel]`, true = present.
    pub mask: &'a [bool],
    /// Rows, T.
    pub n_time: usize,
    /// Channels, C.
    pub n_channels: usize,
    /// Time of the last row.
    pub at: Timestamp,
}

/// Keeps the last T rows of one series contiguous in memory.
///
/// Rows are written into a buffer a quarter longer and moved to its front when it is full, so a window is always one slice
/// and a push moves four rows on average: a fleet has one such buffer a series.
#[derive(Debug, Clone)]
pub struct WindowBuffer {
    /// For each channel of the window, its index in the frames pushed.
    channel_indexes: Vec<usize>,
    n_time: usize,
    /// Rows that the buffer holds.
    capacity_rows: usize,
    values: Vec<f64>,
    mask: Vec<bool>,
    at: Timestamp,
}

impl WindowBuffer {
    /// A buffer for windows of `n_time` rows whose channel `i` is channel `channel_indexes[i]` of the frames.
    ///
    /// # Panics
    /// When `n_time` or the number of channels is 0.
    pub fn new(n_time: usize, channel_indexes: Vec<usize>) -> Self {
        assert!(n_time > 0 && !channel_indexes.is_empty(), "a window has at least one cell");
        let capacity_rows = n_time + (n_time / 8).max(1);
        let capacity = capacity_rows * channel_indexes.len();
        Self {
            channel_indexes,
            n_time,
            capacity_rows,
            values: Vec::with_capacity(capacity),
            mask: Vec::with_capacity(capacity),
            at: Timestamp::from_ms(0),
        }
    }

    /// Appends a row and lends the window that ends with it, once there are T rows. A channel that the frame
    /// does not have yet is missing.
    pub fn push(&mut self, frame: &Frame) -> Option<Window<'_>> {
        let n_channels = self.channel_indexes.len();
        if self.values.len() == self.capacity_rows * n_channels {
            let kept = (self.n_time - 1) * n_channels;
            let from = self.values.len() - kept;
            self.values.copy_within(from.., 0);
            self.mask.copy_within(from.., 0);
            self.values.truncate(kept);
            self.mask.truncate(kept);
        }
        for &index in &self.channel_indexes {
            let (value, is_present) = cell(frame, index);
            self.values.push(value);
            self.mask.push(is_present);
        }
        self.at = frame.at;
        self.window()
    }

    /// The values and mask of a frame as a row of the window.
    pub fn row_of<'a>(&'a self, frame: &'a Frame) -> impl Iterator<Item = (f64, bool)> + 'a {
        self.channel_indexes.iter().map(|index| cell(frame, *index))
    }

    /// The last rows pushed, T - 1 at most, as values and mask `[time, channel]`: what a window that ends with the next
    /// row begins with.
    pub fn last_rows(&self) -> (&[f64], &[bool]) {
        let start = self.values.len().saturating_sub((self.n_time - 1) * self.channel_indexes.len());
        (&self.values[start..], &self.mask[start..])
    }

    /// The window that ends with the last row pushed, once there are T rows.
    pub fn window(&self) -> Option<Window<'_>> {
        let n_channels = self.channel_indexes.len();
        let start = self.values.len().checked_sub(self.n_time * n_channels)?;
        Some(Window {
            values: &self.values[start..],
            mask: &self.mask[start..],
            n_time: self.n_time,
            n_channels,
            at: self.at,
        })
    }

    /// Forgets all rows: after a gap too long to bridge, windows start anew.
    pub fn clear(&mut self) {
        self.values.clear();
        self.mask.clear();
    }
}

/// A frame's value of a channel, 0.0 when it is not present, and whether it is.
fn cell(frame: &Frame, channel_index: usize) -> (f64, bool) {
    let is_present = frame.cells.get(channel_index).copied().is_some_and(Cell::is_present);
    (if is_present { frame.values[channel_index] } else { 0.0 }, is_present)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_always_the_last_rows_in_model_order() {
        let mut buffer = WindowBuffer::new(3, vec![1, 0, 2]);
        for row in 0..20_i64 {
            let frame = Frame {
                at: Timestamp::from_ms(row),
                values: vec![row as f64, 100.0 + row as f64],
                cells: vec![Cell::Measured, if row == 10 { Cell::Missing } else { Cell::Held }],
            };
            let window = buffer.push(&frame);
            assert_eq!(window.is_some(), row >= 2);
            let Some(window) = window else { continue };
            assert_eq!(window.at, frame.at);
            for t in 0..3 {
                let then = row - 2 + t as i64;
                let missing = then == 10;
                let first = if missing { 0.0 } else { 100.0 + then as f64 };
                assert_eq!(window.values[3 * t..3 * t + 3], [first, then as f64, 0.0]);
                assert_eq!(window.mask[3 * t..3 * t + 3], [!missing, true, false]);
            }
        }
        buffer.clear();
        assert!(buffer.window().is_none());
    }
}
