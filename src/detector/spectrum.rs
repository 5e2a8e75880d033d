//! The leading part of a symmetric matrix applied to a few columns: V g(Λ) V' B, without forming V.
//!
//! Householder tridiagonalisation and implicit QL, both in f64. Rotations meet the few columns of B on their way down
//! and once more on their way back, so the cost is 4/3 n³ for the reduction and O(n² m) for the rest, where a full
//! eigenvector matrix would cost another 3 n³ or more. `linfa_linalg` has the full decomposition; it stands in the
//! tests as referee.

/// QL steps per eigenvalue before giving up; two are usual.
const STEPS_MAX: usize = 60;
/// A row this short, as a share of the largest number of the matrix, counts as zero: far below what rounding leaves of
/// one, and so far above the smallest numbers that its square can be divided by.
const ROW_SHARE_MIN: f64 = 1e-30;

/// Which eigenvalues were kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spectrum {
    /// All eigenvalues, falling.
    pub(super) values: Vec<f64>,
    /// How many of the largest were kept.
    pub(super) n_kept: usize,
}

/// Replaces `b` `[n, m]` by V g(Λ) V' b over the leading eigenpairs of the symmetric `a` `[n, n]` (lower triangle
/// read, destroyed); `choose` is given all eigenvalues, falling, and says how many lead. None when QL does not converge.
pub(super) fn apply_leading(
    a: &mut [f64],
    b: &mut [f64],
    n: usize,
    choose: impl FnOnce(&[f64]) -> usize,
    g: impl Fn(f64) -> f64,
) -> Option<Spectrum> {
    let m = b.len().checked_div(n).unwrap_or(0);
    let (mut diagonal, mut beside, scales) = tridiagonalise(a, n);
    for i in (1..n).rev() {
        reflect(&a[i * n..i * n + i], scales[i], b, m);
    }
    let mut rotations = Vec::with_capacity(2 * n);
    diagonalise(&mut diagonal, &mut beside, b, m, &mut rotations)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| diagonal[*j].total_cmp(&diagonal[*i]));
    let values: Vec<f64> = order.iter().map(|i| diagonal[*i]).collect();
    let n_kept = choose(&values).min(n);
    for (rank, i) in order.into_iter().enumerate() {
        let factor = if rank < n_kept { g(diagonal[i]) } else { 0.0 };
        b[i * m..(i + 1) * m].iter_mut().for_each(|x| *x *= factor);
    }
    for (i, cosine, sine) in rotations.into_iter().rev() {
        rotate(b, m, i as usize, cosine, -sine);
    }
    for i in 1..n {
        reflect(&a[i * n..i * n + i], scales[i], b, m);
    }
    Some(Spectrum { values, n_kept })
}

/// The leading eigenvectors of the symmetric `a` `[n, n]` (lower triangle read, destroyed) as rows `[k, n]`, in the order
/// of their falling eigenvalues. None when QL does not converge.
pub(super) fn leading_vectors(
    a: &mut [f64],
    n: usize,
    choose: impl FnOnce(&[f64]) -> usize,
) -> Option<(Spectrum, Vec<f64>)> {
    let (mut diagonal, mut beside, scales) = tridiagonalise(a, n);
    let mut b = vec![0.0; n * n];
    (0..n).for_each(|i| b[i * n + i] = 1.0);
    for i in (1..n).rev() {
        reflect(&a[i * n..i * n + i], scales[i], &mut b, n);
    }
    diagonalise(&mut diagonal, &mut beside, &mut b, n, &mut Vec::new())?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| diagonal[*j].total_cmp(&diagonal[*i]));
    let values: Vec<f64> = order.iter().map(|i| diagonal[*i]).collect();
    let n_kept = choose(&values).min(n);
    let vectors = order[..n_kept].iter().flat_map(|i| b[i * n..(i + 1) * n].iter().copied()).collect();
    Some((Spectrum { values, n_kept }, vectors))
}

/// A = Q T Q' with Q = H_{n-1} … H_1; H_i = I - scale_i v_i v_i' acts on the indexes before i, and v_i is left in row i
/// of `a`. Gives T's diagonal and off-diagonal (`beside[i]` joins i - 1 and i), and the scales.
fn tridiagonalise(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut beside, mut scales) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let mut w = vec![0.0; n];
    let floor = ROW_SHARE_MIN * a.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    for i in (1..n).rev() {
        let (above, row) = a.split_at_mut(i * n);
        diagonal[i] = row[i];
        let v = &mut row[..i];
        let norm = dot(v, v).sqrt();
        if norm <= floor {
            continue;
        }
        let sigma = if v[i - 1] > 0.0 { -norm } else { norm };
        beside[i] = sigma;
        v[i - 1] -= sigma;
        scales[i] = 2.0 / dot(v, v);
        // w = scale A v, then the part along v taken off; A -= v w' + w v'.
        let w = &mut w[..i];
        symmetric_product(above, n, v, w);
        w.iter_mut().for_each(|x| *x *= scales[i]);
        let along = 0.5 * scales[i] * dot(w, v);
        w.iter_mut().zip(&*v).for_each(|(w, v)| *w -= along * v);
        for j in 0..i {
            let (vj, wj) = (v[j], w[j]);
            for ((x, v), w) in above[j * n..j * n + j + 1].iter_mut().zip(&v[..=j]).zip(&w[..=j]) {
                *x -= vj * w + wj * v;
            }
        }
    }
    if n > 0 {
        diagonal[0] = a[0];
    }
    (diagonal, beside, scales)
}

/// out = A x for the leading symmetric block of the size of x, lower triangle read.
fn symmetric_product(a: &[f64], n: usize, x: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for j in 0..x.len() {
        let row = &a[j * n..j * n + j];
        out[j] += dot(row, &x[..j]) + a[j * n + j] * x[j];
        let xj = x[j];
        out[..j].iter_mut().zip(row).for_each(|(out, a)| *out += xj * a);
    }
}

/// B ← (I - scale v v') B on the leading rows of b `[n, m]`.
fn reflect(v: &[f64], scale: f64, b: &mut [f64], m: usize) {
    if scale == 0.0 {
        return;
    }
    let mut sums = vec![0.0; m];
    for (v, row) in v.iter().zip(b.chunks_exact(m)) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += v * x);
    }
    for (v, row) in v.iter().zip(b.chunks_exact_mut(m)) {
        row.iter_mut().zip(&sums).for_each(|(x, sum)| *x -= scale * v * sum);
    }
}

/// Rows i and i + 1 of b `[n, m]` ← rotated.
#[inline]
fn rotate(b: &mut [f64], m: usize, i: usize, cosine: f64, sine: f64) {
    let (first, second) = b[i * m..(i + 2) * m].split_at_mut(m);
    for (x, y) in first.iter_mut().zip(second) {
        let (f, s) = (*x, *y);
        *y = sine * f + cosine * s;
        *x = cosine * f - sine * s;
    }
}

/// Implicit QL on T; every rotation meets b and is remembered. On return `diagonal` holds the eigenvalues.
fn diagonalise(
    diagonal: &mut [f64],
    beside: &mut [f64],
    b: &mut [f64],
    m: usize,
    rotations: &mut Vec<(u32, f64, f64)>,
) -> Option<()> {
    let n = diagonal.len();
    // From here on beside[i] joins i and i + 1.
    beside.rotate_left(usize::from(n > 0));
    for low in 0..n {
        for step in 0.. {
            let split = (low..n - 1)
                .find(|i| {
                    let scale = diagonal[*i].abs() + diagonal[i + 1].abs();
                    beside[*i].abs() <= f64::EPSILON * scale
                })
                .unwrap_or(n - 1);
            if split == low {
                break;
            }
            if step == STEPS_MAX {
                return None;
            }
            let mut g = (diagonal[low + 1] - diagonal[low]) / (2.0 * beside[low]);
            let mut r = g.hypot(1.0);
            g = diagonal[split] - diagonal[low] + beside[low] / (g + r.copysign(g));
            let (mut sine, mut cosine, mut p) = (1.0, 1.0, 0.0);
            let mut is_early = false;
            for i in (low..split).rev() {
                let f = sine * beside[i];
                let h = cosine * beside[i];
                r = f.hypot(g);
                beside[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= p;
                    beside[split] = 0.0;
                    is_early = true;
                    break;
                }
                sine = f / r;
                cosine = g / r;
                g = diagonal[i + 1] - p;
                r = (diagonal[i] - g) * sine + 2.0 * cosine * h;
                p = sine * r;
                diagonal[i + 1] = g + p;
                g = cosine * r - h;
                rotate(b, m, i, cosine, sine);
                rotations.push((i as u32, cosine, sine));
            }
            if is_early {
                continue;
            }
            diagonal[low] -= p;
            beside[low] = g;
            beside[split] = 0.0;
        }
    }
    Some(())
}

/// Dot product in eight fixed lanes.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..8 {
            lanes[i] += x[i] * y[i];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use linfa_linalg::eigh::{EigSort, Eigh};
    use ndarray::{Array2, s};

    use super::*;

    /// A symmetric matrix with a repeated and a zero eigenvalue.
    fn matrix(n: usize) -> Array2<f64> {
        let x = Array2::from_shape_fn((n, n.div_ceil(2)), |(i, j)| ((i * 7 + j * 13) % 11) as f64 - 5.0);
        let mut a = x.dot(&x.t());
        for i in 0..n / 3 {
            a[[i, i]] += 1.0;
        }
        a
    }

    #[test]
    fn the_leading_projector_is_that_of_a_full_decomposition() {
        for n in [1, 2, 3, 10, 41] {
            let a = matrix(n);
            let b = Array2::from_shape_fn((n, 3), |(i, j)| (i as f64 - j as f64 * 2.0).sin());
            let (values, vectors) = a.clone().eigh().unwrap().sort_eig_desc();
            let k = n.div_ceil(3);
            let leading = vectors.slice(s![.., ..k]);
            let expected = leading.dot(&leading.t().dot(&b));
            let mut found = b.iter().copied().collect::<Vec<f64>>();
            let mut copy = a.iter().copied().collect::<Vec<f64>>();
            let spectrum = apply_leading(&mut copy, &mut found, n, |_| k, |_| 1.0).unwrap();
            for (found, expected) in spectrum.values.iter().zip(&values) {
                assert!((found - expected).abs() < 1e-9 * values[0].abs().max(1.0), "n {n}: {found} {expected}");
            }
            if k < n && values[k - 1] - values[k] > 1e-6 {
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-7, "n {n}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn leading_vectors_are_orthonormal_and_belong_to_their_values() {
        for n in [1, 2, 10, 41] {
            let a = matrix(n);
            let mut copy: Vec<f64> = a.iter().copied().collect();
            let (spectrum, vectors) = leading_vectors(&mut copy, n, |_| n.div_ceil(2)).unwrap();
            let v = Array2::from_shape_vec((spectrum.n_kept, n), vectors).unwrap();
            let scale = spectrum.values[0].abs().max(1.0);
            for (i, (row, value)) in v.outer_iter().zip(&spectrum.values).enumerate() {
                assert!((a.dot(&row) - *value * &row).iter().all(|x| x.abs() < 1e-9 * scale), "n {n}, vector {i}");
            }
            assert!((v.dot(&v.t()) - Array2::<f64>::eye(spectrum.n_kept)).iter().all(|x| x.abs() < 1e-9));
        }
    }

    #[test]
    fn what_rounding_leaves_of_constant_channels_is_no_obstacle() {
        // Squares of such numbers are next to nothing, and two over them is infinite.
        for tiny in [1e-158, 1e-160, 1e-162, 1e-200] {
            let (n, whole) = (12, matrix(12));
            let of = |i: usize, j: usize| if i < 5 && j < 5 { whole[[i, j]] } else { tiny * (1 + i * j % 5) as f64 };
            let a = Array2::from_shape_fn((n, n), |(i, j)| of(i, j));
            let expected = a.slice(s![..5, ..5]).to_owned().eigh().unwrap().sort_eig_desc().0;
            let mut copy: Vec<f64> = a.iter().copied().collect();
            let (spectrum, vectors) = leading_vectors(&mut copy, n, |_| 3).unwrap();
            assert!(vectors.iter().all(|x| x.is_finite()));
            for (found, expected) in spectrum.values.iter().zip(&expected).take(3) {
                assert!((found - expected).abs() < 1e-9 * expected.abs(), "{tiny:e}: {found} {expected}");
            }
        }
    }

    #[test]
    fn all_of_the_spectrum_gives_the_matrix_back() {
        let n = 23;
        let a = matrix(n);
        let mut found: Vec<f64> = Array2::<f64>::eye(n).into_iter().collect();
        let mut copy: Vec<f64> = a.iter().copied().collect();
        apply_leading(&mut copy, &mut found, n, <[f64]>::len, |value| value).unwrap();
        for (found, expected) in found.iter().zip(&a) {
            assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        }
    }

    #[test]
    fn zero_matrices_have_no_leading_part() {
        let mut b = vec![1.0; 5];
        let spectrum = apply_leading(&mut [0.0; 25], &mut b, 5, |_| 0, |_| 1.0).unwrap();
        assert_eq!((spectrum.n_kept, b), (0, vec![0.0; 5]));
    }
}
