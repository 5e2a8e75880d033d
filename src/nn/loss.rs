//! What training minimises.

use super::batch::Batch;
use super::kernels::Real;

/// Mean squared error per element, in double precision, and its gradient by `y` into `d_y`.
///
/// # Panics
/// If `target` has another number of elements than `y`.
pub fn mean_squared_error<R: Real>(y: &Batch<R>, target: &[R], d_y: &mut Batch<R>) -> f64 {
    assert_eq!(y.values().len(), target.len(), "target for {:?}", y.shape());
    d_y.reshape(y.shape());
    let slope = R::of(2.0 / target.len().max(1) as f64);
    let mut sum = 0.0;
    // A row at a time: sums inside a row stay in the network's precision, which vectorises, rows add in f64.
    let f = y.shape().f.max(1);
    let rows = y.values().chunks(f).zip(target.chunks(f)).zip(d_y.values_mut().chunks_mut(f));
    for ((y, target), d_y) in rows {
        let mut row = R::default();
        for ((y, target), d_y) in y.iter().zip(target).zip(d_y) {
            let residual = *y - *target;
            row += residual * residual;
            *d_y = slope * residual;
        }
        sum += row.wide();
    }
    sum / target.len().max(1) as f64
}
