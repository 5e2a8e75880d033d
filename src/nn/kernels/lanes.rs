//! A register of numbers: the vocabulary every kernel is written in.

use super::dispatch::Real;

/// `N` numbers that move together. One-lane instances exist for `f32` and `f64`; `x86` adds eight and sixteen.
///
/// All methods are `#[inline(always)]`, so that a kernel compiled inside a `#[target_feature]` function uses that
/// function's instructions.
pub trait Lanes: Copy {
    /// The number in each lane.
    type Element: Real;
    /// How many lanes there are.
    const N: usize;
    /// How many registers the target has, which decides the tile of [`super::product()`].
    const REGISTERS: usize;

    /// The same number in every lane.
    fn splat(value: Self::Element) -> Self;
    /// Reads `N` numbers.
    ///
    /// # Safety
    /// `from` must be valid for reading `N` elements.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Reads the first `n < N` numbers, zero in the other lanes.
    ///
    /// # Safety
    /// `from` must be valid for reading `n` elements.
    unsafe fn load_part(from: *const Self::Element, n: usize) -> Self;
    /// Writes `N` numbers.
    ///
    /// # Safety
    /// `to` must be valid for writing `N` elements.
    unsafe fn store(self, to: *mut Self::Element);
    /// Writes the first `n < N` numbers.
    ///
    /// # Safety
    /// `to` must be valid for writing `n` elements.
    unsafe fn store_part(self, to: *mut Self::Element, n: usize);
    /// Lane-wise sum.
    fn add(self, other: Self) -> Self;
    /// Lane-wise difference.
    fn sub(self, other: Self) -> Self;
    /// Lane-wise product.
    fn mul(self, other: Self) -> Self;
    /// Lane-wise quotient.
    fn div(self, other: Self) -> Self;
    /// `self * factor + addend`, fused where the target fuses.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Lane-wise minimum.
    fn min(self, other: Self) -> Self;
    /// Lane-wise maximum.
    fn max(self, other: Self) -> Self;
    /// Lane-wise square root.
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent, within 3e-7 of libm.
    fn tanh(self) -> Self;
    /// Logistic function `1 / (1 + exp(-x))`, within 3e-7 of libm.
    fn sigmoid(self) -> Self;
    /// Exponential function, within 2e-7 of libm's value; arguments below -87 count as -87, above 88 as 88.
    fn exp(self) -> Self;
    /// `self * 2^k` for whole `k` in -126 … 127.
    fn times_power_of_two(self, k: Self) -> Self;
}

/// Where the rational tanh reaches one in `f32`; inputs beyond it are clamped.
const TANH_CLAMP: f64 = 7.905_311_107_635_498;
/// Numerator of the rational tanh, odd powers 1 to 13: the minimax fit that Eigen and XLA use for `f32`.
const TANH_NUMERATOR: [f64; 7] = [
    4.893_524_558_917_86e-3,
    6.372_619_288_754_36e-4,
    1.485_722_357_179_79e-5,
    5.122_297_090_371_14e-8,
    -8.604_671_522_137_35e-11,
    2.000_187_904_824_77e-13,
    -2.760_768_477_423_55e-16,
];
/// Denominator of the rational tanh, even powers 0 to 6.
const TANH_DENOMINATOR: [f64; 4] =
    [4.893_525_185_543_85e-3, 2.268_434_632_439e-3, 1.185_347_056_866_54e-4, 1.198_258_394_667_02e-6];

/// A constant in every lane.
#[inline(always)]
fn number<L: Lanes>(value: f64) -> L {
    L::splat(L::Element::of(value))
}

/// `x * p(x²) / q(x²)`: one division, ten fused steps, no branch.
#[inline(always)]
pub(super) fn rational_tanh<L: Lanes>(x: L) -> L {
    // Operand order matters: min and max of the vector paths return their second operand on NaN, so NaN stays NaN.
    let x = number::<L>(TANH_CLAMP).min(x);
    let x = number::<L>(-TANH_CLAMP).max(x);
    let square = x.mul(x);
    let mut top: L = number(TANH_NUMERATOR[6]);
    for power in (0..6).rev() {
        top = top.mul_add(square, number(TANH_NUMERATOR[power]));
    }
    let mut bottom: L = number(TANH_DENOMINATOR[3]);
    for power in (0..3).rev() {
        bottom = bottom.mul_add(square, number(TANH_DENOMINATOR[power]));
    }
    x.mul(top).div(bottom)
}

/// `(1 + tanh(x / 2)) / 2`, with both halvings inside the constants.
#[inline(always)]
pub(super) fn rational_sigmoid<L: Lanes>(x: L) -> L {
    let x = number::<L>(2.0 * TANH_CLAMP).min(x);
    let x = number::<L>(-2.0 * TANH_CLAMP).max(x);
    let square = x.mul(x);
    // Coefficient 2n + 1 of the numerator is divided by 2^(2n + 1) and once more by 2, coefficient 2n of the
    // denominator by 2^(2n): exact, because these are powers of two.
    let mut top: L = number(TANH_NUMERATOR[6] * 0.25_f64.powi(7));
    for power in (0..6).rev() {
        top = top.mul_add(square, number(TANH_NUMERATOR[power] * 0.25_f64.powi(power as i32 + 1)));
    }
    let mut bottom: L = number(TANH_DENOMINATOR[3] * 0.25_f64.powi(3));
    for power in (0..3).rev() {
        bottom = bottom.mul_add(square, number(TANH_DENOMINATOR[power] * 0.25_f64.powi(power as i32)));
    }
    x.mul(top).div(bottom).add(number(0.5))
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
    let mut sum: L = number(EXP_POLYNOMIAL[5]);
    for power in (0..5).rev() {
        sum = sum.mul_add(r, number(EXP_POLYNOMIAL[power]));
    }
    sum.mul_add(r.mul(r), r).add(number(1.0)).times_power_of_two(k)
}

/// Whether one-lane steps are fused: without hardware for it that is a library call, so only where it is free.
const FUSES: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

macro_rules! one_lane_arithmetic {
    () => {
        const N: usize = 1;
        const REGISTERS: usize = 16;

        #[inline(always)]
        fn splat(value: Self) -> Self {
            value
        }
        #[inline(always)]
        unsafe fn load(from: *const Self) -> Self {
            // SAFETY: the caller promises one readable element.
            unsafe { *from }
        }
        #[inline(always)]
        unsafe fn load_part(_from: *const Self, _n: usize) -> Self {
            0.0
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut Self) {
            // SAFETY: the caller promises one writable element.
            unsafe { *to = self }
        }
        #[inline(always)]
        unsafe fn store_part(self, _to: *mut Self, _n: usize) {}
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            self + other
        }
        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            self - other
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            self * other
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            self / other
        }
        #[inline(always)]
        fn mul_add(self, factor: Self, addend: Self) -> Self {
            if FUSES { <Self>::mul_add(self, factor, addend) } else { self * factor + addend }
        }
        #[inline(always)]
        fn min(self, other: Self) -> Self {
            if self < other { self } else { other }
        }
        #[inline(always)]
        fn max(self, other: Self) -> Self {
            if self > other { self } else { other }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            <Self>::sqrt(self)
        }
    };
}

impl Lanes for f32 {
    type Element = f32;
    one_lane_arithmetic!();

    #[inline(always)]
    fn tanh(self) -> Self {
        // Without fused steps the rational form is off by 3.3e-7, more than is promised.
        if FUSES { rational_tanh(self) } else { <f32>::tanh(self) }
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        if FUSES { rational_sigmoid(self) } else { 1.0 / (1.0 + <f32>::exp(-self)) }
    }
    #[inline(always)]
    fn exp(self) -> Self {
        if FUSES { reduced_exp(self) } else { <f32>::exp(self) }
    }
    #[inline(always)]
    fn times_power_of_two(self, k: Self) -> Self {
        self * <f32>::powi(2.0, k as i32)
    }
}

impl Lanes for f64 {
    type Element = f64;
    one_lane_arithmetic!();

    #[inline(always)]
    fn tanh(self) -> Self {
        <f64>::tanh(self)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        1.0 / (1.0 + <f64>::exp(-self))
    }
    #[inline(always)]
    fn exp(self) -> Self {
        <f64>::exp(self)
    }
    #[inline(always)]
    fn times_power_of_two(self, k: Self) -> Self {
        self * <f64>::powi(2.0, k as i32)
    }
}

/// Runs a block for `j` in `0..len` in steps of the lanes; `n` is how many lanes count, fewer in the last step.
///
/// A macro and not a function with a closure: a closure is compiled without the caller's instruction set.
macro_rules! sweep {
    ($lanes:ident, $len:expr, |$j:ident, $n:ident| $body:block) => {{
        let len: usize = $len;
        let mut $j = 0;
        while $j < len {
            let $n = if len - $j < $lanes::N { len - $j } else { $lanes::N };
            $body
            $j += $n;
        }
    }};
}
pub(super) use sweep;

/// Reads `n <= N` lanes of `from` starting at `offset`.
///
/// # Safety
/// `offset + n` must not exceed the length behind `from`.
#[inline(always)]
pub(super) unsafe fn read<L: Lanes>(from: *const L::Element, offset: usize, n: usize) -> L {
    // SAFETY: the caller promises offset + n readable elements.
    unsafe { if n == L::N { L::load(from.add(offset)) } else { L::load_part(from.add(offset), n) } }
}

/// Writes `n <= N` lanes to `to` starting at `offset`.
///
/// # Safety
/// `offset + n` must not exceed the length behind `to`.
#[inline(always)]
pub(super) unsafe fn write<L: Lanes>(value: L, to: *mut L::Element, offset: usize, n: usize) {
    // SAFETY: the caller promises offset + n writable elements.
    unsafe { if n == L::N { value.store(to.add(offset)) } else { value.store_part(to.add(offset), n) } }
}
