//! Loops over all parameters: Adam, norms, scaled sums.

use super::dispatch::{Kernel, Real};
use super::lanes::{Lanes, read, sweep, write};

/// One Adam update of a parameter: `value -= rate * m / (sqrt(v) + epsilon)`.
///
/// `rate` and `epsilon` carry the bias corrections, so that the loop needs none.
#[derive(Debug)]
pub struct AdamStep<'a, R> {
    /// The parameter.
    pub value: &'a mut [R],
    /// Its gradient.
    pub gradient: &'a [R],
    /// Running mean of the gradient.
    pub mean: &'a mut [R],
    /// Running mean of the squared gradient.
    pub square: &'a mut [R],
    /// Multiplies the gradient first (gradient clipping).
    pub scale: R,
    /// Decay of `mean`.
    pub beta_1: R,
    /// Decay of `square`.
    pub beta_2: R,
    /// `1 / (1 - beta_1^step)` times the learning rate.
    pub rate: R,
    /// `1 / sqrt(1 - beta_2^step)`.
    pub root_correction: R,
    /// Keeps the quotient finite.
    pub epsilon: R,
}

impl<R: Real> Kernel<R> for AdamStep<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let len = self.value.len();
        assert!(
            self.gradient.len() == len && self.mean.len() == len && self.square.len() == len,
            "moments of another length than the parameter's {len}"
        );
        let (value, gradient) = (self.value.as_mut_ptr(), self.gradient.as_ptr());
        let (mean, square) = (self.mean.as_mut_ptr(), self.square.as_mut_ptr());
        let one = R::of(1.0);
        let (keep_1, take_1) = (L::splat(self.beta_1), L::splat(one - self.beta_1));
        let (keep_2, take_2) = (L::splat(self.beta_2), L::splat(one - self.beta_2));
        let (scale, rate) = (L::splat(self.scale), L::splat(self.rate));
        let (root_correction, epsilon) = (L::splat(self.root_correction), L::splat(self.epsilon));
        // SAFETY: all four slices have `len` elements, and j + n <= len inside `sweep`.
        unsafe {
            sweep!(L, len, |j, n| {
                let g = read::<L>(gradient, j, n).mul(scale);
                let m = keep_1.mul_add(read(mean, j, n), take_1.mul(g));
                let v = keep_2.mul_add(read(square, j, n), take_2.mul(g.mul(g)));
                write(m, mean, j, n);
                write(v, square, j, n);
                let step = rate.mul(m).div(v.sqrt().mul_add(root_correction, epsilon));
                write(read::<L>(value, j, n).sub(step), value, j, n);
            });
        }
    }
}

/// Sum of squares in double precision; NaN if any element is NaN.
pub fn squared_norm<R: Real>(values: &[R]) -> f64 {
    values.iter().map(|value| value.wide() * value.wide()).sum()
}

/// `out += factor * values`.
pub fn add_scaled<R: Real>(factor: R, values: &[R], out: &mut [R]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += factor * *value;
    }
}
