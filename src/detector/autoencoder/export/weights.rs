//! Safetensors: eight bytes of header length, a JSON header, little-endian numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::fitted::{Autoencoder, LoadAutoencoderError};
use super::super::spec::AutoencoderSpec;
use crate::nn::parameter::Tensor;

/// Longest header that is read; the format's own limit.
const HEADER_MAX: usize = 100_000_000;

#[derive(Serialize, Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// Why weights could not be taken over.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file: {reason}")]
    Format {
        /// What is wrong.
        reason: String,
    },
    /// A tensor has numbers of another kind.
    #[error("tensor {name} holds {found}, expected F32")]
    Kind {
        /// Which.
        name: String,
        /// Its kind.
        found: String,
    },
    /// A tensor's shape fits no layer of the spec.
    #[error("tensor {name} has shape {found:?}, expected {expected}")]
    Shape {
        /// Which.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// The tensors do not make this autoencoder.
    #[error(transparent)]
    Load(#[from] LoadAutoencoderError),
}

/// The weights as a safetensors file.
pub fn safetensors(autoencoder: &Autoencoder) -> Vec<u8> {
    write_tensors(autoencoder.tensors())
}

/// A safetensors file of these tensors.
pub fn write_tensors(tensors: Vec<Tensor>) -> Vec<u8> {
    let mut header = BTreeMap::new();
    let mut data: Vec<u8> = Vec::new();
    for tensor in tensors {
        let from = data.len();
        tensor.values.iter().for_each(|value| data.extend_from_slice(&value.to_le_bytes()));
        let entry = Entry { dtype: "F32".into(), shape: tensor.shape, data_offsets: [from, data.len()] };
        header.insert(tensor.name, entry);
    }
    // A map of strings and numbers always has a JSON form.
    let mut header = serde_json::to_vec(&header).unwrap_or_default();
    // Numbers start at a multiple of eight.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(data);
    bytes
}

/// An autoencoder of `spec` for windows `[n_time, n_channels]` with weights from a safetensors file whose names and
/// layouts are PyTorch's (`encoder.0.weight_ih_l0`, …).
///
/// # Errors
/// When the bytes are no safetensors file of `f32`, or the tensors do not make this autoencoder.
pub fn from_safetensors(
    bytes: &[u8],
    spec: &AutoencoderSpec,
    n_time: usize,
    n_channels: usize,
) -> Result<Autoencoder, ImportError> {
    Ok(Autoencoder::from_tensors(spec, n_time, n_channels, &read_tensors(bytes)?)?)
}

/// The tensors of a safetensors file.
pub(super) fn read_tensors(bytes: &[u8]) -> Result<Vec<Tensor>, ImportError> {
    let format = |reason: &str| ImportError::Format { reason: reason.to_owned() };
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| format("shorter than eight bytes"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > HEADER_MAX || length > rest.len() {
        return Err(format("its header is longer than the file"));
    }
    let (header, data) = rest.split_at(length);
    let mut header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|error| format(&error.to_string()))?;
    header.remove("__metadata__");
    let mut tensors = Vec::new();
    for (name, entry) in header {
        let entry: Entry = serde_json::from_value(entry).map_err(|error| format(&format!("{name}: {error}")))?;
        if entry.dtype != "F32" {
            return Err(ImportError::Kind { name, found: entry.dtype });
        }
        let [from, to] = entry.data_offsets;
        let values = data.get(from..to).ok_or_else(|| format(&format!("{name} lies outside the file")))?;
        let len = entry.shape.iter().try_fold(4usize, |len, n| len.checked_mul(*n));
        if len != Some(values.len()) {
            return Err(format(&format!("{name} has {} bytes for shape {:?}", values.len(), entry.shape)));
        }
        let (numbers, _) = values.as_chunks::<4>();
        let values = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        tensors.push(Tensor { name, shape: entry.shape, values });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::super::super::{AutoencoderScratch, Network};
    use super::*;
    use crate::nn::generator::Generator;

    #[test]
    fn a_file_read_back_gives_the_same_reconstruction() {
        let spec = AutoencoderSpec::default();
        let tensors = Network::<f32>::new(&spec, 6, 3, &mut Generator::new(1)).tensors();
        let a = Autoencoder::from_tensors(&spec, 6, 3, &tensors).unwrap();
        let b = from_safetensors(&safetensors(&a), &spec, 6, 3).unwrap();
        let x: Vec<f32> = (0..36).map(|i| (i as f32).sin()).collect();
        let (mut y, mut z, mut scratch) = (vec![0.0; 36], vec![0.0; 36], AutoencoderScratch::default());
        a.reconstruct(&x, &mut scratch, &mut y);
        b.reconstruct(&x, &mut scratch, &mut z);
        assert_eq!(y, z);
    }

    #[test]
    fn torn_files_are_refused() {
        let spec = AutoencoderSpec::default();
        let tensors = Network::<f32>::new(&spec, 6, 3, &mut Generator::new(1)).tensors();
        let whole = safetensors(&Autoencoder::from_tensors(&spec, 6, 3, &tensors).unwrap());
        for cut in [0, 3, 8, 100, whole.len() - 1] {
            assert!(from_safetensors(&whole[..cut], &spec, 6, 3).is_err(), "cut at {cut}");
        }
        for at in (0..whole.len().min(600)).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            // Any answer but a panic will do: a flipped number is still a number.
            let _ = from_safetensors(&flipped, &spec, 6, 3);
        }
    }
}
