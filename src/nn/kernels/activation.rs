//! Activations of dense layers, in place, and their slopes from the activated value.

use serde::{Deserialize, Serialize};

use super::dispatch::{Kernel, KernelPath, Real};
use super::lanes::{Lanes, read, sweep, write};

/// What a dense layer does to its sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `y = x`.
    #[default]
    Linear,
    /// `y = tanh x`.
    Tanh,
    /// `y = 1 / (1 + exp(-x))`.
    Sigmoid,
    /// `y = max(0, x)`.
    Relu,
}

/// Applies `activation` to every element.
pub fn activate<R: Real>(activation: Activation, values: &mut [R]) {
    activate_on(KernelPath::detected(), activation, values);
}

pub(super) fn activate_on<R: Real>(path: KernelPath, activation: Activation, values: &mut [R]) {
    if activation != Activation::Linear {
        R::run_on(path, Activate { activation, values });
    }
}

struct Activate<'a, R> {
    activation: Activation,
    values: &'a mut [R],
}

impl<R: Real> Kernel<R> for Activate<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let at = self.values.as_mut_ptr();
        let zero = L::splat(R::default());
        let len = self.values.len();
        // SAFETY: j + n <= values.len() inside `sweep`.
        unsafe {
            match self.activation {
                Activation::Linear => {}
                Activation::Tanh => sweep!(L, len, |j, n| { write(read::<L>(at, j, n).tanh(), at, j, n) }),
                Activation::Sigmoid => sweep!(L, len, |j, n| { write(read::<L>(at, j, n).sigmoid(), at, j, n) }),
                // The vector maximum returns its second operand on NaN.
                Activation::Relu => sweep!(L, len, |j, n| { write(zero.max(read::<L>(at, j, n)), at, j, n) }),
            }
        }
    }
}

/// Multiplies `d_values` (loss by the activated value) with the slope, taken from the activated value itself.
pub fn activate_backward<R: Real>(activation: Activation, activated: &[R], d_values: &mut [R]) {
    let one = R::of(1.0);
    match activation {
        Activation::Linear => {}
        Activation::Tanh => activated.iter().zip(d_values).for_each(|(y, d)| *d *= one - *y * *y),
        Activation::Sigmoid => activated.iter().zip(d_values).for_each(|(y, d)| *d *= *y * (one - *y)),
        Activation::Relu => activated.iter().zip(d_values).for_each(|(y, d)| {
            if *y <= R::default() {
                *d = R::default();
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_stay_within_3e_7_of_libm_on_every_path() {
        let x: Vec<f32> = (-200_000..=200_000).map(|i| i as f32 * 1e-4).chain([1e-30, -1e-8, 88.0, -1e30]).collect();
        for path in KernelPath::available() {
            let (mut tanh, mut sigmoid) = (x.clone(), x.clone());
            activate_on(path, Activation::Tanh, &mut tanh);
            activate_on(path, Activation::Sigmoid, &mut sigmoid);
            let (mut worst_tanh, mut worst_sigmoid): (f64, f64) = (0.0, 0.0);
            for (x, (tanh, sigmoid)) in x.iter().zip(tanh.iter().zip(&sigmoid)) {
                let x = f64::from(*x);
                worst_tanh = worst_tanh.max((f64::from(*tanh) - x.tanh()).abs());
                worst_sigmoid = worst_sigmoid.max((f64::from(*sigmoid) - 1.0 / (1.0 + (-x).exp())).abs());
            }
            println!("{path:?}: tanh {worst_tanh:e}, sigmoid {worst_sigmoid:e}");
            assert!(worst_tanh < 3e-7 && worst_sigmoid < 3e-7, "{path:?}: {worst_tanh:e}, {worst_sigmoid:e}");
        }
    }

    #[test]
    fn no_activation_leaves_its_range() {
        let x: Vec<f32> = (-20_000..=20_000).map(|i| i as f32 * 1e-3).chain([f32::MAX, f32::INFINITY]).collect();
        for path in KernelPath::available() {
            let (mut tanh, mut sigmoid) = (x.clone(), x.clone());
            activate_on(path, Activation::Tanh, &mut tanh);
            activate_on(path, Activation::Sigmoid, &mut sigmoid);
            assert!(tanh.iter().all(|value| value.abs() <= 1.0), "{path:?}");
            assert!(sigmoid.iter().all(|value| (0.0..=1.0).contains(value)), "{path:?}");
        }
    }

    #[test]
    fn nan_stays_nan_on_every_path() {
        for path in KernelPath::available() {
            for activation in [Activation::Tanh, Activation::Sigmoid, Activation::Relu] {
                let mut values = vec![f32::NAN; 19];
                activate_on(path, activation, &mut values);
                assert!(values.iter().all(|value| value.is_nan()), "{path:?} {activation:?}: {values:?}");
            }
        }
    }
}
