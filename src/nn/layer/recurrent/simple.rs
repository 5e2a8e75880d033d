//! `h_t = tanh(W x_t + b_ih + U h_{t-1} + b_hh)` (Elman 1990; `SimpleRNN` in Keras, `RNN` in PyTorch).

use super::cell::{Cell, Step, StepBackward};
use super::written::{Equations, OnnxForm, Written};
use crate::nn::kernels::{
    Matrix, Real, SimpleBackward, Start, StepsForward, add_row_sums, product, simple_step, simple_steps,
};

/// The simple recurrent cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simple;

impl<R: Real> Cell<R> for Simple {
    fn gates(&self) -> usize {
        1
    }
    fn states(&self) -> usize {
        1
    }
    fn kept(&self) -> usize {
        0
    }
    fn initial_bias(&self) -> &'static [f64] {
        &[0.0]
    }
    fn scales(&self, _hidden: usize) -> &'static [f64] {
        &[1.0]
    }

    fn step(&self, step: Step<'_, R>) {
        simple_step(step.forward());
    }

    fn at_once(&self) -> Option<fn(StepsForward<'_, R>)> {
        Some(simple_steps)
    }

    fn step_backward(&self, step: StepBackward<'_, R>) {
        let (b, h, n) = (step.b, step.hidden, step.b * step.hidden);
        let d_gates = &mut step.d_projected[..n];
        R::run(SimpleBackward { after: &step.after[..n], d_state: step.d_state, d_gates });
        let before = Matrix::transposed(step.before, h);
        product((h, h, b), before, d_gates, h, Start::Keep, step.gradients.recurrent, h);
        add_row_sums(b, d_gates, h, step.gradients.bias);
        product((b, h, h), Matrix::rows(d_gates, h), step.weights.transposed, h, Start::Keep, step.d_state, h);
    }
}

impl Written for Simple {
    fn onnx(&self) -> OnnxForm {
        OnnxForm { operator: "RNN", gates: &[0], linear_before_reset: None }
    }

    fn keras_gates(&self) -> &'static [usize] {
        &[0]
    }

    fn write(&self, equations: &mut dyn Equations, of_input: &[String], state: &mut [String]) {
        let of_state = equations.of_state(&state[0]);
        state[0] = equations.gate("Tanh", &of_input[0], &of_state[0]);
    }
}
