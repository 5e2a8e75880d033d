//! Which instructions run: found once, then one branch per kernel call.

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};
use std::sync::OnceLock;

use super::lanes::Lanes;

/// A loop that can run on any kind of register.
pub trait Kernel<R: Real> {
    /// What the loop returns.
    type Output;
    /// Runs the loop; must be `#[inline(always)]` so that it takes on the instructions of its caller.
    fn run<L: Lanes<Element = R>>(self) -> Self::Output;
}

/// The instruction sets a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelPath {
    /// Sixteen `f32` lanes, 32 registers.
    Avx512,
    /// Eight `f32` lanes, 16 registers, fused multiply-add.
    Avx2,
    /// One lane at a time, whatever the target's baseline is (on 64-bit ARM that includes NEON and fused steps).
    Plain,
}

impl KernelPath {
    /// The best path of this machine.
    pub fn detected() -> KernelPath {
        static FOUND: OnceLock<KernelPath> = OnceLock::new();
        *FOUND.get_or_init(|| KernelPath::available()[0])
    }

    /// Every path this machine can run, best first; the last is always [`KernelPath::Plain`].
    pub fn available() -> Vec<KernelPath> {
        let mut paths = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if has_avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                paths.push(KernelPath::Avx512);
            }
            if has_avx2 {
                paths.push(KernelPath::Avx2);
            }
        }
        paths.push(KernelPath::Plain);
        paths
    }
}

/// The numbers networks compute in: `f32` in service, `f64` where gradients are checked.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// Rounds from double precision.
    fn of(value: f64) -> Self;
    /// Widens to double precision.
    fn wide(self) -> f64;
    /// Runs a kernel on the given path; a path this machine lacks falls back to [`KernelPath::Plain`].
    fn run_on<K: Kernel<Self>>(path: KernelPath, kernel: K) -> K::Output;
    /// Runs a kernel on the best path.
    #[inline]
    fn run<K: Kernel<Self>>(kernel: K) -> K::Output {
        Self::run_on(KernelPath::detected(), kernel)
    }
    /// The path for rows of at most eight numbers, where half of a sixteen-lane register would idle.
    fn narrow_path(path: KernelPath) -> KernelPath {
        path
    }
}

impl Real for f64 {
    #[inline(always)]
    fn of(value: f64) -> f64 {
        value
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    fn run_on<K: Kernel<f64>>(_path: KernelPath, kernel: K) -> K::Output {
        kernel.run::<f64>()
    }
}

impl Real for f32 {
    #[inline(always)]
    fn of(value: f64) -> f32 {
        value as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline]
    fn run_on<K: Kernel<f32>>(path: KernelPath, kernel: K) -> K::Output {
        match path {
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx512 if has(KernelPath::Avx512) => {
                // SAFETY: the guard has seen that this processor has AVX-512F, AVX-512VL, AVX2 and FMA.
                unsafe { super::x86::run_avx512(kernel) }
            }
            #[cfg(target_arch = "x86_64")]
            KernelPath::Avx2 if has(KernelPath::Avx2) => {
                // SAFETY: the guard has seen that this processor has AVX2 and FMA.
                unsafe { super::x86::run_avx2(kernel) }
            }
            _ => kernel.run::<f32>(),
        }
    }
    #[inline]
    fn narrow_path(path: KernelPath) -> KernelPath {
        if path == KernelPath::Avx512 { KernelPath::Avx2 } else { path }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has(path: KernelPath) -> bool {
    let best = KernelPath::detected();
    best == path || (best == KernelPath::Avx512 && path == KernelPath::Avx2)
}
