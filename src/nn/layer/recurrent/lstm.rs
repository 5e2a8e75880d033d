//! Long short-term memory (Hochreiter and Schmidhuber 1997, forget gate by Gers et al. 2000, no peepholes).
//! The equations stand in [`crate::nn::kernels::lstm_step`]'s file.

use super::cell::{Cell, Step, StepBackward};
use super::written::{Equations, OnnxForm, Written};
use crate::nn::kernels::{
    LstmBackward, Matrix, Real, Start, StepsForward, add_row_sums, lstm_scales, lstm_step, lstm_steps, product,
};

/// The LSTM cell; gate blocks in the order input, forget, candidate, output; state blocks h, c.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lstm;

impl<R: Real> Cell<R> for Lstm {
    fn gates(&self) -> usize {
        4
    }
    fn states(&self) -> usize {
        2
    }
    fn kept(&self) -> usize {
        5
    }
    fn initial_bias(&self) -> &'static [f64] {
        // Remember by default (Jozefowicz et al. 2015).
        &[0.0, 1.0, 0.0, 0.0]
    }
    fn scales(&self, hidden: usize) -> &'static [f64] {
        lstm_scales(hidden)
    }

    fn step(&self, step: Step<'_, R>) {
        lstm_step(step.forward());
    }

    fn at_once(&self) -> Option<fn(StepsForward<'_, R>)> {
        Some(lstm_steps)
    }

    fn step_backward(&self, step: StepBackward<'_, R>) {
        let (b, hidden, width) = (step.b, step.hidden, 4 * step.hidden);
        let (cache, before, d_gates) = (step.cache, step.before, step.d_projected);
        R::run(LstmBackward { b, hidden, cache, before, d_state: step.d_state, d_gates });
        let transposed = Matrix::transposed(before, 2 * hidden);
        product((hidden, width, b), transposed, d_gates, width, Start::Keep, step.gradients.recurrent, width);
        add_row_sums(b, d_gates, width, step.gradients.bias);
        let d_rows = Matrix::rows(d_gates, width);
        product((b, hidden, width), d_rows, step.weights.transposed, hidden, Start::Keep, step.d_state, 2 * hidden);
    }
}

impl Written for Lstm {
    fn onnx(&self) -> OnnxForm {
        // Input, output, forget, candidate.
        OnnxForm { operator: "LSTM", gates: &[0, 3, 1, 2], linear_before_reset: None }
    }

    fn keras_gates(&self) -> &'static [usize] {
        &[0, 1, 2, 3]
    }

    fn write(&self, equations: &mut dyn Equations, of_input: &[String], state: &mut [String]) {
        let of_state = equations.of_state(&state[0]);
        let gate = |equations: &mut dyn Equations, activation, block: usize| {
            equations.gate(activation, &of_input[block], &of_state[block])
        };
        let input = gate(equations, "Sigmoid", 0);
        let forget = gate(equations, "Sigmoid", 1);
        let candidate = gate(equations, "Tanh", 2);
        let output = gate(equations, "Sigmoid", 3);
        let new = equations.value("Mul", &[&input, &candidate]);
        let old = equations.value("Mul", &[&forget, &state[1]]);
        state[1] = equations.value("Add", &[&new, &old]);
        let shown = equations.value("Tanh", &[&state[1]]);
        state[0] = equations.value("Mul", &[&output, &shown]);
    }
}
