//! `y = f(W x + b)` on every row: a dense layer, time-distributed by its nature.

use super::{Description, Layer, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{
    Activation, Matrix, Real, Start, activate, activate_backward, add_row_sums, product, transpose,
};
use crate::nn::parameter::Parameter;

/// A dense layer over the last axis: `[B, T, F]` to `[B, T, F']`.
#[derive(Clone, Debug)]
pub struct Dense<R> {
    weight: Parameter<R>,
    bias: Parameter<R>,
    activation: Activation,
}

impl<R: Real> Dense<R> {
    /// Glorot weights, zero bias.
    pub fn new(input: usize, output: usize, activation: Activation, generator: &mut Generator) -> Self {
        Dense {
            weight: Parameter::matrix("weight", input, output).glorot(output, generator),
            bias: Parameter::vector("bias", output, 0.0),
            activation,
        }
    }
}

impl<R: Real> Layer<R> for Dense<R> {
    fn describe(&self) -> Description {
        Description::Dense(self.activation)
    }

    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        Shape { f: self.weight.shape[1], ..input }
    }

    fn forward(&self, x: &Batch<R>, _pass: &mut Pass<'_>, _work: &mut Work<R>, y: &mut Batch<R>) {
        let [f, out] = self.weight.shape;
        let rows = x.shape().b * x.shape().t;
        y.reshape(self.output_shape(x.shape(), 0));
        let start = Start::Row(&self.bias.value);
        product((rows, out, f), Matrix::rows(x.values(), f), &self.weight.value, out, start, y.values_mut(), out);
        activate(self.activation, y.values_mut());
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let [f, out] = self.weight.shape;
        let rows = x.shape().b * x.shape().t;
        activate_backward(self.activation, y.values(), d_y.values_mut());
        let d_y = d_y.values();
        let gradient = &mut self.weight.gradient;
        product((f, out, rows), Matrix::transposed(x.values(), f), d_y, out, Start::Keep, gradient, out);
        add_row_sums(rows, d_y, out, &mut self.bias.gradient);
        if let Some(d_x) = d_x {
            let [transposed] = work.buffers([f * out]);
            transpose(f, out, &self.weight.value, transposed);
            d_x.reshape(x.shape());
            product((rows, f, out), Matrix::rows(d_y, out), transposed, f, Start::Zero, d_x.values_mut(), f);
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        see(join(path, self.weight.name), &self.weight);
        see(join(path, self.bias.name), &self.bias);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        see(join(path, self.weight.name), &mut self.weight);
        see(join(path, self.bias.name), &mut self.bias);
    }

    fn each_parameter(&mut self, see: &mut dyn FnMut(&mut Parameter<R>)) {
        see(&mut self.weight);
        see(&mut self.bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    #[test]
    fn every_activation_has_the_gradient_of_its_forward_pass() {
        for activation in [Activation::Linear, Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
            for (b, t, f, out) in [(1, 1, 1, 1), (3, 2, 5, 7), (2, 5, 19, 3)] {
                let mut generator = Generator::new(9);
                let mut layer = Dense::<f64>::new(f, out, activation, &mut generator);
                randomise(&mut layer, 0.7, &mut generator);
                let worst = worst_gradient_error(&mut layer, Shape::new(b, t, f), 0, 1, false);
                assert!(worst < 1e-6, "{activation:?} [{b}, {t}, {f}] to {out}: {worst:e}");
            }
        }
    }
}
