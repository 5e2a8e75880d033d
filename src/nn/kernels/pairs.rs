//! Steps of several windows, two by two.

use super::gates::{Gates, Made, in_turn};
use super::inputs::InputWeights;
use super::lanes::Lanes;
use super::weights::{Rows, Sums, Weights};

/// Windows two by two, whose units come `Q` registers at a time, one or two.
///
/// With one register at a time the sums that grow and those that wait for their gates all stay in registers, where stores
/// would cost the multipliers a turn each; it takes four gates to have sums enough.
pub(super) struct Pairs<L: Lanes, C, const G: usize, const Q: usize> {
    weights: Weights<L, C, G>,
    /// The last units of the pair whose sums are complete, and where it belongs.
    sums: Sums<L, G, Q, 2>,
    waiting: Option<Rows<L::Element>>,
}

impl<L: Lanes, C: Gates<G>, const G: usize, const Q: usize> Pairs<L, C, G, Q> {
    #[inline(always)]
    pub(super) fn new(weights: Weights<L, C, G>) -> Self {
        Pairs { weights, sums: [[[L::splat(L::Element::default()); G]; Q]; 2], waiting: None }
    }

    /// One step of `b` windows, which projects its inputs if they come; the last gates of the last pair are left waiting.
    ///
    /// # Safety
    /// `rows` holds `b` windows, here and until the next call, with what `inputs` needs, and what waits is no state that
    /// they read.
    #[inline(always)]
    pub(super) unsafe fn step(&mut self, rows: Rows<L::Element>, inputs: Option<&InputWeights<L>>, b: usize) {
        let w = self.weights;
        let (gates, state) = (Weights::<L, C, G>::GATES, Weights::<L, C, G>::STATE);
        let h = Weights::<L, C, G>::HIDDEN;
        // SAFETY: promised by the caller.
        unsafe {
            let from = |i: usize| Rows {
                projected: rows.projected.add(i * gates),
                input: if inputs.is_some() { rows.input.add(i * rows.input_row) } else { rows.input },
                input_row: rows.input_row,
                before: rows.before.add(i * state),
                after: rows.after.add(i * state),
                output: if rows.output.is_null() { rows.output } else { rows.output.add(i * rows.output_row) },
                output_row: rows.output_row,
            };
            for i in (0..b / 2 * 2).step_by(2) {
                let at = from(i);
                let mut sums = start::<L, C, G, Q, 2>(&w, inputs, at, 0);
                match self.waiting {
                    Some(last) => self.beside(&mut sums, at, 0, last, 2 - Q),
                    None => w.add_products::<Q, 2, false>(&mut sums, at, 0, 0..h),
                }
                self.sums = sums;
                if Q == 1 {
                    let mut sums = start::<L, C, G, Q, 2>(&w, inputs, at, 1);
                    self.beside(&mut sums, at, 1, at, 0);
                    self.sums = sums;
                }
                self.waiting = Some(at);
            }
            if b % 2 == 1 {
                let at = from(b - 1);
                let mut sums = start::<L, C, G, 2, 1>(&w, inputs, at, 0);
                w.add_products::<2, 1, false>(&mut sums, at, 0, 0..h);
                Weights::<L, C, G>::all_gates(sums[0][0], at, 0, 0);
                Weights::<L, C, G>::all_gates(sums[0][1], at, 0, 1);
            }
        }
    }

    /// All products of a pair's units from register `first` on, beside the gates that wait, which belong to `last` from
    /// register `waiting` on.
    ///
    /// # Safety
    /// `at` and `last` hold two windows each.
    #[inline(always)]
    unsafe fn beside(
        &self,
        sums: &mut Sums<L, G, Q, 2>,
        at: Rows<L::Element>,
        first: usize,
        last: Rows<L::Element>,
        waiting: usize,
    ) {
        let parts = C::PARTS;
        // SAFETY: promised by the caller; every slot is below the parts of both windows and Q registers.
        unsafe {
            if Q == 1 {
                // A part of one window, a part of the other: chains of twice the length then keep up with the products.
                let (mut one, mut other) = (Made::of(self.sums[0][0]), Made::of(self.sums[1][0]));
                in_turn!(part in 0, parts => {
                    self.products(sums, at, first, 2 * part);
                    Weights::<L, C, G>::gates(part, &mut one, last, 0, waiting);
                    self.products(sums, at, first, 2 * part + 1);
                    Weights::<L, C, G>::gates(part, &mut other, last, 1, waiting);
                });
            } else {
                // Beside so many sums there are no registers for the gates of two.
                self.unit_beside(sums, at, last, 0, 0);
                self.unit_beside(sums, at, last, 0, 1);
                self.unit_beside(sums, at, last, 1, 0);
                self.unit_beside(sums, at, last, 1, 1);
            }
        }
    }

    /// A quarter of the products of a pair, beside all gates of window `i` and register `q`.
    ///
    /// # Safety
    /// `at` and `last` hold two windows each.
    #[inline(always)]
    unsafe fn unit_beside(
        &self,
        sums: &mut Sums<L, G, Q, 2>,
        at: Rows<L::Element>,
        last: Rows<L::Element>,
        i: usize,
        q: usize,
    ) {
        let parts = C::PARTS;
        let mut made = Made::of(self.sums[i][q % Q]);
        // SAFETY: promised by the caller.
        unsafe {
            in_turn!(part in 0, parts => {
                self.products(sums, at, 0, (2 * i + q) * parts + part);
                Weights::<L, C, G>::gates(part, &mut made, last, i, q);
            });
        }
    }

    /// The products that stand before one part of the gates, of as many slots as [`Pairs::beside`] has parts.
    ///
    /// # Safety
    /// `at` holds two windows, and there are so many slots.
    #[inline(always)]
    unsafe fn products(&self, sums: &mut Sums<L, G, Q, 2>, at: Rows<L::Element>, first: usize, slot: usize) {
        let (slots, h) = (2 * Q * C::PARTS, Weights::<L, C, G>::HIDDEN);
        let k = h * slot / slots..h * (slot + 1) / slots;
        // SAFETY: promised by the caller; every k is below H.
        unsafe { self.weights.add_products::<Q, 2, true>(sums, at, first, k) }
    }

    /// Runs the gates that wait.
    ///
    /// # Safety
    /// The rows of the step they belong to must still be there.
    #[inline(always)]
    pub(super) unsafe fn flush(&mut self) {
        let Some(last) = self.waiting.take() else { return };
        // Written out: a loop would look the sums up, and they would live in memory for that.
        // SAFETY: promised by the caller.
        unsafe {
            Weights::<L, C, G>::all_gates(self.sums[0][0], last, 0, 2 - Q);
            Weights::<L, C, G>::all_gates(self.sums[1][0], last, 1, 2 - Q);
            if Q == 2 {
                Weights::<L, C, G>::all_gates(self.sums[0][Q - 1], last, 0, 1);
                Weights::<L, C, G>::all_gates(self.sums[1][Q - 1], last, 1, 1);
            }
        }
    }
}

/// What the sums of `Q` registers from `first` on begin with, from projections or from inputs.
///
/// # Safety
/// `rows` holds `I` windows with what `inputs` needs.
#[inline(always)]
unsafe fn start<L: Lanes, C: Gates<G>, const G: usize, const Q: usize, const I: usize>(
    weights: &Weights<L, C, G>,
    inputs: Option<&InputWeights<L>>,
    rows: Rows<L::Element>,
    first: usize,
) -> Sums<L, G, Q, I> {
    // SAFETY: promised by the caller.
    unsafe {
        match inputs {
            Some(inputs) => inputs.start(weights, rows, first),
            None => weights.start(rows, first),
        }
    }
}
