//! A decoder that is fed by its own last output (Sutskever et al. 2014; Malhotra et al. 2016).
//!
//! ```text
//! h_0 = W_0 z + b_0                 z: [B, Z]   (further state blocks start at zero)
//! h_t = cell(y_{t-1}, h_{t-1})      y_0 = 0
//! y_t = W h_t + b                   [B, C]
//! ```

use super::recurrent::{Cell, CellKind, Gradients, Step, StepBackward, Weights};
use super::{Description, Layer, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{ALIGN_SPARE, Matrix, Real, Start, add_row_sums, pack, product, transpose};
use crate::nn::parameter::Parameter;

/// `[B, 1, Z]` to `[B, steps, C]`.
#[derive(Debug)]
pub struct Feedback<R: Real> {
    kind: CellKind,
    cell: &'static dyn Cell<R>,
    units: usize,
    initial: [Parameter<R>; 2],
    input: [Parameter<R>; 2],
    recurrent: [Parameter<R>; 2],
    output: [Parameter<R>; 2],
}

impl<R: Real> Feedback<R> {
    /// Glorot and orthogonal weights as in the other layers.
    pub fn new(kind: CellKind, latent: usize, units: usize, n_channels: usize, generator: &mut Generator) -> Self {
        let cell = kind.cell::<R>();
        let width = cell.gates() * units;
        let mut bias_ih = Parameter::vector("bias_ih_l0", width, 0.0);
        for (gate, value) in cell.initial_bias().iter().enumerate() {
            bias_ih.value[gate * units..(gate + 1) * units].fill(R::of(*value));
        }
        let matrix = |name, input, output, generator: &mut Generator| {
            Parameter::matrix(name, input, output).glorot(output, generator)
        };
        Feedback {
            kind,
            cell,
            units,
            initial: [
                matrix("initial.weight", latent, units, generator),
                Parameter::vector("initial.bias", units, 0.0),
            ],
            input: [Parameter::matrix("weight_ih_l0", n_channels, width).glorot(units, generator), bias_ih],
            recurrent: [
                Parameter::matrix("weight_hh_l0", units, width).orthogonal(generator),
                Parameter::vector("bias_hh_l0", width, 0.0),
            ],
            output: [
                matrix("output.weight", units, n_channels, generator),
                Parameter::vector("output.bias", n_channels, 0.0),
            ],
        }
    }
}

impl<R: Real> Layer<R> for Feedback<R> {
    fn describe(&self) -> Description {
        Description::Feedback(self.kind)
    }

    fn output_shape(&self, input: Shape, steps: usize) -> Shape {
        Shape::new(input.b, steps, self.output[1].shape[1])
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let (Shape { b, f, .. }, h, steps) = (x.shape(), self.units, pass.steps);
        let (gates, n_states) = (b * h * self.cell.gates(), self.cell.states());
        let (state, cache) = (b * h * n_states, b * h * self.cell.kept());
        let (width, wide) = (self.cell.gates() * h, n_states * h);
        y.reshape(self.output_shape(x.shape(), steps));
        let c = y.shape().f;
        let [packed_hh, packed_ih, packed_bias] = [h * width, c * width, width].map(|len| len + ALIGN_SPARE);
        let lens = [gates, gates, (steps + 1) * state, steps * cache, packed_hh, packed_ih, packed_bias, packed_bias];
        let [projected, scratch, states, caches, packed_hh, packed_ih, packed_bias_hh, packed_bias_ih] =
            work.buffers(lens);
        let scales = self.cell.scales(h);
        let input = pack(&self.input[0].value, scales, h, packed_ih);
        let input_bias = pack(&self.input[1].value, scales, h, packed_bias_ih);
        let recurrent = pack(&self.recurrent[0].value, scales, h, packed_hh);
        let bias = pack(&self.recurrent[1].value, scales, h, packed_bias_hh);
        let weights = Weights { recurrent, transposed: &[], bias };
        states[..state].fill(R::default());
        let start = Start::Row(&self.initial[1].value);
        product((b, h, f), Matrix::rows(x.values(), f), &self.initial[0].value, h, start, states, wide);
        for s in 0..steps {
            // The input of step 0 is zero, so its product has no terms.
            let (from, terms) = if s == 0 { (0, 0) } else { ((s - 1) * c, c) };
            let rows = Matrix::rows(&y.values()[from..], steps * c);
            product((b, width, terms), rows, input, width, Start::Row(input_bias), projected, width);
            let (before, after) = states.split_at_mut((s + 1) * state);
            self.cell.step(Step {
                b,
                hidden: h,
                projected,
                weights,
                before: &before[s * state..],
                after: &mut after[..state],
                cache: if pass.keeps { &mut caches[s * cache..(s + 1) * cache] } else { &mut [] },
                scratch,
            });
            let (start, out) = (Start::Row(&self.output[1].value), &mut y.values_mut()[s * c..]);
            product((b, c, h), Matrix::rows(after, wide), &self.output[0].value, c, start, out, steps * c);
        }
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let (Shape { b, f, .. }, h) = (x.shape(), self.units);
        let Shape { t: steps, f: c, .. } = y.shape();
        let (gates, n_states) = (b * h * self.cell.gates(), self.cell.states());
        let (state, cache) = (b * h * n_states, b * h * self.cell.kept());
        let (width, wide) = (self.cell.gates() * h, n_states * h);
        let turned = [h * width, c * width, h * c, f * h];
        let lens =
            [gates, gates, (steps + 1) * state, steps * cache, state, turned[0], turned[1], turned[2], turned[3]];
        let [d_projected, scratch, states, caches, d_state, recurrent, input, output, initial] = work.buffers(lens);
        transpose(h, width, &self.recurrent[0].value, recurrent);
        transpose(c, width, &self.input[0].value, input);
        transpose(h, c, &self.output[0].value, output);
        transpose(f, h, &self.initial[0].value, initial);
        d_state.fill(R::default());
        for s in (0..steps).rev() {
            let after = &states[(s + 1) * state..(s + 2) * state];
            // d_y already holds what later steps took from this output.
            let d_out = Matrix::rows(&d_y.values()[s * c..], steps * c);
            product((b, h, c), d_out, output, h, Start::Keep, d_state, wide);
            for i in 0..b {
                let row = &d_y.values()[(i * steps + s) * c..][..c];
                let hidden = &after[i * wide..i * wide + h];
                let gradient = &mut self.output[0].gradient;
                product((h, c, 1), Matrix::transposed(hidden, h), row, c, Start::Keep, gradient, c);
                self.output[1].gradient.iter_mut().zip(row).for_each(|(sum, d)| *sum += *d);
            }
            let [weight, bias] = &mut self.recurrent;
            self.cell.step_backward(StepBackward {
                b,
                hidden: h,
                weights: Weights { recurrent: &weight.value, transposed: recurrent, bias: &bias.value },
                before: &states[s * state..(s + 1) * state],
                after,
                cache: &caches[s * cache..(s + 1) * cache],
                d_state,
                d_projected,
                gradients: Gradients { recurrent: &mut weight.gradient, bias: &mut bias.gradient },
                scratch,
            });
            add_row_sums(b, d_projected, width, &mut self.input[1].gradient);
            if s > 0 {
                let fed = Matrix { values: &y.values()[(s - 1) * c..], row: 1, column: steps * c };
                product((c, width, b), fed, d_projected, width, Start::Keep, &mut self.input[0].gradient, width);
                let d_fed = &mut d_y.values_mut()[(s - 1) * c..];
                product((b, c, width), Matrix::rows(d_projected, width), input, c, Start::Keep, d_fed, steps * c);
            }
        }
        let gradient = &mut self.initial[0].gradient;
        product((f, h, b), Matrix::transposed(x.values(), f), d_state, wide, Start::Keep, gradient, h);
        add_row_sums(b, d_state, wide, &mut self.initial[1].gradient);
        if let Some(d_x) = d_x {
            d_x.reshape(x.shape());
            product((b, f, h), Matrix::rows(d_state, wide), initial, f, Start::Zero, d_x.values_mut(), f);
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        let all = [&self.initial, &self.input, &self.recurrent, &self.output];
        all.into_iter().flatten().for_each(|parameter| see(join(path, parameter.name), parameter));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        let all = [&mut self.initial, &mut self.input, &mut self.recurrent, &mut self.output];
        all.into_iter().flatten().for_each(|parameter| see(join(path, parameter.name), parameter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    #[test]
    fn every_cell_has_the_gradient_of_its_forward_pass() {
        for &cell in CellKind::ALL {
            for (b, steps, latent, units, channels) in [(1, 1, 1, 1, 1), (3, 4, 2, 5, 3), (2, 6, 3, 2, 1)] {
                let mut generator = Generator::new(4);
                let mut layer = Feedback::<f64>::new(cell, latent, units, channels, &mut generator);
                randomise(&mut layer, 0.5, &mut generator);
                let worst = worst_gradient_error(&mut layer, Shape::new(b, 1, latent), steps, 1, false);
                assert!(worst < 1e-6, "{cell:?} [{b}, {steps}, {channels}]: {worst:e}");
            }
        }
    }
}
