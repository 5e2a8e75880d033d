//! Inputs that a step projects itself, for widths of two registers.
//!
//! Projections made beforehand are written for all windows and read back by the step. Made here they stay in the registers
//! that the recurrent products are added to, with the bits they would have had.

use super::gates::Gates;
use super::lanes::Lanes;
use super::weights::{Rows, Sums, Weights};

/// The input weights of a layer.
pub(super) struct InputWeights<L: Lanes> {
    /// W: `[F, G*H]`.
    pub(super) weights: *const L::Element,
    /// b_ih: `[G*H]`.
    pub(super) bias: *const L::Element,
    /// F.
    pub(super) features: usize,
}

impl<L: Lanes> InputWeights<L> {
    /// What the sums begin with, as [`Weights::start`] makes it from projections. Those that the gates take apart from the
    /// recurrent sum are written to `rows.projected`.
    ///
    /// # Safety
    /// Weights and bias must be as long as their fields say, and `rows` holds `I` windows with `features` inputs each.
    #[inline(always)]
    pub(super) unsafe fn start<C: Gates<G>, const G: usize, const Q: usize, const I: usize>(
        &self,
        recurrent: &Weights<L, C, G>,
        rows: Rows<L::Element>,
        first: usize,
    ) -> Sums<L, G, Q, I> {
        let (hidden, gates) = (Weights::<L, C, G>::HIDDEN, Weights::<L, C, G>::GATES);
        let zero = L::splat(L::Element::default());
        let mut sums = [[[zero; G]; Q]; I];
        // SAFETY: promised by the caller.
        unsafe {
            for q in 0..Q {
                for g in 0..G {
                    let bias = L::load(self.bias.add(g * hidden + (first + q) * L::N));
                    sums.iter_mut().for_each(|sums| sums[q][g] = bias);
                }
            }
            for k in 0..self.features {
                let mut right = [[zero; G]; Q];
                for (q, right) in right.iter_mut().enumerate() {
                    for (g, right) in right.iter_mut().enumerate() {
                        *right = L::load(self.weights.add(k * gates + g * hidden + (first + q) * L::N));
                    }
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = L::splat(*rows.input.add(i * rows.input_row + k));
                    for (sums, right) in sums.iter_mut().zip(&right) {
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = left.mul_add(*right, *sum);
                        }
                    }
                }
            }
            for q in 0..Q {
                for g in 0..G {
                    let at = g * hidden + (first + q) * L::N;
                    let bias = L::load(recurrent.bias.add(at));
                    for (i, sums) in sums.iter_mut().enumerate() {
                        if C::BEGINS_WITH_INPUT[g] {
                            sums[q][g] = bias.add(sums[q][g]);
                        } else {
                            sums[q][g].store(rows.projected.add(i * gates + at));
                            sums[q][g] = bias;
                        }
                    }
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::KernelPath;
    use super::super::gates_gru::GruGates;
    use super::super::gates_lstm::LstmGates;
    use super::super::gates_simple::SimpleGates;
    use super::super::overlap::fits;
    use super::super::product::{Matrix, Start, product_on};
    use super::super::steps::{Inputs, StepsForward, steps_on};
    use super::*;
    use crate::nn::generator::Generator;

    const HIDDEN: usize = 32;

    /// Outputs and last state of steps that project their inputs, or that have them projected.
    fn check<C: Gates<G>, const G: usize>(path: KernelPath) {
        let mut generator = Generator::new(8);
        for case in 0..40 {
            let (b, n, features) = (1 + case % 7, case % 4, case % 11);
            let (gates, state, is_backward) = (G * HIDDEN, C::STATES * HIDDEN, case % 3 == 0);
            let mut normal = |len: usize| (0..len).map(|_| generator.normal() as f32 * 0.3).collect::<Vec<f32>>();
            let (x, weights, input_bias) = (normal(b * n * features), normal(features * gates), normal(gates));
            let (recurrent, bias, first) = (normal(HIDDEN * gates), normal(gates), normal(b * state));
            let mut apart = vec![f32::NAN; n * b * gates];
            for (row, apart) in apart.chunks_exact_mut(b * gates).enumerate() {
                let rows = Matrix::rows(&x[row * features..], n * features);
                let start = Start::Row(&input_bias);
                product_on(path, (b, gates, features), rows, &weights, gates, start, apart, gates);
            }
            let mut here = vec![f32::NAN; b * gates];
            let run = |projected: &mut [f32], inputs| {
                let mut states = vec![f32::NAN; 2 * b * state];
                states[..b * state].copy_from_slice(&first);
                let mut outputs = vec![f32::NAN; b * n * HIDDEN];
                steps_on::<f32, C, G>(
                    path,
                    StepsForward {
                        b,
                        hidden: HIDDEN,
                        n,
                        projected,
                        inputs,
                        recurrent: &recurrent,
                        bias: &bias,
                        states: &mut states,
                        caches: &mut [],
                        outputs: &mut outputs,
                        is_backward,
                    },
                );
                outputs.extend(&states[n % 2 * b * state..][..b * state]);
                outputs.iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
            };
            let inputs = Inputs { x: &x, features, weights: &weights, bias: &input_bias };
            assert_eq!(run(&mut here, Some(inputs)), run(&mut apart, None), "case {case}");
        }
    }

    #[test]
    fn inputs_projected_in_the_step_have_the_bits_of_projections() {
        for path in KernelPath::available().into_iter().filter(|path| fits::<f32>(*path, HIDDEN)) {
            check::<GruGates<true>, 3>(path);
            check::<LstmGates<true>, 4>(path);
            check::<SimpleGates, 1>(path);
        }
    }
}
