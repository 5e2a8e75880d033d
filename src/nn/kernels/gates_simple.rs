//! The element-wise half of one simple recurrent step: `h_t = tanh(x + u)`.

use super::dispatch::{Kernel, KernelPath, Real};
use super::gates::{Gates, Made, Place};
use super::lanes::{Lanes, read, sweep, write};
use super::step::{StepForward, step_on};
use super::steps::{StepsForward, steps_on};

/// The one tanh of [`simple_step`].
pub(super) struct SimpleGates;

impl Gates<1> for SimpleGates {
    type Narrow = SimpleGates;
    const BEGIN: usize = 1;
    const FINISH: usize = 0;
    const KEEPS_APART: bool = false;
    const STATES: usize = 1;
    const KEPT: usize = 0;
    const SCALES: [f64; 1] = [1.0];
    const BEGINS_WITH_INPUT: [bool; 1] = [true];

    #[inline(always)]
    fn begin<L: Lanes, const KEEPS: bool>(_part: usize, made: Made<L, 1>) -> Made<L, 1> {
        Made { gates: [made.gates[0].pinned().tanh().pinned()], ..made }
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const KEEPS: bool>(
        _part: usize,
        made: Made<L, 1>,
        _at: Place<L::Element>,
        _n: usize,
    ) -> Made<L, 1> {
        made
    }
}

/// One forward step: `h_t = tanh(W x_t + b_ih + U h_{t-1} + b_hh)`.
#[inline]
pub fn simple_step<R: Real>(step: StepForward<'_, R>) {
    step_on::<R, SimpleGates, 1>(KernelPath::detected(), step);
}

/// Forward steps in a row, each as [`simple_step`].
pub fn simple_steps<R: Real>(steps: StepsForward<'_, R>) {
    steps_on::<R, SimpleGates, 1>(KernelPath::detected(), steps);
}

/// Backward of [`simple_step`]'s gate.
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
