//! A register of numbers: the vocabulary every kernel is written in.

use super::dispatch::Real;
use super::functions::{Reduced, one_and_power, rational_sigmoid, rational_tanh, reduced, reduced_exp};

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
    /// `2^self` in preparation, for [`Lanes::one_and_power`].
    fn reduced(self) -> Reduced<Self>;
    /// `1 + 2^t`, of which the gates of wide layers are made; `t` counts as 63 beyond that, and as -63.
    fn one_and_power(t: Reduced<Self>) -> Self;
    /// Exponential function, within 2e-7 of libm's value; arguments below -87 count as -87, above 88 as 88.
    fn exp(self) -> Self;
    /// The same number. On the widest path the compiler moves nothing that makes or takes it past another pinned number,
    /// so that work stays interleaved as it is written.
    #[inline(always)]
    fn pinned(self) -> Self {
        self
    }
    /// `self * 2^k` for whole `k` in -126 … 127.
    fn times_power_of_two(self, k: Self) -> Self;
}

/// Lanes of single precision.
pub(super) trait Single: Lanes<Element = f32> {
    /// `2^r` for `r` in multiples of 1/32 from -126 to below 128. The lanes hold `r + 1.5 * 2^18`, so that their lowest five
    /// bits name the entry of `table`, a multiple of `2^(j/32)` that the result takes on, and the next ones the power of two.
    fn power_of_rounded(self, rounded: Self, table: &[f32; 32]) -> Self;
}

/// How far the power of two in the bits of [`Single::power_of_rounded`] is from the exponent's place, once the lowest five
/// are gone.
pub(super) const TO_EXPONENT: i32 = 18;

impl Single for f32 {
    #[inline(always)]
    fn power_of_rounded(self, _rounded: f32, table: &[f32; 32]) -> f32 {
        let bits = self.to_bits();
        f32::from_bits(table[(bits & 31) as usize].to_bits().wrapping_add((bits & !31) << TO_EXPONENT))
    }
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
    fn reduced(self) -> Reduced<Self> {
        if FUSES { reduced(self) } else { Reduced::whole(self) }
    }
    #[inline(always)]
    fn one_and_power(t: Reduced<Self>) -> Self {
        if FUSES { one_and_power(t) } else { 1.0 + <f32>::exp2(t.rounded) }
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
    fn reduced(self) -> Reduced<Self> {
        Reduced::whole(self)
    }
    #[inline(always)]
    fn one_and_power(t: Reduced<Self>) -> Self {
        1.0 + <f64>::exp2(t.rounded)
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
