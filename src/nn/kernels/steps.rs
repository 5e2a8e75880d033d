//! A run of recurrent steps in one call.
//!
//! What a call costs - choosing the path, checking the shapes, loading the constants of the activations - is a quarter of
//! one step of a single window, so a layer that has its projections beforehand makes one call for all of its steps.

use std::marker::PhantomData;

use super::dispatch::{Kernel, KernelPath, Real};
use super::gates::{Gates, NARROW};
use super::lanes::{Lanes, read, sweep, write};
use super::overlap::{ManySteps, fits};
use super::step::{Fused, StepForward};

/// Forward steps in a row, none of which needs more than its projection and the state before.
#[derive(Debug)]
pub struct StepsForward<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// Steps.
    pub n: usize,
    /// `W x_t + b_ih` of every row, `[n, B, G*H]`, or of one that serves all, `[1, B, G*H]`. With `inputs` it is
    /// `[1, B, G*H]` to write to. This, W, U and the biases come times the scale of each gate.
    pub projected: &'a mut [R],
    /// What is projected step by step; only where [`projects_inputs`] says so.
    pub inputs: Option<Inputs<'a, R>>,
    /// U: `[H, G*H]`.
    pub recurrent: &'a [R],
    /// b_hh: `[G*H]`.
    pub bias: &'a [R],
    /// States, `[slots, B, S*H]`: step s goes from slot s to the next, and round; slot 0 is filled.
    pub states: &'a mut [R],
    /// `[n, B, K*H]` when a backward pass will follow, empty otherwise.
    pub caches: &'a mut [R],
    /// Takes h of every row, `[B, n, H]`, or empty.
    pub outputs: &'a mut [R],
    /// Step s is at row s, or at the s-th last.
    pub is_backward: bool,
}

/// Inputs that the steps project themselves.
#[derive(Debug)]
pub struct Inputs<'a, R> {
    /// `[B, n, F]`.
    pub x: &'a [R],
    /// F.
    pub features: usize,
    /// W: `[F, G*H]`.
    pub weights: &'a [R],
    /// b_ih: `[G*H]`.
    pub bias: &'a [R],
}

/// Input features up to which W and U share the first-level cache.
const FEW_FEATURES: usize = 24;

/// Whether [`StepsForward`] may have [`Inputs`] of this many features.
pub fn projects_inputs<R: Real>(hidden: usize, features: usize) -> bool {
    features <= FEW_FEATURES && fits::<R>(KernelPath::detected(), hidden)
}

/// Runs steps of the wide or the narrow cell on `path`.
#[inline]
pub(super) fn steps_on<R: Real, C: Gates<G>, const G: usize>(path: KernelPath, steps: StepsForward<'_, R>) {
    steps.check::<C, G>();
    // One gate of one window has too few sums to part them.
    let is_thin = G == 1 && steps.b == 1 && steps.inputs.is_none();
    if steps.hidden <= NARROW {
        R::run_on(R::narrow_path(path), Loop::<R, C::Narrow, G> { steps, cell: PhantomData });
    } else if steps.caches.is_empty() && !is_thin && fits::<R>(path, steps.hidden) {
        R::run_on(path, ManySteps::<R, C, G> { steps, cell: PhantomData });
    } else {
        R::run_on(path, Loop::<R, C, G> { steps, cell: PhantomData });
    }
}

impl<R> StepsForward<'_, R> {
    /// Asserts that slots, projections, inputs, weights, caches and outputs are as long as their fields say.
    fn check<C: Gates<G>, const G: usize>(&self) {
        let StepsForward { b, hidden, n, .. } = *self;
        let (gates, state, kept) = (b * G * hidden, b * C::STATES * hidden, b * C::KEPT * hidden);
        if state == 0 || n == 0 {
            return;
        }
        let projections = if self.projected.len() <= gates { gates } else { n * gates };
        assert!(self.states.len() >= 2 * state, "one state of [{b}, {hidden}]");
        assert!(self.projected.len() >= projections, "projections of [{n}, {b}, {hidden}]");
        assert!(self.outputs.is_empty() || self.outputs.len() >= b * n * hidden, "outputs of [{b}, {n}, {hidden}]");
        assert!(self.caches.is_empty() || self.caches.len() >= n * kept, "caches of [{n}, {b}, {hidden}]");
        assert!(self.recurrent.len() >= G * hidden * hidden && self.bias.len() >= G * hidden, "weights of {hidden}");
        if let Some(Inputs { x, features, weights, bias }) = &self.inputs {
            assert!(x.len() >= b * n * features && projections == gates, "inputs of [{b}, {n}, {features}]");
            assert!(weights.len() >= G * hidden * features && bias.len() >= G * hidden, "weights of {features}");
        }
    }
}

/// Steps that [`StepsForward::check`] has passed, one after the other.
struct Loop<'a, R, C, const G: usize> {
    steps: StepsForward<'a, R>,
    cell: PhantomData<C>,
}

impl<R: Real, C: Gates<G>, const G: usize> Kernel<R> for Loop<'_, R, C, G> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let StepsForward { b, hidden, n, projected, inputs, recurrent, bias, states, caches, outputs, is_backward } =
            self.steps;
        assert!(inputs.is_none(), "{hidden} units do not project their inputs");
        let (gates, state, kept) = (b * G * hidden, b * C::STATES * hidden, b * C::KEPT * hidden);
        if state == 0 {
            return;
        }
        let slots = states.len() / state;
        let mut before = 0;
        for s in 0..n {
            let after = if before + 1 < slots { before + 1 } else { 0 };
            let (low, high) = states.split_at_mut(before.max(after) * state);
            let (from, to) = if before < after {
                (&low[before * state..][..state], &mut high[..state])
            } else {
                (&high[..state], &mut low[after * state..][..state])
            };
            let row = if is_backward { n - 1 - s } else { s };
            let step = StepForward {
                b,
                hidden,
                projected: if projected.len() > gates { &projected[row * gates..] } else { &*projected },
                recurrent,
                bias,
                before: from,
                after: to,
                cache: if caches.is_empty() { &mut [] } else { &mut caches[s * kept..] },
            };
            Fused::<R, C, G> { step, cell: PhantomData }.run::<L>();
            if !outputs.is_empty() {
                for i in 0..b {
                    // SAFETY: the state has b rows of at least `hidden`, and `check` has seen that `outputs` holds b * n
                    // of them.
                    unsafe {
                        let from = states.as_ptr().add(after * state + i * C::STATES * hidden);
                        let to = outputs.as_mut_ptr().add((i * n + row) * hidden);
                        sweep!(L, hidden, |j, lanes| { write(read::<L>(from, j, lanes), to, j, lanes) });
                    }
                }
            }
            before = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gates_gru::GruGates;
    use super::super::gates_lstm::LstmGates;
    use super::super::gates_simple::SimpleGates;
    use super::super::step::step_on;
    use super::*;
    use crate::nn::generator::Generator;

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn check<C: Gates<G>, const G: usize>() {
        let mut generator = Generator::new(5);
        for case in 0..60 {
            let (b, n, hidden) = (1 + case % 6, case % 5, if case % 7 < 3 { 32 } else { 1 + generator.below(40) });
            let (serves_all, is_backward, keeps) = (case % 2 == 0, case % 3 == 0, case % 4 < 2);
            let (gates, state, kept) = (b * G * hidden, b * C::STATES * hidden, b * C::KEPT * hidden);
            let mut normal = |len: usize| (0..len).map(|_| generator.normal() as f32).collect::<Vec<f32>>();
            let projected = normal(if serves_all { gates } else { n * gates });
            let recurrent: Vec<f32> = normal(hidden * G * hidden).iter().map(|w| w / (hidden as f32).sqrt()).collect();
            let (bias, first) = (normal(G * hidden), normal(state));
            for path in KernelPath::available() {
                let slots = if keeps { n + 1 } else { 2 }.max(2);
                let mut states = vec![f32::NAN; slots * state];
                states[..state].copy_from_slice(&first);
                let mut caches = vec![f32::NAN; if keeps { n * kept } else { 0 }];
                let mut outputs = vec![f32::NAN; b * n * hidden];
                let steps = StepsForward {
                    b,
                    hidden,
                    n,
                    projected: &mut projected.clone(),
                    inputs: None,
                    recurrent: &recurrent,
                    bias: &bias,
                    states: &mut states,
                    caches: &mut caches,
                    outputs: &mut outputs,
                    is_backward,
                };
                steps_on::<f32, C, G>(path, steps);

                let mut before = first.clone();
                for s in 0..n {
                    let row = if is_backward { n - 1 - s } else { s };
                    let mut after = vec![f32::NAN; state];
                    let mut cache = vec![f32::NAN; if keeps { kept } else { 0 }];
                    let step = StepForward {
                        b,
                        hidden,
                        projected: if serves_all { &projected } else { &projected[row * gates..][..gates] },
                        recurrent: &recurrent,
                        bias: &bias,
                        before: &before,
                        after: &mut after,
                        cache: &mut cache,
                    };
                    step_on::<f32, C, G>(path, step);
                    for i in 0..b {
                        let (h, output) = (i * C::STATES * hidden, (i * n + row) * hidden);
                        let (h, output) = (&after[h..h + hidden], &outputs[output..output + hidden]);
                        assert_eq!(bits(output), bits(h), "{path:?} case {case} window {i} step {s}");
                    }
                    if keeps {
                        assert_eq!(bits(&caches[s * kept..][..kept]), bits(&cache), "{path:?} case {case} step {s}");
                    }
                    before = after;
                }
                assert_eq!(bits(&states[n % slots * state..][..state]), bits(&before), "{path:?} case {case}");
            }
        }
    }

    #[test]
    fn steps_at_once_have_the_bits_of_steps_one_by_one() {
        check::<GruGates<true>, 3>();
        check::<LstmGates<true>, 4>();
        check::<SimpleGates, 1>();
    }
}
