//! Area under the ROC curve of two samples.

/// Probability that a value of `high` exceeds one of `low`, ties counting half (Mann-Whitney); 0.5 when one is empty.
pub fn auc(high: &[f64], low: &[f64]) -> f64 {
    if high.is_empty() || low.is_empty() {
        return 0.5;
    }
    let mut low = low.to_vec();
    low.sort_by(f64::total_cmp);
    let wins: f64 = high
        .iter()
        .map(|h| {
            let below = low.partition_point(|l| l < h);
            let not_above = low.partition_point(|l| l <= h);
            0.5 * (below + not_above) as f64
        })
        .sum();
    wins / (high.len() as f64 * low.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_the_pairs_in_order() {
        assert_eq!(auc(&[2.0, 3.0], &[0.0, 1.0]), 1.0);
        assert_eq!(auc(&[1.0], &[1.0]), 0.5);
        // pairs: 1>0, 1=1, 3>0, 3>1 → 3.5 / 4
        assert_eq!(auc(&[1.0, 3.0], &[0.0, 1.0]), 0.875);
    }
}
