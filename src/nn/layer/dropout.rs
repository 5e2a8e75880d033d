//! Inverted dropout: while training each number is zeroed with probability `rate` and the others are scaled by
//! `1 / (1 - rate)`, so that the expected output is the input; when inferring it is the identity (Srivastava et al. 2014).

use super::{Description, Layer, Pass, Work};
use crate::nn::batch::{Batch, Shape};
use crate::nn::kernels::Real;
use crate::nn::parameter::Parameter;

/// Dropout with one rate for every number.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    rate: f64,
}

impl Dropout {
    /// Zeroes a share `rate` in `[0, 1)`.
    pub fn new(rate: f64) -> Self {
        assert!((0.0..1.0).contains(&rate), "a dropout rate lies in [0, 1), found {rate}");
        Dropout { rate }
    }
}

impl<R: Real> Layer<R> for Dropout {
    fn describe(&self) -> Description {
        Description::Identity
    }

    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        y.reshape(x.shape());
        y.values_mut().copy_from_slice(x.values());
        if !pass.keeps {
            return;
        }
        let [mask] = work.buffers([x.shape().len()]);
        match pass.generator.as_deref_mut() {
            Some(generator) => {
                let kept = R::of(1.0 / (1.0 - self.rate));
                mask.fill_with(|| if generator.uniform() < self.rate { R::default() } else { kept });
            }
            None => mask.fill(R::of(1.0)),
        }
        y.values_mut().iter_mut().zip(&*mask).for_each(|(y, mask)| *y *= *mask);
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        _y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let Some(d_x) = d_x else { return };
        let [mask] = work.buffers([x.shape().len()]);
        d_x.reshape(x.shape());
        let pairs = d_y.values().iter().zip(&*mask);
        d_x.values_mut().iter_mut().zip(pairs).for_each(|(d_x, (d_y, mask))| *d_x = *d_y * *mask);
    }

    fn visit<'a>(&'a self, _path: &str, _see: &mut dyn FnMut(String, &'a Parameter<R>)) {}

    fn visit_mut<'a>(&'a mut self, _path: &str, _see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::generator::Generator;
    use crate::nn::gradient_check::worst_gradient_error;

    #[test]
    fn it_is_the_identity_when_inferring() {
        let x = Batch::from_parts(Shape::new(1, 2, 3), vec![1.0, -2.0, 3.0, 4.0, -5.0, 6.0]);
        let mut y = Batch::default();
        Layer::<f64>::forward(&Dropout::new(0.5), &x, &mut Pass::infer(0), &mut Work::default(), &mut y);
        assert_eq!(x.values(), y.values());
    }

    #[test]
    fn training_keeps_the_mean_and_drops_the_named_share() {
        let n = 40_000;
        let x = Batch::from_parts(Shape::new(n, 1, 1), vec![1.0; n]);
        let (mut y, mut generator) = (Batch::default(), Generator::new(3));
        let mut pass = Pass { generator: Some(&mut generator), ..Pass::keep(0) };
        Layer::<f64>::forward(&Dropout::new(0.3), &x, &mut pass, &mut Work::default(), &mut y);
        let dropped = y.values().iter().filter(|y| **y == 0.0).count() as f64 / n as f64;
        let mean = y.values().iter().sum::<f64>() / n as f64;
        assert!((dropped - 0.3).abs() < 0.01 && (mean - 1.0).abs() < 0.02, "dropped {dropped}, mean {mean}");
    }

    #[test]
    fn gradients_pass_where_numbers_passed() {
        let worst = worst_gradient_error(&mut Dropout::new(0.4), Shape::new(3, 4, 5), 0, 1, true);
        assert!(worst < 1e-6, "{worst:e}");
    }
}
