//! Multi-head self-attention over all rows of a window at once (Vaswani et al. 2017).
//!
//! ```text
//! q, k, v = x W_in + b_in          per head of width D = F / heads:
//! a = softmax(q k^T / sqrt(D))     [T, T]
//! y = concat(a v) W_out + b_out
//! ```
//!
//! Names and layouts are those of PyTorch's `MultiheadAttention`.

use super::{Dense, Layer, Pass, Work, join};
use crate::nn::batch::{Batch, Shape};
use crate::nn::generator::Generator;
use crate::nn::kernels::{Activation, Matrix, Real, Start, add_row_sums, product, softmax, transpose};
use crate::nn::parameter::Parameter;

/// Self-attention `[B, T, F]` to `[B, T, F]`.
#[derive(Debug)]
pub struct Attention<R> {
    weight: Parameter<R>,
    bias: Parameter<R>,
    out: Dense<R>,
    heads: usize,
}

impl<R: Real> Attention<R> {
    /// Glorot weights, zero biases.
    ///
    /// # Panics
    /// If `heads` does not divide `features`.
    pub fn new(features: usize, heads: usize, generator: &mut Generator) -> Self {
        assert!(heads > 0 && features.is_multiple_of(heads), "{heads} heads do not divide {features} features");
        Attention {
            weight: Parameter::matrix("in_proj_weight", features, 3 * features).glorot(3 * features, generator),
            bias: Parameter::vector("in_proj_bias", 3 * features, 0.0),
            out: Dense::new(features, features, Activation::Linear, generator),
            heads,
        }
    }
}

impl<R> Attention<R> {
    /// How many heads there are.
    pub fn heads(&self) -> usize {
        self.heads
    }
}

/// Copies `a: [t, d]` with rows `row` apart into `out: [d, t]`.
fn transpose_block<R: Real>(a: &[R], row: usize, (t, d): (usize, usize), out: &mut [R]) {
    for i in 0..t {
        for j in 0..d {
            out[j * t + i] = a[i * row + j];
        }
    }
}

impl<R: Real> Layer<R> for Attention<R> {
    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let Shape { b, t, f } = x.shape();
        let (d, heads) = (f / self.heads, self.heads);
        let lens = [b * t * 3 * f, b * heads * t * t, d * t];
        let [qkv, weights, turned] = work.buffers(lens);
        let start = Start::Row(&self.bias.value);
        product((b * t, 3 * f, f), Matrix::rows(x.values(), f), &self.weight.value, 3 * f, start, qkv, 3 * f);
        let mut joined = std::mem::take(y);
        joined.reshape(x.shape());
        for (i, scores) in weights.chunks_exact_mut(t * t).enumerate() {
            let (window, head) = (i / heads, i % heads);
            let at = window * t * 3 * f + head * d;
            let (q, k, v) = (&qkv[at..], &qkv[at + f..], &qkv[at + 2 * f..]);
            transpose_block(k, 3 * f, (t, d), turned);
            product((t, t, d), Matrix::rows(q, 3 * f), turned, t, Start::Zero, scores, t);
            softmax(scores, t, R::of(1.0 / (d as f64).sqrt()));
            let out = &mut joined.values_mut()[window * t * f + head * d..];
            product((t, d, t), Matrix::rows(scores, t), v, 3 * f, Start::Zero, out, f);
        }
        let (works, batches) = work.children(1, 3);
        std::mem::swap(&mut batches[0], &mut joined);
        *y = joined;
        self.out.forward(&batches[0], pass, &mut works[0], y);
    }

    fn backward(
        &mut self,
        x: &Batch<R>,
        y: &Batch<R>,
        d_y: &mut Batch<R>,
        work: &mut Work<R>,
        d_x: Option<&mut Batch<R>>,
    ) {
        let Shape { b, t, f } = x.shape();
        let (d, heads) = (f / self.heads, self.heads);
        let (works, batches) = work.children(1, 3);
        let [joined, d_joined, kept] = batches else { return };
        self.out.backward(joined, y, d_y, &mut works[0], Some(&mut *d_joined));
        let d_joined = std::mem::replace(d_joined, std::mem::take(kept));
        let lens = [b * t * 3 * f, b * heads * t * t, d * t, b * t * 3 * f, t * t, 3 * f * f];
        let [qkv, weights, turned, d_qkv, d_scores, transposed] = work.buffers(lens);
        let scale = R::of(1.0 / (d as f64).sqrt());
        for (i, weights) in weights.chunks_exact(t * t).enumerate() {
            let (window, head) = (i / heads, i % heads);
            let at = window * t * 3 * f + head * d;
            let (q, k, v) = (&qkv[at..], &qkv[at + f..], &qkv[at + 2 * f..]);
            let d_out = &d_joined.values()[window * t * f + head * d..];
            // d_v = a^T d_out, d_a = d_out v^T
            let d_v = &mut d_qkv[at + 2 * f..];
            product((t, d, t), Matrix::transposed(weights, t), d_out, f, Start::Zero, d_v, 3 * f);
            transpose_block(v, 3 * f, (t, d), turned);
            product((t, t, d), Matrix::rows(d_out, f), turned, t, Start::Zero, d_scores, t);
            for (d_row, row) in d_scores.chunks_exact_mut(t).zip(weights.chunks_exact(t)) {
                let inner: R = d_row.iter().zip(row).map(|(d, a)| *d * *a).sum();
                d_row.iter_mut().zip(row).for_each(|(d, a)| *d = (*d - inner) * *a * scale);
            }
            product((t, d, t), Matrix::rows(d_scores, t), k, 3 * f, Start::Zero, &mut d_qkv[at..], 3 * f);
            let d_k = &mut d_qkv[at + f..];
            product((t, d, t), Matrix::transposed(d_scores, t), q, 3 * f, Start::Zero, d_k, 3 * f);
        }
        let gradient = &mut self.weight.gradient;
        product((f, 3 * f, b * t), Matrix::transposed(x.values(), f), d_qkv, 3 * f, Start::Keep, gradient, 3 * f);
        add_row_sums(b * t, d_qkv, 3 * f, &mut self.bias.gradient);
        if let Some(d_x) = d_x {
            transpose(f, 3 * f, &self.weight.value, transposed);
            d_x.reshape(x.shape());
            let rows = Matrix::rows(d_qkv, 3 * f);
            product((b * t, f, 3 * f), rows, transposed, f, Start::Zero, d_x.values_mut(), f);
        }
        let (_, batches) = work.children(1, 3);
        batches[2] = d_joined;
    }

    fn visit<'a>(&'a self, path: &str, see: &mut dyn FnMut(String, &'a Parameter<R>)) {
        see(join(path, self.weight.name), &self.weight);
        see(join(path, self.bias.name), &self.bias);
        self.out.visit(&join(path, "out_proj"), see);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, see: &mut dyn FnMut(String, &'a mut Parameter<R>)) {
        see(join(path, self.weight.name), &mut self.weight);
        see(join(path, self.bias.name), &mut self.bias);
        self.out.visit_mut(&join(path, "out_proj"), see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::gradient_check::{randomise, worst_gradient_error};

    #[test]
    fn it_has_the_gradient_of_its_forward_pass() {
        for (b, t, f, heads) in [(1, 1, 1, 1), (2, 5, 6, 3), (3, 4, 8, 2), (1, 7, 5, 1)] {
            let mut generator = Generator::new(4);
            let mut layer = Attention::<f64>::new(f, heads, &mut generator);
            randomise(&mut layer, 0.5, &mut generator);
            let worst = worst_gradient_error(&mut layer, Shape::new(b, t, f), 0, 1, false);
            assert!(worst < 1e-6, "[{b}, {t}, {f}] {heads} heads: {worst:e}");
        }
    }
}
