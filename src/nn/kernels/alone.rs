//! Steps of one window.

use super::gates::{Gates, Made};
use super::lanes::Lanes;
use super::weights::{Rows, Weights};

/// `n` steps of one window.
///
/// Nothing else is there to work on while gates wait for each other. So the gates of the first register of units run
/// beside the last products of the second, and those of the second beside the first products of the next step, which
/// need no more than the first register's units.
///
/// # Safety
/// The rows of every step hold a window.
#[inline(always)]
pub(super) unsafe fn alone<L: Lanes, C: Gates<G>, const G: usize>(
    weights: &Weights<L, C, G>,
    n: usize,
    rows: impl Fn(usize) -> Rows<L::Element>,
) {
    let (eighth, half, h) = (L::N / 4, L::N, 2 * L::N);
    let (parts, begin) = (C::PARTS, C::BEGIN);
    let mut waiting: Option<([L; G], Rows<L::Element>)> = None;
    for s in 0..n {
        let at = rows(s);
        // SAFETY: promised by the caller; no unit is beyond h.
        unsafe {
            let [[first, second]] = weights.start::<2, 1>(at, 0);
            let (mut first, mut second) = ([[first]], [[second]]);
            if let Some((gates, last)) = waiting {
                let mut made = Made::of(gates);
                Weights::<L, C, G>::parts((0, begin / 2), &mut made, last, 0, 1);
                weights.add_products::<1, 1, true>(&mut first, at, 0, 0..eighth);
                Weights::<L, C, G>::parts((begin / 2, begin), &mut made, last, 0, 1);
                weights.add_products::<1, 1, true>(&mut first, at, 0, eighth..2 * eighth);
                Weights::<L, C, G>::parts((begin, parts), &mut made, last, 0, 1);
                weights.add_products::<1, 1, true>(&mut first, at, 0, 2 * eighth..half);
            } else {
                weights.add_products::<1, 1, false>(&mut first, at, 0, 0..half);
            }
            weights.add_products::<1, 1, true>(&mut second, at, 1, 0..2 * eighth);
            // From here on the units of the second register are needed.
            weights.add_products::<1, 1, true>(&mut first, at, 0, half..h);
            let mut made = Made::of(first[0][0]);
            Weights::<L, C, G>::parts((0, begin / 2), &mut made, at, 0, 0);
            weights.add_products::<1, 1, true>(&mut second, at, 1, 2 * eighth..3 * eighth);
            Weights::<L, C, G>::parts((begin / 2, begin), &mut made, at, 0, 0);
            weights.add_products::<1, 1, true>(&mut second, at, 1, 3 * eighth..half);
            Weights::<L, C, G>::parts((begin, parts), &mut made, at, 0, 0);
            weights.add_products::<1, 1, true>(&mut second, at, 1, half..h);
            waiting = Some((second[0][0], at));
        }
    }
    if let Some((gates, last)) = waiting {
        // SAFETY: promised by the caller.
        unsafe { Weights::<L, C, G>::all_gates(gates, last, 0, 1) };
    }
}
