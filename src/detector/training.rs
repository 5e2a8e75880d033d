//! Training rows in scaled units, and which windows over them may be learned from.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Scaled values are clipped to ± this: one wild reading must not own a fit.
const CLIP: f64 = 10.0;
/// A channel that moves less than this while learning counts as constant and keeps its unit.
const SD_MIN: f64 = 1e-8;

/// Per-channel transform learned from training rows: z = clip((x - mean) / sd, ±10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    /// Mean per channel, in the sender's unit.
    pub means: Vec<f64>,
    /// Standard deviation per channel, in the sender's unit; 1 for constant channels.
    pub sds: Vec<f64>,
}

impl Scaler {
    /// Learns from the present cells of rows `[N, C]`; rows for which `is_used` is false are passed over.
    pub fn fit(values: &[f64], mask: &[bool], n_channels: usize, is_used: impl Fn(usize) -> bool) -> Self {
        let column = |c: usize| {
            let is_used = &is_used;
            values
                .chunks_exact(n_channels)
                .zip(mask.chunks_exact(n_channels))
                .enumerate()
                .filter(move |(row, (_, present))| present[c] && is_used(*row))
                .map(move |(_, (row, _))| row[c])
        };
        let (mut means, mut sds) = (Vec::with_capacity(n_channels), Vec::with_capacity(n_channels));
        for c in 0..n_channels {
            let n = column(c).count().max(1) as f64;
            // Halving first keeps the sum of huge values finite.
            let mean = column(c).map(|x| x / n).sum::<f64>();
            let sd = column(c).map(|x| (x - mean) * (x - mean) / n).sum::<f64>().sqrt();
            means.push(if mean.is_finite() { mean } else { 0.0 });
            // Rounding leaves a constant channel with an sd of about 1e-16 of its level: that is constant, too.
            let is_moving = sd.is_finite() && sd >= SD_MIN.max(1e-12 * mean.abs());
            sds.push(if is_moving { sd } else { 1.0 });
        }
        Self { means, sds }
    }

    /// A value of a channel in scaled units.
    #[inline]
    pub fn scale(&self, channel_index: usize, value: f64) -> f32 {
        ((value - self.means[channel_index]) / self.sds[channel_index]).clamp(-CLIP, CLIP) as f32
    }

    /// A scaled value of a channel in the sender's unit.
    #[inline]
    pub fn unscale(&self, channel_index: usize, scaled: f64) -> f64 {
        self.means[channel_index] + scaled * self.sds[channel_index]
    }

    /// Scales rows `[N, C]`; missing cells become 0, the mean.
    pub fn scale_rows(&self, values: &[f64], mask: &[bool], out: &mut [f32]) {
        let n_channels = self.means.len();
        for ((row, present), out) in
            values.chunks_exact(n_channels).zip(mask.chunks_exact(n_channels)).zip(out.chunks_exact_mut(n_channels))
        {
            for c in 0..n_channels {
                out[c] = if present[c] { self.scale(c, row[c]) } else { 0.0 };
            }
        }
    }
}

/// Training rows in scaled units and the windows over them that may be learned from.
#[derive(Debug, Clone)]
pub struct TrainingRows {
    /// Scaled rows `[N, C]`, missing cells 0.
    pub rows: Vec<f32>,
    /// `[N, C]`, true = present.
    pub mask: Vec<bool>,
    /// Channels, C.
    pub n_channels: usize,
    /// Rows of a window, T.
    pub n_time: usize,
    /// First rows of the windows that may be learned from, as ascending half-open runs.
    pub starts: Vec<Range<usize>>,
}

impl TrainingRows {
    /// Rows without missing cells, every window of which may be learned from.
    pub fn complete(rows: Vec<f32>, n_channels: usize, n_time: usize) -> Self {
        let (mask, n_rows) = (vec![true; rows.len()], rows.len() / n_channels);
        let every = 0..(n_rows + 1).saturating_sub(n_time);
        Self { rows, mask, n_channels, n_time, starts: Vec::from([every]) }
    }

    /// Rows, N.
    pub fn n_rows(&self) -> usize {
        self.rows.len() / self.n_channels
    }

    /// Windows that may be learned from.
    pub fn n_windows(&self) -> usize {
        self.starts.iter().map(Range::len).sum()
    }

    /// First rows of those windows, ascending.
    pub fn window_starts(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.iter().flat_map(Clone::clone)
    }

    /// At most `most` of those first rows, evenly spaced.
    pub fn some_starts(&self, most: usize) -> Vec<usize> {
        let all: Vec<usize> = self.window_starts().collect();
        if all.len() <= most || most < 2 {
            return all;
        }
        (0..most).map(|i| all[i * (all.len() - 1) / (most - 1)]).collect()
    }

    /// The window that begins at a row, `[T, C]`.
    pub fn window(&self, start: usize) -> &[f32] {
        &self.rows[start * self.n_channels..(start + self.n_time) * self.n_channels]
    }

    /// True when a cell of a row is present.
    pub fn is_present(&self, row: usize, channel_index: usize) -> bool {
        self.mask[row * self.n_channels + channel_index]
    }

    /// The same rows, learning only from windows whose first row `keep` accepts.
    #[must_use]
    pub fn keeping(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut starts: Vec<Range<usize>> = Vec::new();
        for start in self.window_starts().filter(|start| keep(*start)) {
            match starts.last_mut() {
                Some(run) if run.end == start => run.end += 1,
                _ => starts.push(start..start + 1),
            }
        }
        Self { starts, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_gives_mean_0_and_sd_1_over_the_present_cells() {
        let values = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0, 99.0, 5.0];
        let mask = [true, true, true, true, true, true, false, true];
        let scaler = Scaler::fit(&values, &mask, 2, |_| true);
        // mean of 1, 2, 3 is 2; population sd is sqrt(2/3)
        assert!((scaler.means[0] - 2.0).abs() < 1e-12 && (scaler.sds[0] - (2.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!((scaler.means[1], scaler.sds[1]), (5.0, 1.0));
        let mut scaled = [7.0_f32; 8];
        scaler.scale_rows(&values, &mask, &mut scaled);
        assert_eq!(scaled[6], 0.0);
        assert!((f64::from(scaled[0]) + 1.5_f64.sqrt()).abs() < 1e-6);
        assert_eq!(scaler.scale(0, 1e9), 10.0);
        assert!((scaler.unscale(0, -1.5_f64.sqrt()) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn runs_of_starts_split_where_windows_are_left_out() {
        let rows = TrainingRows::complete(vec![0.0; 10], 1, 3);
        let kept = rows.keeping(|start| start != 4);
        assert_eq!(kept.starts, vec![0..4, 5..8]);
        assert_eq!(kept.n_windows(), 7);
        assert_eq!(rows.some_starts(3), vec![0, 3, 7]);
    }
}
