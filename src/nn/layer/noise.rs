//! Disturbed inputs for denoising autoencoders (Vincent et al. 2008): the network sees noise and must give back the
//! clean window. When inferring it is the identity.

use serde::{Deserialize, Serialize};

use super::{Description, Layer, Pass, Work};
use crate::nn::batch::{Batch, Shape};
use crate::nn::kernels::Real;
use crate::nn::parameter::Parameter;

/// How training inputs are disturbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Noise {
    /// Not at all.
    #[default]
    None,
    /// Adds normal numbers of this standard deviation.
    Gaussian(f64),
    /// Zeroes each number with this probability.
    Masking(f64),
    /// Zeroes a whole channel of a window with this probability.
    ChannelDrop(f64),
}

impl<R: Real> Layer<R> for Noise {
    fn describe(&self) -> Description {
        Description::Identity
    }

    fn output_shape(&self, input: Shape, _steps: usize) -> Shape {
        input
    }

    fn forward(&self, x: &Batch<R>, pass: &mut Pass<'_>, work: &mut Work<R>, y: &mut Batch<R>) {
        let shape = x.shape();
        y.reshape(shape);
        y.values_mut().copy_from_slice(x.values());
        if !pass.keeps {
            return;
        }
        let [mask] = work.buffers([shape.len()]);
        mask.fill(R::of(1.0));
        let Some(generator) = pass.generator.as_deref_mut() else { return };
        match *self {
            Noise::None => {}
            Noise::Gaussian(spread) => {
                y.values_mut().iter_mut().for_each(|y| *y += R::of(spread * generator.normal()));
            }
            Noise::Masking(rate) => {
                mask.iter_mut().filter(|_| generator.uniform() < rate).for_each(|mask| *mask = R::default());
            }
            Noise::ChannelDrop(rate) => {
                for window in mask.chunks_exact_mut(shape.window().max(1)) {
                    for channel in 0..shape.f {
                        if generator.uniform() < rate {
                            window.iter_mut().skip(channel).step_by(shape.f).for_each(|mask| *mask = R::default());
                        }
                    }
                }
            }
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

    const KINDS: [Noise; 3] = [Noise::Gaussian(0.3), Noise::Masking(0.25), Noise::ChannelDrop(0.25)];

    #[test]
    fn it_is_the_identity_when_inferring() {
        let x = Batch::from_parts(Shape::new(1, 2, 3), vec![1.0, -2.0, 3.0, 4.0, -5.0, 6.0]);
        for noise in KINDS {
            let mut y = Batch::default();
            Layer::<f64>::forward(&noise, &x, &mut Pass::infer(0), &mut Work::default(), &mut y);
            assert_eq!(x.values(), y.values(), "{noise:?}");
        }
    }

    #[test]
    fn gradients_pass_where_numbers_passed() {
        for mut noise in KINDS {
            let worst = worst_gradient_error(&mut noise, Shape::new(3, 4, 5), 0, 1, true);
            assert!(worst < 1e-6, "{noise:?}: {worst:e}");
        }
    }

    #[test]
    fn each_kind_disturbs_as_it_is_named() {
        let (b, t, f) = (500, 10, 4);
        let x = Batch::from_parts(Shape::new(b, t, f), vec![1.0f64; b * t * f]);
        let run = |noise: Noise| {
            let (mut y, mut generator) = (Batch::default(), Generator::new(3));
            let mut pass = Pass { generator: Some(&mut generator), ..Pass::keep(0) };
            noise.forward(&x, &mut pass, &mut Work::default(), &mut y);
            y.values().to_vec()
        };
        let gaussian = run(Noise::Gaussian(0.3));
        let variance = gaussian.iter().map(|y| (y - 1.0).powi(2)).sum::<f64>() / gaussian.len() as f64;
        assert!((variance - 0.09).abs() < 0.005, "variance {variance}");
        let share = |values: &[f64]| values.iter().filter(|y| **y == 0.0).count() as f64 / values.len() as f64;
        assert!((share(&run(Noise::Masking(0.25))) - 0.25).abs() < 0.01);
        let dropped = run(Noise::ChannelDrop(0.25));
        assert!((share(&dropped) - 0.25).abs() < 0.03, "{}", share(&dropped));
        let is_whole = |window: &[f64]| (0..f).all(|c| (1..t).all(|row| window[row * f + c] == window[c]));
        assert!(dropped.chunks(t * f).all(is_whole), "a channel is dropped for the whole window");
    }
}
