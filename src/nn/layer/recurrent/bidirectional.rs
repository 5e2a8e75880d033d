//! Two recurrent layers over the same rows, one from each end (Schuster and Paliwal 1997).

use serde::{Deserialize, Serialize};

use super::layer::{Recurrent, RecurrentSpec};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::Real;
use crate::nn::layer::{Description, Layer, Pass, Work};
use crate::nn::parameter::Parameter;

/// How the two outputs become one (Keras's `merge_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// Side by side, forward first: `[.., 2H]`. PyTorch's way.
    #[default]
    Concat,
    /// Added: `[.., H]`.
    Sum,
}

/// A forward and a backward layer of the same spec.
#[derive(Debug)]
pub struct Bidirectional<R: Real> {
    forward: Recurrent<R>,
    backward: Recurrent<R>,
    merge: Merge,
}

impl<R: Real> Bidirectional<R> {
    /// Both directions of `spec`; its `go_backwards` is set for each.
    pub fn new(spec: RecurrentSpec, merge: Merge, generator: &mut Generator) -> Self {
        Bidirectional {
            forward: Recurrent::new(RecurrentSpec { go_backwards: false, ..spec }, generator),
            backward: Recurrent::new(RecurrentSpec { go_backwards: true, ..spec }, generator),
            merge,
        }
    }

    /// Takes two layers; the second must run backwards.
    pub fn from_parts(forward: Recurrent<R>, backward: Recurrent<R>, merge: Merge) -> Self {
        Bidirectional { forward, backward, merge }
    }
}

impl<R: Real> Layer<R> for Bidirectional<R> {
    fn describe(&self) -> Description {
        Description::Bidirectional(self.forward.spec(), self.merge)
    }

    fn output_shape(&self, input: Shape, steps: usize) -> Shape {
        let shape = self.forward.output_shape(input, steps);
        match self.merge {
            Merge::Concat => Shape { f: 2 * shape.f, ..shape },
            Merge::Sum => shape,
        }
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        y.reshape(self.output_shape(x.shape(), pass.steps));
        let (works, batches) = work.children(2, 4);
        for (i, layer) in [&self.forward, &self.backward].into_iter().enumerate() {
            layer.forward(x, pass, &mut works[i], &mut batches[i]);
        }
        let (a, b, f) = (batches[0].values(), batches[1].values(), batches[0].shape().f);
        let rows = a.chunks_exact(f).zip(b.chunks_exact(f));
        match self.merge {
            Merge::Concat => {
                for (y, (a, b)) in y.values_mut().chunks_exact_mut(2 * f).zip(rows) {
                    y[..f].copy_from_slice(a);
                    y[f..].copy_from_slice(b);
                }
            }
            Merge::Sum => y.values_mut().iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| *y = *a + *b),
        }
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        _y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let (works, batches) = work.children(2, 4);
        let (outputs, gradients) = batches.split_at_mut(2);
        let f = outputs[0].shape().f;
        let [d_out, d_other] = gradients else { return };
        let mut d_x = d_x;
        for (i, layer) in [&mut self.forward, &mut self.backward].into_iter().enumerate() {
            d_out.reshape(outputs[i].shape());
            match self.merge {
                Merge::Concat => {
                    for (d, row) in d_out.values_mut().chunks_exact_mut(f).zip(d_y.values().chunks_exact(2 * f)) {
                        d.copy_from_slice(&row[i * f..(i + 1) * f]);
                    }
                }
                Merge::Sum => d_out.values_mut().copy_from_slice(d_y.values()),
            }
            match d_x.as_deref_mut() {
                Some(d_x) if i == 0 => layer.backward(x, &outputs[i], d_out, &mut works[i], Some(d_x)),
                Some(d_x) => {
                    layer.backward(x, &outputs[i], d_out, &mut works[i], Some(&mut *d_other));
                    d_x.values_mut().iter_mut().zip(d_other.values()).for_each(|(sum, d)| *sum += *d);
                }
                None => layer.backward(x, &outputs[i], d_out, &mut works[i], None),
            }
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        self.forward.visit(path, see);
        self.backward.visit(path, see);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        self.forward.visit_mut(path, see);
        self.backward.visit_mut(path, see);
    }

    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        self.forward.each_parameter(see);
        self.backward.each_parameter(see);
    }
}

#[cfg(test)]
mod tests {
    use super::super::CellKind;
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    fn spec(cell: CellKind, return_sequences: bool) -> RecurrentSpec {
        RecurrentSpec { cell, features: 3, units: 5, return_sequences, go_backwards: false, repeats_input: false }
    }

    #[test]
    fn both_merges_have_the_gradient_of_their_forward_pass() {
        for merge in [Merge::Concat, Merge::Sum] {
            for return_sequences in [false, true] {
                let mut generator = Generator::new(2);
                let spec = spec(CellKind::Gru, return_sequences);
                let mut layer = Bidirectional::<f64>::new(spec, merge, &mut generator);
                randomise(&mut layer, 0.5, &mut generator);
                let worst = worst_gradient_error(&mut layer, Shape::new(3, 4, 3), 0, 1, false);
                assert!(worst < 1e-6, "{merge:?} {return_sequences}: {worst:e}");
            }
        }
    }

    #[test]
    fn on_a_reversed_sequence_the_directions_change_places() {
        let mut generator = Generator::new(4);
        let spec = spec(CellKind::Lstm, true);
        let mut layer = Bidirectional::<f64>::new(spec, Merge::Concat, &mut generator);
        // Equal weights in both directions make the mirror exact.
        let mut values = Vec::new();
        layer.forward.visit("", &mut |_, parameter| values.push(parameter.value.clone()));
        let mut values = values.into_iter();
        layer.backward.visit_mut("", &mut |_, parameter| parameter.value = values.next().unwrap());
        let (t, f, h) = (6, 3, 5);
        let x: Vec<f64> = (0..t * f).map(|_| generator.normal()).collect();
        let mirrored: Vec<f64> = x.chunks(f).rev().flatten().copied().collect();
        let run = |x: Vec<f64>| {
            let (x, mut y) = (Batch::from_parts(Shape::new(1, t, f), x), Batch::default());
            Layer::forward(&layer, &x, &mut Pass::infer(0), &mut Work::default(), &mut y);
            y.values().to_vec()
        };
        let (a, b) = (run(x), run(mirrored));
        for row in 0..t {
            let (a, b) = (&a[row * 2 * h..][..2 * h], &b[(t - 1 - row) * 2 * h..][..2 * h]);
            assert!(a[..h] == b[h..] && a[h..] == b[..h], "row {row}");
        }
    }
}
