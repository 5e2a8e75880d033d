//! Two numbers that carry proof: a score is finite, a p-value lies in (0, 1].

use serde::{Deserialize, Serialize};

/// Why a number is not what its type promises.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StatsError {
    /// A score must be finite.
    #[error("a score is a finite number, found {found}")]
    NotFinite {
        /// The number.
        found: f64,
    },
    /// A p-value lies above 0 and at most at 1.
    #[error("a p-value lies in (0, 1], found {found}")]
    NotAPValue {
        /// The number.
        found: f64,
    },
}

/// One number per row, finite; higher is more anomalous.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(f64);

impl Score {
    /// Checks a number.
    ///
    /// # Errors
    /// When it is NaN or infinite.
    pub fn check(value: f64) -> Result<Self, StatsError> {
        if value.is_finite() { Ok(Self(value)) } else { Err(StatsError::NotFinite { found: value }) }
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

/// Share of calibration scores at least as high, in (0, 1].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PValue(f64);

impl PValue {
    /// Checks a number.
    ///
    /// # Errors
    /// When it does not lie in (0, 1].
    pub fn check(value: f64) -> Result<Self, StatsError> {
        if value > 0.0 && value <= 1.0 { Ok(Self(value)) } else { Err(StatsError::NotAPValue { found: value }) }
    }

    /// The conformal p-value (k + 1) / (n + 1) of `score` among n calibration scores sorted upwards, k of which are
    /// at least as high.
    pub fn among(sorted: &[f64], score: f64) -> Self {
        let below = sorted.partition_point(|c| *c < score);
        Self((sorted.len() - below + 1) as f64 / (sorted.len() + 1) as f64)
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p_value_counts_the_calibration_scores_at_least_as_high() {
        let calibration = [1.0, 2.0, 2.0, 3.0];
        for (score, expected) in [(0.0, 1.0), (1.0, 1.0), (2.0, 0.8), (2.5, 0.4), (3.0, 0.4), (9.0, 0.2)] {
            assert!((PValue::among(&calibration, score).value() - expected).abs() < 1e-12, "{score}");
        }
        assert_eq!(PValue::among(&[], 1.0).value(), 1.0);
    }

    #[test]
    fn what_is_not_a_score_is_refused() {
        assert!(Score::check(f64::NAN).is_err());
        assert!(Score::check(f64::INFINITY).is_err());
        assert_eq!(Score::check(1.5).map(Score::value), Ok(1.5));
        assert!(PValue::check(0.0).is_err());
        assert!(PValue::check(1.0).is_ok());
    }
}
