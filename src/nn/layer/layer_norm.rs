//! `y = gain (x - mean) / sqrt(variance + epsilon) + bias` over each row's features (Ba et al. 2016).

use super::{Layer, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::kernels::Real;
use crate::nn::parameter::Parameter;

/// Keeps the quotient finite; PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Layer normalisation of `[B, T, F]` over F.
#[derive(Clone, Debug)]
pub struct LayerNorm<R> {
    gain: Parameter<R>,
    bias: Parameter<R>,
}

impl<R: Real> LayerNorm<R> {
    /// Gain one, bias zero.
    pub fn new(features: usize) -> Self {
        LayerNorm { gain: Parameter::vector("weight", features, 1.0), bias: Parameter::vector("bias", features, 0.0) }
    }
}

/// Mean and one over the deviation of a row, in double precision.
fn moments<R: Real>(row: &[R]) -> (f64, f64) {
    let n = row.len().max(1) as f64;
    let mean = row.iter().map(|x| x.wide()).sum::<f64>() / n;
    let variance = row.iter().map(|x| (x.wide() - mean).powi(2)).sum::<f64>() / n;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

impl<R: Real> Layer<R> for LayerNorm<R> {
    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, _pass: &mut Pass<'_>, _work: &mut Work<R>, y: &mut Batch<R>) {
        y.reshape(x.shape());
        let f = x.shape().f.max(1);
        for (x, y) in x.values().chunks_exact(f).zip(y.values_mut().chunks_exact_mut(f)) {
            let (mean, scale) = moments(x);
            let (mean, scale) = (R::of(mean), R::of(scale));
            let parameters = self.gain.value.iter().zip(&self.bias.value);
            y.iter_mut().zip(x).zip(parameters).for_each(|((y, x), (gain, bias))| {
                *y = (*x - mean) * scale * *gain + *bias;
            });
        }
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        _y: &Batch<R>,
        d_y: &mut Batch<R>,
        _work: &mut Work<R>,
        mut d_x: Option<&mut Batch<R>>,
    ) {
        let f = x.shape().f.max(1);
        if let Some(d_x) = d_x.as_deref_mut() {
            d_x.reshape(x.shape());
        }
        for (i, (x, d_y)) in x.values().chunks_exact(f).zip(d_y.values().chunks_exact(f)).enumerate() {
            let (mean, scale) = moments(x);
            let normal = |j: usize| (x[j].wide() - mean) * scale;
            let (mut sum, mut sum_normal) = (0.0, 0.0);
            for (j, d_y) in d_y.iter().enumerate() {
                self.gain.gradient[j] += R::of(d_y.wide() * normal(j));
                self.bias.gradient[j] += *d_y;
                let d = d_y.wide() * self.gain.value[j].wide();
                sum += d;
                sum_normal += d * normal(j);
            }
            if let Some(d_x) = d_x.as_deref_mut() {
                for (j, d_y) in d_y.iter().enumerate() {
                    let d = d_y.wide() * self.gain.value[j].wide();
                    let centred = d - (sum + normal(j) * sum_normal) / f as f64;
                    d_x.values_mut()[i * f + j] = R::of(scale * centred);
                }
            }
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        see(join(path, self.gain.name), &self.gain);
        see(join(path, self.bias.name), &self.bias);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        see(join(path, self.gain.name), &mut self.gain);
        see(join(path, self.bias.name), &mut self.bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::generator::Generator;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    #[test]
    fn it_has_the_gradient_of_its_forward_pass() {
        for (b, t, f) in [(1, 1, 2), (3, 2, 5), (2, 4, 17)] {
            let mut layer = LayerNorm::<f64>::new(f);
            randomise(&mut layer, 0.7, &mut Generator::new(4));
            let worst = worst_gradient_error(&mut layer, Shape::new(b, t, f), 0, 1, false);
            assert!(worst < 1e-5, "[{b}, {t}, {f}]: {worst:e}");
        }
    }

    #[test]
    fn rows_come_out_with_mean_zero_and_variance_one() {
        let x = Batch::from_parts(Shape::new(1, 2, 4), vec![1.0f64, 2.0, 3.0, 10.0, -5.0, 0.0, 5.0, 2.0]);
        let mut y = Batch::default();
        LayerNorm::new(4).forward(&x, &mut Pass::infer(0), &mut Work::default(), &mut y);
        for row in y.values().chunks(4) {
            let mean = row.iter().sum::<f64>() / 4.0;
            let variance = row.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 4.0;
            assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
        }
    }
}
