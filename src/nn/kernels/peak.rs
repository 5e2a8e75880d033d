//! What the core can do at most: independent fused multiply-adds that never leave the registers.

use std::hint::black_box;

use super::dispatch::{Kernel, Real};
use super::lanes::Lanes;

/// Independent sums: enough that no step waits for another (four cycles of latency, two units).
const SUMS: usize = 12;

/// Runs `n` rounds of fused steps on the best path; returns their sum and the operations of one round, two a step and
/// lane. The yardstick of the benchmarks.
pub fn peak(n: usize) -> (f32, usize) {
    f32::run(Peak { n })
}

struct Peak {
    n: usize,
}

impl Kernel<f32> for Peak {
    type Output = (f32, usize);

    #[inline(always)]
    fn run<L: Lanes<Element = f32>>(self) -> (f32, usize) {
        let mut sums = [L::splat(black_box(1.0)); SUMS];
        let (factor, addend) = (L::splat(black_box(0.999)), L::splat(black_box(1e-3)));
        for _ in 0..self.n {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, addend);
            }
        }
        let mut lanes = [0.0_f32; 16];
        let mut total = sums[0];
        for sum in &sums[1..] {
            total = total.add(*sum);
        }
        // SAFETY: no path has more than sixteen lanes.
        unsafe { total.store(lanes.as_mut_ptr()) };
        (lanes[..L::N].iter().sum(), 2 * SUMS * L::N)
    }
}
