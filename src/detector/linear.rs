//! Linear pieces that members share: the map of a window onto its last row, ridge solutions, fixed-order products.

use ndarray::{Array2, ArrayView2, ShapeBuilder};

use super::{Member, MemberError, MemberParts, Tensor, TrainingRows};

/// out = bias + W x for an input of fixed length: all that a linear member needs to score.
#[derive(Debug, Clone)]
pub(super) struct LinearMap {
    /// `[C, n_inputs]`.
    weights: Vec<f32>,
    /// `[C]`.
    bias: Vec<f32>,
}

impl LinearMap {
    /// From weights `[n_inputs, C]` and a bias `[C]`.
    pub(super) fn new(member: Member, weights: &Array2<f64>, bias: &[f64]) -> Result<Self, MemberError> {
        let map = Self {
            weights: weights.t().iter().map(|w| *w as f32).collect(),
            bias: bias.iter().map(|b| *b as f32).collect(),
        };
        if map.weights.iter().chain(&map.bias).all(|w| w.is_finite()) {
            return Ok(map);
        }
        Err(MemberError::NotFinite { member, reason: "a weight is not finite".to_owned() })
    }

    /// Applies the map.
    pub(super) fn apply(&self, input: &[f32], out: &mut [f32]) {
        for ((out, weights), bias) in out.iter_mut().zip(self.weights.chunks_exact(input.len())).zip(&self.bias) {
            *out = bias + dot(weights, input);
        }
    }

    pub(super) fn tensors(&self) -> Vec<Tensor> {
        let n_channels = self.bias.len();
        let shape = vec![n_channels, self.weights.len() / n_channels.max(1)];
        vec![
            Tensor { name: "weights".to_owned(), shape, values: self.weights.clone() },
            Tensor { name: "bias".to_owned(), shape: vec![n_channels], values: self.bias.clone() },
        ]
    }

    pub(super) fn from_parts(parts: &MemberParts, n_inputs: usize, n_channels: usize) -> Result<Self, MemberError> {
        Ok(Self {
            weights: parts.tensor("weights", &[n_channels, n_inputs])?,
            bias: parts.tensor("bias", &[n_channels])?,
        })
    }
}

/// Dot product in sixteen fixed lanes, so that every build adds in the same order.
#[inline]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..16 {
            lanes[i] += x[i] * y[i];
        }
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0] + rest
}

/// The windows of a run of starts as rows of a matrix `[run, T * C]` that shares the memory of `rows` `[N, C]`.
pub(super) fn windows_of<'a, T>(
    rows: &'a [T],
    run: &std::ops::Range<usize>,
    n_time: usize,
    n_channels: usize,
) -> Option<ArrayView2<'a, T>> {
    let shape = (run.len(), n_time * n_channels).strides((n_channels, 1));
    ArrayView2::from_shape(shape, &rows[run.start * n_channels..]).ok()
}

/// Channels that move at all in the training rows; the others carry nothing to learn.
pub(super) fn moving_channels(training: &TrainingRows) -> Vec<usize> {
    let n_channels = training.n_channels;
    (0..n_channels).filter(|c| training.rows[*c..].iter().step_by(n_channels).any(|z| *z != 0.0)).collect()
}

/// Solves (A + ridge I) X = B for a symmetric positive semi-definite A by Cholesky, B `[n, m]` in place.
/// False when A is not positive definite even with the ridge.
pub(super) fn solve_ridge(a: &mut Array2<f64>, ridge: f64, b: &mut Array2<f64>) -> bool {
    let n = a.nrows();
    for i in 0..n {
        a[[i, i]] += ridge;
        for j in 0..=i {
            let (row_i, row_j) = (a.row(i), a.row(j));
            let sum = match (row_i.as_slice(), row_j.as_slice()) {
                (Some(i), Some(j_row)) => i[..j].iter().zip(&j_row[..j]).map(|(x, y)| x * y).sum::<f64>(),
                _ => return false,
            };
            let rest = a[[i, j]] - sum;
            if i > j {
                a[[i, j]] = rest / a[[j, j]];
            } else if rest > 0.0 {
                a[[i, i]] = rest.sqrt();
            } else {
                return false;
            }
        }
    }
    for i in 0..n {
        for k in 0..i {
            let (factor, (source, mut target)) =
                (a[[i, k]], b.multi_slice_mut((ndarray::s![k, ..], ndarray::s![i, ..])));
            target.scaled_add(-factor, &source);
        }
        let pivot = a[[i, i]];
        b.row_mut(i).mapv_inplace(|x| x / pivot);
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            let (factor, (source, mut target)) =
                (a[[k, i]], b.multi_slice_mut((ndarray::s![k, ..], ndarray::s![i, ..])));
            target.scaled_add(-factor, &source);
        }
        let pivot = a[[i, i]];
        b.row_mut(i).mapv_inplace(|x| x / pivot);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dot_product_is_the_sum_of_products() {
        for n in [0, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let expected: f32 = (0..n).map(|i| (i * i) as f32).sum();
            assert_eq!(dot(&a, &a), expected, "{n}");
        }
    }

    #[test]
    fn a_ridge_solution_solves_its_equation() {
        let x = Array2::from_shape_fn((6, 9), |(i, j)| ((i * 5 + j * 3) % 7) as f64 - 3.0);
        let a = x.dot(&x.t());
        let b = Array2::from_shape_fn((6, 2), |(i, j)| (i + j) as f64);
        let mut solution = b.clone();
        assert!(solve_ridge(&mut a.clone(), 0.5, &mut solution));
        let back = a.dot(&solution) + 0.5 * &solution;
        assert!((back - b).iter().all(|d| d.abs() < 1e-9));
        assert!(!solve_ridge(&mut Array2::zeros((2, 2)), 0.0, &mut Array2::zeros((2, 1))));
    }

    #[test]
    fn windows_share_the_memory_of_their_rows() {
        let rows: Vec<f32> = (0..20).map(|i| i as f32).collect();
        let windows = windows_of(&rows, &(3..8), 3, 2).unwrap();
        assert_eq!(windows.shape(), [5, 6]);
        assert_eq!(windows.row(4).to_vec(), vec![14.0, 15.0, 16.0, 17.0, 18.0, 19.0]);
    }
}
