//! Window PCA: the last row as the leading linear subspace of flattened windows sees it.
//!
//! Only the last row's part of the projection is needed to score, so a fitted PCA is a linear map of the window. Its
//! projector is built from leading components up to a share of variance: in feature space, or from the Gram matrix of
//! the windows when they are fewer than T·C. `linfa-reduction` computes the same components where it can be trusted
//! (few of many dimensions); every other case, and every result that fails its checks, goes the exact way.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_reduction::Pca as LinfaPca;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::gram::{feature_moments, window_products};
use super::guarded::guarded;
use super::linear::{LinearMap, moving_channels, windows_of};
use super::member::squared_residuals;
use super::pca_components::Components;
use super::spectrum::apply_leading;
use super::{FittedMember, Member, MemberError, MemberParts, MemberScratch, PcaSpec, TrainingRows};

/// Eigenvalues of the Gram matrix below this share of the largest are rounding.
const EIGENVALUE_SHARE_MIN: f64 = 1e-9;
/// `linfa-reduction` is right for few components of many dimensions only (measured: at most a fifth).
const LINFA_COMPONENTS_PER_DIMENSION: usize = 5;
/// Beyond this many cells of the window matrix its iteration costs more than the exact way.
const LINFA_CELLS_MAX: usize = 200_000;
/// It meets NaN, and panics, on windows that few components explain entirely: at least this share must be left over.
const LINFA_LEFT_OVER_MIN: f64 = 1e-4;
/// How far its components may be from orthonormal.
const LINFA_TOLERANCE: f64 = 1e-6;
/// How much more of the training windows they may leave over than the eigenvalues promise, as a share.
const LINFA_EXCESS_MAX: f64 = 0.01;

/// What of a window is its surprise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PcaScore {
    /// The squared residual of the last row: the newest reading against the window it ends.
    #[default]
    LastRow,
    /// Q, the squared prediction error of the whole window (Jackson and Mudholkar 1979).
    Q,
    /// Hotelling's T²: how far out the window lies among the components, each in units of its spread.
    T2,
}

/// A fitted window PCA.
#[derive(Debug, Clone)]
pub struct Pca {
    map: LinearMap,
    n_components: usize,
    is_linfa: bool,
    score: PcaScore,
    /// All components, for the scores of whole windows.
    components: Option<Components>,
}

/// Projector of the moving channels' windows onto the last row, `[T * D, D]`, and the window mean `[T * D]`.
struct Projection {
    last: Array2<f64>,
    mean: Array1<f64>,
    n_components: usize,
    /// Mean squared length that the kept components leave over, by the eigenvalues.
    left_over: f64,
}

impl Pca {
    /// Learns the components from the training windows.
    ///
    /// # Errors
    /// With fewer than two windows, or when the arithmetic gives nothing finite.
    pub fn fit(training: &TrainingRows, spec: &PcaSpec) -> Result<Self, MemberError> {
        let n_windows = training.n_windows();
        if n_windows < 2 {
            return Err(MemberError::TooFewWindows { member: Member::Pca, found: n_windows, needed: 2 });
        }
        let moving = moving_channels(training);
        let (d, n_time, n_channels) = (moving.len(), training.n_time, training.n_channels);
        let rows: Vec<f64> = training
            .rows
            .chunks_exact(n_channels)
            .flat_map(|row| moving.iter().map(move |c| f64::from(row[*c])))
            .collect();
        let choose = |values: &[f64]| n_leading(values, spec.variance_share, spec.n_components);
        let mut projection = if n_windows < n_time * d {
            from_products(&rows, d, training, choose)?
        } else {
            from_features(&rows, d, training, choose)?
        };
        let linfa = linfa_projection(&rows, d, training, &projection);
        let is_linfa = linfa.is_some();
        if let Some(last) = linfa {
            projection.last = last;
        }
        Ok(Self {
            map: projection.map(&moving, n_time, n_channels)?,
            n_components: projection.n_components,
            is_linfa,
            score: spec.score,
            components: match spec.score {
                PcaScore::LastRow => None,
                PcaScore::Q | PcaScore::T2 => Some(Components::fit(training, choose)?),
            },
        })
    }

    /// Components kept.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// The member from its parts.
    ///
    /// # Errors
    /// When an array or fact is missing or misshapen.
    pub fn from_parts(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Self, MemberError> {
        let n_components = parts.facts["n_components"]
            .as_u64()
            .ok_or_else(|| MemberError::Facts { member: Member::Pca, reason: "n_components is missing".to_owned() })?;
        let score = match &parts.facts["score"] {
            serde_json::Value::Null => PcaScore::default(),
            word => serde_json::from_value(word.clone())
                .map_err(|e| MemberError::Facts { member: Member::Pca, reason: e.to_string() })?,
        };
        Ok(Self {
            map: LinearMap::from_parts(parts, n_time * n_channels, n_channels)?,
            n_components: n_components as usize,
            is_linfa: parts.facts["linfa"].as_bool().unwrap_or(false),
            score,
            components: match score {
                PcaScore::LastRow => None,
                PcaScore::Q | PcaScore::T2 => Some(Components::from_parts(parts, n_time * n_channels)?),
            },
        })
    }
}

impl FittedMember for Pca {
    fn member(&self) -> Member {
        Member::Pca
    }

    fn reconstruct_last(&self, window: &[f32], _scratch: &mut MemberScratch, out: &mut [f32]) {
        self.map.apply(window, out);
    }

    fn judge_last(&self, window: &[f32], scratch: &mut MemberScratch, expected: &mut [f32], residuals: &mut [f32]) {
        match (self.score, &self.components) {
            (PcaScore::Q, Some(components)) => components.prediction_error(window, scratch, expected, residuals),
            (PcaScore::T2, Some(components)) => {
                self.map.apply(window, expected);
                components.hotelling(window, scratch, residuals);
            }
            _ => {
                self.map.apply(window, expected);
                squared_residuals(window, expected, residuals);
            }
        }
    }

    fn n_latent(&self) -> usize {
        self.components.as_ref().map_or(0, Components::n_components)
    }

    fn latent(&self, window: &[f32], _scratch: &mut MemberScratch, out: &mut [f32]) {
        if let Some(components) = &self.components {
            components.codes(window, out);
        }
    }

    fn parts(&self) -> MemberParts {
        let mut tensors = self.map.tensors();
        tensors.extend(self.components.iter().flat_map(Components::tensors));
        let facts = serde_json::json!({
            "n_components": self.n_components, "linfa": self.is_linfa, "score": self.score,
        });
        MemberParts { member: Member::Pca, facts, tensors }
    }
}

impl Projection {
    /// The linear map over all channels; those that did not move while learning are expected at their mean, 0.
    fn map(&self, moving: &[usize], n_time: usize, n_channels: usize) -> Result<LinearMap, MemberError> {
        let d = moving.len();
        let mut weights = Array2::zeros((n_time * n_channels, n_channels));
        let mut bias = vec![0.0; n_channels];
        let offset = self.mean.dot(&self.last);
        for (out, channel) in moving.iter().enumerate() {
            bias[*channel] = self.mean[(n_time - 1) * d + out] - offset[out];
            for t in 0..n_time {
                for (input, from) in moving.iter().enumerate() {
                    weights[[t * n_channels + from, *channel]] = self.last[[t * d + input, out]];
                }
            }
        }
        LinearMap::new(Member::Pca, &weights, &bias)
    }
}

/// How many of the falling eigenvalues explain a share of their sum, and at most `most`.
pub(super) fn n_leading(values: &[f64], share: f64, most: Option<usize>) -> usize {
    let most = most.unwrap_or(usize::MAX);
    let total: f64 = values.iter().map(|v| v.max(0.0)).sum();
    if total <= 0.0 {
        return 0;
    }
    let mut sum = 0.0;
    for (index, value) in values.iter().enumerate() {
        sum += value.max(0.0) / total;
        if sum >= share {
            return (index + 1).min(most);
        }
    }
    values.len().min(most)
}

fn no_convergence() -> MemberError {
    MemberError::NotFinite { member: Member::Pca, reason: "the eigenvalues do not converge".to_owned() }
}

fn from_features(
    rows: &[f64],
    d: usize,
    training: &TrainingRows,
    n_leading: impl Fn(&[f64]) -> usize,
) -> Result<Projection, MemberError> {
    let size = training.n_time * d;
    let moments = feature_moments(rows, d, training.n_time, &training.starts);
    let n = moments.n_windows as f64;
    let mean = moments.sums / n;
    let mut covariance = moments.products / n;
    for (i, mut row) in covariance.outer_iter_mut().enumerate() {
        row.scaled_add(-mean[i], &mean);
    }
    let mut last = Array2::zeros((size, d));
    for c in 0..d {
        last[[size - d + c, c]] = 1.0;
    }
    let (Some(a), Some(b)) = (covariance.as_slice_mut(), last.as_slice_mut()) else { return Err(no_convergence()) };
    let spectrum = apply_leading(a, b, size, n_leading, |_| 1.0).ok_or_else(no_convergence)?;
    let left_over = spectrum.values[spectrum.n_kept..].iter().map(|v| v.max(0.0)).sum();
    Ok(Projection { last, mean, n_components: spectrum.n_kept, left_over })
}

/// With windows A (centred rows) and A A' = U Λ U', the components are A' U Λ^-1/2, so the projector onto the last row
/// is A' U Λ^-1 U' A_last.
fn from_products(
    rows: &[f64],
    d: usize,
    training: &TrainingRows,
    n_leading: impl Fn(&[f64]) -> usize,
) -> Result<Projection, MemberError> {
    let (n_time, size) = (training.n_time, training.n_time * d);
    let starts: Vec<usize> = training.window_starts().collect();
    let n = starts.len();
    let Ok(matrix) = ArrayView2::from_shape((rows.len() / d, d), rows) else { return Err(no_convergence()) };
    let mut products = window_products(matrix, n_time, &starts);
    let means = products.mean_axis(Axis(0)).unwrap_or_default();
    let mean_of_means = means.mean().unwrap_or(0.0);
    for (i, mut row) in products.outer_iter_mut().enumerate() {
        row -= &means;
        row += mean_of_means - means[i];
    }
    let mut mean = Array1::zeros(size);
    for run in &training.starts {
        mean += &run_windows(rows, run, n_time, d)?.sum_axis(Axis(0));
    }
    mean /= n as f64;
    let mut coefficients = Array2::zeros((n, d));
    for (mut out, start) in coefficients.outer_iter_mut().zip(&starts) {
        out.assign(&matrix.row(start + n_time - 1));
        out -= &mean.slice(s![size - d..]);
    }
    let choose = |values: &[f64]| {
        let floor = EIGENVALUE_SHARE_MIN * values.first().copied().unwrap_or(0.0);
        let kept = values.iter().filter(|v| **v > floor.max(0.0)).count();
        n_leading(&values[..kept])
    };
    let (Some(a), Some(b)) = (products.as_slice_mut(), coefficients.as_slice_mut()) else {
        return Err(no_convergence());
    };
    let spectrum = apply_leading(a, b, n, choose, |value| 1.0 / value).ok_or_else(no_convergence)?;
    let mut last = Array2::zeros((size, d));
    let mut from = 0;
    for run in &training.starts {
        let part = coefficients.slice(s![from..from + run.len(), ..]);
        last += &run_windows(rows, run, n_time, d)?.t().dot(&part);
        from += run.len();
    }
    let sums = coefficients.sum_axis(Axis(0));
    for (i, mut row) in last.outer_iter_mut().enumerate() {
        row.scaled_add(-mean[i], &sums);
    }
    Ok(Projection { last, mean, n_components: spectrum.n_kept, left_over: f64::INFINITY })
}

fn run_windows<'a>(
    rows: &'a [f64],
    run: &std::ops::Range<usize>,
    n_time: usize,
    d: usize,
) -> Result<ArrayView2<'a, f64>, MemberError> {
    windows_of(rows, run, n_time, d).ok_or_else(no_convergence)
}

/// The projector from `linfa-reduction`'s components where it is known to work, if they pass: orthonormal, and what
/// they leave over of the training windows as small as the eigenvalues promise.
fn linfa_projection(rows: &[f64], d: usize, training: &TrainingRows, exact: &Projection) -> Option<Array2<f64>> {
    let (n_time, size, k) = (training.n_time, training.n_time * d, exact.n_components);
    let n = training.n_windows();
    if k == 0 || k * LINFA_COMPONENTS_PER_DIMENSION > size || n * size > LINFA_CELLS_MAX || n < size {
        return None;
    }
    let mut windows = Array2::zeros((n, size));
    for (mut out, start) in windows.outer_iter_mut().zip(training.window_starts()) {
        out.iter_mut().zip(&rows[start * d..(start + n_time) * d]).for_each(|(out, x)| *out = *x);
    }
    windows -= &exact.mean;
    let squares = |a: &Array2<f64>| a.iter().map(|x| x * x).sum::<f64>() / n as f64;
    if exact.left_over < LINFA_LEFT_OVER_MIN * squares(&windows) {
        return None;
    }
    let dataset = DatasetBase::from(windows.clone());
    let fitted = guarded(|| LinfaPca::params(k).fit(&dataset))?.ok()?;
    let components = fitted.components();
    if components.shape() != [k, size] {
        return None;
    }
    let identity = components.dot(&components.t());
    let off = identity.indexed_iter().map(|((i, j), x)| (x - f64::from(u8::from(i == j))).abs()).fold(0.0, f64::max);
    let codes = windows.dot(&components.t());
    let left_over = squares(&windows) - squares(&codes);
    let is_trusted = off < LINFA_TOLERANCE && left_over <= (1.0 + LINFA_EXCESS_MAX) * exact.left_over;
    is_trusted.then(|| components.t().dot(&components.slice(s![.., size - d..])))
}

#[cfg(test)]
mod tests {
    use linfa_linalg::eigh::{EigSort, Eigh};

    use super::*;

    fn training(n: usize, d: usize, t: usize) -> TrainingRows {
        let value = |i: usize| {
            let (row, c) = ((i / d) as f32, (i % d) as f32);
            (row * 0.3 + c).sin() + 0.1 * ((i * 7919 % 1000) as f32 / 500.0 - 1.0)
        };
        TrainingRows::complete((0..n * d).map(value).collect(), d, t)
    }

    /// Reconstruction of the last row by a full eigendecomposition of the covariance.
    fn by_eigh(training: &TrainingRows, share: f64, window: &[f32]) -> Vec<f64> {
        let (n, size) = (training.n_windows(), training.n_time * training.n_channels);
        let a = Array2::from_shape_fn((n, size), |(w, x)| f64::from(training.window(w)[x]));
        let mean = a.mean_axis(Axis(0)).unwrap();
        let a = a - &mean;
        let (values, vectors) = (a.t().dot(&a) / n as f64).eigh().unwrap().sort_eig_desc();
        let k = n_leading(values.as_slice().unwrap(), share, None);
        let v = vectors.slice(s![.., ..k]);
        let x = Array1::from_iter(window.iter().map(|x| f64::from(*x))) - &mean;
        let back = v.dot(&v.t().dot(&x)) + &mean;
        back.slice(s![size - training.n_channels..]).to_vec()
    }

    #[test]
    fn the_map_is_the_projection_of_a_full_decomposition() {
        for (n, d, t) in [(300, 3, 8), (60, 3, 20), (200, 1, 8)] {
            let training = training(n, d, t);
            let pca = Pca::fit(&training, &PcaSpec { variance_share: 0.97, ..PcaSpec::default() }).unwrap();
            let window: Vec<f32> = training.window(7).iter().map(|x| x + 0.5).collect();
            let mut out = vec![0.0; d];
            pca.reconstruct_last(&window, &mut MemberScratch::default(), &mut out);
            for (found, expected) in out.iter().zip(by_eigh(&training, 0.97, &window)) {
                assert!((f64::from(*found) - expected).abs() < 1e-4, "{n} {d} {t}: {found} {expected}");
            }
            let again = Pca::from_parts(&pca.parts(), t, d).unwrap();
            assert_eq!(again.parts(), pca.parts());
        }
    }

    #[test]
    fn a_count_bounds_the_components() {
        let training = training(300, 3, 8);
        let spec = PcaSpec { n_components: Some(2), ..PcaSpec::default() };
        assert_eq!(Pca::fit(&training, &spec).unwrap().n_components(), 2);
    }

    #[test]
    fn q_is_the_residual_of_the_whole_window_and_t2_the_sum_of_squared_standard_scores() {
        for (n, d, t) in [(300, 3, 8), (60, 3, 24)] {
            let training = training(n, d, t);
            let size = t * d;
            let a = Array2::from_shape_fn((training.n_windows(), size), |(w, x)| f64::from(training.window(w)[x]));
            let mean = a.mean_axis(Axis(0)).unwrap();
            let centred = &a - &mean;
            let covariance = centred.t().dot(&centred) / a.nrows() as f64;
            let (values, vectors) = covariance.eigh().unwrap().sort_eig_desc();
            let window: Vec<f32> = training.window(7).iter().enumerate().map(|(i, x)| x + (i as f32).sin()).collect();
            let x = Array1::from_iter(window.iter().map(|x| f64::from(*x))) - &mean;
            let codes = vectors.slice(s![.., ..4]).t().dot(&x);
            let q = x.dot(&x) - codes.dot(&codes);
            let t2: f64 = codes.iter().zip(&values).map(|(code, value)| code * code / value).sum();
            for (score, expected) in [(PcaScore::Q, q), (PcaScore::T2, t2)] {
                let spec = PcaSpec { n_components: Some(4), variance_share: 1.0, score };
                let pca = Pca::fit(&training, &spec).unwrap();
                let (mut last, mut residuals) = (vec![0.0; d], vec![0.0; d]);
                pca.judge_last(&window, &mut MemberScratch::default(), &mut last, &mut residuals);
                let found = residuals.iter().map(|r| f64::from(*r)).sum::<f64>() * t as f64;
                assert!((found / expected - 1.0).abs() < 1e-4, "{score:?}: {found} {expected}");
                let again = Pca::from_parts(&pca.parts(), t, d).unwrap();
                assert_eq!(again.parts(), pca.parts());
                assert_eq!((pca.n_latent(), again.n_latent()), (4, 4));
            }
        }
    }

    #[test]
    fn constant_rows_are_expected_as_they_are() {
        let training = TrainingRows::complete(vec![0.0; 100], 2, 8);
        let pca = Pca::fit(&training, &PcaSpec::default()).unwrap();
        assert_eq!(pca.n_components(), 0);
        let mut out = [1.0, 1.0];
        pca.reconstruct_last(&[3.0; 16], &mut MemberScratch::default(), &mut out);
        assert_eq!(out, [0.0, 0.0]);
    }

    #[test]
    fn linfa_is_used_where_it_can_be_trusted() {
        let noise = |i: usize| (i * 7919 % 1009) as f32 / 1009.0 - 0.5;
        let row = |i: usize| ((i as f32) * 0.2).sin() + 0.5 * ((i as f32) * 0.033).cos() + 0.2 * noise(i);
        let smooth = TrainingRows::complete((0..600).map(row).collect(), 1, 32);
        let pca = Pca::fit(&smooth, &PcaSpec::default()).unwrap();
        assert!(pca.n_components() <= 6 && pca.is_linfa, "{} components", pca.n_components());
    }
}
