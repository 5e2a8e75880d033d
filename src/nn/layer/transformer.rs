//! A Transformer encoder block, normalised first (Xiong et al. 2020), and the positions it needs.
//!
//! ```text
//! a = x + Attention(LayerNorm(x))
//! y = a + W_2 relu(W_1 LayerNorm(a) + b_1) + b_2
//! ```
//!
//! Names and layouts are those of PyTorch's `TransformerEncoderLayer(norm_first=True)`.

use super::attention::Attention;
use super::{Dense, Description, Layer, LayerNorm, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{Activation, Real};
use crate::nn::parameter::Parameter;

/// One block `[B, T, F]` to `[B, T, F]`.
#[derive(Debug)]
pub struct TransformerBlock<R> {
    norm1: LayerNorm<R>,
    attention: Attention<R>,
    norm2: LayerNorm<R>,
    linear1: Dense<R>,
    linear2: Dense<R>,
}

impl<R: Real> TransformerBlock<R> {
    /// `heads` must divide `features`; `feed_forward` is the width between the two dense layers.
    pub fn new(features: usize, heads: usize, feed_forward: usize, generator: &mut Generator) -> Self {
        TransformerBlock {
            norm1: LayerNorm::new(features),
            attention: Attention::new(features, heads, generator),
            norm2: LayerNorm::new(features),
            linear1: Dense::new(features, feed_forward, Activation::Relu, generator),
            linear2: Dense::new(feed_forward, features, Activation::Linear, generator),
        }
    }

    fn parts(&self) -> [(&'static str, &dyn Layer<R>); 5] {
        [
            ("self_attn", &self.attention),
            ("linear1", &self.linear1),
            ("linear2", &self.linear2),
            ("norm1", &self.norm1),
            ("norm2", &self.norm2),
        ]
    }
}

fn add<R: Real>(values: &Batch<R>, sum: &mut Batch<R>) {
    sum.values_mut().iter_mut().zip(values.values()).for_each(|(sum, value)| *sum += *value);
}

impl<R: Real> Layer<R> for TransformerBlock<R> {
    fn describe(&self) -> Description {
        Description::Transformer(self.attention.heads())
    }

    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let (works, batches) = work.children(5, 6);
        let [normed, attended, normed2, wide, ..] = batches else { return };
        self.norm1.forward(x, pass, &mut works[0], normed);
        self.attention.forward(normed, pass, &mut works[1], attended);
        add(x, attended);
        self.norm2.forward(attended, pass, &mut works[2], normed2);
        self.linear1.forward(normed2, pass, &mut works[3], wide);
        self.linear2.forward(wide, pass, &mut works[4], y);
        add(attended, y);
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let (works, batches) = work.children(5, 6);
        let [normed, attended, normed2, wide, d_a, d_b] = batches else { return };
        self.linear2.backward(wide, y, d_y, &mut works[4], Some(&mut *d_a));
        self.linear1.backward(normed2, wide, d_a, &mut works[3], Some(&mut *d_b));
        self.norm2.backward(attended, normed2, d_b, &mut works[2], Some(&mut *d_a));
        add(d_y, d_a);
        // d_a is loss by the attended rows; the residual path carries it on to x.
        d_y.values_mut().copy_from_slice(d_a.values());
        // What attention put out was overwritten by the sum, which its output layer, being linear, does not miss.
        self.attention.backward(normed, attended, d_a, &mut works[1], Some(&mut *d_b));
        match d_x {
            Some(d_x) => {
                self.norm1.backward(x, normed, d_b, &mut works[0], Some(&mut *d_x));
                add(d_y, d_x);
            }
            None => self.norm1.backward(x, normed, d_b, &mut works[0], None),
        }
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        self.parts().into_iter().for_each(|(name, part)| part.visit(&join(path, name), see));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        self.attention.visit_mut(&join(path, "self_attn"), see);
        self.linear1.visit_mut(&join(path, "linear1"), see);
        self.linear2.visit_mut(&join(path, "linear2"), see);
        self.norm1.visit_mut(&join(path, "norm1"), see);
        self.norm2.visit_mut(&join(path, "norm2"), see);
    }
}

/// Adds `sin` and `cos` of the row number at geometric wavelengths (Vaswani et al. 2017), so that attention can tell
/// rows apart.
#[derive(Clone, Debug)]
pub struct Positions<R> {
    codes: Vec<R>,
}

impl<R: Real> Positions<R> {
    /// Codes of windows `[t, f]`.
    pub fn new(t: usize, f: usize) -> Self {
        Positions { codes: (0..t * f).map(|i| R::of(position_code(i / f, i % f, f))).collect() }
    }
}

/// The code of feature `j` of `f` in row `t`.
pub fn position_code(t: usize, j: usize, f: usize) -> f64 {
    let angle = t as f64 / 10_000f64.powf((j / 2 * 2) as f64 / f as f64);
    if j.is_multiple_of(2) { angle.sin() } else { angle.cos() }
}

impl<R: Real> Layer<R> for Positions<R> {
    fn describe(&self) -> Description {
        Description::Positions(self.codes.iter().map(|code| code.wide()).collect())
    }

    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, _pass: &mut Pass<'_>, _work: &mut Work<R>, y: &mut Batch<R>) {
        let len = x.shape().window().max(1);
        assert!(len <= self.codes.len(), "codes of {} for windows of {len}", self.codes.len());
        y.reshape(x.shape());
        for (x, y) in x.values().chunks_exact(len).zip(y.values_mut().chunks_exact_mut(len)) {
            y.iter_mut().zip(x).zip(&self.codes).for_each(|((y, x), code)| *y = *x + *code);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    #[test]
    fn it_has_the_gradient_of_its_forward_pass() {
        for (b, t, f, heads, wide) in [(1, 1, 2, 1, 3), (2, 5, 6, 3, 7), (3, 4, 4, 2, 9)] {
            let mut generator = Generator::new(4);
            let mut layer = TransformerBlock::<f64>::new(f, heads, wide, &mut generator);
            randomise(&mut layer, 0.5, &mut generator);
            let worst = worst_gradient_error(&mut layer, Shape::new(b, t, f), 0, 1, false);
            assert!(worst < 1e-5, "[{b}, {t}, {f}] {heads} heads: {worst:e}");
        }
    }
}
