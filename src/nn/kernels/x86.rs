//! Eight and sixteen `f32` lanes, and the two functions that may use them.

use std::arch::x86_64::*;

use super::dispatch::Kernel;
use super::functions::{Reduced, one_and_power, rational_sigmoid, rational_tanh, reduced, reduced_exp};
use super::lanes::{Lanes, Single, TO_EXPONENT};

/// Compiles a kernel for AVX-512.
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
pub(super) fn run_avx512<K: Kernel<f32>>(kernel: K) -> K::Output {
    kernel.run::<F32x16>()
}

/// Compiles a kernel for AVX2 with FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) fn run_avx2<K: Kernel<f32>>(kernel: K) -> K::Output {
    kernel.run::<F32x8>()
}

/// Behind [`Lanes::pinned`].
#[inline]
#[target_feature(enable = "avx512f")]
fn pin(mut value: __m512) -> __m512 {
    // SAFETY: there is no instruction in it, so nothing is changed; the register class needs what this function enables.
    unsafe { std::arch::asm!("/* {0} */", inout(zmm_reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Sixteen lanes; private to this folder, so that it exists only inside [`run_avx512`].
#[derive(Clone, Copy)]
pub(super) struct F32x16(__m512);

/// Eight lanes; exists only inside [`run_avx2`] and [`run_avx512`].
#[derive(Clone, Copy)]
pub(super) struct F32x8(__m256);

#[inline(always)]
fn mask16(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

/// Rows of ones to slide over: `&MASKS[8 - n..]` starts with `n` set lanes.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Lanes for F32x16 {
    type Element = f32;
    const N: usize = 16;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: this type is only made inside `run_avx512`, whose caller has checked the processor. The same holds
        // for every block of this impl.
        unsafe { F32x16(_mm512_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: sixteen readable elements by the caller's promise; the load is unaligned.
        unsafe { F32x16(_mm512_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        // SAFETY: lanes from n on are masked off and not read.
        unsafe { F32x16(_mm512_maskz_loadu_ps(mask16(n), from)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: sixteen writable elements by the caller's promise; the store is unaligned.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        // SAFETY: lanes from n on are masked off and not written.
        unsafe { _mm512_mask_storeu_ps(to, mask16(n), self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_sqrt_ps(self.0)) }
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        rational_tanh(self)
    }
    #[inline(always)]
    fn reduced(self) -> Reduced<Self> {
        reduced(self)
    }
    #[inline(always)]
    fn one_and_power(t: Reduced<Self>) -> Self {
        one_and_power(t)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        rational_sigmoid(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        reduced_exp(self)
    }
    #[inline(always)]
    fn pinned(self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(pin(self.0)) }
    }
    #[inline(always)]
    fn times_power_of_two(self, k: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x16(_mm512_scalef_ps(self.0, k.0)) }
    }
}

impl Lanes for F32x8 {
    type Element = f32;
    const N: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        // SAFETY: this type is only made inside `run_avx2`, whose caller has checked the processor. The same holds
        // for every block of this impl.
        unsafe { F32x8(_mm256_set1_ps(value)) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: eight readable elements by the caller's promise; the load is unaligned.
        unsafe { F32x8(_mm256_loadu_ps(from)) }
    }
    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        // SAFETY: n < 8, so the mask read stays inside MASKS; lanes from n on are masked off and not read.
        unsafe { F32x8(_mm256_maskload_ps(from, _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: eight writable elements by the caller's promise; the store is unaligned.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        // SAFETY: n < 8, so the mask read stays inside MASKS; lanes from n on are masked off and not written.
        unsafe { _mm256_maskstore_ps(to, _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()), self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_add_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_sub_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_mul_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_div_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_fmadd_ps(self.0, factor.0, addend.0)) }
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_min_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_max_ps(self.0, other.0)) }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as for `splat`.
        unsafe { F32x8(_mm256_sqrt_ps(self.0)) }
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        rational_tanh(self)
    }
    #[inline(always)]
    fn reduced(self) -> Reduced<Self> {
        reduced(self)
    }
    #[inline(always)]
    fn one_and_power(t: Reduced<Self>) -> Self {
        one_and_power(t)
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        rational_sigmoid(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        reduced_exp(self)
    }
    #[inline(always)]
    fn times_power_of_two(self, k: Self) -> Self {
        // The bits of 2^k are k + 127 above the fraction.
        // SAFETY: as for `splat`.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(k.0), _mm256_set1_epi32(127));
            F32x8(_mm256_mul_ps(self.0, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))))
        }
    }
}

impl Single for F32x16 {
    #[inline(always)]
    fn power_of_rounded(self, rounded: Self, table: &[f32; 32]) -> Self {
        // SAFETY: as for `splat`; the table has two registers of elements.
        unsafe {
            let (low, high) = (_mm512_loadu_ps(table.as_ptr()), _mm512_loadu_ps(table.as_ptr().add(16)));
            let entry = _mm512_permutex2var_ps(low, _mm512_castps_si512(self.0), high);
            // Takes the power of two that is not above the exponent.
            F32x16(_mm512_scalef_ps(entry, rounded.0))
        }
    }
}

impl Single for F32x8 {
    #[inline(always)]
    fn power_of_rounded(self, _rounded: Self, table: &[f32; 32]) -> Self {
        // SAFETY: as for `splat`; the table has four registers of elements.
        unsafe {
            let index = _mm256_castps_si256(self.0);
            let a = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr()), index);
            let b = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr().add(8)), index);
            let c = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr().add(16)), index);
            let d = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr().add(24)), index);
            // A bit that becomes the sign chooses: the fourth, then the fifth.
            let fourth = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(index));
            let fifth = _mm256_castsi256_ps(_mm256_slli_epi32::<27>(index));
            let entry = _mm256_blendv_ps(_mm256_blendv_ps(a, b, fourth), _mm256_blendv_ps(c, d, fourth), fifth);
            let power = _mm256_slli_epi32::<TO_EXPONENT>(_mm256_andnot_si256(_mm256_set1_epi32(31), index));
            F32x8(_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(entry), power)))
        }
    }
}
