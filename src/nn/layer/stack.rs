//! Layers in a row.

use super::{Layer, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::kernels::Real;
use crate::nn::parameter::Parameter;

/// Each layer's output is the next one's input. A stack is a layer, so stacks nest.
#[derive(Debug)]
pub struct Stack<R> {
    layers: Vec<Box<dyn Layer<R>>>,
}

impl<R: Real> Stack<R> {
    /// A stack of at least one layer.
    ///
    /// # Panics
    /// If there is no layer.
    pub fn new(layers: Vec<Box<dyn Layer<R>>>) -> Self {
        assert!(!layers.is_empty(), "a stack needs a layer");
        Stack { layers }
    }

    /// The layers, first to last; layer `i` has the name `i`.
    pub fn layers(&self) -> &[Box<dyn Layer<R>>] {
        &self.layers
    }
}

impl<R: Real> Layer<R> for Stack<R> {
    fn output_shape(&self, input: Shape, steps: usize) -> Shape {
        self.layers.iter().fold(input, |shape, layer| layer.output_shape(shape, steps))
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let n = self.layers.len();
        let (works, between) = work.children(n, 2 * (n - 1));
        for (i, layer) in self.layers.iter().enumerate() {
            let (before, after) = between.split_at_mut(i);
            let input = if i == 0 { x } else { &before[i - 1] };
            let output = if i + 1 == n { &mut *y } else { &mut after[0] };
            layer.forward(input, pass, &mut works[i], output);
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
        let n = self.layers.len();
        let (works, batches) = work.children(n, 2 * (n - 1));
        let (between, gradients) = batches.split_at_mut(n - 1);
        for (i, layer) in self.layers.iter_mut().enumerate().rev() {
            let (before, after) = gradients.split_at_mut(i);
            let d_output = if i + 1 == n { &mut *d_y } else { &mut after[0] };
            let d_input = if i == 0 { d_x.as_deref_mut() } else { Some(&mut before[i - 1]) };
            let input = if i == 0 { x } else { &between[i - 1] };
            let output = if i + 1 == n { y } else { &between[i] };
            layer.backward(input, output, d_output, &mut works[i], d_input);
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        for (i, layer) in self.layers.iter().enumerate() {
            layer.visit(&join(path, &i.to_string()), see);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.visit_mut(&join(path, &i.to_string()), see);
        }
    }

    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        self.layers.iter_mut().for_each(|layer| layer.each_parameter(see));
    }

    fn added_loss(&self, work: &Work<R>) -> f64 {
        let children = self.layers.iter().enumerate();
        children.filter_map(|(i, layer)| work.child(i).map(|work| layer.added_loss(work))).sum()
    }
}
