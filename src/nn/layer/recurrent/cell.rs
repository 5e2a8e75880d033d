//! One step of a recurrent network.

use std::fmt::Debug;

use crate::nn::kernels::{Real, StepForward, StepsForward};

/// The recurrent half of a layer's parameters. G is the number of gate blocks of the cell.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, R> {
    /// U: `[H, G*H]`.
    pub recurrent: &'a [R],
    /// U transposed: `[G*H, H]`; empty in forward steps.
    pub transposed: &'a [R],
    /// b_hh: `[G*H]`.
    pub bias: &'a [R],
}

/// Where a backward step adds its share.
#[derive(Debug)]
pub struct Gradients<'a, R> {
    /// Loss by U: `[H, G*H]`.
    pub recurrent: &'a mut [R],
    /// Loss by b_hh: `[G*H]`.
    pub bias: &'a mut [R],
}

/// Arguments of a forward step. S is the number of state blocks; the first is the output h.
#[derive(Debug)]
pub struct Step<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// `W x_t + b_ih`: `[B, G*H]`. This, U and b_hh come times [`Cell::scales`].
    pub projected: &'a [R],
    /// U and b_hh.
    pub weights: Weights<'a, R>,
    /// State before: `[B, S*H]`.
    pub before: &'a [R],
    /// State after: `[B, S*H]`.
    pub after: &'a mut [R],
    /// What the backward step needs, `[B, K*H]`; empty when none will follow.
    pub cache: &'a mut [R],
    /// `[B, G*H]`, free to use.
    pub scratch: &'a mut [R],
}

impl<'a, R> Step<'a, R> {
    /// As the kernels take it, for cells whose gates need nothing but the sums.
    #[inline]
    pub(super) fn forward(self) -> StepForward<'a, R> {
        StepForward {
            b: self.b,
            hidden: self.hidden,
            projected: self.projected,
            recurrent: self.weights.recurrent,
            bias: self.weights.bias,
            before: self.before,
            after: self.after,
            cache: self.cache,
        }
    }
}

/// Arguments of a backward step.
#[derive(Debug)]
pub struct StepBackward<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// U, its transpose and b_hh.
    pub weights: Weights<'a, R>,
    /// State before: `[B, S*H]`.
    pub before: &'a [R],
    /// State after: `[B, S*H]`.
    pub after: &'a [R],
    /// What the forward step kept: `[B, K*H]`.
    pub cache: &'a [R],
    /// In: loss by the state after. Out: loss by the state before. `[B, S*H]`.
    pub d_state: &'a mut [R],
    /// Loss by `W x_t + b_ih`: `[B, G*H]`.
    pub d_projected: &'a mut [R],
    /// Sums of loss by U and b_hh over the steps.
    pub gradients: Gradients<'a, R>,
    /// `[B, G*H]`, free to use.
    pub scratch: &'a mut [R],
}

/// One step, forward and backward. A cell holds no numbers: the layer owns them.
pub trait Cell<R: Real>: Debug + Send + Sync {
    /// G: gate blocks, and so the width of the projections in units of H.
    fn gates(&self) -> usize;
    /// S: state blocks.
    fn states(&self) -> usize;
    /// K: blocks kept for the backward step.
    fn kept(&self) -> usize;
    /// One value per gate block that b_ih starts from.
    fn initial_bias(&self) -> &'static [f64];
    /// What the weights, biases and projections of each gate block are multiplied with before forward steps of `hidden` units
    /// take them.
    fn scales(&self, hidden: usize) -> &'static [f64];
    /// Computes the state after.
    fn step(&self, step: Step<'_, R>);
    /// Many steps in one call, where the cell has a kernel for it.
    fn at_once(&self) -> Option<fn(StepsForward<'_, R>)> {
        None
    }
    /// Backward of [`Cell::step`].
    fn step_backward(&self, step: StepBackward<'_, R>);
}
