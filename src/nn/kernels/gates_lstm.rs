//! The element-wise half of one LSTM step (gates in PyTorch's and Keras's order: input, forget, candidate, output).
//!
//! ```text
//! i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)      a: [B, 4H]
//! c = f c_{t-1} + i g                   h = o tanh(c)
//! ```

use super::dispatch::{Kernel, KernelPath, Real};
use super::gates::{
    Gates, LOGISTIC, Made, Place, TANH, begin_power, logistic, one_and_power, scaled, scales, tanh, tanh_through,
};
use super::lanes::{Lanes, read, sweep, write};
use super::step::{StepForward, step_on};
use super::steps::{StepsForward, steps_on};

/// The gates of [`lstm_step`]; kept: `i, f, g, o, tanh c`.
///
/// `WIDE` layers take the activations that spare the multipliers; in eight lanes these cost more than they save.
pub(super) struct LstmGates<const WIDE: bool>;

impl Gates<4> for LstmGates<false> {
    type Narrow = Self;
    const BEGIN: usize = 2;
    const FINISH: usize = 1;
    const KEEPS_APART: bool = false;
    const STATES: usize = 2;
    const KEPT: usize = 5;
    const SCALES: [f64; 4] = [1.0; 4];
    const BEGINS_WITH_INPUT: [bool; 4] = [true; 4];

    #[inline(always)]
    fn begin<L: Lanes, const KEEPS: bool>(part: usize, made: Made<L, 4>) -> Made<L, 4> {
        let [input, forget, candidate, output] = made.gates;
        let gates = if part == 0 {
            [input.sigmoid(), forget, candidate.tanh(), output]
        } else {
            [input, forget.sigmoid(), candidate, output.sigmoid()]
        };
        Made { gates, ..made }
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const KEEPS: bool>(
        _part: usize,
        mut made: Made<L, 4>,
        at: Place<L::Element>,
        n: usize,
    ) -> Made<L, 4> {
        let [input, forget, candidate, output] = made.gates;
        // SAFETY: the caller promises n units in every block.
        unsafe {
            let cell = forget.mul_add(read(at.before, at.hidden, n), input.mul(candidate));
            write(cell, at.after, at.hidden, n);
            if KEEPS {
                at.keep(0, input, n);
                at.keep(1, forget, n);
                at.keep(2, candidate, n);
                at.keep(3, output, n);
                at.keep(4, cell.tanh(), n);
            }
            made.gates[0] = cell.tanh().mul(output);
        }
        made
    }
}

impl Gates<4> for LstmGates<true> {
    type Narrow = LstmGates<false>;
    const BEGIN: usize = 6;
    const FINISH: usize = 2;
    const KEEPS_APART: bool = true;
    const STATES: usize = 2;
    const KEPT: usize = 5;
    const SCALES: [f64; 4] = [LOGISTIC, LOGISTIC, TANH, LOGISTIC];
    const BEGINS_WITH_INPUT: [bool; 4] = [true; 4];

    /// What the input gate lets through is one division, and i and g apart are made only to be kept.
    #[inline(always)]
    fn begin<L: Lanes, const KEEPS: bool>(part: usize, Made { gates, power }: Made<L, 4>) -> Made<L, 4> {
        let [input, forget, candidate, output] = gates;
        match part {
            0 => Made { gates, power: begin_power(input) },
            1 => {
                let gates = [one_and_power(power), forget, candidate, output];
                Made { gates, power: begin_power(candidate) }
            }
            2 => {
                let bottom = one_and_power(power);
                let added = if KEEPS { bottom } else { tanh_through(bottom, input) };
                Made { gates: [input, forget, added, output], power }
            }
            3 => Made { gates, power: begin_power(forget) },
            4 => {
                let gates = [input, logistic(one_and_power(power)), candidate, output];
                Made { gates, power: begin_power(output) }
            }
            _ => Made { gates: [input, forget, candidate, one_and_power(power)], power },
        }
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const KEEPS: bool>(
        part: usize,
        Made { gates, power }: Made<L, 4>,
        at: Place<L::Element>,
        n: usize,
    ) -> Made<L, 4> {
        let [input, forget, candidate, output] = gates;
        // SAFETY: the caller promises n units in every block.
        unsafe {
            if part == 0 {
                let added = if KEEPS { tanh_through(candidate, input) } else { candidate };
                let cell = forget.mul_add(read(at.before, at.hidden, n), added);
                write(cell, at.after, at.hidden, n);
                if KEEPS {
                    at.keep(0, logistic(input), n);
                    at.keep(1, forget, n);
                    at.keep(2, tanh(candidate), n);
                    at.keep(3, logistic(output), n);
                }
                Made { gates, power: begin_power(scaled(cell, TANH)) }
            } else {
                let bottom = one_and_power(power);
                if KEEPS {
                    at.keep(4, tanh(bottom), n);
                }
                Made { gates: [tanh_through(bottom, output), forget, candidate, output], power }
            }
        }
    }
}

/// What weights, biases and projections of each gate are multiplied with before [`lstm_step`] and [`lstm_steps`] take them.
pub fn lstm_scales(hidden: usize) -> &'static [f64] {
    scales::<LstmGates<true>, 4>(hidden)
}

/// One forward step of an LSTM; states h, c.
#[inline]
pub fn lstm_step<R: Real>(step: StepForward<'_, R>) {
    step_on::<R, LstmGates<true>, 4>(KernelPath::detected(), step);
}

/// Forward steps in a row, each as [`lstm_step`].
pub fn lstm_steps<R: Real>(steps: StepsForward<'_, R>) {
    steps_on::<R, LstmGates<true>, 4>(KernelPath::detected(), steps);
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
