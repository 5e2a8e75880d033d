//! A bundle as bytes: a safetensors file whose metadata line holds a checksum and JSON.
//!
//! Any safetensors reader opens the weights. The checksum covers the JSON and every array; the id is the SHA-256 of
//! the whole file.

use std::collections::HashMap;
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ModelBundle, Provenance};
use crate::detector::{Detector, Member, MemberError, MemberParts, Normaliser, Scaler, Switches, Tensor, rebuild};
use crate::series::ChannelName;
use crate::stats::Residual;
use crate::verdict::{Calibration, SmoothingSpec, StuckCalibration, StuckFloor, StuckSpec};

/// Version of the format; rises when an older program could misread it.
const FORMAT_VERSION: u32 = 2;
/// Key of the metadata line.
const METADATA_KEY: &str = "kilter";
/// Name of the calibration array, `[2, row]`: fused residuals, then runners-up.
const CALIBRATION: &str = "calibration.rows";
/// Name of the array that marks switches, `[channel]`: 1 where a channel is one.
const SWITCHES: &str = "switches";
/// Name of the array of levels, `[member + 1, channel]`; the last row is the baseline's.
const LEVELS: &str = "normaliser.levels";
/// Name of the scaler array, `[2, channel]`: means, then standard deviations.
const SCALER: &str = "scaler";

/// Name of the array that tells when a channel is stuck, `[2, channel]`: largest range of a still run, and its rows.
const STUCK: &str = "stuck.floors";
/// Stands there for a channel of which nothing can be said.
const NO_FLOOR: f64 = -1.0;

/// Why bytes are not a bundle.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeBundleError {
    /// Not a safetensors file, or torn.
    #[error("these {n_bytes} bytes are no readable model bundle: {reason}")]
    Unreadable {
        /// Bytes given.
        n_bytes: usize,
        /// What the reader said.
        reason: String,
    },
    /// A safetensors file of something else.
    #[error("a safetensors file without the metadata key {METADATA_KEY:?} is no model bundle")]
    NotABundle,
    /// Written by a newer or a much older program.
    #[error("the bundle has format version {found}, this program reads {FORMAT_VERSION}")]
    Version {
        /// Version found.
        found: u32,
    },
    /// The bytes were altered.
    #[error("the bundle was altered: its checksum is {found}, it says {expected}")]
    Checksum {
        /// Checksum of the bytes.
        found: String,
        /// Checksum in the file.
        expected: String,
    },
    /// An array is missing or misshapen.
    #[error("array {name:?} is missing or has a shape other than {expected:?}")]
    Array {
        /// The array.
        name: String,
        /// Shape expected.
        expected: Vec<usize>,
    },
    /// A member cannot be rebuilt.
    #[error(transparent)]
    Member(#[from] MemberError),
}

/// What the JSON line holds.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format_version: u32,
    channels: Vec<ChannelName>,
    n_time: usize,
    members: Vec<MemberHeader>,
    smoothing: SmoothingSpec,
    stuck: StuckSpec,
    provenance: Provenance,
}

#[derive(Debug, Serialize, Deserialize)]
struct MemberHeader {
    member: Member,
    facts: serde_json::Value,
    /// Names and shapes of its arrays, in order.
    tensors: Vec<(String, Vec<usize>)>,
}

/// An array on its way into the file.
struct Array {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl ModelBundle {
    /// A bundle from its parts; computes its id.
    pub fn from_parts(
        channels: Vec<ChannelName>,
        detector: Detector,
        calibration: Calibration,
        stuck: StuckCalibration,
        provenance: Provenance,
    ) -> Self {
        let calibration = Arc::new(calibration);
        let mut bundle = Self { id: String::new(), channels, detector, calibration, stuck, provenance };
        bundle.id = id_of(&bundle.encode());
        bundle
    }

    /// The bundle as bytes; the same bundle always gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let parts: Vec<MemberParts> = self.detector.members.iter().map(|member| member.parts()).collect();
        let header = Header {
            format_version: FORMAT_VERSION,
            channels: self.channels.clone(),
            n_time: self.detector.n_time,
            members: parts.iter().map(member_header).collect(),
            smoothing: self.calibration.smoothing.clone(),
            stuck: self.stuck.spec.clone(),
            provenance: self.provenance.clone(),
        };
        let mut arrays = self.own_arrays();
        for (index, parts) in parts.into_iter().enumerate() {
            arrays.extend(parts.tensors.into_iter().map(|tensor| Array {
                name: format!("members.{index}.{}", tensor.name),
                dtype: Dtype::F32,
                shape: tensor.shape,
                bytes: tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            }));
        }
        // Neither step can fail on data of our own making: the header is plain data, the shapes were checked by `fit`.
        let json = serde_json::to_string(&header).unwrap_or_default();
        let line = format!("{} {json}", checksum(&json, &arrays));
        let views: Vec<(&str, TensorView<'_>)> = arrays
            .iter()
            .filter_map(|array| {
                let view = TensorView::new(array.dtype, array.shape.clone(), &array.bytes);
                view.ok().map(|view| (array.name.as_str(), view))
            })
            .collect();
        debug_assert_eq!(views.len(), arrays.len(), "every array has the shape it says");
        serialize(views, Some(HashMap::from([(METADATA_KEY.to_owned(), line)]))).unwrap_or_default()
    }

    fn own_arrays(&self) -> Vec<Array> {
        let n_channels = self.channels.len();
        let doubles = |name: &str, shape: Vec<usize>, values: Vec<f64>| Array {
            name: name.to_owned(),
            dtype: Dtype::F64,
            shape,
            bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let Detector { scaler, normaliser, switches, .. } = &self.detector;
        let stuck = |of: &dyn Fn(&StuckFloor) -> f64| -> Vec<f64> {
            self.stuck.floors.iter().map(|floor| floor.as_ref().map_or(NO_FLOOR, of)).collect()
        };
        let held_out = |of: fn(&Residual) -> f64| -> Vec<f64> { self.calibration.rows.iter().map(of).collect() };
        let is_switch: Vec<f64> = switches.is_switch.iter().map(|is| f64::from(u8::from(*is))).collect();
        let levels: Vec<f64> = normaliser.levels.iter().chain([&normaliser.baseline]).flatten().copied().collect();
        vec![
            doubles(
                CALIBRATION,
                vec![2, self.calibration.n_rows()],
                [held_out(|row| row.fused), held_out(|row| row.runner_up)].concat(),
            ),
            doubles(LEVELS, vec![normaliser.levels.len() + 1, n_channels], levels),
            doubles(STUCK, vec![2, n_channels], [stuck(&|f| f.range), stuck(&|f| f.rows as f64)].concat()),
            doubles(SWITCHES, vec![n_channels], is_switch),
            doubles(SCALER, vec![2, n_channels], [scaler.means.clone(), scaler.sds.clone()].concat()),
        ]
    }

    /// Reads a bundle back.
    ///
    /// # Errors
    /// When the bytes are torn, altered, of a newer format, or do not hold together.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeBundleError> {
        let unreadable = |reason: String| DecodeBundleError::Unreadable { n_bytes: bytes.len(), reason };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| unreadable(e.to_string()))?;
        let line =
            metadata.metadata().as_ref().and_then(|m| m.get(METADATA_KEY)).ok_or(DecodeBundleError::NotABundle)?;
        let (expected, json) = line.split_once(' ').ok_or(DecodeBundleError::NotABundle)?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| unreadable(e.to_string()))?;
        let found = checksum(json, &all_arrays(&file));
        if found != expected {
            return Err(DecodeBundleError::Checksum { found, expected: expected.to_owned() });
        }
        let version: VersionOnly = serde_json::from_str(json).map_err(|e| unreadable(e.to_string()))?;
        if version.format_version != FORMAT_VERSION {
            return Err(DecodeBundleError::Version { found: version.format_version });
        }
        let header: Header = serde_json::from_str(json).map_err(|e| unreadable(e.to_string()))?;
        assemble(header, &file, id_of(bytes))
    }
}

#[derive(Debug, Deserialize)]
struct VersionOnly {
    format_version: u32,
}

fn assemble(header: Header, file: &SafeTensors<'_>, id: String) -> Result<ModelBundle, DecodeBundleError> {
    let n_channels = header.channels.len();
    let empty = DecodeBundleError::Array { name: "members".to_owned(), expected: vec![1] };
    if n_channels == 0 || header.n_time == 0 || header.members.is_empty() {
        return Err(empty);
    }
    let scaler = doubles(file, SCALER, &[2, n_channels])?;
    let is_switch = doubles(file, SWITCHES, &[n_channels])?.iter().map(|is| *is != 0.0).collect();
    let levels = doubles(file, LEVELS, &[header.members.len() + 1, n_channels])?;
    let mut levels: Vec<Vec<f64>> = levels.chunks_exact(n_channels).map(<[f64]>::to_vec).collect();
    let baseline = levels.pop().unwrap_or_default();
    let floors = doubles(file, STUCK, &[2, n_channels])?;
    let floor =
        |(range, rows): (&f64, &f64)| (*range >= 0.0).then_some(StuckFloor { range: *range, rows: *rows as usize });
    let floors = floors[..n_channels].iter().zip(&floors[n_channels..]).map(floor).collect();
    let n_rows = file.tensor(CALIBRATION).map_or(0, |t| t.shape().last().copied().unwrap_or(0));
    let held_out = doubles(file, CALIBRATION, &[2, n_rows])?;
    let row = |(fused, runner_up): (&f64, &f64)| Residual { fused: *fused, runner_up: *runner_up };
    let rows = held_out[..n_rows].iter().zip(&held_out[n_rows..]).map(row).collect();
    let mut members = Vec::with_capacity(header.members.len());
    for (index, member) in header.members.into_iter().enumerate() {
        let mut tensors = Vec::with_capacity(member.tensors.len());
        for (name, shape) in member.tensors {
            let values = floats(file, &format!("members.{index}.{name}"), &shape)?;
            tensors.push(Tensor { name, shape, values });
        }
        let parts = MemberParts { member: member.member, facts: member.facts, tensors };
        members.push(rebuild(&parts, header.n_time, n_channels)?);
    }
    Ok(ModelBundle {
        id,
        channels: header.channels,
        detector: Detector {
            scaler: Scaler { means: scaler[..n_channels].to_vec(), sds: scaler[n_channels..].to_vec() },
            members,
            normaliser: Normaliser { levels, baseline },
            switches: Switches { is_switch },
            n_time: header.n_time,
            n_channels,
        },
        calibration: Arc::new(Calibration::fit(rows, header.smoothing)),
        stuck: StuckCalibration { spec: header.stuck, floors },
        provenance: header.provenance,
    })
}

fn member_header(parts: &MemberParts) -> MemberHeader {
    MemberHeader {
        member: parts.member,
        facts: parts.facts.clone(),
        tensors: parts.tensors.iter().map(|t| (t.name.clone(), t.shape.clone())).collect(),
    }
}

fn all_arrays(file: &SafeTensors<'_>) -> Vec<Array> {
    let array = |(name, view): (String, TensorView<'_>)| Array {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.tensors().into_iter().map(array).collect()
}

/// Checksum over the JSON and every array's name, shape and bytes, arrays by name.
fn checksum(json: &str, arrays: &[Array]) -> String {
    let mut order: Vec<&Array> = arrays.iter().collect();
    order.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hasher = Sha256::new();
    hasher.update(json.as_bytes());
    for array in order {
        hasher.update(format!("\n{} {:?} {:?}\n", array.name, array.dtype, array.shape).as_bytes());
        hasher.update(&array.bytes);
    }
    hex(&hasher.finalize())
}

fn id_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))[..16].to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn view<'a>(
    file: &'a SafeTensors<'_>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<TensorView<'a>, DecodeBundleError> {
    let wrong = || DecodeBundleError::Array { name: name.to_owned(), expected: shape.to_vec() };
    let view = file.tensor(name).map_err(|_| wrong())?;
    if view.dtype() == dtype && view.shape() == shape { Ok(view) } else { Err(wrong()) }
}

fn doubles(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f64>, DecodeBundleError> {
    let view = view(file, name, Dtype::F64, shape)?;
    let number = |chunk: &[u8]| chunk.try_into().map_or(f64::NAN, f64::from_le_bytes);
    let values: Vec<f64> = view.data().chunks_exact(8).map(number).collect();
    if values.iter().all(|v| v.is_finite()) {
        return Ok(values);
    }
    Err(DecodeBundleError::Array { name: name.to_owned(), expected: shape.to_vec() })
}

fn floats(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, DecodeBundleError> {
    let view = view(file, name, Dtype::F32, shape)?;
    let number = |chunk: &[u8]| chunk.try_into().map_or(f32::NAN, f32::from_le_bytes);
    Ok(view.data().chunks_exact(4).map(number).collect())
}
