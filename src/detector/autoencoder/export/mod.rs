//! Trained networks for other programs, and weights from them.
//!
//! * [`safetensors()`]: PyTorch's names and layouts, so that a module with `encoder` and `decoder` lists takes them by name.
//! * [`onnx()`]: the whole network, `windows: [batch, T, C]` to `reconstruction: [batch, T, C]`, rows in their own order.
//! * [`from_safetensors`] and [`from_keras`]: weights trained elsewhere, into an autoencoder of the same spec.

mod keras;
mod onnx;
mod protobuf;
mod weights;

pub use keras::from_keras;
pub use onnx::{ExportOnnxError, onnx};
pub use weights::{ImportError, from_safetensors, safetensors, write_tensors};

/// Gate blocks of an array, first axis, in another order: for each block of the result, where it is found.
fn in_order(values: &[f32], order: &[usize]) -> Vec<f32> {
    let block = values.len() / order.len();
    order.iter().flat_map(|gate| values[gate * block..(gate + 1) * block].iter().copied()).collect()
}
