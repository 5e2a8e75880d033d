//! A trained array with its gradient, and the named form in which it is stored.

use std::fmt;

use super::generator::Generator;
use super::kernels::{Real, transpose};

/// A trained array. Products want `[input, output]`; PyTorch names and stores `[output, input]`, and so does [`Tensor`].
#[derive(Clone, Debug)]
pub struct Parameter<R> {
    /// Last part of the name, as PyTorch has it.
    pub name: &'static str,
    /// `[input, output]` of a matrix, `[1, n]` of a vector.
    pub shape: [usize; 2],
    /// A matrix stores as `[output, input]`, a vector as `[n]`.
    pub is_matrix: bool,
    /// The values, row-major in `shape`.
    pub value: Vec<R>,
    /// Loss by each value; layers add to it, the optimizer clears it.
    pub gradient: Vec<R>,
}

impl<R: Real> Parameter<R> {
    /// A matrix of zeros that maps `input` features to `output` features.
    pub fn matrix(name: &'static str, input: usize, output: usize) -> Self {
        let zeros = vec![R::default(); input * output];
        Parameter { name, shape: [input, output], is_matrix: true, value: zeros.clone(), gradient: zeros }
    }

    /// A vector of `n` copies of `value`.
    pub fn vector(name: &'static str, n: usize, value: f64) -> Self {
        let value = vec![R::of(value); n];
        Parameter { name, shape: [1, n], is_matrix: false, value, gradient: vec![R::default(); n] }
    }

    /// Draws from Glorot and Bengio's uniform distribution, `±sqrt(6 / (input + output))` (Keras's default kernel).
    pub fn glorot(mut self, output: usize, generator: &mut Generator) -> Self {
        let limit = (6.0 / (self.shape[0] + output) as f64).sqrt();
        self.value.iter_mut().for_each(|value| *value = R::of(limit * (2.0 * generator.uniform() - 1.0)));
        self
    }

    /// Makes every `[input, input]` block orthogonal (Keras's default for recurrent kernels; Saxe et al. 2013).
    pub fn orthogonal(mut self, generator: &mut Generator) -> Self {
        let [h, width] = self.shape;
        for block in 0..width / h.max(1) {
            let columns = orthonormal_columns(h, generator);
            for i in 0..h {
                for (j, column) in columns.iter().enumerate() {
                    self.value[i * width + block * h + j] = R::of(column[i]);
                }
            }
        }
        self
    }

    /// The stored form.
    pub fn tensor(&self, name: String) -> Tensor {
        let mut values = self.value.clone();
        if self.is_matrix {
            transpose(self.shape[0], self.shape[1], &self.value, &mut values);
        }
        let values = values.iter().map(|value| value.wide() as f32).collect();
        Tensor { name, shape: self.tensor_shape(), values }
    }

    /// The shape of the stored form.
    pub fn tensor_shape(&self) -> Vec<usize> {
        if self.is_matrix { vec![self.shape[1], self.shape[0]] } else { vec![self.shape[1]] }
    }

    /// Takes the values of a stored tensor.
    ///
    /// # Errors
    /// When the shapes differ or a value is not finite.
    pub fn load(&mut self, tensor: &Tensor) -> Result<(), LoadTensorError> {
        let expected = self.tensor_shape();
        let len: usize = expected.iter().product();
        if tensor.shape != expected || tensor.values.len() != len {
            let name = tensor.name.clone();
            return Err(LoadTensorError::Shape { name, found: tensor.shape.clone(), expected });
        }
        if let Some(index) = tensor.values.iter().position(|value| !value.is_finite()) {
            return Err(LoadTensorError::NotFinite { name: tensor.name.clone(), index });
        }
        let values: Vec<R> = tensor.values.iter().map(|value| R::of(f64::from(*value))).collect();
        if self.is_matrix {
            transpose(self.shape[1], self.shape[0], &values, &mut self.value);
        } else {
            self.value = values;
        }
        Ok(())
    }
}

/// `h` orthonormal columns by Gram and Schmidt, twice over for accuracy.
fn orthonormal_columns(h: usize, generator: &mut Generator) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = Vec::with_capacity(h);
    while columns.len() < h {
        let mut column: Vec<f64> = (0..h).map(|_| generator.normal()).collect();
        for _ in 0..2 {
            for other in &columns {
                let overlap: f64 = column.iter().zip(other).map(|(a, b)| a * b).sum();
                column.iter_mut().zip(other).for_each(|(a, b)| *a -= overlap * b);
            }
        }
        let norm = column.iter().map(|a| a * a).sum::<f64>().sqrt();
        // A draw that happens to lie in the span of the others is drawn again.
        if norm > 1e-6 {
            columns.push(column.into_iter().map(|a| a / norm).collect());
        }
    }
    columns
}

/// A named array as it is stored and exchanged: PyTorch's names and layouts, row-major `f32`.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    /// Dotted path, such as `encoder.0.weight_ih_l0`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.name, self.shape)
    }
}

/// Why stored tensors do not fit a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadTensorError {
    /// A tensor the network needs is absent.
    #[error("tensor {name} is missing")]
    Missing {
        /// Which.
        name: String,
    },
    /// A tensor has another shape than the network's.
    #[error("tensor {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Which.
        name: String,
        /// What was stored.
        found: Vec<usize>,
        /// What the network needs.
        expected: Vec<usize>,
    },
    /// A tensor holds NaN or infinity.
    #[error("tensor {name} is not finite at position {index}")]
    NotFinite {
        /// Which.
        name: String,
        /// Where.
        index: usize,
    },
}
