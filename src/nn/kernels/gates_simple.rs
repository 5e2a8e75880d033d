//! The element-wise half of one simple recurrent step: `h_t = tanh(x + u)`.

use super::dispatch::{Kernel, Real};
use super::lanes::{Lanes, read, sweep, write};

/// `h_t = tanh(W x_t + b_ih + U h_{t-1} + b_hh)` over `[B, H]`, flattened.
#[derive(Debug)]
pub struct SimpleForward<'a, R> {
    /// `W x_t + b_ih`: `[B, H]`.
    pub projected: &'a [R],
    /// `U h_{t-1} + b_hh`: `[B, H]`.
    pub recurrent: &'a [R],
    /// `h_t`: `[B, H]`.
    pub after: &'a mut [R],
}

impl<R: Real> Kernel<R> for SimpleForward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let len = self.after.len();
        assert!(self.projected.len() >= len && self.recurrent.len() >= len, "gates shorter than {len}");
        let (x, u, after) = (self.projected.as_ptr(), self.recurrent.as_ptr(), self.after.as_mut_ptr());
        // SAFETY: the assert above bounds every slice by len, and j + n <= len inside `sweep`.
        unsafe { sweep!(L, len, |j, n| { write(read::<L>(x, j, n).add(read(u, j, n)).tanh(), after, j, n) }) }
    }
}

/// Backward of [`SimpleForward`].
#[derive(Debug)]
pub struct SimpleBackward<'a, R> {
    /// `h_t`: `[B, H]`.
    pub after: &'a [R],
    /// In: loss by `h_t`. Out: zero, because all of it passes through U.
    pub d_state: &'a mut [R],
    /// Loss by the sum inside the tanh: `[B, H]`.
    pub d_gates: &'a mut [R],
}

impl<R: Real> Kernel<R> for SimpleBackward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let len = self.after.len();
        assert!(self.d_state.len() >= len && self.d_gates.len() >= len, "gates shorter than {len}");
        let one = L::splat(R::of(1.0));
        let (after, d_state, d_gates) = (self.after.as_ptr(), self.d_state.as_mut_ptr(), self.d_gates.as_mut_ptr());
        // SAFETY: the assert above bounds every slice by len, and j + n <= len inside `sweep`.
        unsafe {
            sweep!(L, len, |j, n| {
                let value = read::<L>(after, j, n);
                let slope = one.sub(value.mul(value));
                write(read::<L>(d_state, j, n).mul(slope), d_gates, j, n);
                write(L::splat(R::default()), d_state, j, n);
            });
        }
    }
}
