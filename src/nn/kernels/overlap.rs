//! Steps of layers whose units fill two wide registers: gates run beside products.
//!
//! Products keep the multipliers busy and the adders idle; activations are chains that wait for themselves. So the gates
//! of one pair of windows run between the products of the next ([`super::pairs`]), and those of a window alone between
//! its own ([`super::alone`]). Both are dealt out by the spoonful ([`Gates`]), because a processor looks ahead over
//! some sixty waiting operations and no further; [`Lanes::pinned`] keeps the compiler from gathering what stands apart.
//! The bits are those of [`super::step`], which runs every other width.

use std::marker::PhantomData;

use super::alone::alone;
use super::dispatch::{Kernel, KernelPath, Real};
use super::gates::Gates;
use super::inputs::InputWeights;
use super::lanes::Lanes;
use super::pairs::Pairs;
use super::step::StepForward;
use super::steps::{Inputs, StepsForward};
use super::weights::{Rows, Weights};

/// Whether a layer of this width can run here: it fills two registers, and there are enough of them.
pub(super) fn fits<R: Real>(path: KernelPath, hidden: usize) -> bool {
    R::run_on(path, TwoRegisters(PhantomData)) == Some(hidden)
}

struct TwoRegisters<R>(PhantomData<R>);

impl<R: Real> Kernel<R> for TwoRegisters<R> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) -> Option<usize> {
        (L::REGISTERS >= 32).then_some(2 * L::N)
    }
}

/// [`StepForward`] without a cache, for a width that [`fits`].
pub(super) struct OneStep<'a, R, C, const G: usize> {
    pub(super) step: StepForward<'a, R>,
    pub(super) cell: PhantomData<C>,
}

impl<R: Real, C: Gates<G>, const G: usize> Kernel<R> for OneStep<'_, R, C, G> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let StepForward { b, hidden, projected, recurrent, bias, before, after, .. } = self.step;
        let (gates, state) = (G * hidden, C::STATES * hidden);
        assert!(hidden == 2 * L::N, "{hidden} units in two registers of {}", L::N);
        assert!(projected.len() >= b * gates, "projections of [{b}, {gates}]");
        assert!(recurrent.len() >= hidden * gates && bias.len() >= gates, "weights of {gates}");
        assert!(before.len() >= b * state && after.len() >= b * state, "state of [{b}, {state}]");
        let rows = Rows {
            // Without an input it is only read.
            projected: projected.as_ptr().cast_mut(),
            input: std::ptr::null(),
            input_row: 0,
            before: before.as_ptr(),
            after: after.as_mut_ptr(),
            output: std::ptr::null_mut(),
            output_row: 0,
        };
        // SAFETY: the asserts above bound b rows of every slice, and the weights.
        unsafe {
            let weights = Weights::<L, C, G>::new(recurrent.as_ptr(), bias.as_ptr());
            in_pairs(weights, None, 1, b, |_| rows);
        }
    }
}

/// [`StepsForward`] that `check` has passed, without caches, for a width that [`fits`].
pub(super) struct ManySteps<'a, R, C, const G: usize> {
    pub(super) steps: StepsForward<'a, R>,
    pub(super) cell: PhantomData<C>,
}

impl<R: Real, C: Gates<G>, const G: usize> Kernel<R> for ManySteps<'_, R, C, G> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let StepsForward { b, hidden, n, projected, inputs, recurrent, bias, states, outputs, is_backward, .. } =
            self.steps;
        let (gates, state) = (b * G * hidden, b * C::STATES * hidden);
        assert!(hidden == 2 * L::N, "{hidden} units in two registers of {}", L::N);
        if state == 0 || n == 0 {
            return;
        }
        let slots = states.len() / state;
        let serves_all = projected.len() <= gates;
        let (states, keeps) = (states.as_mut_ptr(), !outputs.is_empty());
        let (projected, outputs) = (projected.as_mut_ptr(), outputs.as_mut_ptr());
        // SAFETY: `check` has bounded every slot, every row of projections, inputs and outputs, and the weights.
        unsafe {
            let rows = |s: usize| {
                let row = if is_backward { n - 1 - s } else { s };
                Rows {
                    projected: projected.add(if serves_all { 0 } else { row * gates }),
                    input: match &inputs {
                        Some(inputs) => inputs.x.as_ptr().add(row * inputs.features),
                        None => std::ptr::null(),
                    },
                    input_row: inputs.as_ref().map_or(0, |inputs| n * inputs.features),
                    before: states.add(s % slots * state),
                    after: states.add((s + 1) % slots * state),
                    output: if keeps { outputs.add(row * hidden) } else { std::ptr::null_mut() },
                    output_row: n * hidden,
                }
            };
            let weights = Weights::<L, C, G>::new(recurrent.as_ptr(), bias.as_ptr());
            match inputs {
                // Two calls, each with a loop of its own: one that asks at every pair is slower.
                Some(Inputs { features, weights: input, bias, .. }) => {
                    let input = InputWeights { weights: input.as_ptr(), bias: bias.as_ptr(), features };
                    in_pairs(weights, Some(&input), n, b, rows);
                }
                None if b == 1 => alone(&weights, n, rows),
                None => in_pairs(weights, None, n, b, rows),
            }
        }
    }
}

/// `n` steps of `b` windows.
///
/// # Safety
/// As for [`Pairs::step`], for the rows of every step.
#[inline(always)]
unsafe fn in_pairs<L: Lanes, C: Gates<G>, const G: usize>(
    weights: Weights<L, C, G>,
    inputs: Option<&InputWeights<L>>,
    n: usize,
    b: usize,
    rows: impl Fn(usize) -> Rows<L::Element>,
) {
    // Fewer sums than eight wait for themselves.
    if G < 4 {
        // SAFETY: promised by the caller.
        unsafe { run::<L, C, G, 2>(weights, inputs, n, b, rows) }
    } else {
        // SAFETY: promised by the caller.
        unsafe { run::<L, C, G, 1>(weights, inputs, n, b, rows) }
    }
}

/// [`in_pairs`] with `Q` registers of units at a time.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn run<L: Lanes, C: Gates<G>, const G: usize, const Q: usize>(
    weights: Weights<L, C, G>,
    inputs: Option<&InputWeights<L>>,
    n: usize,
    b: usize,
    rows: impl Fn(usize) -> Rows<L::Element>,
) {
    let mut pairs = Pairs::<L, C, G, Q>::new(weights);
    for s in 0..n {
        // SAFETY: promised by the caller.
        unsafe {
            pairs.step(rows(s), inputs, b);
            // With four windows the pair that waits is not the one that the next step begins with.
            if b < 4 {
                pairs.flush();
            }
        }
    }
    // SAFETY: the rows of the last step are still there.
    unsafe { pairs.flush() }
}
