//! `[B, T, F]`: windows of rows of features, row-major, the only array networks pass around.

use super::kernels::Real;

/// `[B, T, F]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Windows.
    pub b: usize,
    /// Rows of a window.
    pub t: usize,
    /// Features of a row.
    pub f: usize,
}

impl Shape {
    /// `[b, t, f]`.
    pub fn new(b: usize, t: usize, f: usize) -> Self {
        Shape { b, t, f }
    }

    /// Numbers in the whole batch.
    pub fn len(&self) -> usize {
        self.b * self.t * self.f
    }

    /// True when the batch holds no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers in one window, which is also the distance between windows.
    pub fn window(&self) -> usize {
        self.t * self.f
    }
}

/// Numbers with their shape. Re-shaping keeps the allocation, so a batch that is reused does not allocate.
#[derive(Clone, Debug, Default)]
pub struct Batch<R> {
    shape: Shape,
    values: Vec<R>,
}

impl<R: Real> Batch<R> {
    /// A batch of zeros.
    pub fn zeros(shape: Shape) -> Self {
        Batch { shape, values: vec![R::default(); shape.len()] }
    }

    /// Takes over values laid out as `shape`.
    ///
    /// # Panics
    /// If there are more or fewer values than the shape holds.
    pub fn from_parts(shape: Shape, values: Vec<R>) -> Self {
        assert_eq!(values.len(), shape.len(), "values for {shape:?}");
        Batch { shape, values }
    }

    /// Gives the batch a new shape; the values are unspecified afterwards.
    pub fn reshape(&mut self, shape: Shape) {
        self.shape = shape;
        self.values.resize(shape.len(), R::default());
    }

    /// Its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All values, row-major.
    pub fn values(&self) -> &[R] {
        &self.values
    }

    /// All values, row-major.
    pub fn values_mut(&mut self) -> &mut [R] {
        &mut self.values
    }
}
