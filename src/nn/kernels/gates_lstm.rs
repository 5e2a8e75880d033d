//! The element-wise half of one LSTM step (gates in PyTorch's and Keras's order: input, forget, candidate, output).
//!
//! ```text
//! i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)      a: [B, 4H]
//! c = f c_{t-1} + i g                   h = o tanh(c)
//! ```

use super::dispatch::{Kernel, Real};
use super::lanes::{Lanes, read, sweep, write};

/// One forward step for `b` windows.
#[derive(Debug)]
pub struct LstmForward<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// `W x_t + b_ih`: `[B, 4H]`.
    pub projected: &'a [R],
    /// `U h_{t-1} + b_hh`: `[B, 4H]`.
    pub recurrent: &'a [R],
    /// `h_{t-1}, c_{t-1}`: `[B, 2H]`.
    pub before: &'a [R],
    /// `h_t, c_t`: `[B, 2H]`.
    pub after: &'a mut [R],
    /// `i, f, g, o, tanh c`: `[B, 5H]` when a backward pass will follow, empty otherwise.
    pub cache: &'a mut [R],
}

impl<R: Real> Kernel<R> for LstmForward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let (b, h) = (self.b, self.hidden);
        assert!(self.projected.len() >= b * 4 * h && self.recurrent.len() >= b * 4 * h, "gates of [{b}, 4 * {h}]");
        assert!(self.before.len() >= b * 2 * h && self.after.len() >= b * 2 * h, "state of [{b}, 2 * {h}]");
        let keeps = !self.cache.is_empty();
        assert!(!keeps || self.cache.len() >= b * 5 * h, "cache of [{b}, 5 * {h}]");
        for i in 0..b {
            // SAFETY: the asserts above bound row i of every slice; j + n <= h inside `sweep`.
            unsafe {
                let x = self.projected.as_ptr().add(i * 4 * h);
                let u = self.recurrent.as_ptr().add(i * 4 * h);
                let before = self.before.as_ptr().add(i * 2 * h);
                let after = self.after.as_mut_ptr().add(i * 2 * h);
                let cache = if keeps { self.cache.as_mut_ptr().add(i * 5 * h) } else { self.cache.as_mut_ptr() };
                sweep!(L, h, |j, n| {
                    let input = read::<L>(x, j, n).add(read(u, j, n)).sigmoid();
                    let forget = read::<L>(x, h + j, n).add(read(u, h + j, n)).sigmoid();
                    let candidate = read::<L>(x, 2 * h + j, n).add(read(u, 2 * h + j, n)).tanh();
                    let output = read::<L>(x, 3 * h + j, n).add(read(u, 3 * h + j, n)).sigmoid();
                    let cell = forget.mul_add(read(before, h + j, n), input.mul(candidate));
                    let squashed = cell.tanh();
                    write(output.mul(squashed), after, j, n);
                    write(cell, after, h + j, n);
                    if keeps {
                        write(input, cache, j, n);
                        write(forget, cache, h + j, n);
                        write(candidate, cache, 2 * h + j, n);
                        write(output, cache, 3 * h + j, n);
                        write(squashed, cache, 4 * h + j, n);
                    }
                });
            }
        }
    }
}

/// One backward step for `b` windows.
#[derive(Debug)]
pub struct LstmBackward<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// What the forward step kept: `[B, 5H]`.
    pub cache: &'a [R],
    /// `h_{t-1}, c_{t-1}`: `[B, 2H]`.
    pub before: &'a [R],
    /// In: loss by `h_t, c_t`. Out: zero, and loss by `c_{t-1}`: `[B, 2H]`.
    pub d_state: &'a mut [R],
    /// Loss by the gates before their activations: `[B, 4H]`.
    pub d_gates: &'a mut [R],
}

impl<R: Real> Kernel<R> for LstmBackward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let (b, h) = (self.b, self.hidden);
        assert!(self.cache.len() >= b * 5 * h && self.d_gates.len() >= b * 4 * h, "gates of [{b}, 4 * {h}]");
        assert!(self.before.len() >= b * 2 * h && self.d_state.len() >= b * 2 * h, "state of [{b}, 2 * {h}]");
        let one = L::splat(R::of(1.0));
        for i in 0..b {
            // SAFETY: the asserts above bound row i of every slice; j + n <= h inside `sweep`.
            unsafe {
                let cache = self.cache.as_ptr().add(i * 5 * h);
                let before = self.before.as_ptr().add(i * 2 * h);
                let d_state = self.d_state.as_mut_ptr().add(i * 2 * h);
                let d_gates = self.d_gates.as_mut_ptr().add(i * 4 * h);
                sweep!(L, h, |j, n| {
                    let input = read::<L>(cache, j, n);
                    let forget = read::<L>(cache, h + j, n);
                    let candidate = read::<L>(cache, 2 * h + j, n);
                    let output = read::<L>(cache, 3 * h + j, n);
                    let squashed = read::<L>(cache, 4 * h + j, n);
                    let d_h = read::<L>(d_state, j, n);
                    let through = d_h.mul(output).mul(one.sub(squashed.mul(squashed)));
                    let d_c = read::<L>(d_state, h + j, n).add(through);
                    let d_input = d_c.mul(candidate).mul(input).mul(one.sub(input));
                    let d_forget = d_c.mul(read(before, h + j, n)).mul(forget).mul(one.sub(forget));
                    let d_candidate = d_c.mul(input).mul(one.sub(candidate.mul(candidate)));
                    let d_output = d_h.mul(squashed).mul(output).mul(one.sub(output));
                    write(d_input, d_gates, j, n);
                    write(d_forget, d_gates, h + j, n);
                    write(d_candidate, d_gates, 2 * h + j, n);
                    write(d_output, d_gates, 3 * h + j, n);
                    write(L::splat(R::default()), d_state, j, n);
                    write(d_c.mul(forget), d_state, h + j, n);
                });
            }
        }
    }
}
