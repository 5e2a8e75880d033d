//! All components of a window PCA, for the two classic scores of whole windows and for the latent.
//!
//! ```text
//! code = V' (w - mean)                                             [Z]
//! Q  = |w - mean - V code|²          what the components cannot say (squared prediction error)
//! T² = sum code_k² / lambda_k        how far out it lies in what they can say (Hotelling)
//! ```
//!
//! Both are sums of squares over the cells of the window, so each channel has its part: T² is the squared length of
//! V diag(lambda)^-1/2 code.

use ndarray::{Array2, Axis};

use super::linear::dot;
use super::spectrum::leading_vectors;
use super::{Member, MemberError, MemberParts, MemberScratch, Tensor, TrainingRows};

/// Windows that components are learned from at most, evenly spaced.
const WINDOWS_MAX: usize = 1000;
/// Eigenvalues below this share of the largest are rounding; T² would divide by them.
const EIGENVALUE_SHARE_MIN: f64 = 1e-9;

/// Components `[Z, T * C]` with their variances.
#[derive(Debug, Clone)]
pub(super) struct Components {
    vectors: Vec<f32>,
    variances: Vec<f32>,
    mean: Vec<f32>,
    /// Codes of the mean, `[Z]`.
    offsets: Vec<f32>,
}

impl Components {
    /// Learns them from the training windows: from their covariance, or their Gram matrix when they are fewer than T * C.
    pub(super) fn fit(training: &TrainingRows, n_leading: impl Fn(&[f64]) -> usize) -> Result<Self, MemberError> {
        let size = training.n_time * training.n_channels;
        let starts = training.some_starts(WINDOWS_MAX);
        let n = starts.len();
        let mut windows = Array2::zeros((n, size));
        for (mut row, start) in windows.outer_iter_mut().zip(&starts) {
            row.iter_mut().zip(training.window(*start)).for_each(|(x, value)| *x = f64::from(*value));
        }
        let mean = windows.mean_axis(Axis(0)).ok_or_else(no_convergence)?;
        windows -= &mean;
        let is_gram = n < size;
        let products = if is_gram { windows.dot(&windows.t()) } else { windows.t().dot(&windows) };
        let mut matrix: Vec<f64> = products.iter().map(|x| x / n as f64).collect();
        let choose = |values: &[f64]| {
            let floor = (EIGENVALUE_SHARE_MIN * values.first().copied().unwrap_or(0.0)).max(0.0);
            n_leading(&values[..values.iter().filter(|value| **value > floor).count()])
        };
        let (spectrum, vectors) = leading_vectors(&mut matrix, n.min(size), choose).ok_or_else(no_convergence)?;
        let variances = &spectrum.values[..spectrum.n_kept];
        let vectors = Array2::from_shape_vec((spectrum.n_kept, n.min(size)), vectors).map_err(|_| no_convergence())?;
        let vectors = if is_gram {
            // With W W' / N = U L U' the components are W' U (N L)^-1/2.
            let mut rows = vectors.dot(&windows);
            for (mut row, value) in rows.outer_iter_mut().zip(variances) {
                row /= (n as f64 * value).sqrt();
            }
            rows
        } else {
            vectors
        };
        let narrow = |x: &f64| *x as f32;
        let components = Self::new(
            vectors.iter().map(narrow).collect(),
            variances.iter().map(narrow).collect(),
            mean.iter().map(narrow).collect(),
        );
        if components.vectors.iter().chain(&components.mean).any(|x| !x.is_finite()) {
            return Err(no_convergence());
        }
        Ok(components)
    }

    fn new(vectors: Vec<f32>, variances: Vec<f32>, mean: Vec<f32>) -> Self {
        let offsets = vectors.chunks_exact(mean.len().max(1)).map(|vector| dot(vector, &mean)).collect();
        Self { vectors, variances, mean, offsets }
    }

    pub(super) fn n_components(&self) -> usize {
        self.variances.len()
    }

    /// The codes `[Z]` of a window `[T, C]`.
    pub(super) fn codes(&self, window: &[f32], out: &mut [f32]) {
        let vectors = self.vectors.chunks_exact(window.len());
        for ((code, vector), offset) in out.iter_mut().zip(vectors).zip(&self.offsets) {
            *code = dot(vector, window) - offset;
        }
    }

    /// Q by channel, as means over time, and the last row's reconstruction.
    pub(super) fn prediction_error(
        &self,
        window: &[f32],
        scratch: &mut MemberScratch,
        expected: &mut [f32],
        residuals: &mut [f32],
    ) {
        let (codes, back) = scratch.floats(self.n_components() + window.len()).split_at_mut(self.n_components());
        self.codes(window, codes);
        back.copy_from_slice(&self.mean);
        self.add_back(codes, back);
        expected.copy_from_slice(&back[window.len() - expected.len()..]);
        back.iter_mut().zip(window).for_each(|(back, x)| *back -= x);
        mean_squares(back, residuals);
    }

    /// T² by channel, as means over time.
    pub(super) fn hotelling(&self, window: &[f32], scratch: &mut MemberScratch, residuals: &mut [f32]) {
        let (codes, back) = scratch.floats(self.n_components() + window.len()).split_at_mut(self.n_components());
        self.codes(window, codes);
        codes.iter_mut().zip(&self.variances).for_each(|(code, variance)| *code /= variance.sqrt());
        back.fill(0.0);
        self.add_back(codes, back);
        mean_squares(back, residuals);
    }

    fn add_back(&self, codes: &[f32], out: &mut [f32]) {
        for (code, vector) in codes.iter().zip(self.vectors.chunks_exact(out.len())) {
            out.iter_mut().zip(vector).for_each(|(out, v)| *out += code * v);
        }
    }

    pub(super) fn tensors(&self) -> Vec<Tensor> {
        let (z, size) = (self.n_components(), self.mean.len());
        let tensor = |name: &str, shape: Vec<usize>, values: &Vec<f32>| Tensor {
            name: name.to_owned(),
            shape,
            values: values.clone(),
        };
        vec![
            tensor("components", vec![z, size], &self.vectors),
            tensor("variances", vec![z], &self.variances),
            tensor("component_mean", vec![size], &self.mean),
        ]
    }

    pub(super) fn from_parts(parts: &MemberParts, size: usize) -> Result<Self, MemberError> {
        let z = parts.tensors.iter().find(|t| t.name == "variances").map_or(0, |t| t.values.len());
        Ok(Self::new(
            parts.tensor("components", &[z, size])?,
            parts.tensor("variances", &[z])?,
            parts.tensor("component_mean", &[size])?,
        ))
    }
}

/// Means over time `[C]` of the squares of `[T, C]`.
fn mean_squares(cells: &[f32], out: &mut [f32]) {
    let n_time = (cells.len() / out.len()) as f32;
    for (c, out) in out.iter_mut().enumerate() {
        *out = cells[c..].iter().step_by(cells.len() / n_time as usize).map(|x| x * x).sum::<f32>() / n_time;
    }
}

fn no_convergence() -> MemberError {
    MemberError::NotFinite { member: Member::Pca, reason: "the eigenvalues do not converge".to_owned() }
}
