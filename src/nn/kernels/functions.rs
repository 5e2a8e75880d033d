//! Functions that have no instruction, from arithmetic every register has.
//!
//! The coefficients of the rational functions were fitted for this crate by least squares over the interval, weighted again
//! and again by the error (Lawson 1961); rounding takes the larger part of the 3e-7 that are promised.

use super::dispatch::Real;
use super::lanes::{Lanes, Single};

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
        let x = clamped(x, self.clamp);
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

/// `2^(j/32)` by [`SQUARE`]'s value for f = 0, which is 4.162 636 8.
const POWERS: [f32; 32] = [
    0.240_232_35,
    0.245_492_76,
    0.250_868_35,
    0.256_361_63,
    0.261_975_23,
    0.267_711_73,
    0.273_573_88,
    0.279_564_35,
    0.285_686_02,
    0.291_941_73,
    0.298_334_42,
    0.304_867_1,
    0.311_542_8,
    0.318_364_7,
    0.325_335_98,
    0.332_459_93,
    0.339_739_83,
    0.347_179_17,
    0.354_781_42,
    0.362_550_1,
    0.370_488_94,
    0.378_601_58,
    0.386_891_87,
    0.395_363_7,
    0.404_021_05,
    0.412_867_96,
    0.421_908_6,
    0.431_147_2,
    0.440_588_06,
    0.450_235_7,
    0.460_094_57,
    0.470_169_34,
];
/// Added and taken away again, it leaves a `f32` rounded to multiples of 1/32, and in between their number in its lowest
/// bits.
const TO_PARTS: f64 = 393_216.0;
/// `(f + a)^2 + b` is a multiple of `2^f` for |f| <= 1/64, within 6.6e-8 of its value: the polynomial of degree 2 without
/// its leading coefficient, which the table holds.
const SQUARE: (f64, f64) = (1.442_680_954_933_166_5, 2.081_308_364_868_164);
/// Arguments beyond it count as it: there the functions made of the power have their limits, and the product of two powers
/// is a normal number.
const POWER_CLAMP: f64 = 63.0;

/// What [`one_and_power`] is made of: an argument in whole parts and the rest.
#[derive(Clone, Copy, Debug)]
pub struct Reduced<L> {
    /// The argument rounded to 1/32.
    pub(super) rounded: L,
    /// The same with the number of parts in its lowest bits.
    pub(super) shifted: L,
    /// What rounding has taken away, moved to where the polynomial is a square.
    pub(super) root: L,
}

impl<L: Lanes> Reduced<L> {
    /// The argument as it is, for lanes that take the power from elsewhere.
    #[inline(always)]
    pub(super) fn whole(t: L) -> Self {
        let t = clamped(t, POWER_CLAMP);
        Reduced { rounded: t, shifted: t, root: t }
    }

    /// See [`Lanes::pinned`].
    #[inline(always)]
    pub(super) fn pinned(self) -> Self {
        Reduced { rounded: self.rounded.pinned(), shifted: self.shifted.pinned(), root: self.root.pinned() }
    }
}

/// The half of `1 + 2^t` that is the adders'.
#[inline(always)]
pub(super) fn reduced<L: Single>(t: L) -> Reduced<L> {
    let t = clamped(t, POWER_CLAMP);
    let shifted = t.add(number(TO_PARTS));
    let rounded = shifted.sub(number(TO_PARTS));
    Reduced { rounded, shifted, root: t.sub(rounded).add(number(SQUARE.0)) }
}

/// The other half: a multiple of 1/32 from the table, the rest from a short polynomial.
///
/// The multipliers are what the recurrent steps wait for. This form leaves them two operations; the rest goes through
/// adders and shuffles, which idle otherwise.
#[inline(always)]
pub(super) fn one_and_power<L: Single>(t: Reduced<L>) -> L {
    let square = t.root.mul_add(t.root, number(SQUARE.1));
    t.shifted.power_of_rounded(t.rounded, &POWERS).mul_add(square, number(1.0))
}

/// Within `-limit ... limit`; NaN stays NaN: min and max of the vector paths return their second operand then.
#[inline(always)]
fn clamped<L: Lanes>(x: L, limit: f64) -> L {
    number::<L>(-limit).max(number::<L>(limit).min(x))
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
    // NaN stays NaN, as in `clamped`.
    let x = number::<L>(EXP_CLAMP.1).min(x);
    let x = number::<L>(EXP_CLAMP.0).max(x);
    let k = x.mul_add(number(std::f64::consts::LOG2_E), number(TO_WHOLE)).sub(number(TO_WHOLE));
    let r = k.mul_add(number(-LN_2.0), x);
    let r = k.mul_add(number(-LN_2.1), r);
    polynomial(r, &EXP_POLYNOMIAL).mul_add(r.mul(r), r).add(number(1.0)).times_power_of_two(k)
}
