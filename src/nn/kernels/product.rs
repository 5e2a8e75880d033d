//! Matrix products over strided slices, tiled so that sums stay in registers.

use super::dispatch::{Kernel, KernelPath, Real};
use super::lanes::{Lanes, read, sweep, write};

/// A borrowed matrix: element `(i, j)` lies at `values[i * row + j * column]`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, R> {
    /// The numbers.
    pub values: &'a [R],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub column: usize,
}

impl<'a, R> Matrix<'a, R> {
    /// A matrix whose rows are contiguous and `row` apart.
    pub fn rows(values: &'a [R], row: usize) -> Self {
        Matrix { values, row, column: 1 }
    }

    /// The transpose of a matrix whose rows are contiguous and `row` apart.
    pub fn transposed(values: &'a [R], row: usize) -> Self {
        Matrix { values, row: 1, column: row }
    }

    fn reaches(&self, m: usize, k: usize) -> bool {
        m == 0 || k == 0 || (m - 1) * self.row + (k - 1) * self.column < self.values.len()
    }
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a, R> {
    /// Nothing: the output is overwritten.
    Zero,
    /// What the output already holds.
    Keep,
    /// The same row of `n` numbers for every output row.
    Row(&'a [R]),
}

/// `out[i, j] = start[i, j] + sum over k of a[i, k] * b[k, j]` for `a: [m, k]`, `b: [k, n]`, `out: [m, n]`.
///
/// `b` and `out` have contiguous rows, `b_row` and `out_row` apart. The sum runs over `k` in order, so row `i` of the
/// result does not depend on the other rows.
///
/// # Panics
/// If a slice is shorter than its shape.
#[allow(clippy::too_many_arguments)]
pub fn product<R: Real>(
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_, R>,
    b: &[R],
    b_row: usize,
    start: Start<'_, R>,
    out: &mut [R],
    out_row: usize,
) {
    product_on(KernelPath::detected(), (m, n, k), a, b, b_row, start, out, out_row);
}

/// [`product`] on a chosen path.
#[allow(clippy::too_many_arguments)]
pub(super) fn product_on<R: Real>(
    path: KernelPath,
    (m, n, k): (usize, usize, usize),
    a: Matrix<'_, R>,
    b: &[R],
    b_row: usize,
    start: Start<'_, R>,
    out: &mut [R],
    out_row: usize,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.reaches(m, k), "left matrix of {} is shorter than [{m}, {k}]", a.values.len());
    assert!(k == 0 || (k - 1) * b_row + n <= b.len(), "right matrix of {} is shorter than [{k}, {n}]", b.len());
    assert!((m - 1) * out_row + n <= out.len(), "output of {} is shorter than [{m}, {n}]", out.len());
    if let Start::Row(row) = start {
        assert!(row.len() >= n, "start row of {} is shorter than {n}", row.len());
    }
    let path = if n <= 8 { R::narrow_path(path) } else { path };
    R::run_on(path, Product { m, n, k, a, b, b_row, start, out, out_row });
}

struct Product<'a, R> {
    m: usize,
    n: usize,
    k: usize,
    a: Matrix<'a, R>,
    b: &'a [R],
    b_row: usize,
    start: Start<'a, R>,
    out: &'a mut [R],
    out_row: usize,
}

impl<R: Real> Kernel<R> for Product<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(mut self) {
        let mut column = 0;
        while column < self.n {
            let registers = (self.n - column).div_ceil(L::N);
            let wide = L::REGISTERS >= 32;
            let width = match registers {
                1 => self.panel::<L, 1>(column),
                2 => self.panel::<L, 2>(column),
                3 => self.panel::<L, 3>(column),
                4 | 5 | 7 | 8 if wide => self.panel::<L, 4>(column),
                4 if !wide => self.panel::<L, 2>(column),
                _ if wide => self.panel::<L, 6>(column),
                _ => self.panel::<L, 3>(column),
            };
            column += width;
        }
    }
}

impl<R: Real> Product<'_, R> {
    /// All rows of up to `J` registers of columns; returns the columns done.
    #[inline(always)]
    fn panel<L: Lanes<Element = R>, const J: usize>(&mut self, column: usize) -> usize {
        let width = (J * L::N).min(self.n - column);
        let mut i = 0;
        if J <= 2 {
            while i + 8 <= self.m {
                self.tile::<L, 8, J>(i, column, width);
                i += 8;
            }
        }
        while i + 4 <= self.m {
            self.tile::<L, 4, J>(i, column, width);
            i += 4;
        }
        if i + 2 <= self.m {
            self.tile::<L, 2, J>(i, column, width);
            i += 2;
        }
        if i < self.m {
            self.tile::<L, 1, J>(i, column, width);
        }
        width
    }

    /// `I` rows times `J` registers: every sum stays in a register over the whole reduction.
    #[inline(always)]
    fn tile<L: Lanes<Element = R>, const I: usize, const J: usize>(&mut self, row: usize, column: usize, width: usize) {
        let full = width == J * L::N;
        let last = width - (J - 1) * L::N;
        let mut sums = [[L::splat(R::default()); J]; I];
        // SAFETY: `product_on` has checked that row < m, column + width <= n and every k stay inside the slices.
        unsafe {
            match self.start {
                Start::Zero => {}
                Start::Keep => {
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let at = self.out.as_ptr().add((row + i) * self.out_row + column);
                        for (j, sum) in sums.iter_mut().enumerate() {
                            *sum = read::<L>(at, j * L::N, if j + 1 < J { L::N } else { last });
                        }
                    }
                }
                Start::Row(start) => {
                    for j in 0..J {
                        let value =
                            read::<L>(start.as_ptr().add(column), j * L::N, if j + 1 < J { L::N } else { last });
                        for sums in &mut sums {
                            sums[j] = value;
                        }
                    }
                }
            }
            let a = self.a.values.as_ptr().add(row * self.a.row);
            let b = self.b.as_ptr().add(column);
            if full {
                for k in 0..self.k {
                    let b = b.add(k * self.b_row);
                    let mut right = [L::splat(R::default()); J];
                    for (j, right) in right.iter_mut().enumerate() {
                        *right = L::load(b.add(j * L::N));
                    }
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let left = L::splat(*a.add(i * self.a.row + k * self.a.column));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = left.mul_add(right, *sum);
                        }
                    }
                }
            } else {
                for k in 0..self.k {
                    let b = b.add(k * self.b_row);
                    let mut right = [L::splat(R::default()); J];
                    for (j, right) in right.iter_mut().enumerate() {
                        *right = if j + 1 < J { L::load(b.add(j * L::N)) } else { read::<L>(b, j * L::N, last) };
                    }
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let left = L::splat(*a.add(i * self.a.row + k * self.a.column));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = left.mul_add(right, *sum);
                        }
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                let at = self.out.as_mut_ptr().add((row + i) * self.out_row + column);
                for (j, sum) in sums.iter().enumerate() {
                    write::<L>(*sum, at, j * L::N, if j + 1 < J { L::N } else { last });
                }
            }
        }
    }
}

/// `out: [n, m]` becomes the transpose of `a: [m, n]`, both contiguous.
pub fn transpose<R: Real>(m: usize, n: usize, a: &[R], out: &mut [R]) {
    assert!(a.len() == m * n && out.len() == m * n, "transpose of [{m}, {n}] over {} and {}", a.len(), out.len());
    for (i, row) in a.chunks_exact(n.max(1)).enumerate() {
        for (j, value) in row.iter().enumerate() {
            out[j * m + i] = *value;
        }
    }
}

/// Adds the sum of the `m` rows of `a` (`row` apart) to `out: [n]`: the gradient of a bias.
pub fn add_row_sums<R: Real>(m: usize, a: &[R], row: usize, out: &mut [R]) {
    assert!(m == 0 || (m - 1) * row + out.len() <= a.len(), "{m} rows of {} in {}", out.len(), a.len());
    R::run(RowSums { m, a, row, out });
}

struct RowSums<'a, R> {
    m: usize,
    a: &'a [R],
    row: usize,
    out: &'a mut [R],
}

impl<R: Real> Kernel<R> for RowSums<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Element = R>>(self) {
        let (a, out) = (self.a.as_ptr(), self.out.as_mut_ptr());
        // SAFETY: `add_row_sums` has checked that every row holds `out.len()` numbers, and j + n stays below it.
        unsafe {
            sweep!(L, self.out.len(), |j, n| {
                let mut sum = read::<L>(out, j, n);
                for i in 0..self.m {
                    sum = sum.add(read::<L>(a, i * self.row + j, n));
                }
                write(sum, out, j, n);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::generator::Generator;

    fn normal(n: usize, generator: &mut Generator) -> Vec<f32> {
        (0..n).map(|_| generator.normal() as f32).collect()
    }

    fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|value| f64::from(*value)).collect()
    }

    #[test]
    fn every_path_multiplies_like_the_plain_reference() {
        let mut generator = Generator::new(1);
        for case in 0..300 {
            let [m, n, k] = [1 + generator.below(21), 1 + generator.below(130), generator.below(40)];
            let gap = generator.below(3);
            let (a_row, b_row, out_row) = (k + gap, n + gap, n + gap);
            let a = normal(m * a_row + 1, &mut generator);
            let b = normal(k * b_row + 1, &mut generator);
            let bias = normal(n, &mut generator);
            let before = normal(m * out_row, &mut generator);
            // The plain triple loop in double precision.
            let (a_wide, b_wide) = (wide(&a), wide(&b));
            let sum = |i: usize, j: usize| (0..k).map(|l| a_wide[i * a_row + l] * b_wide[l * b_row + j]).sum::<f64>();
            let start = case % 3;
            let mut reference = wide(&before);
            for i in 0..m {
                for j in 0..n {
                    let first = [0.0, f64::from(before[i * out_row + j]), f64::from(bias[j])][start];
                    reference[i * out_row + j] = first + sum(i, j);
                }
            }
            let mut vector_bits: Option<Vec<u32>> = None;
            for path in KernelPath::available() {
                let mut out = before.clone();
                let start = [Start::Zero, Start::Keep, Start::Row(&bias)][start];
                product_on(path, (m, n, k), Matrix::rows(&a, a_row), &b, b_row, start, &mut out, out_row);
                for (i, (out, reference)) in out.iter().zip(&reference).enumerate() {
                    let error = (f64::from(*out) - reference).abs();
                    assert!(error < 1e-5 * (1.0 + k as f64).sqrt(), "{path:?} [{m}, {n}, {k}] at {i}: {error:e}");
                }
                if path != KernelPath::Plain {
                    let bits: Vec<u32> = out.iter().map(|out| out.to_bits()).collect();
                    assert!(vector_bits.replace(bits.clone()).is_none_or(|other| other == bits), "{path:?} differs");
                }
            }
        }
    }

    #[test]
    fn a_transposed_left_matrix_is_read_by_columns() {
        let mut generator = Generator::new(2);
        let (m, n, k) = (5, 18, 7);
        let (a, b) = (normal(k * m, &mut generator), normal(k * n, &mut generator));
        let mut turned = vec![0.0; k * m];
        transpose(k, m, &a, &mut turned);
        let (mut one, mut other) = (vec![0.0; m * n], vec![0.0; m * n]);
        product((m, n, k), Matrix::transposed(&a, m), &b, n, Start::Zero, &mut one, n);
        product((m, n, k), Matrix::rows(&turned, k), &b, n, Start::Zero, &mut other, n);
        assert_eq!(one, other);
    }
}
