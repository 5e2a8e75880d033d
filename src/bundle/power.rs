//! What would be seen on a series: a shadow copy learns from the first three quarters of its rows, known faults are
//! put into the rest.

use std::ops::ControlFlow;

use super::{FitError, FitInput, FitProgress, fit};
use crate::detector::{DetectorSpec, PowerReport, measure_power};

/// Share of the rows that the shadow copy learns from.
const LEARNED_SHARE: f64 = 0.75;
/// Faults per kind and size.
const DRAWS: usize = 8;

/// Fits a shadow copy on the first three quarters of the rows and measures which injected faults it sees in the rest.
/// The model in charge is not touched. None when the rest is too short for the longest fault.
///
/// # Errors
/// As [`fit()`].
pub fn power(
    input: &FitInput,
    spec: &DetectorSpec,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<Option<PowerReport>, FitError> {
    let n_channels = input.channels.len().max(1);
    let n_rows = input.values.len() / n_channels;
    let cut = (n_rows as f64 * LEARNED_SHARE) as usize;
    let cells = cut * n_channels;
    let learned = FitInput {
        values: input.values.get(..cells).unwrap_or_default().to_vec(),
        mask: input.mask.get(..cells).unwrap_or_default().to_vec(),
        ..input.clone()
    };
    let shadow = fit(&learned, spec, progress)?;
    let (values, mask) = (&input.values[cells..], &input.mask[cells..]);
    let mut rows = vec![0.0; values.len()];
    shadow.detector.scaler.scale_rows(values, mask, &mut rows);
    Ok(measure_power(&shadow.detector, &rows, DRAWS, spec.seed))
}
