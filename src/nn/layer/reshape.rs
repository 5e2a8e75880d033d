//! Between windows of rows and flat vectors: `[B, T, F]` to `[B, 1, T*F]` and back. The numbers do not move.

use super::{Description, Layer, Pass, Work};
use crate::nn::batch::{Batch, Shape};
use crate::nn::kernels::Real;
use crate::nn::parameter::Parameter;

/// Lays a window's rows end to end, or cuts them apart again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reshape {
    /// `[B, T, F]` to `[B, 1, T*F]`.
    Flatten,
    /// `[B, 1, T*F]` to `[B, T, F]` for this F.
    Rows(usize),
}

impl<R: Real> Layer<R> for Reshape {
    fn describe(&self) -> Description {
        Description::Reshape(*self)
    }

    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        match self {
            Reshape::Flatten => Shape::new(input.b, 1, input.window()),
            Reshape::Rows(f) => Shape::new(input.b, input.window() / f, *f),
        }
    }

    fn forward(&self, x: &Batch<R>, _pass: &mut Pass<'_>, _work: &mut Work<R>, y: &mut Batch<R>) {
        y.reshape(Layer::<R>::output_shape(self, x.shape(), 0));
        y.values_mut().copy_from_slice(x.values());
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        _y: &Batch<R>,
        d_y: &mut Batch<R>,
        _work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        if let Some(d_x) = d_x {
            d_x.reshape(x.shape());
            d_x.values_mut().copy_from_slice(d_y.values());
        }
    }

    fn visit<'a>(&'a self, _path: &str, _see: &mut dyn FnMut(String, &'a Parameter<R>)) {}

    fn visit_mut<'a>(&'a mut self, _path: &str, _see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {}
}
