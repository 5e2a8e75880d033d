//! Weights as the steps want them: scaled for their gates, where a wide register can read them at once.

use super::dispatch::{Kernel, Real};
use super::lanes::{Lanes, read, sweep, write};

/// Bytes of a cache line, which is also the widest register: a load that straddles two lines takes two turns.
const LINE: usize = 64;

/// Numbers that [`pack`] needs beyond those it copies.
pub const ALIGN_SPARE: usize = LINE / size_of::<f32>();

/// Copies rows of gate blocks, `[_, G*H]`, to the first cache line that begins in `buffer`, which holds [`ALIGN_SPARE`]
/// numbers more; each gate's numbers come times its scale.
///
/// # Panics
/// If `buffer` is shorter than that, or `values` is not whole rows.
pub fn pack<'a, R: Real>(values: &[R], scales: &[f64], hidden: usize, buffer: &'a mut [R]) -> &'a [R] {
    let packed = aligned(buffer, values.len());
    check(values.len(), scales, hidden);
    if is_scaled(scales) {
        R::run(Scale { from: values.as_ptr(), to: packed.as_mut_ptr(), len: values.len(), scales, hidden });
    } else {
        packed.copy_from_slice(values);
    }
    packed
}

/// Multiplies each gate's numbers in rows of gate blocks, `[_, G*H]`, with its scale.
///
/// # Panics
/// If `values` is not whole rows.
pub fn scale<R: Real>(values: &mut [R], scales: &[f64], hidden: usize) {
    check(values.len(), scales, hidden);
    let to = values.as_mut_ptr();
    if is_scaled(scales) {
        R::run(Scale { from: to.cast_const(), to, len: values.len(), scales, hidden });
    }
}

/// Whether there is anything to multiply.
pub fn is_scaled(scales: &[f64]) -> bool {
    scales.iter().any(|scale| *scale != 1.0)
}

fn check(len: usize, scales: &[f64], hidden: usize) {
    let row = scales.len() * hidden;
    assert!(len == 0 || row > 0 && len.is_multiple_of(row), "{len} numbers in rows of {row}");
}

/// The `len` numbers of `buffer` that start with a cache line; it holds [`ALIGN_SPARE`] numbers more.
///
/// # Panics
/// If `buffer` is shorter than that.
pub fn aligned<R: Real>(buffer: &mut [R], len: usize) -> &mut [R] {
    let skip = buffer.as_ptr().align_offset(LINE).min(ALIGN_SPARE);
    &mut buffer[skip..skip + len]
}

/// Whole rows, from one place to another or in place.
struct Scale<'a, R> {
    from: *const R,
    to: *mut R,
    len: usize,
    scales: &'a [f64],
    hidden: usize,
}

impl<R: Real> Kernel<R> for Scale<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let mut at = 0;
        while at < self.len {
            for scale in self.scales {
                let scale = L::splat(R::of(*scale));
                // SAFETY: `pack` and `scale` have bounded both places by `len`, which is whole rows, and j + n <= hidden.
                unsafe {
                    sweep!(L, self.hidden, |j, n| {
                        write(read::<L>(self.from, at + j, n).mul(scale), self.to, at + j, n);
                    });
                }
                at += self.hidden;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_begin_with_a_cache_line_and_every_gate_has_its_scale() {
        for hidden in [1, 7, 8, 19, 32] {
            let values: Vec<f32> = (0..3 * 2 * hidden).map(|i| i as f32).collect();
            let mut buffer = vec![f32::NAN; values.len() + ALIGN_SPARE];
            let packed = pack(&values, &[0.5, -4.0], hidden, &mut buffer);
            assert!(packed.as_ptr().addr().is_multiple_of(64), "{hidden} units");
            let expected = |(i, value): (usize, &f32)| value * if i / hidden % 2 == 0 { 0.5 } else { -4.0 };
            let expected: Vec<f32> = values.iter().enumerate().map(expected).collect();
            assert_eq!(packed, expected, "{hidden} units");
            let mut values = values;
            scale(&mut values, &[0.5, -4.0], hidden);
            assert_eq!(values, expected, "{hidden} units in place");
        }
    }
}
