//! Latents `[N, Z]` on a plane, so that a person can see where a machine has been.
//!
//! PCA keeps distances as far as two straight axes can, t-SNE (van der Maaten and Hinton 2008) keeps neighbours, a
//! diffusion map (Coifman and Lafon 2006) keeps the ways between them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use linfa::traits::Transformer;
use linfa_kernel::{Kernel, KernelMethod, KernelType};
use linfa_reduction::DiffusionMap;
use linfa_tsne::TSneParams;
use ndarray::{Array2, Axis};

use super::spectrum::leading_vectors;

/// How latents are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapMethod {
    /// The two leading principal components.
    Pca,
    /// t-SNE.
    Tsne,
    /// A diffusion map.
    Diffusion,
}

impl MapMethod {
    /// All of them.
    pub const ALL: &'static [MapMethod] = &[MapMethod::Pca, MapMethod::Tsne, MapMethod::Diffusion];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            MapMethod::Pca => "pca",
            MapMethod::Tsne => "tsne",
            MapMethod::Diffusion => "diffusion",
        }
    }

    /// The method of a word.
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.as_str() == text)
    }
}

/// Why there is no map.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MapError {
    /// Too few points, or points of one number only.
    #[error("a map needs at least {needed} latents of 2 or more numbers, found {found} of {width}")]
    TooFew {
        /// Latents found.
        found: usize,
        /// Latents needed.
        needed: usize,
        /// Numbers of each.
        width: usize,
    },
    /// The method gave nothing finite.
    #[error("{method} found no map: {reason}")]
    NoMap {
        /// The method.
        method: &'static str,
        /// Why.
        reason: String,
    },
}

/// Fewest points: t-SNE asks for three times its perplexity.
const POINTS_MIN: usize = 16;
/// t-SNE's perplexity, and how it shrinks with few points.
const PERPLEXITY: f64 = 30.0;
/// Passes of t-SNE.
const TSNE_ITERATIONS: usize = 500;
/// Accuracy of t-SNE's approximation; 0 is exact.
const TSNE_THRESHOLD: f64 = 0.5;

/// Lays latents `[N, width]` out on a plane, `[N]`; each axis is scaled so that the largest coordinate is 1.
///
/// # Errors
/// With too few points, or when the method fails.
pub fn latent_map(latents: &[f32], width: usize, method: MapMethod) -> Result<Vec<[f64; 2]>, MapError> {
    let n = latents.len().checked_div(width).unwrap_or(0);
    if n < POINTS_MIN || width < 2 {
        return Err(MapError::TooFew { found: n, needed: POINTS_MIN, width });
    }
    let fault = |reason: &str| MapError::NoMap { method: method.as_str(), reason: reason.to_owned() };
    let mut points = Array2::from_shape_fn((n, width), |(i, j)| f64::from(latents[i * width + j]));
    points -= &points.mean_axis(Axis(0)).ok_or_else(|| fault("no mean"))?;
    // The crates assert inside; their panics are their own and must not end the program.
    let laid_out = catch_unwind(AssertUnwindSafe(|| match method {
        MapMethod::Pca => by_pca(&points),
        MapMethod::Tsne => {
            let perplexity = PERPLEXITY.min((n as f64 - 1.0) / 4.0);
            let params = TSneParams::embedding_size(2).perplexity(perplexity).approx_threshold(TSNE_THRESHOLD);
            params.max_iter(TSNE_ITERATIONS).transform(points).map_err(|e| e.to_string())
        }
        MapMethod::Diffusion => {
            let width = median_square(&points);
            let kernel = Kernel::params().kind(KernelType::Dense).method(KernelMethod::Gaussian(width));
            let kernel = kernel.transform(points.view());
            let map = DiffusionMap::<f64>::params(2).steps(1).transform(&kernel).map_err(|e| e.to_string())?;
            Ok(map.embedding().clone())
        }
    }));
    let laid_out = laid_out.map_err(|_| fault("its arithmetic broke down"))?.map_err(|reason| fault(&reason))?;
    if laid_out.shape() != [n, 2] || laid_out.iter().any(|x| !x.is_finite()) {
        return Err(fault("its coordinates are not finite"));
    }
    let largest = |axis: usize| laid_out.column(axis).iter().fold(0.0_f64, |most, x| most.max(x.abs())).max(1e-12);
    let scales = [largest(0), largest(1)];
    Ok(laid_out.outer_iter().map(|point| [point[0] / scales[0], point[1] / scales[1]]).collect())
}

fn by_pca(points: &Array2<f64>) -> Result<Array2<f64>, String> {
    let covariance = points.t().dot(points);
    let mut matrix: Vec<f64> = covariance.iter().copied().collect();
    let (_, vectors) = leading_vectors(&mut matrix, points.ncols(), |_| 2).ok_or("the eigenvalues do not converge")?;
    let axes = Array2::from_shape_vec((2, points.ncols()), vectors).map_err(|e| e.to_string())?;
    Ok(points.dot(&axes.t()))
}

/// The middle squared distance between points that lie apart in the list.
fn median_square(points: &Array2<f64>) -> f64 {
    let n = points.nrows();
    let mut squares: Vec<f64> = Vec::new();
    for step in [n / 7 + 1, n / 3 + 1, n / 2 + 1] {
        squares.extend((0..n.saturating_sub(step)).map(|i| {
            let difference = &points.row(i) - &points.row(i + step);
            difference.dot(&difference)
        }));
    }
    squares.sort_by(f64::total_cmp);
    squares.get(squares.len() / 2).copied().unwrap_or(1.0).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds far apart in five dimensions.
    fn clouds() -> Vec<f32> {
        let noise = |i: usize| (i * 7919 % 1009) as f32 / 1009.0 - 0.5;
        (0..120 * 5).map(|i| noise(i) + if i / 5 % 2 == 0 { 0.0 } else { 4.0 }).collect()
    }

    #[test]
    fn every_method_keeps_two_clouds_apart() {
        for method in MapMethod::ALL {
            let map = latent_map(&clouds(), 5, *method).unwrap();
            assert_eq!(map.len(), 120);
            let nearest_is_of_the_same = (0..map.len()).filter(|i| {
                let distance = |j: &usize| (map[*i][0] - map[*j][0]).hypot(map[*i][1] - map[*j][1]);
                let others = (0..map.len()).filter(|j| j != i);
                others.min_by(|a, b| distance(a).total_cmp(&distance(b))).is_some_and(|j| j % 2 == i % 2)
            });
            let n = nearest_is_of_the_same.count();
            assert!(n >= 118, "{}: {n} of 120 have a neighbour of their own cloud", method.as_str());
        }
    }

    #[test]
    fn few_points_and_single_numbers_are_refused() {
        assert!(matches!(latent_map(&[0.0; 20], 2, MapMethod::Pca), Err(MapError::TooFew { found: 10, .. })));
        assert!(matches!(latent_map(&[0.0; 20], 1, MapMethod::Tsne), Err(MapError::TooFew { width: 1, .. })));
    }
}
