//! Functions that have no instruction, from arithmetic every register has.
//!
//! The coefficients of the rational functions were fitted for this crate by least squares over the interval, weighted again
//! and again by the error (Lawson 1961); rounding takes the larger part of the 3e-7 that are promised.

use super::dispatch::Real;
use super::lanes::Lanes;

/// Coefficients of an odd function as `(x + x³ p(x²)) / q(x²)`: one division, no branch.
struct Rational<const P: usize, const Q: usize> {
    /// Inputs beyond it count as it: there the function has come as near to its limit as is promised.
    clamp: f64,
    top: [f64; P],
    bottom: [f64; Q],
}

/// tanh: a minimax fit of the absolute error up to the clamp. The last digits were then moved for the smallest error of
/// all `f32` arguments, 2.8e-7; that of the logistic function is 2.3e-7.
const TANH: Rational<4, 5> = Rational {
    clamp: 8.0,
    top: [0.134_437_41, 0.003_570_695_2, 2.187_965_8e-5, 1.520_910_2e-8],
    bottom: [1.0, 0.467_770_7, 0.026_161_017, 0.000_340_981, 8.513_852e-7],
};

/// sigmoid - 1/2: a fit of one power less, because this error is half that of the tanh it stands for.
const SIGMOID: Rational<3, 5> = Rational {
    clamp: 15.8,
    top: [0.032_334_229_927_083_284, 0.000_184_980_583_342_153_6, 1.800_572_185_047_605_7e-07],
    bottom: [
        4.0,
        0.462_669_310_169_015,
        0.005_962_717_320_734_812,
        1.499_391_558_238_117_7e-05,
        3.890_645_280_665_446e-09,
    ],
};

/// A constant in every lane.
#[inline(always)]
fn number<L: Lanes>(value: f64) -> L {
    L::splat(L::Element::of(value))
}

/// `((c[n] x + c[n - 1]) x + ...) x + c[0]`.
#[inline(always)]
fn polynomial<L: Lanes, const N: usize>(x: L, coefficients: &[f64; N]) -> L {
    let mut sum: L = number(coefficients[N - 1]);
    for power in (0..N - 1).rev() {
        sum = sum.mul_add(x, number(coefficients[power]));
    }
    sum
}

impl<const P: usize, const Q: usize> Rational<P, Q> {
    #[inline(always)]
    fn at<L: Lanes>(&self, x: L) -> L {
        // Operand order matters: min and max of the vector paths return their second operand on NaN, so NaN stays NaN.
        let x = number::<L>(self.clamp).min(x);
        let x = number::<L>(-self.clamp).max(x);
        let square = x.mul(x);
        let top = x.mul(square).mul_add(polynomial(square, &self.top), x);
        top.div(polynomial(square, &self.bottom))
    }
}

/// Hyperbolic tangent: eight fused steps.
#[inline(always)]
pub(super) fn rational_tanh<L: Lanes>(x: L) -> L {
    TANH.at(x)
}

/// Logistic function: seven fused steps.
#[inline(always)]
pub(super) fn rational_sigmoid<L: Lanes>(x: L) -> L {
    SIGMOID.at(x).add(number(0.5))
}

/// What an argument of the exponential is held between, so that its value is a normal number.
const EXP_CLAMP: (f64, f64) = (-87.0, 88.0);
/// Coefficients of `(exp(r) - 1 - r) / r^2` for |r| <= ln 2 / 2, from the constant on (Cephes, expf).
const EXP_POLYNOMIAL: [f64; 6] = [
    5.000_000_120_1e-1,
    1.666_666_545_9e-1,
    4.166_579_589_4e-2,
    8.333_451_907_3e-3,
    1.398_199_950_7e-3,
    1.987_569_15e-4,
];
/// ln 2 as a number of few bits and the rest, so that taking whole multiples away loses nothing.
const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_400_5e-4);
/// Added and taken away again, it leaves a `f32` rounded to a whole number.
const TO_WHOLE: f64 = 12_582_912.0;

/// `2^k exp(r)` with `x = k ln 2 + r`.
#[inline(always)]
pub(super) fn reduced_exp<L: Lanes>(x: L) -> L {
    // NaN stays NaN, as in `rational_tanh`.
    let x = number::<L>(EXP_CLAMP.1).min(x);
    let x = number::<L>(EXP_CLAMP.0).max(x);
    let k = x.mul_add(number(std::f64::consts::LOG2_E), number(TO_WHOLE)).sub(number(TO_WHOLE));
    let r = k.mul_add(number(-LN_2.0), x);
    let r = k.mul_add(number(-LN_2.1), r);
    polynomial(r, &EXP_POLYNOMIAL).mul_add(r.mul(r), r).add(number(1.0)).times_power_of_two(k)
}
