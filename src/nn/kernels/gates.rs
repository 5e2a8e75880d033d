//! What a cell does with the sums of a few units, and where it does it.

use super::dispatch::Real;
use super::functions::Reduced;
use super::lanes::{Lanes, write};

/// What a cell does with the finished sums of a few units; G gate blocks.
///
/// It does so in parts of some ten instructions, so that products can be put between them; together they are at most
/// eight, as many as [`in_turn`] counts.
pub(super) trait Gates<const G: usize> {
    /// The same cell for layers of up to [`NARROW`] units.
    type Narrow: Gates<G>;
    /// Blocks of the state, of which the first is the output h.
    const STATES: usize;
    /// Blocks kept for the backward step.
    const KEPT: usize;
    /// What the weights of each gate are multiplied with, so that its sum is what the activation takes. Whoever calls a step
    /// hands it weights, biases and projections that [`scales`] and [`super::packing`] have seen to.
    const SCALES: [f64; G];
    /// Gates whose sum begins with the projected input; the others get it apart from the recurrent sum.
    const BEGINS_WITH_INPUT: [bool; G];

    /// Parts of [`Gates::begin`].
    const BEGIN: usize;
    /// Parts of [`Gates::finish`].
    const FINISH: usize;
    /// All parts.
    const PARTS: usize = {
        assert!(Self::BEGIN + Self::FINISH <= 8, "more parts than `in_turn` counts");
        Self::BEGIN + Self::FINISH
    };

    /// Whether [`Gates::begin`] makes something else for a step that keeps.
    const KEEPS_APART: bool;

    /// Applies the activations that need nothing but the sums. What only [`Place::keep`] asks for is made if it `KEEPS`; the
    /// state has the same bits either way.
    fn begin<L: Lanes, const KEEPS: bool>(part: usize, made: Made<L, G>) -> Made<L, G>;

    /// Turns what [`Gates::begin`] made of the sums into the new state; the last part leaves h as the first gate.
    ///
    /// # Safety
    /// `at` must point to rows that hold `n` more units.
    unsafe fn finish<L: Lanes, const KEEPS: bool>(
        part: usize,
        made: Made<L, G>,
        at: Place<L::Element>,
        n: usize,
    ) -> Made<L, G>;
}

/// Up to this many units run on eight lanes, where half of a sixteen-lane register would idle.
pub(super) const NARROW: usize = 8;

/// What has been made of the sums so far.
#[derive(Clone, Copy)]
pub(super) struct Made<L, const G: usize> {
    /// The sums, or what stands in their place.
    pub(super) gates: [L; G],
    /// The power that is under way.
    pub(super) power: Reduced<L>,
}

impl<L: Lanes, const G: usize> Made<L, G> {
    /// Nothing yet.
    #[inline(always)]
    pub(super) fn of(sums: [L; G]) -> Self {
        Made { gates: sums, power: Reduced { rounded: sums[0], shifted: sums[0], root: sums[0] } }
    }
}

/// Runs a block with `part` from `from` to below `to` as literals: a loop of such a size the compiler would not unroll.
macro_rules! in_turn {
    ($part:ident in $from:expr, $to:expr => $body:block) => { in_turn!($part, $from, $to, $body, 0 1 2 3 4 5 6 7) };
    ($part:ident, $from:expr, $to:expr, $body:block, $($n:literal)*) => {
        $(if $from <= $n && $n < $to {
            let $part: usize = $n;
            $body
        })*
    };
}
pub(super) use in_turn;

/// The scale of a logistic gate of a wide layer: x times it is the t of `exp(-x) = 2^t`.
pub(super) const LOGISTIC: f64 = -std::f64::consts::LOG2_E;

/// The scale of a tanh of a wide layer: x times it is the t of `exp(2 x) = 2^t`.
pub(super) const TANH: f64 = 2.0 * std::f64::consts::LOG2_E;

/// [`Gates::SCALES`] of the cell that runs `hidden` units.
pub(super) fn scales<C: Gates<G>, const G: usize>(hidden: usize) -> &'static [f64] {
    if hidden <= NARROW { &<C::Narrow as Gates<G>>::SCALES } else { &C::SCALES }
}

/// `x` times `factor`.
#[inline(always)]
pub(super) fn scaled<L: Lanes>(x: L, factor: f64) -> L {
    x.mul(L::splat(L::Element::of(factor)))
}

/// Begins with `1 + 2^t`.
#[inline(always)]
pub(super) fn begin_power<L: Lanes>(t: L) -> Reduced<L> {
    t.pinned().reduced().pinned()
}

/// `1 + 2^t`.
#[inline(always)]
pub(super) fn one_and_power<L: Lanes>(t: Reduced<L>) -> L {
    L::one_and_power(t.pinned()).pinned()
}

/// Logistic function of x, from `valve = 1 + exp(-x)`: within 9.2e-8.
#[inline(always)]
pub(super) fn logistic<L: Lanes>(valve: L) -> L {
    L::splat(L::Element::of(1.0)).div(valve).pinned()
}

/// tanh x, from `bottom = 1 + exp(2 x)`: `1 - 2 / bottom`, within 1.9e-7, no less near zero.
#[inline(always)]
pub(super) fn tanh<L: Lanes>(bottom: L) -> L {
    let (one, two) = (L::splat(L::Element::of(1.0)), L::splat(L::Element::of(2.0)));
    one.sub(two.div(bottom))
}

/// tanh x times the logistic function of y in one division, from `bottom = 1 + exp(2 x)` and `valve = 1 + exp(-y)`: within
/// 2.6e-7.
#[inline(always)]
pub(super) fn tanh_through<L: Lanes>(bottom: L, valve: L) -> L {
    bottom.sub(L::splat(L::Element::of(2.0))).div(bottom.mul(valve)).pinned()
}

/// Rows of one window, moved on to the units at work. Blocks of a row are `hidden` apart.
#[derive(Clone, Copy)]
pub(super) struct Place<R> {
    pub(super) hidden: usize,
    pub(super) projected: *const R,
    pub(super) before: *const R,
    pub(super) after: *mut R,
    /// Null when no backward pass will follow.
    pub(super) cache: *mut R,
}

impl<R> Place<R> {
    /// Keeps the value of block `block`, if anything is kept.
    ///
    /// # Safety
    /// The cache row must hold `n` units in that block.
    #[inline(always)]
    pub(super) unsafe fn keep<L: Lanes<Element = R>>(&self, block: usize, value: L, n: usize) {
        if !self.cache.is_null() {
            // SAFETY: promised by the caller.
            unsafe { write(value, self.cache, block * self.hidden, n) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dispatch::{Kernel, KernelPath};
    use super::super::lanes::{read, sweep};
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Function {
        Tanh,
        Logistic,
        /// `tanh(x)` through the logistic function of this.
        TanhThrough(f32),
    }

    struct Apply<'a> {
        function: Function,
        values: &'a mut [f32],
    }

    impl Kernel<f32> for Apply<'_> {
        type Output = ();

        #[inline(always)]
        fn run<L: Lanes<Element = f32>>(self) {
            let (at, len) = (self.values.as_mut_ptr(), self.values.len());
            // SAFETY: j + n <= len inside `sweep`.
            unsafe {
                sweep!(L, len, |j, n| {
                    let x = read::<L>(at, j, n);
                    let bottom = one_and_power(begin_power(scaled(x, TANH)));
                    let y = match self.function {
                        Function::Tanh => tanh(bottom),
                        Function::Logistic => logistic(one_and_power(begin_power(scaled(x, LOGISTIC)))),
                        Function::TanhThrough(y) => {
                            tanh_through(bottom, one_and_power(begin_power(scaled(L::splat(y), LOGISTIC))))
                        }
                    };
                    write(y, at, j, n)
                });
            }
        }
    }

    fn check(function: Function, expected: impl Fn(f64) -> f64, range: std::ops::RangeInclusive<f32>) {
        let far = [1e-30, -1e-8, 88.0, -1e30, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, 0.0];
        let x: Vec<f32> = (-250_000..=250_000).map(|i| i as f32 * 1e-4).chain(far).collect();
        let mut vector_bits: Option<Vec<u32>> = None;
        for path in KernelPath::available() {
            let mut y = x.clone();
            f32::run_on(path, Apply { function, values: &mut y });
            let errors = x.iter().zip(&y).map(|(x, y)| (f64::from(*y) - expected(f64::from(*x))).abs());
            let worst = errors.fold(0.0, f64::max);
            println!("{path:?} {function:?}: {worst:e}");
            assert!(worst < 3e-7 && y.iter().all(|y| range.contains(y)), "{path:?} {function:?}: {worst:e}");
            if path != KernelPath::Plain {
                let bits: Vec<u32> = y.iter().map(|y| y.to_bits()).collect();
                assert!(vector_bits.replace(bits.clone()).is_none_or(|other| other == bits), "{path:?} differs");
            }
            let mut nan = [f32::NAN; 19];
            f32::run_on(path, Apply { function, values: &mut nan });
            assert!(nan.iter().all(|value| value.is_nan()), "{path:?} {function:?}");
        }
    }

    #[test]
    fn activations_of_gates_stay_within_3e_7_of_libm_and_in_their_range_on_every_path() {
        check(Function::Tanh, f64::tanh, -1.0..=1.0);
        check(Function::Logistic, |x| 1.0 / (1.0 + (-x).exp()), 0.0..=1.0);
        for y in [-100.0, -12.0, -9.2, -1.5, 0.0, 0.7, 30.0, 100.0] {
            check(Function::TanhThrough(y), |x| x.tanh() / (1.0 + (-f64::from(y)).exp()), -1.0..=1.0);
        }
    }
}
