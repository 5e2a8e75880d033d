//! Weights where a wide register can read them at once.

use super::dispatch::Real;

/// Bytes of a cache line, which is also the widest register: a load that straddles two lines takes two turns.
const LINE: usize = 64;

/// Numbers that [`align`] needs beyond those it copies.
pub const ALIGN_SPARE: usize = LINE / size_of::<f32>();

/// Copies `values` to the first cache line that begins in `buffer`, which holds [`ALIGN_SPARE`] numbers more.
///
/// # Panics
/// If `buffer` is shorter than that.
pub fn align<'a, R: Real>(values: &[R], buffer: &'a mut [R]) -> &'a [R] {
    let packed = aligned(buffer, values.len());
    packed.copy_from_slice(values);
    packed
}

/// The `len` numbers of `buffer` that start with a cache line; it holds [`ALIGN_SPARE`] numbers more.
///
/// # Panics
/// If `buffer` is shorter than that.
pub fn aligned<R: Real>(buffer: &mut [R], len: usize) -> &mut [R] {
    let skip = buffer.as_ptr().align_offset(LINE).min(ALIGN_SPARE);
    &mut buffer[skip..skip + len]
}
