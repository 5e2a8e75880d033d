//! Steps of several windows, two by two.

use super::inputs::InputWeights;
use super::lanes::Lanes;
use super::step::Gates;
use super::weights::{Rows, Sums, Weights};

/// Windows two by two.
pub(super) struct Pairs<L: Lanes, C, const G: usize> {
    weights: Weights<L, C, G>,
    /// The pair whose sums are complete, and where it belongs.
    sums: Sums<L, G, 2, 2>,
    waiting: Option<Rows<L::Element>>,
}

impl<L: Lanes, C: Gates<G>, const G: usize> Pairs<L, C, G> {
    #[inline(always)]
    pub(super) fn new(weights: Weights<L, C, G>) -> Self {
        Pairs { weights, sums: [[[L::splat(L::Element::default()); G]; 2]; 2], waiting: None }
    }

    /// One step of `b` windows, which projects its inputs if they come; the gates of the last pair are left waiting.
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
                let mut sums = start::<L, C, G, 2>(&w, inputs, at);
                if let Some(last) = self.waiting {
                    self.beside(&mut sums, at, last, 0, 0);
                    self.beside(&mut sums, at, last, 0, 1);
                    self.beside(&mut sums, at, last, 1, 0);
                    self.beside(&mut sums, at, last, 1, 1);
                } else {
                    w.add_products::<2, 2, false>(&mut sums, at, 0, 0..h);
                }
                (self.sums, self.waiting) = (sums, Some(at));
            }
            if b % 2 == 1 {
                let at = from(b - 1);
                let mut sums = start::<L, C, G, 1>(&w, inputs, at);
                w.add_products::<2, 1, false>(&mut sums, at, 0, 0..h);
                Weights::<L, C, G>::all_gates(sums[0][0], at, 0, 0);
                Weights::<L, C, G>::all_gates(sums[0][1], at, 0, 1);
            }
        }
    }

    /// A quarter of the products of a pair, with all gates of window `i` and register `q` of the pair before.
    ///
    /// # Safety
    /// `at` and `last` hold two windows each.
    #[inline(always)]
    unsafe fn beside(
        &self,
        sums: &mut Sums<L, G, 2, 2>,
        at: Rows<L::Element>,
        last: Rows<L::Element>,
        i: usize,
        q: usize,
    ) {
        let stages = C::PARTS + 1;
        let first = (2 * i + q) * stages;
        let h = Weights::<L, C, G>::HIDDEN;
        let k = |stage: usize| h * stage / (4 * stages)..h * (stage + 1) / (4 * stages);
        // A copy: what the parts make of it need not be written back.
        let mut gates = self.sums[i][q];
        // SAFETY: promised by the caller; every k is below H.
        unsafe {
            self.weights.add_products::<2, 2, true>(sums, at, 0, k(first));
            Weights::<L, C, G>::begin(0, &mut gates);
            if C::PARTS > 1 {
                self.weights.add_products::<2, 2, true>(sums, at, 0, k(first + 1));
                Weights::<L, C, G>::begin(1, &mut gates);
            }
            self.weights.add_products::<2, 2, true>(sums, at, 0, k(first + C::PARTS));
            Weights::<L, C, G>::finish(gates, last, i, q);
        }
    }

    /// Runs the gates that wait.
    ///
    /// # Safety
    /// The rows of the step they belong to must still be there.
    #[inline(always)]
    pub(super) unsafe fn flush(&mut self) {
        if let Some(last) = self.waiting.take() {
            for (i, sums) in self.sums.iter().enumerate() {
                for (q, gates) in sums.iter().enumerate() {
                    // SAFETY: promised by the caller.
                    unsafe { Weights::<L, C, G>::all_gates(*gates, last, i, q) };
                }
            }
        }
    }
}

/// What the sums begin with, from projections or from inputs.
///
/// # Safety
/// `rows` holds `I` windows with what `inputs` needs.
#[inline(always)]
unsafe fn start<L: Lanes, C: Gates<G>, const G: usize, const I: usize>(
    weights: &Weights<L, C, G>,
    inputs: Option<&InputWeights<L>>,
    rows: Rows<L::Element>,
) -> Sums<L, G, 2, I> {
    // SAFETY: promised by the caller.
    unsafe {
        match inputs {
            Some(inputs) => inputs.start(weights, rows),
            None => weights.start(rows),
        }
    }
}
