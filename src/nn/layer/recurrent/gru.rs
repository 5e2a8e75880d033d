//! The gated recurrent unit with the reset gate after the product (Cho et al. 2014, version 3; Keras's
//! `reset_after=True`, PyTorch and cuDNN). The equations stand in [`crate::nn::kernels::gru_step`]'s file.

use super::cell::{Cell, Step, StepBackward};
use super::written::{Equations, OnnxForm, Written};
use crate::nn::kernels::{
    GruBackward, Matrix, Real, Start, StepsForward, add_row_sums, gru_scales, gru_step, gru_steps, product,
};

/// The GRU cell; gate blocks in PyTorch's order: reset, update, candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gru;

impl<R: Real> Cell<R> for Gru {
    fn gates(&self) -> usize {
        3
    }
    fn states(&self) -> usize {
        1
    }
    fn kept(&self) -> usize {
        4
    }
    fn initial_bias(&self) -> &'static [f64] {
        &[0.0, 0.0, 0.0]
    }
    fn scales(&self, hidden: usize) -> &'static [f64] {
        gru_scales(hidden)
    }

    fn step(&self, step: Step<'_, R>) {
        gru_step(step.forward());
    }

    fn at_once(&self) -> Option<fn(StepsForward<'_, R>)> {
        Some(gru_steps)
    }

    fn step_backward(&self, step: StepBackward<'_, R>) {
        let (b, hidden, width) = (step.b, step.hidden, 3 * step.hidden);
        let d_recurrent = step.scratch;
        let (cache, before) = (step.cache, step.before);
        R::run(GruBackward {
            b,
            hidden,
            cache,
            before,
            d_state: step.d_state,
            d_projected: step.d_projected,
            d_recurrent,
        });
        let transposed = Matrix::transposed(before, hidden);
        product((hidden, width, b), transposed, d_recurrent, width, Start::Keep, step.gradients.recurrent, width);
        add_row_sums(b, d_recurrent, width, step.gradients.bias);
        let d_gates = Matrix::rows(d_recurrent, width);
        product((b, hidden, width), d_gates, step.weights.transposed, hidden, Start::Keep, step.d_state, hidden);
    }
}

impl Written for Gru {
    fn onnx(&self) -> OnnxForm {
        OnnxForm { operator: "GRU", gates: &[1, 0, 2], linear_before_reset: Some(true) }
    }

    fn keras_gates(&self) -> &'static [usize] {
        // Update, reset, candidate.
        &[1, 0, 2]
    }

    fn write(&self, equations: &mut dyn Equations, of_input: &[String], state: &mut [String]) {
        write_gated(equations, of_input, state, |equations, reset, of_state| {
            equations.value("Mul", &[reset, of_state])
        });
    }
}

/// A GRU's step around what its candidate recalls, which is made of the reset gate and the state's part of the candidate.
pub(super) fn write_gated(
    equations: &mut dyn Equations,
    of_input: &[String],
    state: &mut [String],
    recall: impl FnOnce(&mut dyn Equations, &str, &str) -> String,
) {
    let of_state = equations.of_state(&state[0]);
    let reset = equations.gate("Sigmoid", &of_input[0], &of_state[0]);
    let update = equations.gate("Sigmoid", &of_input[1], &of_state[1]);
    let recalled = recall(equations, &reset, &of_state[2]);
    let candidate = equations.gate("Tanh", &of_input[2], &recalled);
    // h' = candidate + update (h - candidate)
    let change = equations.value("Sub", &[&state[0], &candidate]);
    let change = equations.value("Mul", &[&update, &change]);
    state[0] = equations.value("Add", &[&candidate, &change]);
}
