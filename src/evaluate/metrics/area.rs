//! Areas under the row-wise ROC and precision-recall curves, and the best single threshold.

use super::Ranking;

/// Area under the ROC curve, row by row: the share of (anomalous, normal) pairs ranked rightly, ties counting
/// half (Mann and Whitney). `None` without both kinds of rows.
pub fn auc_roc(ranking: &Ranking) -> Option<f64> {
    let n_positive = ranking.n_positive();
    let n_normal = ranking.n_rows() - n_positive;
    if n_positive == 0 || n_normal == 0 {
        return None;
    }
    let mut normal_below = n_normal as f64;
    let mut pairs = 0.0;
    for step in ranking.steps() {
        let normal = (step.n_rows - step.n_positive) as f64;
        normal_below -= normal;
        pairs += step.n_positive as f64 * (normal_below + 0.5 * normal);
    }
    Some(pairs / (n_positive as f64 * n_normal as f64))
}

/// Area under the precision-recall curve as average precision (step rule). `None` without an anomalous row.
pub fn auc_pr(ranking: &Ranking) -> Option<f64> {
    let n_positive = ranking.n_positive();
    if n_positive == 0 {
        return None;
    }
    let (mut hits, mut predicted, mut recall_before, mut area) = (0, 0, 0.0, 0.0);
    for step in ranking.steps() {
        hits += step.n_positive;
        predicted += step.n_rows;
        let recall = hits as f64 / n_positive as f64;
        area += (recall - recall_before) * hits as f64 / predicted as f64;
        recall_before = recall;
    }
    Some(area)
}

/// The best that any single threshold could do; an upper bound, not an operating result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestF1 {
    /// Harmonic mean of row precision and row recall.
    pub f1: f64,
    /// The threshold; rows with `score >= threshold` are alarms.
    pub threshold: f64,
}

/// The highest row-wise F1 over all thresholds, the highest threshold among equals. `None` without rows.
pub fn best_f1(ranking: &Ranking) -> Option<BestF1> {
    let (mut hits, mut predicted) = (0, 0);
    let mut best: Option<BestF1> = None;
    for step in ranking.steps() {
        hits += step.n_positive;
        predicted += step.n_rows;
        let f1 = 2.0 * hits as f64 / (predicted + ranking.n_positive()) as f64;
        if best.is_none_or(|b| f1 > b.f1) {
            best = Some(BestF1 { f1, threshold: step.score });
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_counted_ranking_gives_the_hand_counted_areas() {
        // Scores 4 3 2 2 1 with labels 1 0 1 0 0. Pairs (positive, normal) = 6: the row at 4 beats all three
        // (3), the row at 2 beats the one at 1 and ties with one (1.5): 4.5 / 6.
        // Average precision: 1/2 at precision 1/1, then 1/2 at precision 2/4.
        // F1 per step: 2/3, 2/4, 4/6, 4/7.
        let ranking = Ranking::new(&[true, false, true, false, false], &[4.0, 3.0, 2.0, 2.0, 1.0]).unwrap();
        assert_eq!(auc_roc(&ranking), Some(0.75));
        assert_eq!(auc_pr(&ranking), Some(0.75));
        assert_eq!(best_f1(&ranking), Some(BestF1 { f1: 2.0 / 3.0, threshold: 4.0 }));
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let normal = Ranking::new(&[false, false], &[1.0, 2.0]).unwrap();
        assert_eq!((auc_roc(&normal), auc_pr(&normal)), (None, None));
        let anomalous = Ranking::new(&[true, true], &[1.0, 2.0]).unwrap();
        assert_eq!((auc_roc(&anomalous), auc_pr(&anomalous)), (None, Some(1.0)));
        assert_eq!(best_f1(&Ranking::new(&[], &[]).unwrap()), None);
    }
}
