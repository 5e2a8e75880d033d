//! The dominant period of a series: the buffer length that VUS uses.

/// Rows looked at; TSB-AD's limit.
const ROWS_MAX: usize = 20_000;
/// Highest lag of the autocorrelation.
const LAG_MAX: usize = 400;
/// Lags below this are the series' own smoothness, not a period.
const LAG_MIN: usize = 3;
/// What TSB-AD takes when there is no usable period.
const DEFAULT_PERIOD: usize = 125;

/// The dominant period of the first channel by TSB-AD's rule at rank 1: among the strict local maxima of the
/// autocorrelation at lags of at least 3 the highest; 125 when there is none, when it lies outside lags 6 to 303,
/// or when the series is constant.
pub fn find_length_rank(channel: &[f64]) -> usize {
    let correlation = autocorrelation(&channel[..channel.len().min(ROWS_MAX)], LAG_MAX);
    let Some(r) = correlation.get(LAG_MIN..) else { return DEFAULT_PERIOD };
    if r.len() < 3 || r.iter().any(|r| !r.is_finite()) {
        return DEFAULT_PERIOD;
    }
    let mut best: Option<usize> = None;
    for lag in 1..r.len() - 1 {
        let is_peak = r[lag] > r[lag - 1] && r[lag] > r[lag + 1];
        if is_peak && best.is_none_or(|b| r[lag] > r[b]) {
            best = Some(lag);
        }
    }
    match best {
        Some(lag) if (3..=300).contains(&lag) => lag + LAG_MIN,
        _ => DEFAULT_PERIOD,
    }
}

/// Biased sample autocorrelation at lags `0..=lag_max`, as far as there are rows; NaN for a constant series.
fn autocorrelation(values: &[f64], lag_max: usize) -> Vec<f64> {
    let n = values.len();
    if n == 0 {
        return Vec::new();
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let centred: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let at_lag = |lag: usize| dot(&centred[..n - lag], &centred[lag..]);
    let variance = at_lag(0);
    (0..=lag_max.min(n - 1)).map(|lag| at_lag(lag) / variance).collect()
}

/// Sum of products in four lanes, so that the compiler can use vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for lane in 0..4 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_of_fifty_rows_has_a_period_of_fifty_rows() {
        let sine: Vec<f64> = (0..2000).map(|i| (i as f64 * std::f64::consts::TAU / 50.0).sin()).collect();
        assert_eq!(find_length_rank(&sine), 50);
    }

    #[test]
    fn a_series_without_a_period_gets_the_default() {
        assert_eq!(find_length_rank(&[1.0; 500]), 125);
        assert_eq!(find_length_rank(&[]), 125);
        assert_eq!(find_length_rank(&[1.0, f64::NAN, 2.0, 1.0, 0.0, 3.0, 1.0]), 125);
        let line: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(find_length_rank(&line), 125);
    }
}
