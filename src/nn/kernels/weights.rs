//! Products and gates over a width of two registers, and where they read and write.

use std::marker::PhantomData;
use std::ops::Range;

use super::gates::{Gates, Made, Place, in_turn};
use super::lanes::Lanes;

/// Where a step reads and writes, from one window on.
#[derive(Clone, Copy)]
pub(super) struct Rows<R> {
    pub(super) projected: *mut R,
    /// What the step projects itself, if it does; windows are `input_row` apart.
    pub(super) input: *const R,
    pub(super) input_row: usize,
    pub(super) before: *const R,
    pub(super) after: *mut R,
    /// Takes h as well, unless null; windows are `output_row` apart.
    pub(super) output: *mut R,
    pub(super) output_row: usize,
}

/// Sums of `I` windows and `Q` registers of units.
pub(super) type Sums<L, const G: usize, const Q: usize, const I: usize> = [[[L; G]; Q]; I];

/// The recurrent weights of a layer, and all that is done with them.
pub(super) struct Weights<L: Lanes, C, const G: usize> {
    /// U: `[H, G*H]`.
    recurrent: *const L::Element,
    /// b_hh: `[G*H]`.
    pub(super) bias: *const L::Element,
    cell: PhantomData<C>,
}

// By hand: a derived one would ask the same of the cell.
impl<L: Lanes, C, const G: usize> Copy for Weights<L, C, G> {}

impl<L: Lanes, C, const G: usize> Clone for Weights<L, C, G> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lanes, C: Gates<G>, const G: usize> Weights<L, C, G> {
    pub(super) const HIDDEN: usize = 2 * L::N;
    pub(super) const GATES: usize = G * Self::HIDDEN;
    pub(super) const STATE: usize = C::STATES * Self::HIDDEN;

    /// # Safety
    /// Both must be as long as their fields say, for as long as the value lives.
    #[inline(always)]
    pub(super) unsafe fn new(recurrent: *const L::Element, bias: *const L::Element) -> Self {
        Weights { recurrent, bias, cell: PhantomData }
    }

    /// What the sums of `Q` registers from `first` on begin with.
    ///
    /// # Safety
    /// `rows` holds `I` windows.
    #[inline(always)]
    pub(super) unsafe fn start<const Q: usize, const I: usize>(
        &self,
        rows: Rows<L::Element>,
        first: usize,
    ) -> Sums<L, G, Q, I> {
        let mut sums = [[[L::splat(L::Element::default()); G]; Q]; I];
        for q in 0..Q {
            for g in 0..G {
                let at = g * Self::HIDDEN + (first + q) * L::N;
                // SAFETY: promised by the caller.
                let bias = unsafe { L::load(self.bias.add(at)) };
                for (i, sums) in sums.iter_mut().enumerate() {
                    sums[q][g] = if C::BEGINS_WITH_INPUT[g] {
                        // SAFETY: promised by the caller.
                        bias.add(unsafe { L::load(rows.projected.add(i * Self::GATES + at)) })
                    } else {
                        bias
                    };
                }
            }
        }
        sums
    }

    /// Adds the products with the hidden units `k` to the sums of `Q` registers from `first` on.
    ///
    /// # Safety
    /// `rows` holds `I` windows, and `k` lies inside H.
    #[inline(always)]
    pub(super) unsafe fn add_products<const Q: usize, const I: usize, const PINNED: bool>(
        &self,
        sums: &mut Sums<L, G, Q, I>,
        rows: Rows<L::Element>,
        first: usize,
        k: Range<usize>,
    ) {
        for k in k {
            let mut left = [L::splat(L::Element::default()); I];
            for (i, left) in left.iter_mut().enumerate() {
                // SAFETY: promised by the caller.
                *left = L::splat(unsafe { *rows.before.add(i * Self::STATE + k) });
            }
            // Weight by weight, so that few of them need a register at a time.
            for q in 0..Q {
                for g in 0..G {
                    let at = k * Self::GATES + g * Self::HIDDEN + (first + q) * L::N;
                    // SAFETY: promised by the caller.
                    let right = unsafe { L::load(self.recurrent.add(at)) };
                    for (left, sums) in left.iter().zip(sums.iter_mut()) {
                        let sum = &mut sums[q][g];
                        *sum = left.mul_add(right, *sum);
                        if PINNED && I == 1 {
                            *sum = sum.pinned();
                        }
                    }
                }
            }
            if PINNED && I > 1 {
                for sums in sums.iter_mut() {
                    for sums in sums.iter_mut() {
                        *sums = pinned(*sums);
                    }
                }
            }
        }
    }

    /// Part `part` of the gates of window `i` and register `q`; the last writes h.
    ///
    /// # Safety
    /// `rows` holds `i + 1` windows.
    #[inline(always)]
    pub(super) unsafe fn gates(part: usize, made: &mut Made<L, G>, rows: Rows<L::Element>, i: usize, q: usize) {
        // SAFETY: promised by the caller.
        unsafe {
            let (row, unit) = (i * Self::STATE, q * L::N);
            let place = Place {
                hidden: Self::HIDDEN,
                projected: rows.projected.add(i * Self::GATES + unit).cast_const(),
                before: rows.before.add(row + unit),
                after: rows.after.add(row + unit),
                cache: std::ptr::null_mut(),
            };
            *made = if part < C::BEGIN {
                C::begin::<L, false>(part, *made)
            } else {
                C::finish::<L, false>(part - C::BEGIN, *made, place, L::N)
            };
            if part + 1 == C::PARTS {
                made.gates[0].store(place.after);
                if !rows.output.is_null() {
                    made.gates[0].store(rows.output.add(i * rows.output_row + unit));
                }
            }
        }
    }

    /// The parts of [`Weights::gates`] from `from` to below `to`.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub(super) unsafe fn parts(
        (from, to): (usize, usize),
        made: &mut Made<L, G>,
        rows: Rows<L::Element>,
        i: usize,
        q: usize,
    ) {
        in_turn!(part in from, to => {
            if part < C::PARTS {
                // SAFETY: promised by the caller.
                unsafe { Self::gates(part, made, rows, i, q) }
            }
        });
    }

    /// All that is left to do for sums that are complete.
    ///
    /// # Safety
    /// `rows` holds `i + 1` windows.
    #[inline(always)]
    pub(super) unsafe fn all_gates(gates: [L; G], rows: Rows<L::Element>, i: usize, q: usize) {
        // SAFETY: promised by the caller.
        unsafe { Self::parts((0, C::PARTS), &mut Made::of(gates), rows, i, q) }
    }
}

/// All gates, see [`Lanes::pinned`].
#[inline(always)]
fn pinned<L: Lanes, const G: usize>(mut gates: [L; G]) -> [L; G] {
    for gate in &mut gates {
        *gate = gate.pinned();
    }
    gates
}
