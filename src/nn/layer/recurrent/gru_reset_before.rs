//! The gated recurrent unit with the reset gate before the product (Cho et al. 2014, version 1; Keras's
//! `reset_after=False`).
//!
//! ```text
//! r = sigmoid(x_r + U_r h)    z = sigmoid(x_z + U_z h)
//! n = tanh(x_n + U_n (r h))   h' = (1 - z) n + z h
//! ```

use super::cell::{Cell, Step, StepBackward};
use super::gru::write_gated;
use super::written::{Equations, OnnxForm, Written};
use crate::nn::kernels::{Activation, Matrix, Real, Start, activate, add_row_sums, product};

/// The older GRU; gate blocks reset, update, candidate as in [`super::gru::Gru`]. Kept: r, z, n, r h.
#[derive(Clone, Copy, Debug)]
pub(super) struct GruResetBefore;

impl<R: Real> Cell<R> for GruResetBefore {
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
    fn scales(&self, _hidden: usize) -> &'static [f64] {
        &[1.0; 3]
    }

    fn step(&self, step: Step<'_, R>) {
        let (b, h, w, u) = (step.b, step.hidden, 3 * step.hidden, step.weights);
        let gates = step.scratch;
        product((b, 2 * h, h), Matrix::rows(step.before, h), u.recurrent, w, Start::Row(u.bias), gates, w);
        for i in 0..b {
            let (gates, projected) = (&mut gates[i * w..(i + 1) * w], &step.projected[i * w..(i + 1) * w]);
            let before = &step.before[i * h..(i + 1) * h];
            gates[..2 * h].iter_mut().zip(projected).for_each(|(gate, x)| *gate += *x);
            activate(Activation::Sigmoid, &mut gates[..2 * h]);
            // The new state's place holds r h until the candidate is known.
            let gated = step.after[i * h..(i + 1) * h].iter_mut().zip(&gates[..h]).zip(before);
            gated.for_each(|((out, r), before)| *out = *r * *before);
        }
        let bias = Start::Row(&u.bias[2 * h..]);
        product((b, h, h), Matrix::rows(step.after, h), &u.recurrent[2 * h..], w, bias, &mut gates[2 * h..], w);
        for i in 0..b {
            let (gates, projected) = (&mut gates[i * w..(i + 1) * w], &step.projected[i * w..(i + 1) * w]);
            let (after, before) = (&mut step.after[i * h..(i + 1) * h], &step.before[i * h..(i + 1) * h]);
            gates[2 * h..].iter_mut().zip(&projected[2 * h..]).for_each(|(gate, x)| *gate += *x);
            activate(Activation::Tanh, &mut gates[2 * h..]);
            if !step.cache.is_empty() {
                let cache = &mut step.cache[i * 4 * h..(i + 1) * 4 * h];
                cache[..w].copy_from_slice(gates);
                cache[w..].copy_from_slice(after);
            }
            for j in 0..h {
                let (z, n) = (gates[h + j], gates[2 * h + j]);
                after[j] = n + z * (before[j] - n);
            }
        }
    }

    fn step_backward(&self, step: StepBackward<'_, R>) {
        let (b, h, w) = (step.b, step.hidden, 3 * step.hidden);
        let one = R::of(1.0);
        let d_gates = step.d_projected;
        // The candidate first: its product carries the gradient to r h.
        for i in 0..b {
            let cache = &step.cache[i * 4 * h..(i + 1) * 4 * h];
            for j in 0..h {
                let (z, n) = (cache[h + j], cache[2 * h + j]);
                let (d_h, before) = (step.d_state[i * h + j], step.before[i * h + j]);
                d_gates[i * w + h + j] = d_h * (before - n) * z * (one - z);
                d_gates[i * w + 2 * h + j] = d_h * (one - z) * (one - n * n);
                step.d_state[i * h + j] = d_h * z;
            }
        }
        let d_gated = &mut step.scratch[..b * h];
        let d_n = Matrix::rows(&d_gates[2 * h..], w);
        product((b, h, h), d_n, &step.weights.transposed[2 * h * h..], h, Start::Zero, d_gated, h);
        for i in 0..b {
            let cache = &step.cache[i * 4 * h..(i + 1) * 4 * h];
            for j in 0..h {
                let (r, d_gated, before) = (cache[j], d_gated[i * h + j], step.before[i * h + j]);
                d_gates[i * w + j] = d_gated * before * r * (one - r);
                step.d_state[i * h + j] += d_gated * r;
            }
        }
        let before = Matrix::transposed(step.before, h);
        product((h, 2 * h, b), before, d_gates, w, Start::Keep, step.gradients.recurrent, w);
        let gated = Matrix { values: &step.cache[3 * h..], row: 1, column: 4 * h };
        product((h, h, b), gated, &d_gates[2 * h..], w, Start::Keep, &mut step.gradients.recurrent[2 * h..], w);
        add_row_sums(b, d_gates, w, step.gradients.bias);
        let d_rows = Matrix::rows(d_gates, w);
        product((b, h, 2 * h), d_rows, step.weights.transposed, h, Start::Keep, step.d_state, h);
    }
}

impl Written for GruResetBefore {
    fn onnx(&self) -> OnnxForm {
        OnnxForm { operator: "GRU", gates: &[1, 0, 2], linear_before_reset: Some(false) }
    }

    fn keras_gates(&self) -> &'static [usize] {
        // Update, reset, candidate.
        &[1, 0, 2]
    }

    fn write(&self, equations: &mut dyn Equations, of_input: &[String], state: &mut [String]) {
        let h = state[0].clone();
        write_gated(equations, of_input, state, |equations, reset, _| {
            let kept = equations.value("Mul", &[reset, &h]);
            equations.of_state(&kept).swap_remove(2)
        });
    }
}
