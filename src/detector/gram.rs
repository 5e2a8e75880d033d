//! Second moments of overlapping windows, at a fraction of the cost of a matrix product.
//!
//! Windows that start one row apart share all rows but two. In feature space the block that joins time steps i + 1
//! and j + 1 is the block of i and j less the first rows plus the last ones; between windows, inner products are
//! running sums along the diagonals of the inner products of rows.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, s};

use super::linear::windows_of;

/// Σ w w' and Σ w over windows `[T * D]` of all runs, and how many they are.
pub(super) struct FeatureMoments {
    /// `[T * D, T * D]`, symmetric.
    pub(super) products: Array2<f64>,
    /// `[T * D]`.
    pub(super) sums: Array1<f64>,
    /// Windows.
    pub(super) n_windows: usize,
}

/// Moments in feature space of the windows of `rows` `[N, D]` that begin in `runs`.
pub(super) fn feature_moments(rows: &[f64], n_channels: usize, n_time: usize, runs: &[Range<usize>]) -> FeatureMoments {
    let (d, size) = (n_channels, n_time * n_channels);
    let row = |index: usize| &rows[index * d..(index + 1) * d];
    let mut products = Array2::zeros((size, size));
    let mut sums = Array1::zeros(size);
    for run in runs.iter().filter(|run| !run.is_empty()) {
        let (Some(windows), Some(firsts)) = (windows_of(rows, run, n_time, d), windows_of(rows, run, 1, d)) else {
            continue;
        };
        sums += &windows.sum_axis(ndarray::Axis(0));
        // The first block row by a product, every other from the block one step up and left.
        let mut blocks = Array2::zeros((d, size));
        general_mat_mul(1.0, &firsts.t(), &windows, 0.0, &mut blocks);
        products.slice_mut(s![..d, ..]).scaled_add(1.0, &blocks);
        for i in 1..n_time {
            let (gone, come) = (run.start + i - 1, run.end + i - 1);
            for (c, mut out) in blocks.outer_iter_mut().enumerate() {
                let (gone_value, come_value) = (row(gone)[c], row(come)[c]);
                let Some(out) = out.as_slice_mut() else { continue };
                // Blocks j ≥ i lie right of the diagonal: they move one block to the right in place, last first.
                out.copy_within((i - 1) * d..(n_time - 1) * d, i * d);
                let gone_rows = &rows[gone * d..(gone + n_time - i) * d];
                let come_rows = &rows[come * d..(come + n_time - i) * d];
                for ((x, gone), come) in out[i * d..].iter_mut().zip(gone_rows).zip(come_rows) {
                    *x += come_value * come - gone_value * gone;
                }
            }
            products.slice_mut(s![i * d..(i + 1) * d, i * d..]).scaled_add(1.0, &blocks.slice(s![.., i * d..]));
        }
    }
    for i in 0..size {
        for j in 0..i {
            products[[i, j]] = products[[j, i]];
        }
    }
    FeatureMoments { products, sums, n_windows: runs.iter().map(Range::len).sum() }
}

/// Inner products `[n, n]` of the windows of `rows` `[N, D]` that begin at `starts`.
pub(super) fn window_products(rows: ArrayView2<'_, f64>, n_time: usize, starts: &[usize]) -> Array2<f64> {
    let n = rows.nrows();
    // sums[i + 1][j + 1] = Σ along the diagonal up to rows i and j
    let mut sums = Array2::zeros((n + 1, n + 1));
    sums.slice_mut(s![1.., 1..]).assign(&rows.dot(&rows.t()));
    for i in 1..=n {
        let (before, mut here) = sums.multi_slice_mut((s![i - 1, ..n], s![i, 1..]));
        here += &before;
    }
    Array2::from_shape_fn((starts.len(), starts.len()), |(a, b)| {
        let (i, j) = (starts[a], starts[b]);
        sums[[i + n_time, j + n_time]] - sums[[i, j]]
    })
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_moments_equal_the_plain_products() {
        let (n, d, t) = (40, 3, 5);
        let rows: Vec<f64> = (0..n * d).map(|i| ((i * 37 % 101) as f64).sin()).collect();
        for runs in [vec![0..36], vec![2..9, 15..30], vec![7..8]] {
            let starts: Vec<usize> = runs.iter().flat_map(Clone::clone).collect();
            let plain = Array2::from_shape_fn((starts.len(), t * d), |(w, x)| rows[starts[w] * d + x]);
            let moments = feature_moments(&rows, d, t, &runs);
            assert!((moments.products - plain.t().dot(&plain)).iter().all(|x| x.abs() < 1e-10));
            assert!((moments.sums - plain.sum_axis(ndarray::Axis(0))).iter().all(|x| x.abs() < 1e-10));
            let view = ArrayView2::from_shape((n, d), &rows).unwrap();
            let products = window_products(view, t, &starts);
            assert!((products - plain.dot(&plain.t())).iter().all(|x| x.abs() < 1e-10));
        }
    }
}
