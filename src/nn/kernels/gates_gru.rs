//! The element-wise half of one GRU step, reset gate after the product (Keras `reset_after=True`, PyTorch, cuDNN).
//!
//! ```text
//! r = sigmoid(x_r + u_r)      x: [B, 3H] = W x_t + b_ih   (gates in the order r, z, n)
//! z = sigmoid(x_z + u_z)      u: [B, 3H] = U h_{t-1} + b_hh
//! n = tanh(x_n + r u_n)
//! h = (1 - z) n + z h_{t-1}
//! ```

use super::dispatch::{Kernel, KernelPath, Real};
use super::gates::{Gates, LOGISTIC, Made, Place, TANH, begin_power, logistic, one_and_power, scaled, scales, tanh};
use super::lanes::{Lanes, read, sweep, write};
use super::step::{StepForward, step_on};
use super::steps::{StepsForward, steps_on};

/// The gates of [`gru_step`]; kept: `r, z, n, u_n`.
///
/// `WIDE` layers take the activations that spare the multipliers; in eight lanes these cost more than they save.
pub(super) struct GruGates<const WIDE: bool>;

impl Gates<3> for GruGates<false> {
    type Narrow = Self;
    const BEGIN: usize = 1;
    const FINISH: usize = 1;
    const KEEPS_APART: bool = false;
    const STATES: usize = 1;
    const KEPT: usize = 4;
    const SCALES: [f64; 3] = [1.0; 3];
    const BEGINS_WITH_INPUT: [bool; 3] = APART;

    #[inline(always)]
    fn begin<L: Lanes, const KEEPS: bool>(_part: usize, made: Made<L, 3>) -> Made<L, 3> {
        let [r, z, u_n] = made.gates;
        Made { gates: [r.sigmoid(), z.sigmoid(), u_n], ..made }
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const KEEPS: bool>(
        _part: usize,
        made: Made<L, 3>,
        at: Place<L::Element>,
        n: usize,
    ) -> Made<L, 3> {
        let [r, z, u_n] = made.gates;
        // SAFETY: the caller promises n units in every block.
        unsafe {
            let candidate = r.mul_add(u_n, read(at.projected, 2 * at.hidden, n)).tanh();
            if KEEPS {
                at.keep(0, r, n);
                at.keep(1, z, n);
                at.keep(2, candidate, n);
                at.keep(3, u_n, n);
            }
            let h = z.mul_add(read::<L>(at.before, 0, n).sub(candidate), candidate);
            Made { gates: [h, z, u_n], ..made }
        }
    }
}

impl Gates<3> for GruGates<true> {
    type Narrow = GruGates<false>;
    const BEGIN: usize = 3;
    const FINISH: usize = 2;
    const KEEPS_APART: bool = true;
    const STATES: usize = 1;
    const KEPT: usize = 4;
    const SCALES: [f64; 3] = [LOGISTIC, LOGISTIC, TANH];
    const BEGINS_WITH_INPUT: [bool; 3] = APART;

    /// Divides what the reset gate lets through instead of multiplying it, so that r is made only to be kept.
    #[inline(always)]
    fn begin<L: Lanes, const KEEPS: bool>(part: usize, Made { gates, power }: Made<L, 3>) -> Made<L, 3> {
        let [r, z, u_n] = gates;
        match part {
            0 => Made { gates, power: begin_power(r) },
            1 => {
                let r = one_and_power(power);
                let u_n = if KEEPS { u_n } else { u_n.div(r).pinned() };
                Made { gates: [r, z, u_n], power: begin_power(z) }
            }
            _ => Made { gates: [r, logistic(one_and_power(power)), u_n], power },
        }
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const KEEPS: bool>(
        part: usize,
        Made { gates, power }: Made<L, 3>,
        at: Place<L::Element>,
        n: usize,
    ) -> Made<L, 3> {
        let [r, z, u_n] = gates;
        // SAFETY: the caller promises n units in every block.
        unsafe {
            if part == 0 {
                let recalled = if KEEPS { u_n.div(r) } else { u_n };
                let sum = recalled.add(read(at.projected, 2 * at.hidden, n));
                Made { gates, power: begin_power(sum) }
            } else {
                let candidate = tanh(one_and_power(power));
                if KEEPS {
                    at.keep(0, logistic(r), n);
                    at.keep(1, z, n);
                    at.keep(2, candidate, n);
                    at.keep(3, scaled(u_n, 1.0 / TANH), n);
                }
                let h = z.mul_add(read::<L>(at.before, 0, n).sub(candidate), candidate);
                Made { gates: [h.pinned(), z, u_n], power }
            }
        }
    }
}

/// The reset gate multiplies the candidate's recurrent sum alone.
const APART: [bool; 3] = [true, true, false];

/// What weights, biases and projections of each gate are multiplied with before [`gru_step`] and [`gru_steps`] take them.
pub fn gru_scales(hidden: usize) -> &'static [f64] {
    scales::<GruGates<true>, 3>(hidden)
}

/// One forward step of a GRU.
#[inline]
pub fn gru_step<R: Real>(step: StepForward<'_, R>) {
    step_on::<R, GruGates<true>, 3>(KernelPath::detected(), step);
}

/// Forward steps in a row, each as [`gru_step`].
pub fn gru_steps<R: Real>(steps: StepsForward<'_, R>) {
    steps_on::<R, GruGates<true>, 3>(KernelPath::detected(), steps);
}

/// One backward step for `b` windows.
#[derive(Debug)]
pub struct GruBackward<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// What the forward step kept: `[B, 4H]`.
    pub cache: &'a [R],
    /// `h_{t-1}`: `[B, H]`.
    pub before: &'a [R],
    /// In: loss by `h_t`. Out: the part of loss by `h_{t-1}` that does not pass through U: `[B, H]`.
    pub d_state: &'a mut [R],
    /// Loss by `W x_t + b_ih`: `[B, 3H]`.
    pub d_projected: &'a mut [R],
    /// Loss by `U h_{t-1} + b_hh`: `[B, 3H]`.
    pub d_recurrent: &'a mut [R],
}

impl<R: Real> Kernel<R> for GruBackward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let (b, h) = (self.b, self.hidden);
        assert!(self.cache.len() >= b * 4 * h, "cache of [{b}, 4 * {h}]");
        assert!(self.before.len() >= b * h && self.d_state.len() >= b * h, "state of [{b}, {h}]");
        assert!(self.d_projected.len() >= b * 3 * h && self.d_recurrent.len() >= b * 3 * h, "gates of [{b}, 3 * {h}]");
        let one = L::splat(R::of(1.0));
        for i in 0..b {
            // SAFETY: the asserts above bound row i of every slice; j + n <= h inside `sweep`.
            unsafe {
                let cache = self.cache.as_ptr().add(i * 4 * h);
                let before = self.before.as_ptr().add(i * h);
                let d_state = self.d_state.as_mut_ptr().add(i * h);
                let d_x = self.d_projected.as_mut_ptr().add(i * 3 * h);
                let d_u = self.d_recurrent.as_mut_ptr().add(i * 3 * h);
                sweep!(L, h, |j, n| {
                    let r = read::<L>(cache, j, n);
                    let z = read::<L>(cache, h + j, n);
                    let candidate = read::<L>(cache, 2 * h + j, n);
                    let u_n = read::<L>(cache, 3 * h + j, n);
                    let d_h = read::<L>(d_state, j, n);
                    let d_z = d_h.mul(read::<L>(before, j, n).sub(candidate)).mul(z).mul(one.sub(z));
                    let d_n = d_h.mul(one.sub(z)).mul(one.sub(candidate.mul(candidate)));
                    let d_r = d_n.mul(u_n).mul(r).mul(one.sub(r));
                    write(d_r, d_x, j, n);
                    write(d_z, d_x, h + j, n);
                    write(d_n, d_x, 2 * h + j, n);
                    write(d_r, d_u, j, n);
                    write(d_z, d_u, h + j, n);
                    write(d_n.mul(r), d_u, 2 * h + j, n);
                    write(d_h.mul(z), d_state, j, n);
                });
            }
        }
    }
}
