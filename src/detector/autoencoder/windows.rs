//! The windows a network learns from, without copying rows that windows share.

use crate::nn::batch::{Batch, Shape};

/// Scaled rows `[N, C]` and the rows at which windows of T rows start, in time order.
#[derive(Clone, Debug)]
pub struct TrainingWindows<'a> {
    rows: &'a [f32],
    n_channels: usize,
    n_time: usize,
    starts: Vec<usize>,
}

impl<'a> TrainingWindows<'a> {
    /// Windows of `n_time` rows out of `rows: [N, n_channels]`, each starting at a row of `starts`.
    ///
    /// # Panics
    /// If a window reaches beyond the rows, or a dimension is zero.
    pub fn sliding(rows: &'a [f32], n_channels: usize, n_time: usize, starts: Vec<usize>) -> Self {
        assert!(n_channels > 0 && n_time > 0, "windows of [{n_time}, {n_channels}]");
        let n_rows = rows.len() / n_channels;
        let ends = starts.iter().map(|start| start + n_time);
        assert!(ends.max().is_none_or(|end| end <= n_rows), "a window ends after row {n_rows}");
        TrainingWindows { rows, n_channels, n_time, starts }
    }

    /// Windows laid out one after the other, `[N, T, C]`.
    pub fn from_windows(values: &'a [f32], n_channels: usize, n_time: usize) -> Self {
        let n = values.len() / (n_channels * n_time).max(1);
        Self::sliding(values, n_channels, n_time, (0..n).map(|i| i * n_time).collect())
    }

    /// Number of windows N.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// True when there is no window.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Rows T of a window.
    pub fn n_time(&self) -> usize {
        self.n_time
    }

    /// Channels C of a row.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// The values of window `i`, `[T, C]`.
    pub fn window(&self, i: usize) -> &'a [f32] {
        let start = self.starts[i] * self.n_channels;
        &self.rows[start..start + self.n_time * self.n_channels]
    }

    /// The first row that holds a number that is not finite, among the rows of the windows.
    pub fn first_not_finite(&self) -> Option<usize> {
        let bad = |start: &usize| {
            let at = start * self.n_channels;
            let window = &self.rows[at..at + self.n_time * self.n_channels];
            window.iter().position(|value| !value.is_finite()).map(|i| start + i / self.n_channels)
        };
        self.starts.iter().find_map(bad)
    }

    /// Copies the windows `indexes` into `x: [B, T, C]` and, row order turned round if asked, into `target`.
    pub(super) fn gather(&self, indexes: &[usize], is_reversed: bool, x: &mut Batch<f32>, target: &mut Vec<f32>) {
        x.reshape(Shape::new(indexes.len(), self.n_time, self.n_channels));
        let len = self.n_time * self.n_channels;
        target.clear();
        for (window, index) in x.values_mut().chunks_exact_mut(len).zip(indexes) {
            let values = self.window(*index);
            window.copy_from_slice(values);
            if is_reversed {
                values.chunks_exact(self.n_channels).rev().for_each(|row| target.extend_from_slice(row));
            } else {
                target.extend_from_slice(values);
            }
        }
    }
}
