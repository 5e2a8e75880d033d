//! Kernel PCA of windows (Schölkopf, Smola and Müller 1998): the leading directions of a feature space that a kernel
//! spans, so that curved surfaces of windows become flat ones.
//!
//! ```text
//! K_ij = k(x_i, x_j), centred in feature space: K~ = K - 1K - K1 + 1K1 = U L U'
//! score of x:    b(x) = L^-1/2 U' k~(x)                                  [Z]
//! feature error: |phi~(x) - P phi~(x)|^2 = k~(x, x) - b(x)' b(x)
//! pre-image:     x^ = mean + A' [g(b(x), b(x_i))]_i, a kernel ridge regression of windows on their scores
//!                (Bakir, Weston and Schölkopf 2004); with the linear kernel a linear one, which is PCA
//! ```
//!
//! When windows are many, evenly spaced ones are learned from.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::linear::{dot, solve_ridge};
use super::member::squared_residuals;
use super::pca::n_leading;
use super::spectrum::leading_vectors;
use super::{FittedMember, Member, MemberError, MemberParts, MemberScratch, Tensor, TrainingRows};

/// Eigenvalues below this share of the largest are rounding.
const EIGENVALUE_SHARE_MIN: f64 = 1e-9;
/// Shortest squared distance that a width is taken from, so that equal windows give a finite one.
const SQUARE_MIN: f64 = 1e-6;

/// Most training windows: the fit is cubic in them, and each is stored and visited in every score.
const WINDOWS_MOST: usize = 2000;

/// Which kernel measures how alike two windows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// exp(-gamma |x - y|²).
    #[default]
    Rbf,
    /// (gamma x·y + offset)^degree.
    Polynomial,
    /// x·y: plain PCA.
    Linear,
}

/// What is a window's surprise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelError {
    /// The squared residual of the pre-image's last row.
    #[default]
    PreImage,
    /// The squared distance in feature space, shared among the channels as the residuals of the pre-image are.
    FeatureSpace,
}

/// Settings of the kernel PCA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelPcaSpec {
    /// Which kernel.
    pub kernel: Kernel,
    /// Its scale; without it one over the median squared distance (rbf) or one over T * C (polynomial).
    pub gamma: Option<f64>,
    /// Degree of the polynomial kernel.
    pub degree: u32,
    /// What the polynomial kernel adds before it raises.
    pub offset: f64,
    /// Share of the feature space's variance that the components explain, in (0, 1].
    pub variance_share: f64,
    /// Components kept at most; without it the share of variance alone decides.
    pub n_components: Option<usize>,
    /// What is a window's surprise.
    pub error: KernelError,
    /// Ridge of the pre-image per training window.
    pub ridge: f64,
    /// Training windows at most, evenly spaced.
    pub windows_max: usize,
}

impl Default for KernelPcaSpec {
    fn default() -> Self {
        Self {
            kernel: Kernel::Rbf,
            gamma: None,
            degree: 3,
            offset: 1.0,
            variance_share: 0.95,
            n_components: None,
            error: KernelError::PreImage,
            ridge: 1e-4,
            windows_max: 300,
        }
    }
}

impl KernelPcaSpec {
    /// Every fault: key, found, allowed.
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, key, found: String, allowed| {
            if !holds {
                faults.push((key, found, allowed));
            }
        };
        let positive = |x: f64| x.is_finite() && x > 0.0;
        expect(self.gamma.is_none_or(positive), "gamma", format!("{:?}", self.gamma.unwrap_or(0.0)), "above 0");
        expect((1..=10).contains(&self.degree), "degree", self.degree.to_string(), "1 to 10");
        expect(self.offset.is_finite() && self.offset >= 0.0, "offset", self.offset.to_string(), "0 or more");
        let share = self.variance_share;
        expect(share > 0.0 && share <= 1.0, "variance_share", share.to_string(), "above 0, at most 1");
        expect(self.n_components != Some(0), "n_components", "0".to_owned(), "1 or more");
        expect(positive(self.ridge), "ridge", self.ridge.to_string(), "above 0");
        expect(
            (2..=WINDOWS_MOST).contains(&self.windows_max),
            "windows_max",
            self.windows_max.to_string(),
            "2 to 2000",
        );
        faults
    }
}

/// A fitted kernel PCA.
#[derive(Debug, Clone)]
pub struct KernelPca {
    facts: Facts,
    n_time: usize,
    n_channels: usize,
    /// Training windows, `[N, T * C]`.
    windows: Vec<f32>,
    /// Their squared lengths, `[N]`.
    squares: Vec<f32>,
    /// Mean of each column of the kernel matrix, `[N]`.
    column_means: Vec<f32>,
    /// L^-1/2 U', `[Z, N]`.
    directions: Vec<f32>,
    /// Scores of the training windows, `[N, Z]`.
    scores: Vec<f32>,
    /// Weights of the pre-image's last row, `[C, N]`, or `[C, Z]` with the linear kernel.
    readout: Vec<f32>,
    /// What the last row is expected to be in the middle, `[C]`.
    mean: Vec<f32>,
}

/// What besides arrays makes a fitted kernel PCA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Facts {
    kernel: Kernel,
    gamma: f64,
    degree: u32,
    offset: f64,
    error: KernelError,
    /// Scale of the RBF over scores.
    score_gamma: f64,
    /// Mean of the whole kernel matrix.
    grand_mean: f64,
    n_windows: usize,
    n_components: usize,
}

impl KernelPca {
    /// Learns from the training windows.
    ///
    /// # Errors
    /// With fewer than two windows, or when the arithmetic gives nothing finite.
    pub fn fit(training: &TrainingRows, spec: &KernelPcaSpec) -> Result<Self, MemberError> {
        let (n_time, n_channels) = (training.n_time, training.n_channels);
        let size = n_time * n_channels;
        let starts = training.some_starts(spec.windows_max.max(2));
        let n = starts.len();
        if n < 2 {
            return Err(MemberError::TooFewWindows { member: Member::KernelPca, found: n, needed: 2 });
        }
        let windows: Vec<f32> = starts.iter().flat_map(|start| training.window(*start).iter().copied()).collect();
        let gamma = spec.gamma.unwrap_or_else(|| match spec.kernel {
            Kernel::Rbf => 1.0 / median_square(&windows, size),
            _ => 1.0 / size as f64,
        });
        let mut facts = Facts {
            kernel: spec.kernel,
            gamma,
            degree: spec.degree,
            offset: spec.offset,
            error: spec.error,
            score_gamma: 0.0,
            grand_mean: 0.0,
            n_windows: n,
            n_components: 0,
        };
        let window = |i: usize| &windows[i * size..(i + 1) * size];
        let mut kernel =
            Array2::from_shape_fn((n, n), |(i, j)| if j <= i { facts.of64(window(i), window(j)) } else { 0.0 });
        for i in 0..n {
            for j in 0..i {
                kernel[[j, i]] = kernel[[i, j]];
            }
        }
        let column_means = kernel.mean_axis(Axis(0)).ok_or_else(no_solution)?;
        facts.grand_mean = column_means.mean().unwrap_or(0.0);
        for i in 0..n {
            for j in 0..n {
                kernel[[i, j]] += facts.grand_mean - column_means[i] - column_means[j];
            }
        }
        if kernel.iter().any(|k| !k.is_finite()) {
            return Err(no_solution());
        }
        let mut matrix: Vec<f64> = kernel.iter().copied().collect();
        let choose = |values: &[f64]| {
            let floor = (EIGENVALUE_SHARE_MIN * values.first().copied().unwrap_or(0.0)).max(0.0);
            let kept = values.iter().filter(|value| **value > floor).count();
            n_leading(&values[..kept], spec.variance_share, spec.n_components)
        };
        let (spectrum, vectors) = leading_vectors(&mut matrix, n, choose).ok_or_else(no_solution)?;
        let (z, values) = (spectrum.n_kept, spectrum.values);
        facts.n_components = z;
        // The training windows' scores are U L^1/2, what gives a score is L^-1/2 U'.
        let mut directions = Array2::from_shape_vec((z, n), vectors).map_err(|_| no_solution())?;
        let mut scores = directions.t().to_owned();
        for (i, value) in values.iter().take(z).enumerate() {
            scores.column_mut(i).mapv_inplace(|x| x * value.sqrt());
            directions.row_mut(i).mapv_inplace(|x| x / value.sqrt());
        }
        let last = Array2::from_shape_fn((n, n_channels), |(i, c)| f64::from(windows[(i + 1) * size - n_channels + c]));
        let mean = last.mean_axis(Axis(0)).ok_or_else(no_solution)?;
        let readout = match facts.kernel {
            Kernel::Linear => (last - &mean).t().dot(&directions.t()),
            _ => learn_pre_image(&mut facts, &narrow(&scores), last - &mean, spec.ridge)?,
        };
        let fitted = Self {
            facts,
            n_time,
            n_channels,
            squares: windows.chunks_exact(size).map(|window| dot(window, window)).collect(),
            windows,
            column_means: narrow(&column_means),
            directions: narrow(&directions),
            scores: narrow(&scores),
            readout: narrow(&readout),
            mean: narrow(&mean),
        };
        let arrays = [&fitted.column_means, &fitted.directions, &fitted.scores, &fitted.readout, &fitted.mean];
        if arrays.into_iter().flatten().any(|x| !x.is_finite()) {
            return Err(no_solution());
        }
        Ok(fitted)
    }

    /// Components kept, Z.
    pub fn n_components(&self) -> usize {
        self.facts.n_components
    }

    /// The member from its parts.
    ///
    /// # Errors
    /// When an array or fact is missing or misshapen.
    pub fn from_parts(parts: &MemberParts, n_time: usize, n_channels: usize) -> Result<Self, MemberError> {
        let unreadable = |e: serde_json::Error| MemberError::Facts { member: Member::KernelPca, reason: e.to_string() };
        let facts: Facts = serde_json::from_value(parts.facts.clone()).map_err(unreadable)?;
        let (n, z, size) = (facts.n_windows, facts.n_components, n_time * n_channels);
        let inner = if facts.kernel == Kernel::Linear { z } else { n };
        let windows = parts.tensor("windows", &[n, size])?;
        Ok(Self {
            squares: windows.chunks_exact(size.max(1)).map(|window| dot(window, window)).collect(),
            windows,
            column_means: parts.tensor("column_means", &[n])?,
            directions: parts.tensor("directions", &[z, n])?,
            scores: parts.tensor("scores", &[n, z])?,
            readout: parts.tensor("readout", &[n_channels, inner])?,
            mean: parts.tensor("mean", &[n_channels])?,
            facts,
            n_time,
            n_channels,
        })
    }

    /// Squared distance of a scaled window `[T, C]` from the kept directions, in feature space.
    pub fn feature_error(&self, window: &[f32], scratch: &mut MemberScratch) -> f64 {
        let (n, z) = (self.facts.n_windows, self.facts.n_components);
        let buffer = scratch.floats(n + z);
        let (kernel, scores) = buffer.split_at_mut(n);
        let own = self.project(window, kernel, scores);
        let kept: f64 = scores.iter().map(|b| f64::from(*b).powi(2)).sum();
        (own - kept).max(0.0)
    }

    /// Writes the centred kernels `[N]` and the scores `[Z]` of a window; gives its squared length in feature space.
    fn project(&self, window: &[f32], kernel: &mut [f32], scores: &mut [f32]) -> f64 {
        let size = self.n_time * self.n_channels;
        let square = dot(window, window);
        for ((k, other), other_square) in kernel.iter_mut().zip(self.windows.chunks_exact(size)).zip(&self.squares) {
            *k = self.facts.of(dot(window, other), square, *other_square);
        }
        let n = kernel.len().max(1) as f64;
        let mean = kernel.iter().map(|k| f64::from(*k)).sum::<f64>() / n;
        let shift = (self.facts.grand_mean - mean) as f32;
        for (k, column_mean) in kernel.iter_mut().zip(&self.column_means) {
            *k += shift - column_mean;
        }
        for (score, direction) in scores.iter_mut().zip(self.directions.chunks_exact(kernel.len().max(1))) {
            *score = dot(kernel, direction);
        }
        f64::from(self.facts.of(square, square, square)) - 2.0 * mean + self.facts.grand_mean
    }

    /// The pre-image's last row `[C]` for scores `[Z]`; `alike` `[N]` is overwritten.
    fn pre_image(&self, scores: &[f32], alike: &mut [f32], out: &mut [f32]) {
        let z = scores.len();
        let features: &[f32] = match self.facts.kernel {
            Kernel::Linear => scores,
            _ => {
                for (i, alike) in alike.iter_mut().enumerate() {
                    let other = &self.scores[i * z..(i + 1) * z];
                    let square: f32 = scores.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
                    *alike = (-self.facts.score_gamma as f32 * square).exp();
                }
                alike
            }
        };
        for (c, out) in out.iter_mut().enumerate() {
            *out = self.mean[c] + dot(&self.readout[c * features.len()..(c + 1) * features.len()], features);
        }
    }
}

impl FittedMember for KernelPca {
    fn member(&self) -> Member {
        Member::KernelPca
    }

    fn reconstruct_last(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        let (n, z) = (self.facts.n_windows, self.facts.n_components);
        let (kernel, scores) = scratch.floats(n + z).split_at_mut(n);
        self.project(window, kernel, scores);
        self.pre_image(scores, kernel, out);
    }

    fn judge_last(&self, window: &[f32], scratch: &mut MemberScratch, expected: &mut [f32], residuals: &mut [f32]) {
        self.reconstruct_last(window, scratch, expected);
        squared_residuals(window, expected, residuals);
        if self.facts.error == KernelError::FeatureSpace {
            let error = self.feature_error(window, scratch) * residuals.len() as f64;
            let sum: f32 = residuals.iter().sum();
            let n = residuals.len() as f32;
            residuals.iter_mut().for_each(|r| {
                let share = if sum > 0.0 { *r / sum } else { 1.0 / n };
                *r = error as f32 * share;
            });
        }
    }

    fn n_latent(&self) -> usize {
        self.facts.n_components
    }

    fn latent(&self, window: &[f32], scratch: &mut MemberScratch, out: &mut [f32]) {
        let n = self.facts.n_windows;
        self.project(window, scratch.floats(n), out);
    }

    fn parts(&self) -> MemberParts {
        let (n, z, c) = (self.facts.n_windows, self.facts.n_components, self.n_channels);
        let tensor = |name: &str, shape: &[usize], values: &[f32]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        MemberParts {
            member: Member::KernelPca,
            // Plain numbers and words always have a JSON form.
            facts: serde_json::to_value(&self.facts).unwrap_or_default(),
            tensors: vec![
                tensor("windows", &[n, self.n_time * c], &self.windows),
                tensor("column_means", &[n], &self.column_means),
                tensor("directions", &[z, n], &self.directions),
                tensor("scores", &[n, z], &self.scores),
                tensor("readout", &[c, self.readout.len() / c.max(1)], &self.readout),
                tensor("mean", &[c], &self.mean),
            ],
        }
    }
}

impl Facts {
    /// The kernel of two windows, from their inner product and squared lengths.
    fn of(&self, product: f32, square: f32, other_square: f32) -> f32 {
        match self.kernel {
            Kernel::Rbf => (-self.gamma as f32 * (square + other_square - 2.0 * product).max(0.0)).exp(),
            Kernel::Polynomial => (self.gamma as f32 * product + self.offset as f32).powi(self.degree as i32),
            Kernel::Linear => product,
        }
    }
}

impl Facts {
    /// The kernel of two windows in double precision, for the fit.
    fn of64(&self, x: &[f32], y: &[f32]) -> f64 {
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        match self.kernel {
            Kernel::Rbf => (-self.gamma * x.iter().zip(y).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()).exp(),
            Kernel::Polynomial => (self.gamma * product(x, y) + self.offset).powi(self.degree as i32),
            Kernel::Linear => product(x, y),
        }
    }
}

/// Weights `[C, N]` of the ridge regression of the centred last rows `[N, C]` on how alike the scores `[N, Z]` are.
fn learn_pre_image(
    facts: &mut Facts,
    scores: &[f32],
    mut last: Array2<f64>,
    ridge: f64,
) -> Result<Array2<f64>, MemberError> {
    let (n, z) = (facts.n_windows, facts.n_components);
    facts.score_gamma = 1.0 / median_square(scores, z);
    let score = |i: usize| &scores[i * z..(i + 1) * z];
    let mut alike = Array2::from_shape_fn((n, n), |(i, j)| {
        let square: f64 = score(i).iter().zip(score(j)).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        (-facts.score_gamma * square).exp()
    });
    if !solve_ridge(&mut alike, ridge * n as f64, &mut last) {
        return Err(no_solution());
    }
    Ok(last.t().to_owned())
}

/// The middle squared distance between rows `[N, width]` that lie apart in the list.
fn median_square(rows: &[f32], width: usize) -> f64 {
    let n = rows.len().checked_div(width).unwrap_or(0);
    let row = |i: usize| &rows[i * width..(i + 1) * width];
    let mut squares: Vec<f64> = Vec::new();
    // Every pair of a few hundred rows would be as good and a hundred times as dear.
    for step in [1, n / 7 + 1, n / 3 + 1, n / 2 + 1] {
        squares.extend(
            (0..n.saturating_sub(step))
                .map(|i| row(i).iter().zip(row(i + step)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()),
        );
    }
    squares.sort_by(f64::total_cmp);
    squares.get(squares.len() / 2).copied().unwrap_or(1.0).max(SQUARE_MIN)
}

fn narrow<D: ndarray::Dimension>(values: &ndarray::Array<f64, D>) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

fn no_solution() -> MemberError {
    MemberError::NotFinite { member: Member::KernelPca, reason: "its kernel matrix has no finite solution".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::{Pca, PcaSpec};
    use super::*;

    fn waves(n: usize, d: usize, t: usize) -> TrainingRows {
        let value = |i: usize| {
            let (row, c) = ((i / d) as f32, (i % d) as f32);
            (row * 0.3 + c).sin() + 0.3 * (row * 0.11).cos() + 0.1 * ((i * 7919 % 1000) as f32 / 500.0 - 1.0)
        };
        TrainingRows::complete((0..n * d).map(value).collect(), d, t)
    }

    #[test]
    fn with_a_linear_kernel_it_is_pca() {
        let training = waves(260, 2, 6);
        let spec = KernelPcaSpec {
            kernel: Kernel::Linear,
            variance_share: 0.97,
            windows_max: 1000,
            ..KernelPcaSpec::default()
        };
        let kernel = KernelPca::fit(&training, &spec).unwrap();
        let pca = Pca::fit(&training, &PcaSpec { variance_share: 0.97, ..PcaSpec::default() }).unwrap();
        assert_eq!(kernel.n_components(), pca.n_components());
        let mut scratch = MemberScratch::default();
        for start in [3, 50, 200] {
            let window: Vec<f32> = training.window(start).iter().map(|x| x + 0.4).collect();
            let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
            kernel.reconstruct_last(&window, &mut scratch, &mut a);
            pca.reconstruct_last(&window, &mut scratch, &mut b);
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
        }
    }

    #[test]
    fn the_feature_error_is_the_distance_by_the_definition() {
        // Two windows of one number: phi~ spans one direction, so a training window lies on it and has no error.
        let training = TrainingRows::complete(vec![0.0, 1.0], 1, 1);
        let spec = KernelPcaSpec { gamma: Some(1.0), variance_share: 1.0, ..KernelPcaSpec::default() };
        let fitted = KernelPca::fit(&training, &spec).unwrap();
        assert_eq!(fitted.n_components(), 1);
        let mut scratch = MemberScratch::default();
        assert!(fitted.feature_error(&[1.0], &mut scratch) < 1e-5);
        // For x = 3 by hand: k(x, x) = 1, k(x, 0) = e^-9, k(x, 1) = e^-4, k(0, 1) = e^-1.
        let (k0, k1, k01) = ((-9.0f64).exp(), (-4.0f64).exp(), (-1.0f64).exp());
        let length = 1.0 - (k0 + k1) + (2.0 + 2.0 * k01) / 4.0;
        // The direction is (phi(1) - phi(0)) / |phi(1) - phi(0)|, the inner product with phi(x) is (k1 - k0) / that.
        let along = (k1 - k0) / (2.0 - 2.0 * k01).sqrt();
        let error = fitted.feature_error(&[3.0], &mut scratch);
        assert!((error - (length - along * along)).abs() < 1e-5, "{error}");
    }

    #[test]
    fn every_kernel_knows_a_circle_from_its_middle() {
        // Rows on a circle: the mean is as good a guess for PCA with one component as any, a kernel sees the hole.
        let rows: Vec<f32> = (0..200).flat_map(|i| [(i as f32 * 0.37).cos(), (i as f32 * 0.37).sin()]).collect();
        let training = TrainingRows::complete(rows, 2, 1);
        for (kernel, error) in [
            (Kernel::Rbf, KernelError::FeatureSpace),
            (Kernel::Rbf, KernelError::PreImage),
            (Kernel::Polynomial, KernelError::FeatureSpace),
            (Kernel::Polynomial, KernelError::PreImage),
        ] {
            let spec = KernelPcaSpec { kernel, error, variance_share: 0.999, ..KernelPcaSpec::default() };
            let fitted = KernelPca::fit(&training, &spec).unwrap();
            let surprise = |window: &[f32; 2]| {
                let (mut expected, mut residuals) = ([0.0; 2], [0.0; 2]);
                fitted.judge_last(window, &mut MemberScratch::default(), &mut expected, &mut residuals);
                residuals.iter().sum::<f32>()
            };
            let (on, mut off) = (surprise(&[0.6, 0.8]), surprise(&[1.6, 1.2]));
            if error == KernelError::FeatureSpace {
                // Of the middle the pre-image is the middle, by symmetry; in feature space it lies far off.
                off = off.min(surprise(&[0.0, 0.0]));
            }
            assert!(off > 20.0 * on, "{kernel:?} {error:?}: {on} on the circle, {off} off it");
            let again = KernelPca::from_parts(&fitted.parts(), 1, 2).unwrap();
            assert_eq!(again.parts(), fitted.parts());
        }
    }

    #[test]
    fn many_windows_are_sampled_and_one_is_refused() {
        let training = waves(900, 1, 8);
        let fitted = KernelPca::fit(&training, &KernelPcaSpec { windows_max: 50, ..KernelPcaSpec::default() }).unwrap();
        assert_eq!(fitted.facts.n_windows, 50);
        let one = TrainingRows::complete(vec![0.0; 4], 1, 4);
        let refused = KernelPca::fit(&one, &KernelPcaSpec::default()).unwrap_err();
        assert_eq!(refused, MemberError::TooFewWindows { member: Member::KernelPca, found: 1, needed: 2 });
        let constant = TrainingRows::complete(vec![0.0; 40], 1, 4);
        let fitted = KernelPca::fit(&constant, &KernelPcaSpec::default()).unwrap();
        assert_eq!(fitted.n_components(), 0);
    }
}
