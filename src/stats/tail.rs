//! The tail of a sample: a generalised Pareto fitted to excesses over a high level.

use serde::{Deserialize, Serialize};

/// Why no tail could be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TailError {
    /// Too few excesses.
    #[error("a tail needs at least {needed} excesses, found {found}")]
    TooFew {
        /// Excesses found.
        found: usize,
        /// Excesses needed.
        needed: usize,
    },
}

/// Fewest excesses for a fit: two parameters from fewer is noise.
const EXCESSES_MIN: usize = 8;

/// P(X > x) = (1 + shape x / scale)^(-1 / shape) for excesses x ≥ 0; exponential when the shape is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GeneralisedPareto {
    /// Scale, above 0, in the unit of the excesses.
    pub scale: f64,
    /// Shape; above 0 means a heavy tail.
    pub shape: f64,
}

impl GeneralisedPareto {
    /// Fits by probability-weighted moments (Hosking and Wallis 1987): with b0 the mean and
    /// b1 = Σ (1 - (i + 0.65)/n) x_(i) / n over the sorted excesses, shape = 2 - b0 / (b0 - 2 b1) and
    /// scale = 2 b0 b1 / (b0 - 2 b1). The shape is kept in [-0.5, 0.5], where the method is sound.
    ///
    /// # Errors
    /// With fewer than 8 excesses.
    pub fn fit(excesses: &[f64]) -> Result<Self, TailError> {
        let n = excesses.len();
        if n < EXCESSES_MIN {
            return Err(TailError::TooFew { found: n, needed: EXCESSES_MIN });
        }
        let mut x = excesses.to_vec();
        x.sort_by(f64::total_cmp);
        let b0 = x.iter().sum::<f64>() / n as f64;
        let weight = |i: usize| 1.0 - (i as f64 + 0.65) / n as f64;
        let b1 = x.iter().enumerate().map(|(i, x)| weight(i) * x).sum::<f64>() / n as f64;
        let spread = b0 - 2.0 * b1;
        if b0 <= 0.0 || spread <= 1e-12 * b0 {
            return Ok(Self { scale: b0.max(1e-12), shape: 0.0 });
        }
        let shape = (2.0 - b0 / spread).clamp(-0.5, 0.5);
        // The mean of the distribution is scale / (1 - shape): keep it when the shape was clamped.
        Ok(Self { scale: (b0 * (1.0 - shape)).max(1e-12), shape })
    }

    /// The excess that is exceeded with probability `p`, in (0, 1].
    pub fn quantile_above(&self, p: f64) -> f64 {
        if self.shape.abs() < 1e-9 {
            -self.scale * p.ln()
        } else {
            self.scale / self.shape * (p.powf(-self.shape) - 1.0)
        }
    }

    /// P(X > x).
    pub fn survival(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 1.0;
        }
        if self.shape.abs() < 1e-9 {
            return (-x / self.scale).exp();
        }
        (1.0 + self.shape * x / self.scale).max(0.0).powf(-1.0 / self.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_recovers_a_known_tail() {
        // Inverse transform of an even grid of probabilities: the sample is the distribution itself.
        for (scale, shape) in [(1.0, 0.0), (2.0, 0.2), (0.5, -0.3)] {
            let truth = GeneralisedPareto { scale, shape };
            let n = 4000;
            let excesses: Vec<f64> = (0..n).map(|i| truth.quantile_above((i as f64 + 0.5) / n as f64)).collect();
            let found = GeneralisedPareto::fit(&excesses).unwrap();
            assert!((found.scale / scale - 1.0).abs() < 0.03, "{found:?} for {truth:?}");
            assert!((found.shape - shape).abs() < 0.02, "{found:?} for {truth:?}");
            assert!((truth.survival(truth.quantile_above(0.01)) - 0.01).abs() < 1e-9);
        }
    }

    #[test]
    fn equal_and_few_excesses_are_no_trouble() {
        assert!(GeneralisedPareto::fit(&[1.0; 7]).is_err());
        let flat = GeneralisedPareto::fit(&[1.0; 20]).unwrap();
        assert!(flat.quantile_above(1e-6).is_finite());
        assert!(GeneralisedPareto::fit(&[0.0; 20]).unwrap().survival(1.0) < 1e-9);
    }
}
