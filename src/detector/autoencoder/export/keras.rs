//! Keras's layouts: kernels `[input, output]`, GRU gates in the order update, reset, candidate, one bias or a pair.

use super::super::fitted::Autoencoder;
use super::super::spec::AutoencoderSpec;
use super::in_order;
use super::weights::{ImportError, read_tensors};
use crate::nn::parameter::Tensor;

/// An autoencoder of `spec` with weights from a safetensors file that holds Keras's arrays.
///
/// Names are `LAYER/kernel`, `LAYER/recurrent_kernel` and `LAYER/bias`, where LAYER is `encoder_0`, `decoder_1`, …; a
/// cell's part (`gru_cell`) and a trailing `:0` are ignored, `.` serves as well as `/`. A GRU's bias is `[2, 3H]` with
/// `reset_after=True` and `[3H]` without; give the matching `cell`.
///
/// # Errors
/// When the file is torn, a shape fits no layer, or a layer is missing.
pub fn from_keras(
    bytes: &[u8],
    spec: &AutoencoderSpec,
    n_time: usize,
    n_channels: usize,
) -> Result<Autoencoder, ImportError> {
    let stored = read_tensors(bytes)?;
    let is_recurrent =
        |layer: &str| stored.iter().any(|tensor| named(&tensor.name) == (layer.to_owned(), "recurrent_kernel"));
    let gates = spec.cell.written().keras_gates();
    let mut tensors = Vec::new();
    for tensor in &stored {
        let (layer, part) = named(&tensor.name);
        let wrong = |expected: &str| ImportError::Shape {
            name: tensor.name.clone(),
            found: tensor.shape.clone(),
            expected: expected.to_owned(),
        };
        match (part, tensor.shape.as_slice(), is_recurrent(&layer)) {
            ("kernel", [input, output], false) => {
                tensors.push(turned(format!("{layer}.weight"), *input, *output, &tensor.values));
            }
            ("bias", [_], false) => tensors.push(Tensor { name: format!("{layer}.bias"), ..tensor.clone() }),
            ("kernel" | "recurrent_kernel", [input, width], true) => {
                let name = if part == "kernel" { "weight_ih_l0" } else { "weight_hh_l0" };
                let values: Vec<f32> = tensor.values.chunks(*width).flat_map(|row| in_order(row, gates)).collect();
                tensors.push(turned(format!("{layer}.{name}"), *input, *width, &values));
            }
            ("bias", [width], true) => {
                let (values, zeros) = (in_order(&tensor.values, gates), vec![0.0; *width]);
                tensors.push(Tensor { name: format!("{layer}.bias_ih_l0"), shape: vec![*width], values });
                tensors.push(Tensor { name: format!("{layer}.bias_hh_l0"), shape: vec![*width], values: zeros });
            }
            ("bias", [2, width], true) => {
                for (name, row) in ["bias_ih_l0", "bias_hh_l0"].into_iter().zip(tensor.values.chunks(*width)) {
                    let values = in_order(row, gates);
                    tensors.push(Tensor { name: format!("{layer}.{name}"), shape: vec![*width], values });
                }
            }
            ("kernel" | "recurrent_kernel", _, _) => return Err(wrong("two dimensions")),
            ("bias", _, _) => return Err(wrong("one dimension, or [2, 3H] of a GRU")),
            _ => {}
        }
    }
    Ok(Autoencoder::from_tensors(spec, n_time, n_channels, &tensors)?)
}

/// Kilter's layer path and Keras's part of a name: `encoder_0/gru_cell/kernel:0` is `encoder.0` and `kernel`.
fn named(name: &str) -> (String, &str) {
    let name = name.trim_end_matches(":0");
    let (path, part) = name.rsplit_once(['/', '.']).unwrap_or(("", name));
    let pieces: Vec<&str> = path.split(['/', '.']).filter(|piece| !piece.ends_with("_cell")).collect();
    let layer = pieces.join(".").replace("encoder_", "encoder.").replace("decoder_", "decoder.");
    (layer, part)
}

/// `[input, output]` as PyTorch stores it, `[output, input]`.
fn turned(name: String, input: usize, output: usize, values: &[f32]) -> Tensor {
    let mut out = vec![0.0; values.len()];
    for (i, row) in values.chunks(output.max(1)).enumerate() {
        row.iter().enumerate().for_each(|(j, value)| out[j * input + i] = *value);
    }
    Tensor { name, shape: vec![output, input], values: out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::layer::recurrent::CellKind;

    #[test]
    fn names_of_keras_become_paths() {
        assert_eq!(named("encoder_0/gru_cell/recurrent_kernel:0"), ("encoder.0".into(), "recurrent_kernel"));
        assert_eq!(named("decoder.1.bias"), ("decoder.1".into(), "bias"));
        assert_eq!(named("bias"), (String::new(), "bias"));
    }

    #[test]
    fn gates_of_a_gru_change_places() {
        let row = |cell: CellKind, values: &[f32]| in_order(values, cell.written().keras_gates());
        assert_eq!(row(CellKind::Gru, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), [3.0, 4.0, 1.0, 2.0, 5.0, 6.0]);
        assert_eq!(row(CellKind::Lstm, &[1.0, 2.0, 3.0, 4.0]), [1.0, 2.0, 3.0, 4.0]);
    }
}
