//! Rows of scores as rows of weights that sum to one.

use super::dispatch::{Kernel, KernelPath, Real};
use super::lanes::{Lanes, read, sweep, write};

/// Partial maxima and sums of a row: as many as the widest registers have lanes, on every path.
const PARTS: usize = 16;

/// Each row of `t` numbers becomes `exp(scale * (x - max)) / sum`; the sum's order depends on `t` alone.
///
/// # Panics
/// If `t` is 0 or `scores` is not whole rows.
pub fn softmax<R: Real>(scores: &mut [R], t: usize, scale: R) {
    softmax_on(KernelPath::detected(), scores, t, scale);
}

fn softmax_on<R: Real>(path: KernelPath, scores: &mut [R], t: usize, scale: R) {
    assert!(t > 0 && scores.len().is_multiple_of(t), "{} scores in rows of {t}", scores.len());
    R::run_on(path, Softmax { scores, t, scale });
}

struct Softmax<'a, R> {
    scores: &'a mut [R],
    t: usize,
    scale: R,
}

impl<R: Real> Kernel<R> for Softmax<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let scale = L::splat(self.scale);
        for row in self.scores.chunks_exact_mut(self.t) {
            let highest = L::splat(folded(row, row[0], |a, b| if b > a { b } else { a }));
            let (at, len) = (row.as_mut_ptr(), row.len());
            sweep!(L, len, |j, n| {
                // SAFETY: j + n <= row.len() inside `sweep`.
                unsafe { write(read::<L>(at, j, n).sub(highest).mul(scale).exp(), at, j, n) }
            });
            let share = R::of(1.0) / folded(row, R::default(), |a, b| a + b);
            row.iter_mut().for_each(|weight| *weight *= share);
        }
    }
}

/// All numbers of a row folded in [`PARTS`] strands, then those from the first on.
#[inline(always)]
fn folded<R: Real>(row: &[R], start: R, fold: impl Fn(R, R) -> R) -> R {
    let mut parts = [start; PARTS];
    let whole = row.chunks_exact(PARTS);
    let rest = whole.remainder();
    for chunk in whole {
        for (part, value) in parts.iter_mut().zip(chunk) {
            *part = fold(*part, *value);
        }
    }
    for (part, value) in parts.iter_mut().zip(rest) {
        *part = fold(*part, *value);
    }
    parts.into_iter().reduce(&fold).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::generator::Generator;

    #[test]
    fn weights_are_those_of_libm_on_every_path_and_for_every_tail() {
        let mut generator = Generator::new(3);
        for path in KernelPath::available() {
            for t in (1..=35).chain([64, 100]) {
                for spread in [0.1, 3.0, 60.0] {
                    let scores: Vec<f32> = (0..3 * t).map(|_| (spread * generator.normal()) as f32).collect();
                    let mut weights = scores.clone();
                    softmax_on(path, &mut weights, t, 0.5);
                    for (scores, weights) in scores.chunks(t).zip(weights.chunks(t)) {
                        let highest = scores.iter().fold(f32::MIN, |a, b| a.max(*b));
                        let exact = |x: f32| (0.5 * f64::from(x - highest)).exp();
                        let sum: f64 = scores.iter().map(|x| exact(*x)).sum();
                        for (score, weight) in scores.iter().zip(weights) {
                            let error = (f64::from(*weight) - exact(*score) / sum).abs();
                            assert!(error < 3e-7, "{path:?}, rows of {t}, spread {spread}: off by {error:e}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_score_that_is_not_finite_is_not_hidden() {
        for path in KernelPath::available() {
            let mut scores = vec![0.5_f32; 19];
            scores[17] = f32::NAN;
            softmax_on(path, &mut scores, 19, 1.0);
            assert!(scores.iter().any(|weight| weight.is_nan()), "{path:?}: {scores:?}");
        }
    }
}
