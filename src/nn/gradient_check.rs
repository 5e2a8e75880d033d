//! Backward passes against central differences in double precision.

use super::batch::{Batch, Shape};
use super::generator::Generator;
use super::kernels::Real;
use super::layer::{Layer, Pass, Work};

/// Half the distance between the two losses of a difference. Truncation costs its square, rounding 1e-16 over it.
const NUDGE: f64 = 1e-5;

/// The largest difference between a gradient and its central difference, relative to the larger of the two and 1e-3,
/// over every parameter and every input of `layer` for a random input of `shape`.
///
/// The loss is the sum of the outputs weighted by random numbers, plus the layer's added loss. `seed` feeds input,
/// weights of the loss and, when `is_training`, the pass itself, which then repeats the same chance every time.
pub fn worst_gradient_error(
    layer: &mut dyn Layer<f64>,
    shape: Shape,
    steps: usize,
    seed: u64,
    is_training: bool,
) -> f64 {
    let mut generator = Generator::new(seed);
    let mut x = Batch::from_parts(shape, (0..shape.len()).map(|_| generator.normal()).collect());
    let n_out = layer.output_shape(shape, steps).len();
    let weights: Vec<f64> = (0..n_out).map(|_| generator.normal()).collect();
    let (mut work, mut y) = (Work::default(), Batch::default());
    let loss = |layer: &dyn Layer<f64>, x: &Batch<f64>, work: &mut Work<f64>, y: &mut Batch<f64>| {
        let mut chance = Generator::new(seed + 1);
        let generator = is_training.then_some(&mut chance);
        let mut pass = Pass { generator, divergence_weight: 0.7, ..Pass::keep(steps) };
        layer.forward(x, &mut pass, work, y);
        y.values().iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>() + layer.added_loss(work)
    };
    loss(layer, &x, &mut work, &mut y);
    let mut d_y = Batch::from_parts(y.shape(), weights.clone());
    let mut d_x = Batch::zeros(shape);
    layer.visit_mut("", &mut |_, parameter| parameter.gradient.fill(0.0));
    layer.backward(&x, &y, &mut d_y, &mut work, Some(&mut d_x));
    let mut gradients = Vec::new();
    layer.visit("", &mut |_, parameter| gradients.push(parameter.gradient.clone()));
    let mut worst: f64 = 0.0;
    let mut compare = |gradient: f64, above: f64, below: f64| {
        let difference = (above - below) / (2.0 * NUDGE);
        let scale = gradient.abs().max(difference.abs()).max(1e-3);
        worst = worst.max((gradient - difference).abs() / scale);
    };
    for i in 0..shape.len() {
        let value = x.values()[i];
        x.values_mut()[i] = value + NUDGE;
        let above = loss(layer, &x, &mut work, &mut y);
        x.values_mut()[i] = value - NUDGE;
        let below = loss(layer, &x, &mut work, &mut y);
        x.values_mut()[i] = value;
        compare(d_x.values()[i], above, below);
    }
    for (p, gradients) in gradients.iter().enumerate() {
        for (i, gradient) in gradients.iter().enumerate() {
            let nudge = |layer: &mut dyn Layer<f64>, by: f64| {
                let mut index = 0;
                layer.visit_mut("", &mut |_, parameter| {
                    if index == p {
                        parameter.value[i] += by;
                    }
                    index += 1;
                });
            };
            nudge(layer, NUDGE);
            let above = loss(layer, &x, &mut work, &mut y);
            nudge(layer, -2.0 * NUDGE);
            let below = loss(layer, &x, &mut work, &mut y);
            nudge(layer, NUDGE);
            compare(*gradient, above, below);
        }
    }
    worst
}

/// Replaces every parameter by seeded normal numbers of standard deviation `spread`, so that zero biases and equal
/// gates hide nothing.
pub fn randomise<R: Real>(layer: &mut dyn Layer<R>, spread: f64, generator: &mut Generator) {
    layer.visit_mut("", &mut |_, parameter| {
        parameter.value.iter_mut().for_each(|value| *value = R::of(spread * generator.normal()));
    });
}
