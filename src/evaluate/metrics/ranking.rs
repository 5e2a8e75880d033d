//! A label and a score per row, sorted once for all measures that need no threshold.

/// Why labels, scores or alarms cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// The two columns differ in length.
    #[error("{found} rows of scores or alarms for {expected} rows of labels")]
    Length {
        /// Rows of scores or alarms.
        found: usize,
        /// Rows of labels.
        expected: usize,
    },
    /// A score is NaN or infinite: a detector must decide what a missing score means.
    #[error("row {row}: the score is {found}, expected a finite number")]
    NotFinite {
        /// 0-based row.
        row: usize,
        /// The value.
        found: f64,
    },
}

/// Rows in falling order of their score, with their labels.
#[derive(Debug, Clone)]
pub struct Ranking {
    label: Vec<bool>,
    /// Rows, highest score first.
    order: Vec<u32>,
    /// The scores in that order; -0.0 counts as 0.0.
    sorted: Vec<f64>,
    n_positive: usize,
}

impl Ranking {
    /// Sorts `score[row]` (higher = more anomalous) beside `label[row]`.
    ///
    /// # Errors
    /// When the lengths differ or a score is not finite.
    pub fn new(label: &[bool], score: &[f64]) -> Result<Self, MetricError> {
        if label.len() != score.len() {
            return Err(MetricError::Length { found: score.len(), expected: label.len() });
        }
        if let Some(row) = score.iter().position(|s| !s.is_finite()) {
            return Err(MetricError::NotFinite { row, found: score[row] });
        }
        let mut pairs: Vec<(f64, u32)> = score.iter().enumerate().map(|(row, s)| (s + 0.0, row as u32)).collect();
        pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        Ok(Self {
            label: label.to_vec(),
            order: pairs.iter().map(|p| p.1).collect(),
            sorted: pairs.iter().map(|p| p.0).collect(),
            n_positive: label.iter().filter(|y| **y).count(),
        })
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.label.len()
    }

    /// Rows labelled anomalous.
    pub fn n_positive(&self) -> usize {
        self.n_positive
    }

    /// The labels, `[row]`.
    pub fn label(&self) -> &[bool] {
        &self.label
    }

    /// The rows, highest score first; ties in no particular order.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The scores, highest first.
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// Runs of equal scores, highest first: score, labelled rows and all rows of the run.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let score = *self.sorted.get(from)?;
            let to = from + self.sorted[from..].iter().take_while(|s| **s == score).count();
            let n_positive = self.order[from..to].iter().filter(|row| self.label[**row as usize]).count();
            let step = Step { score, n_positive, n_rows: to - from };
            from = to;
            Some(step)
        })
    }
}

/// Rows that share one score.
pub(super) struct Step {
    pub(super) score: f64,
    pub(super) n_positive: usize,
    pub(super) n_rows: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_that_cannot_be_ranked_is_named() {
        let found = Ranking::new(&[true, false], &[1.0, f64::NAN]).map(|_| ());
        assert!(matches!(found, Err(MetricError::NotFinite { row: 1, .. })));
        assert_eq!(Ranking::new(&[true], &[1.0, 2.0]).map(|_| ()), Err(MetricError::Length { found: 2, expected: 1 }));
    }

    #[test]
    fn equal_scores_form_one_step_whatever_the_sign_of_zero() {
        let ranking = Ranking::new(&[true, false, true, false], &[0.0, -0.0, 3.0, 3.0]).unwrap();
        let steps: Vec<_> = ranking.steps().map(|s| (s.score, s.n_positive, s.n_rows)).collect();
        assert_eq!(steps, [(3.0, 1, 2), (0.0, 1, 2)]);
    }
}
