//! What a pass remembers: buffers that keep their allocation from call to call.

use crate::nn::batch::Batch;
use crate::nn::kernels::Real;

/// Scratch of one layer and, for composed layers, of its children.
#[derive(Clone, Debug, Default)]
pub struct Work<R> {
    buffers: Vec<Vec<R>>,
    children: Vec<Work<R>>,
    batches: Vec<Batch<R>>,
    /// The layer's own addition to the loss in the last keeping pass.
    pub added_loss: f64,
    /// The weight that addition had.
    pub weight: f64,
}

impl<R: Real> Work<R> {
    /// `N` buffers of the given lengths. A buffer whose length is as in the last call still holds its values.
    pub fn buffers<const N: usize>(&mut self, lens: [usize; N]) -> [&mut [R]; N] {
        if self.buffers.len() < N {
            self.buffers.resize(N, Vec::new());
        }
        let mut buffers = self.buffers.iter_mut();
        lens.map(|len| match buffers.next() {
            Some(buffer) => {
                buffer.resize(len, R::default());
                buffer.as_mut_slice()
            }
            None => &mut [],
        })
    }

    /// Scratch of the first `n` children and `m` batches to pass between them.
    pub fn children(&mut self, n: usize, m: usize) -> (&mut [Work<R>], &mut [Batch<R>]) {
        if self.children.len() < n {
            self.children.resize_with(n, Work::default);
        }
        if self.batches.len() < m {
            self.batches.resize_with(m, Batch::default);
        }
        (&mut self.children[..n], &mut self.batches[..m])
    }

    /// Steps of the last keeping pass, from the length of buffer `index`, which holds one state more than steps.
    pub(super) fn kept_steps(&self, index: usize, state: usize) -> usize {
        self.buffers.get(index).map_or(0, |buffer| (buffer.len() / state.max(1)).saturating_sub(1))
    }

    /// Scratch of child `i`, if it has run.
    pub fn child(&self, i: usize) -> Option<&Work<R>> {
        self.children.get(i)
    }
}
