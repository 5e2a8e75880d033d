//! One recurrent step for a batch of windows: the product with the recurrent weights and the gates in one pass.
//!
//! The sums of all gates of a unit meet in registers, so nothing but the states is written. A cell says what its gates
//! do with them ([`Gates`]); the tile around it is the same for every cell.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::dispatch::{Kernel, KernelPath, Real};
use super::gates::{Gates, Made, NARROW, Place, in_turn};
use super::lanes::{Lanes, read, write};
use super::overlap::{OneStep, fits};

/// One forward step for `b` windows of a cell with G gate, S state and K kept blocks.
#[derive(Debug)]
pub struct StepForward<'a, R> {
    /// Windows.
    pub b: usize,
    /// Hidden width H.
    pub hidden: usize,
    /// `W x_t + b_ih`: `[B, G*H]`. This, U and b_hh come times the scale of each gate.
    pub projected: &'a [R],
    /// U: `[H, G*H]`.
    pub recurrent: &'a [R],
    /// b_hh: `[G*H]`.
    pub bias: &'a [R],
    /// State before: `[B, S*H]`.
    pub before: &'a [R],
    /// State after: `[B, S*H]`.
    pub after: &'a mut [R],
    /// `[B, K*H]` when a backward pass will follow, empty otherwise.
    pub cache: &'a mut [R],
}

/// Runs a step of the wide or the narrow cell on `path`.
#[inline]
pub(super) fn step_on<R: Real, C: Gates<G>, const G: usize>(path: KernelPath, step: StepForward<'_, R>) {
    if step.hidden <= NARROW {
        R::run_on(R::narrow_path(path), Fused::<R, C::Narrow, G> { step, cell: PhantomData });
    } else if step.cache.is_empty() && fits::<R>(path, step.hidden) {
        R::run_on(path, OneStep::<R, C, G> { step, cell: PhantomData });
    } else {
        R::run_on(path, Fused::<R, C, G> { step, cell: PhantomData });
    }
}

/// [`StepForward`] as a kernel.
pub(super) struct Fused<'a, R, C, const G: usize> {
    pub(super) step: StepForward<'a, R>,
    pub(super) cell: PhantomData<C>,
}

impl<R: Real, C: Gates<G>, const G: usize> Kernel<R> for Fused<'_, R, C, G> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(mut self) {
        let StepForward { b, hidden, .. } = self.step;
        let (gates, state, kept) = (G * hidden, C::STATES * hidden, C::KEPT * hidden);
        assert!(self.step.projected.len() >= b * gates, "projections of [{b}, {gates}]");
        assert!(self.step.recurrent.len() >= hidden * gates && self.step.bias.len() >= gates, "weights of {gates}");
        assert!(self.step.before.len() >= b * state && self.step.after.len() >= b * state, "state of [{b}, {state}]");
        assert!(self.step.cache.is_empty() || self.step.cache.len() >= b * kept, "cache of [{b}, {kept}]");
        // Wide registers hold 24 sums beside the weights they are fed from; narrow ones 12.
        let pairs = L::REGISTERS >= 32 && (G < 4 || b < 4);
        let mut unit = 0;
        while unit < hidden {
            let n = hidden - unit;
            if pairs && n > L::N {
                let n = n.min(2 * L::N);
                match G {
                    1 => self.rows::<L, 8, 2>(unit, n),
                    _ => self.rows::<L, 4, 2>(unit, n),
                }
                unit += n;
            } else {
                let n = n.min(L::N);
                match G {
                    1 => self.rows::<L, 8, 1>(unit, n),
                    4 if L::REGISTERS < 32 => self.rows::<L, 2, 1>(unit, n),
                    4 => self.rows::<L, 6, 1>(unit, n),
                    _ => self.rows::<L, 4, 1>(unit, n),
                }
                unit += n;
            }
        }
    }
}

impl<R: Real, C: Gates<G>, const G: usize> Fused<'_, R, C, G> {
    /// All windows, `I` together, for `n` units in `Q` registers.
    #[inline(always)]
    fn rows<L: Lanes<Element = R>, const I: usize, const Q: usize>(&mut self, unit: usize, n: usize) {
        let b = self.step.b;
        let mut row = 0;
        while row + I <= b {
            self.tile::<L, I, Q>(row, unit, n);
            row += I;
        }
        if I > 4 && row + 4 <= b {
            self.tile::<L, 4, Q>(row, unit, n);
            row += 4;
        }
        while I > 2 && row + 2 <= b {
            self.tile::<L, 2, Q>(row, unit, n);
            row += 2;
        }
        if row < b {
            self.tile::<L, 1, Q>(row, unit, n);
        }
    }

    /// `I` windows times `Q` registers of units: every sum stays in a register until it is finished.
    #[inline(always)]
    fn tile<L: Lanes<Element = R>, const I: usize, const Q: usize>(&mut self, row: usize, unit: usize, n: usize) {
        let step = &mut self.step;
        let (h, gates, state) = (step.hidden, G * step.hidden, C::STATES * step.hidden);
        let last = n - (Q - 1) * L::N;
        let lanes = |q: usize| if q + 1 < Q { L::N } else { last };
        // SAFETY: `run` has bounded every slice by b rows of its width; row + I <= b and unit + n <= h by its loops.
        unsafe {
            let projected = step.projected.as_ptr().add(row * gates + unit);
            let before = step.before.as_ptr().add(row * state);
            let weights = step.recurrent.as_ptr().add(unit);
            let bias = step.bias.as_ptr().add(unit);
            let mut sums = [[[L::splat(R::default()); G]; Q]; I];
            for q in 0..Q {
                for g in 0..G {
                    let start = read::<L>(bias, g * h + q * L::N, lanes(q));
                    for (i, sums) in sums.iter_mut().enumerate() {
                        sums[q][g] = if C::BEGINS_WITH_INPUT[g] {
                            start.add(read(projected, i * gates + g * h + q * L::N, lanes(q)))
                        } else {
                            start
                        };
                    }
                }
            }
            if last == L::N {
                for k in 0..h {
                    let weights = weights.add(k * gates);
                    let mut right = [[L::splat(R::default()); G]; Q];
                    for (q, right) in right.iter_mut().enumerate() {
                        for (g, right) in right.iter_mut().enumerate() {
                            *right = L::load(weights.add(g * h + q * L::N));
                        }
                    }
                    accumulate(&mut sums, &right, before.add(k), state);
                }
            } else {
                for k in 0..h {
                    let weights = weights.add(k * gates);
                    let mut right = [[L::splat(R::default()); G]; Q];
                    for (q, right) in right.iter_mut().enumerate() {
                        for (g, right) in right.iter_mut().enumerate() {
                            *right = read(weights, g * h + q * L::N, lanes(q));
                        }
                    }
                    accumulate(&mut sums, &right, before.add(k), state);
                }
            }
            // The gates are taken from memory, where a loop can reach them: first the activations that wait for nothing,
            // then the rest. Neighbours are independent then and overlap, and the constants find registers.
            let mut parked = [[[MaybeUninit::<L>::uninit(); G]; Q]; I];
            let parked = parked.as_mut_ptr().cast::<[L; G]>();
            for (i, sums) in sums.iter().enumerate() {
                for (q, sums) in sums.iter().enumerate() {
                    for (g, sum) in sums.iter().enumerate() {
                        parked.add(i * Q + q).cast::<L>().add(g).write(*sum);
                    }
                }
            }
            if !C::KEEPS_APART {
                Self::begin::<L, false>(parked, I * Q);
            }
            // Full registers and nothing kept is known while compiling: a branch would part a unit's gates from the next's.
            if last == L::N && step.cache.is_empty() {
                self.finish::<L, I, Q, true>(parked, row, unit, L::N);
            } else {
                self.finish::<L, I, Q, false>(parked, row, unit, last);
            }
        }
    }

    /// The first half of the gates.
    ///
    /// # Safety
    /// `parked` must hold `units` units.
    #[inline(always)]
    unsafe fn begin<L: Lanes<Element = R>, const KEEPS: bool>(parked: *mut [L; G], units: usize) {
        for m in 0..units {
            // SAFETY: promised by the caller.
            unsafe {
                let mut made = Made::of(parked.add(m).read());
                in_turn!(part in 0, C::BEGIN => { made = C::begin::<L, KEEPS>(part, made) });
                parked.add(m).write(made.gates);
            }
        }
    }

    /// The rest of the gates of a tile; `PLAIN` when every register is full and nothing is kept.
    ///
    /// # Safety
    /// `parked` must hold `I * Q` units, and the tile must lie inside the slices.
    #[inline(always)]
    unsafe fn finish<L: Lanes<Element = R>, const I: usize, const Q: usize, const PLAIN: bool>(
        &mut self,
        parked: *mut [L; G],
        row: usize,
        unit: usize,
        last: usize,
    ) {
        let step = &mut self.step;
        let (h, gates, state, kept) = (step.hidden, G * step.hidden, C::STATES * step.hidden, C::KEPT * step.hidden);
        let lanes = |q: usize| if PLAIN || q + 1 < Q { L::N } else { last };
        // SAFETY: promised by the caller.
        unsafe {
            let projected = step.projected.as_ptr().add(row * gates + unit);
            let before = step.before.as_ptr().add(row * state);
            let after = step.after.as_mut_ptr().add(row * state + unit);
            let cache = step.cache.as_mut_ptr();
            let keeps = !PLAIN && !step.cache.is_empty();
            match (C::KEEPS_APART, PLAIN) {
                (true, true) => Self::begin::<L, false>(parked, I * Q),
                (true, false) => Self::begin::<L, true>(parked, I * Q),
                (false, _) => {}
            }
            for i in 0..I {
                for q in 0..Q {
                    let at = q * L::N;
                    let place = Place {
                        hidden: h,
                        projected: projected.add(i * gates + at),
                        before: before.add(i * state + unit + at),
                        after: after.add(i * state + at),
                        cache: if keeps { cache.add((row + i) * kept + unit + at) } else { std::ptr::null_mut() },
                    };
                    let mut made = Made::of(parked.add(i * Q + q).read());
                    in_turn!(part in 0, C::FINISH => {
                        made = if PLAIN {
                            C::finish::<L, false>(part, made, place, lanes(q))
                        } else {
                            C::finish::<L, true>(part, made, place, lanes(q))
                        }
                    });
                    write(made.gates[0], place.after, 0, lanes(q));
                }
            }
        }
    }
}

/// Adds one row of weights times h of each of `I` windows, `state` apart.
///
/// # Safety
/// `from` must be valid for reading at `0, state, … (I - 1) * state`.
#[inline(always)]
unsafe fn accumulate<L: Lanes, const I: usize, const Q: usize, const G: usize>(
    sums: &mut [[[L; G]; Q]; I],
    right: &[[L; G]; Q],
    from: *const L::Element,
    state: usize,
) {
    for (i, sums) in sums.iter_mut().enumerate() {
        // SAFETY: promised by the caller.
        let left = unsafe { L::splat(*from.add(i * state)) };
        for (sums, right) in sums.iter_mut().zip(right) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = left.mul_add(*right, *sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gates::scales;
    use super::super::gates_gru::GruGates;
    use super::super::gates_lstm::LstmGates;
    use super::super::gates_simple::SimpleGates;
    use super::super::packing::scale;
    use super::*;
    use crate::nn::generator::Generator;

    fn normal(n: usize, generator: &mut Generator) -> Vec<f32> {
        (0..n).map(|_| generator.normal() as f32).collect()
    }

    fn logistic(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The equations at the top of the gates' files, in double precision with libm: the state after for one unit,
    /// from projected inputs `x`, recurrent sums `u` and the state before.
    type Unit = fn(x: &[f64], u: &[f64], before: &[f64]) -> Vec<f64>;

    fn gru(x: &[f64], u: &[f64], before: &[f64]) -> Vec<f64> {
        let (r, z) = (logistic(x[0] + u[0]), logistic(x[1] + u[1]));
        let n = (x[2] + r * u[2]).tanh();
        vec![(1.0 - z) * n + z * before[0]]
    }

    fn lstm(x: &[f64], u: &[f64], before: &[f64]) -> Vec<f64> {
        let a: Vec<f64> = x.iter().zip(u).map(|(x, u)| x + u).collect();
        let c = logistic(a[1]) * before[1] + logistic(a[0]) * a[2].tanh();
        vec![logistic(a[3]) * c.tanh(), c]
    }

    fn simple(x: &[f64], u: &[f64], _before: &[f64]) -> Vec<f64> {
        vec![(x[0] + u[0]).tanh()]
    }

    /// Random shapes, on every path: as the equations say, the same bits on all vector paths, and the same bits for a
    /// window alone as for one among others.
    fn check<C: Gates<G>, const G: usize>(unit: Unit) {
        let mut generator = Generator::new(11);
        for case in 0..120 {
            let (b, h) = (1 + generator.below(19), [8, 16, 32, 64, 1][case % 5] + generator.below(case % 3 * 9 + 1));
            let (gates, state, kept) = (G * h, C::STATES * h, C::KEPT * h);
            let x = normal(b * gates, &mut generator);
            let weights: Vec<f32> = normal(h * gates, &mut generator).iter().map(|w| w / (h as f32).sqrt()).collect();
            let bias = normal(gates, &mut generator);
            let before: Vec<f32> = normal(b * state, &mut generator).iter().map(|v| v.tanh()).collect();
            // The equations take what the steps take times the scales.
            let scaled = |values: &[f32]| {
                let mut values = values.to_vec();
                scale(&mut values, scales::<C, G>(h), h);
                values
            };
            let (scaled_x, scaled_weights, scaled_bias) = (scaled(&x), scaled(&weights), scaled(&bias));
            let run = |path, rows: std::ops::Range<usize>, keeps: bool| {
                let mut after = vec![f32::NAN; rows.len() * state];
                let mut cache = vec![f32::NAN; if keeps { rows.len() * kept } else { 0 }];
                let step = StepForward {
                    b: rows.len(),
                    hidden: h,
                    projected: &scaled_x[rows.start * gates..rows.end * gates],
                    recurrent: &scaled_weights,
                    bias: &scaled_bias,
                    before: &before[rows.start * state..rows.end * state],
                    after: &mut after,
                    cache: &mut cache,
                };
                step_on::<f32, C, G>(path, step);
                assert!(cache.iter().all(|value| !value.is_nan()), "{path:?} [{b}, {h}] keeps all");
                after
            };
            let mut vector_bits: Option<Vec<u32>> = None;
            for path in KernelPath::available() {
                let after = run(path, 0..b, case % 2 == 0);
                for (i, j) in (0..b).flat_map(|i| (0..h).map(move |j| (i, j))) {
                    let sum = |g: usize| {
                        let products = (0..h)
                            .map(|k| f64::from(before[i * state + k]) * f64::from(weights[k * gates + g * h + j]));
                        f64::from(bias[g * h + j]) + products.sum::<f64>()
                    };
                    let u: Vec<f64> = (0..G).map(sum).collect();
                    let x: Vec<f64> = (0..G).map(|g| f64::from(x[i * gates + g * h + j])).collect();
                    let old: Vec<f64> = (0..C::STATES).map(|s| f64::from(before[i * state + s * h + j])).collect();
                    for (s, expected) in unit(&x, &u, &old).into_iter().enumerate() {
                        let error = (f64::from(after[i * state + s * h + j]) - expected).abs();
                        assert!(error < 4e-6, "{path:?} [{b}, {h}] window {i} unit {j} state {s}: {error:e}");
                    }
                }
                let alone: Vec<f32> = (0..b).flat_map(|i| run(path, i..i + 1, false)).collect();
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
                assert_eq!(bits(&alone), bits(&after), "{path:?} [{b}, {h}] alone and together");
                if path != KernelPath::Plain {
                    let bits = bits(&after);
                    assert!(vector_bits.replace(bits.clone()).is_none_or(|other| other == bits), "{path:?} differs");
                }
            }
        }
    }

    #[test]
    fn every_cell_follows_its_equations_on_every_path_and_in_every_batch() {
        check::<GruGates<true>, 3>(gru);
        check::<GruGates<false>, 3>(gru);
        check::<LstmGates<true>, 4>(lstm);
        check::<LstmGates<false>, 4>(lstm);
        check::<SimpleGates, 1>(simple);
    }
}
