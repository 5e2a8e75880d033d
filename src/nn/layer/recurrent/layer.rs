//! The loop over time, for every cell and both directions.

use super::CellKind;
use super::cell::{Cell, Gradients, Step, StepBackward, Weights};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{
    ALIGN_SPARE, Inputs, Matrix, Real, Start, StepsForward, add_row_sums, aligned, is_scaled, pack, product,
    projects_inputs, scale, transpose,
};
use crate::nn::layer::{Description, Layer, Pass, Work, join};
use crate::nn::parameter::Parameter;

/// What a recurrent layer is made from; the names are Keras's where Keras has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecurrentSpec {
    /// The step.
    pub cell: CellKind,
    /// Input features F.
    pub features: usize,
    /// Hidden width H.
    pub units: usize,
    /// True: every step's output, `[B, T, H]`. False: the last step's, `[B, 1, H]`.
    pub return_sequences: bool,
    /// Runs from the last row to the first; outputs stay at their rows.
    pub go_backwards: bool,
    /// True: the input is `[B, 1, F]`, one row that is fed at every step (one-to-many), and the pass says how many.
    pub repeats_input: bool,
}

/// A recurrent layer: `[B, T, F]` to `[B, T, H]` or `[B, 1, H]`, starting from a zero state.
#[derive(Debug)]
pub struct Recurrent<R: Real> {
    spec: RecurrentSpec,
    cell: &'static dyn Cell<R>,
    weight_ih: Parameter<R>,
    weight_hh: Parameter<R>,
    bias_ih: Parameter<R>,
    bias_hh: Parameter<R>,
}

/// Lengths of the buffers of a pass over `b` windows and `steps` steps.
struct Sizes {
    gates: usize,
    state: usize,
    cache: usize,
}

impl<R: Real> Recurrent<R> {
    /// Glorot input weights, orthogonal recurrent weights, the cell's bias.
    pub fn new(spec: RecurrentSpec, generator: &mut Generator) -> Self {
        let cell = spec.cell.cell::<R>();
        let (h, width) = (spec.units, cell.gates() * spec.units);
        let names = if spec.go_backwards {
            ["weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse"]
        } else {
            ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
        };
        let mut bias_ih = Parameter::vector(names[2], width, 0.0);
        for (gate, value) in cell.initial_bias().iter().enumerate() {
            bias_ih.value[gate * h..(gate + 1) * h].fill(R::of(*value));
        }
        Recurrent {
            weight_ih: Parameter::matrix(names[0], spec.features, width).glorot(h, generator),
            weight_hh: Parameter::matrix(names[1], h, width).orthogonal(generator),
            bias_ih,
            bias_hh: Parameter::vector(names[3], width, 0.0),
            spec,
            cell,
        }
    }

    /// What it was made from.
    pub fn spec(&self) -> RecurrentSpec {
        self.spec
    }

    fn sizes(&self, b: usize) -> Sizes {
        let unit = b * self.spec.units;
        Sizes { gates: unit * self.cell.gates(), state: unit * self.cell.states(), cache: unit * self.cell.kept() }
    }

    /// The row that step `s` of `steps` reads and writes.
    fn row(&self, s: usize, steps: usize) -> usize {
        if self.spec.go_backwards { steps - 1 - s } else { s }
    }

    fn steps(&self, x: Shape, steps: usize) -> usize {
        if self.spec.repeats_input { steps } else { x.t }
    }

    fn parameters(&self) -> [&Parameter<R>; 4] {
        [&self.weight_ih, &self.weight_hh, &self.bias_ih, &self.bias_hh]
    }

    /// The parameters as forward steps take them, those of the input only if it `copies_input`.
    fn scaled<'a>(&'a self, copies_input: bool, buffers: [&'a mut [R]; 4]) -> Scaled<'a, R> {
        let [recurrent, input, bias, input_bias] = buffers;
        let (h, scales) = (self.spec.units, self.cell.scales(self.spec.units));
        let mut parameters = Scaled {
            input: &self.weight_ih.value,
            input_bias: &self.bias_ih.value,
            recurrent: pack(&self.weight_hh.value, scales, h, recurrent),
            bias: &self.bias_hh.value,
        };
        if copies_input {
            parameters.input = pack(parameters.input, scales, h, input);
            parameters.input_bias = pack(parameters.input_bias, scales, h, input_bias);
        }
        if is_scaled(scales) {
            parameters.bias = pack(parameters.bias, scales, h, bias);
        }
        parameters
    }

    /// How the steps of a pass come to `W x_t + b_ih`.
    fn projection(&self, x: Shape, keeps: bool) -> Projection {
        if self.spec.repeats_input {
            Projection::Once
        } else if keeps {
            Projection::StepByStep
        } else if x.b == 1 {
            Projection::Beforehand
        } else if self.cell.at_once().is_some() && projects_inputs::<R>(self.spec.units, x.f) {
            Projection::InSteps
        } else {
            Projection::StepByStep
        }
    }
}

/// Parameters times the scales of the gates, see [`Cell::scales`].
struct Scaled<'a, R> {
    input: &'a [R],
    input_bias: &'a [R],
    recurrent: &'a [R],
    bias: &'a [R],
}

/// How the steps of a pass come to `W x_t + b_ih`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Projection {
    /// One row serves them all.
    Once,
    /// One window's rows lie side by side, so one product projects them all.
    Beforehand,
    /// The steps' kernel makes it.
    InSteps,
    /// A product for every step.
    StepByStep,
}

impl<R: Real> Layer<R> for Recurrent<R> {
    fn describe(&self) -> Description {
        Description::Recurrent(self.spec)
    }

    fn output_shape(&self, input: Shape, steps: usize) -> Shape {
        let t = if self.spec.return_sequences { self.steps(input, steps) } else { 1 };
        Shape::new(input.b, t, self.spec.units)
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let (b, h, steps) = (x.shape().b, self.spec.units, self.steps(x.shape(), pass.steps));
        let Sizes { gates, state, cache } = self.sizes(b);
        // A keeping pass has a place for every step, an inferring one swaps two.
        let (slots, caches) = if pass.keeps { (steps + 1, steps * cache) } else { (2, 0) };
        let projection = self.projection(x.shape(), pass.keeps);
        let (f, width) = (x.shape().f, self.weight_ih.shape[1]);
        let projections = if projection == Projection::Beforehand { steps * gates } else { gates };
        // What a backward pass will read begins where it looks; else states begin with a cache line, as the weights do.
        let spare = if pass.keeps { 0 } else { ALIGN_SPARE };
        let scales = self.cell.scales(h);
        // The weights of an input that is projected once are not worth a copy: the projection is scaled.
        let is_once = projection == Projection::Once;
        let copies_input = !is_once && (is_scaled(scales) || projection == Projection::InSteps);
        let input_len = if copies_input { self.weight_ih.value.len() } else { 0 };
        let [packed_hh, packed_ih, packed_bias] = [h * width, input_len, width].map(|len| len + ALIGN_SPARE);
        let state_len = slots * state + spare;
        let lens =
            [projections + ALIGN_SPARE, gates, state_len, caches, packed_hh, packed_ih, packed_bias, packed_bias];
        let [projected, scratch, states, caches, packed @ ..] = work.buffers(lens);
        let projected = aligned(projected, projections);
        let states = if pass.keeps { states } else { aligned(states, slots * state) };
        states[..state].fill(R::default());
        y.reshape(self.output_shape(x.shape(), pass.steps));
        let Scaled { input, input_bias, recurrent, bias } = self.scaled(copies_input, packed);
        // `W x_t + b_ih` for `m` rows.
        let project = |m: usize, rows: Matrix<'_, R>, projected: &mut [R]| {
            product((m, width, f), rows, input, width, Start::Row(input_bias), projected, width);
        };
        match projection {
            Projection::Once => {
                project(b, Matrix::rows(x.values(), f), projected);
                scale(projected, scales, h);
            }
            Projection::Beforehand => project(steps, Matrix::rows(x.values(), f), projected),
            Projection::InSteps | Projection::StepByStep => {}
        }
        let at_once = self.cell.at_once().filter(|_| projection != Projection::StepByStep);
        if let Some(run) = at_once {
            let inputs = Inputs { x: x.values(), features: f, weights: input, bias: input_bias };
            run(StepsForward {
                b,
                hidden: h,
                n: steps,
                projected,
                inputs: (projection == Projection::InSteps).then_some(inputs),
                recurrent,
                bias,
                states,
                caches,
                outputs: if self.spec.return_sequences { y.values_mut() } else { &mut [] },
                is_backward: self.spec.go_backwards,
            });
            if !self.spec.return_sequences && steps > 0 {
                copy_rows(&states[steps % slots * state..][..state], state / b.max(1), y, 0);
            }
            return;
        }
        let weights = Weights { recurrent, transposed: &[], bias };
        for s in 0..steps {
            let row = self.row(s, steps);
            if projection == Projection::StepByStep {
                project(b, Matrix::rows(&x.values()[row * f..], x.shape().window()), projected);
            }
            let at = if projection == Projection::Beforehand { row * gates } else { 0 };
            let (before, after) = neighbours(states, s % slots, (s + 1) % slots, state);
            let cache = if pass.keeps { &mut caches[s * cache..(s + 1) * cache] } else { &mut [] };
            let (projected, scratch) = (&projected[at..at + gates], &mut *scratch);
            self.cell.step(Step { b, hidden: h, projected, weights, before, after, cache, scratch });
            if self.spec.return_sequences {
                copy_rows(after, state / b.max(1), y, row);
            } else if s + 1 == steps {
                copy_rows(after, state / b.max(1), y, 0);
            }
        }
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        mut d_x: Option<&mut Batch<R>>,
    ) {
        let (Shape { b, f, .. }, h) = (x.shape(), self.spec.units);
        let Sizes { gates, state, cache } = self.sizes(b);
        let width = self.weight_ih.shape[1];
        let steps = work.kept_steps(2, state);
        let lens = [gates, gates, (steps + 1) * state, steps * cache, state, gates, h * width, f * width];
        let [d_projected, scratch, states, caches, d_state, sum, transposed, input_transposed] = work.buffers(lens);
        transpose(h, width, &self.weight_hh.value, transposed);
        d_state.fill(R::default());
        sum.fill(R::default());
        if let Some(d_x) = d_x.as_deref_mut() {
            d_x.reshape(x.shape());
            transpose(f, width, &self.weight_ih.value, input_transposed);
        }
        for s in (0..steps).rev() {
            let t = self.row(s, steps);
            if self.spec.return_sequences {
                add_rows(d_y, t, state / b.max(1), d_state);
            } else if s + 1 == steps {
                add_rows(d_y, 0, state / b.max(1), d_state);
            }
            self.cell.step_backward(StepBackward {
                b,
                hidden: h,
                weights: Weights { recurrent: &self.weight_hh.value, transposed, bias: &self.bias_hh.value },
                before: &states[s * state..(s + 1) * state],
                after: &states[(s + 1) * state..(s + 2) * state],
                cache: &caches[s * cache..(s + 1) * cache],
                d_state,
                d_projected,
                gradients: Gradients { recurrent: &mut self.weight_hh.gradient, bias: &mut self.bias_hh.gradient },
                scratch,
            });
            if self.spec.repeats_input {
                // One projection served every step, so its gradient is the sum of theirs.
                sum.iter_mut().zip(&*d_projected).for_each(|(sum, d)| *sum += *d);
                if s > 0 {
                    continue;
                }
            }
            let (d, t) = if self.spec.repeats_input { (&*sum, 0) } else { (&*d_projected, t) };
            let rows = Matrix { values: &x.values()[t * f..], row: 1, column: x.shape().window() };
            product((f, width, b), rows, d, width, Start::Keep, &mut self.weight_ih.gradient, width);
            add_row_sums(b, d, width, &mut self.bias_ih.gradient);
            if let Some(d_x) = d_x.as_deref_mut() {
                let (window, d) = (x.shape().window(), Matrix::rows(d, width));
                let out = &mut d_x.values_mut()[t * f..];
                product((b, f, width), d, input_transposed, f, Start::Zero, out, window);
            }
        }
        let _ = y;
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        self.parameters().into_iter().for_each(|parameter| see(join(path, parameter.name), parameter));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        for parameter in [&mut self.weight_ih, &mut self.weight_hh, &mut self.bias_ih, &mut self.bias_hh] {
            see(join(path, parameter.name), parameter);
        }
    }

    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        see(&mut self.weight_ih);
        see(&mut self.weight_hh);
        see(&mut self.bias_ih);
        see(&mut self.bias_hh);
    }
}

/// States `before` and `after` of a buffer of states.
fn neighbours<R>(states: &mut [R], before: usize, after: usize, state: usize) -> (&[R], &mut [R]) {
    if before < after {
        let (low, high) = states.split_at_mut(after * state);
        (&low[before * state..(before + 1) * state], &mut high[..state])
    } else {
        let (low, high) = states.split_at_mut(before * state);
        (&high[..state], &mut low[after * state..(after + 1) * state])
    }
}

/// Copies h, the first block of each window's state, into row `t` of `y`.
fn copy_rows<R: Real>(state: &[R], width: usize, y: &mut Batch<R>, t: usize) {
    let shape = y.shape();
    if shape.is_empty() {
        return;
    }
    for (window, state) in y.values_mut().chunks_exact_mut(shape.window()).zip(state.chunks_exact(width)) {
        window[t * shape.f..(t + 1) * shape.f].copy_from_slice(&state[..shape.f]);
    }
}

/// Adds row `t` of `d_y` to the first block of each window's state gradient.
fn add_rows<R: Real>(d_y: &Batch<R>, t: usize, width: usize, d_state: &mut [R]) {
    let shape = d_y.shape();
    if shape.is_empty() {
        return;
    }
    for (window, state) in d_y.values().chunks_exact(shape.window()).zip(d_state.chunks_exact_mut(width)) {
        let row = &window[t * shape.f..(t + 1) * shape.f];
        state.iter_mut().zip(row).for_each(|(state, d)| *state += *d);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    /// `[B, T, F]` and H: batch of one, one row, one unit, odd sizes.
    const SHAPES: [(usize, usize, usize, usize); 6] =
        [(1, 1, 1, 1), (1, 5, 3, 1), (3, 1, 2, 4), (2, 7, 1, 3), (5, 4, 3, 7), (4, 3, 5, 17)];

    #[test]
    fn every_cell_has_the_gradient_of_its_forward_pass() {
        for &cell in CellKind::ALL {
            for (b, t, features, units) in SHAPES {
                for bits in 0..8 {
                    let [return_sequences, go_backwards, repeats_input] = [bits & 1 > 0, bits & 2 > 0, bits & 4 > 0];
                    let spec = RecurrentSpec { cell, features, units, return_sequences, go_backwards, repeats_input };
                    let mut generator = Generator::new(bits as u64);
                    let mut layer = Recurrent::<f64>::new(spec, &mut generator);
                    randomise(&mut layer, 0.5, &mut generator);
                    let shape = Shape::new(b, if repeats_input { 1 } else { t }, features);
                    let worst = worst_gradient_error(&mut layer, shape, t, 3, false);
                    assert!(worst < 1e-6, "{spec:?} on {shape:?}: {worst:e}");
                }
            }
        }
    }

    #[test]
    fn a_window_has_the_same_bits_in_every_batch_and_when_training() {
        // Inputs projected step by step, by the steps themselves, and too many for that.
        let widths = [(5, 19), (5, 32), (30, 32)];
        for (cell, (features, units)) in CellKind::ALL.iter().flat_map(|cell| widths.map(|widths| (*cell, widths))) {
            let (b, t) = (37, 9);
            let spec = RecurrentSpec {
                cell,
                features,
                units,
                return_sequences: true,
                go_backwards: false,
                repeats_input: false,
            };
            let mut generator = Generator::new(5);
            let layer = Recurrent::<f32>::new(spec, &mut generator);
            let values: Vec<f32> = (0..b * t * features).map(|_| generator.normal() as f32).collect();
            let run = |values: &[f32], mut pass: Pass<'_>| {
                let shape = Shape::new(values.len() / (t * features), t, features);
                let (x, mut y) = (Batch::from_parts(shape, values.to_vec()), Batch::default());
                layer.forward(&x, &mut pass, &mut Work::default(), &mut y);
                y.values().iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
            };
            let together = run(&values, Pass::infer(t));
            assert!(together == run(&values, Pass::keep(t)), "{cell:?} of {features} and {units} in training");
            for size in [1, 2, 3, 4, 8, 16] {
                let windows = values.chunks(size * t * features);
                let apart: Vec<u32> = windows.flat_map(|windows| run(windows, Pass::infer(t))).collect();
                assert!(together == apart, "{cell:?} of {features} and {units} in batches of {size}");
            }
        }
    }

    #[test]
    fn single_precision_follows_double_precision() {
        for &cell in CellKind::ALL {
            let spec = RecurrentSpec {
                cell,
                features: 3,
                units: 21,
                return_sequences: true,
                go_backwards: false,
                repeats_input: false,
            };
            let mut single = Recurrent::<f32>::new(spec, &mut Generator::new(5));
            let mut double = Recurrent::<f64>::new(spec, &mut Generator::new(5));
            let mut values = Vec::new();
            single.visit_mut("", &mut |_, parameter| values.push(parameter.value.clone()));
            let mut values = values.iter();
            double.visit_mut("", &mut |_, parameter| {
                let values = values.next().unwrap();
                parameter.value.iter_mut().zip(values).for_each(|(a, b)| *a = f64::from(*b));
            });
            let mut generator = Generator::new(6);
            let shape = Shape::new(5, 40, 3);
            let x: Vec<f32> = (0..shape.len()).map(|_| generator.normal() as f32).collect();
            let (mut y, mut y_double) = (Batch::default(), Batch::default());
            let x_double = Batch::from_parts(shape, x.iter().map(|x| f64::from(*x)).collect());
            single.forward(&Batch::from_parts(shape, x), &mut Pass::infer(0), &mut Work::default(), &mut y);
            double.forward(&x_double, &mut Pass::infer(0), &mut Work::default(), &mut y_double);
            let pairs = y.values().iter().zip(y_double.values());
            let worst = pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-6, "{cell:?}: {worst:e}");
        }
    }
}
