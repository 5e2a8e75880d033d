//! What would be seen on a series: known faults are put into rows that the members have not learned from.
//!
//! After a fit a shadow copy of the model has its closed-form members learn the first part of the rows anew; the trained
//! member stays, because it never learned from the last part, by which its training was stopped. Later, rows that came
//! after the fit need no shadow fit. The model in charge is never touched.

use std::ops::Range;

use super::fit::{fit_members, training_rows};
use super::{FitError, FitInput, ModelBundle};
use crate::detector::{Detector, PowerDraws, PowerReport, measure_power};

/// Share of the rows that closed-form members of a shadow copy learn from.
const LEARNED_SHARE: f64 = 0.75;

/// Measures which injected faults a model sees, on the last part of the rows that it was fitted on. None when that
/// part is too short for the longest fault, or `go_on` said no.
///
/// # Errors
/// When the closed-form members cannot be fitted on the first part.
pub fn power(
    bundle: &ModelBundle,
    input: &FitInput,
    draws: PowerDraws,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<PowerReport>, FitError> {
    let spec = &bundle.provenance.spec;
    let n_channels = input.channels.len().max(1);
    let n_rows = input.values.len() / n_channels;
    let has_trained = bundle.members().iter().any(|member| member.is_trained());
    let unseen = if has_trained { spec.autoencoder.validation_split } else { 1.0 };
    let cut = (n_rows as f64 * LEARNED_SHARE.max(1.0 - unseen)) as usize;
    let learned = FitInput {
        values: input.values[..cut * n_channels].to_vec(),
        mask: input.mask[..cut * n_channels].to_vec(),
        excluded: input.excluded.iter().map(|rows| rows.start.min(cut)..rows.end.min(cut)).collect(),
        ..input.clone()
    };
    let training = training_rows(&learned, &bundle.detector.scaler, bundle.n_time());
    let mut members = Vec::with_capacity(bundle.detector.members.len());
    for member in &bundle.detector.members {
        match member.member() {
            trained if trained.is_trained() => members.push(member.clone()),
            closed_form => members.extend(fit_members(&training, &[closed_form], spec)?),
        }
    }
    let shadow = Detector { members, ..bundle.detector.clone() };
    Ok(measure(&shadow, input, cut..n_rows, spec.seed, draws, go_on))
}

/// The same on rows that came after the fit, all of them. None when they are too few, or `go_on` said no.
pub fn power_since(
    bundle: &ModelBundle,
    input: &FitInput,
    draws: PowerDraws,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<PowerReport> {
    let n_rows = input.values.len() / input.channels.len().max(1);
    measure(&bundle.detector, input, 0..n_rows, bundle.provenance.spec.seed, draws, go_on)
}

fn measure(
    detector: &Detector,
    input: &FitInput,
    rows: Range<usize>,
    seed: u64,
    draws: PowerDraws,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<PowerReport> {
    let rows = longest_clean(rows, &input.excluded);
    let cells = rows.start * detector.n_channels..rows.end * detector.n_channels;
    let (values, mask) = (&input.values[cells.clone()], &input.mask[cells]);
    let mut scaled = vec![0.0; values.len()];
    detector.scaler.scale_rows(values, mask, &mut scaled);
    measure_power(detector, &scaled, draws, seed, go_on)
}

/// The longest stretch of rows without an alert: faults put on top of others would say nothing.
fn longest_clean(rows: Range<usize>, excluded: &[Range<usize>]) -> Range<usize> {
    let mut spans: Vec<&Range<usize>> = excluded.iter().collect();
    spans.sort_by_key(|span| span.start);
    let mut best = rows.start..rows.start;
    let mut start = rows.start;
    for span in spans.into_iter().filter(|span| span.end > rows.start) {
        let end = span.start.min(rows.end);
        if end.saturating_sub(start) > best.len() {
            best = start..end;
        }
        start = start.max(span.end);
    }
    if rows.end.saturating_sub(start) > best.len() { start..rows.end } else { best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_put_into_the_longest_stretch_without_an_alert() {
        assert_eq!(longest_clean(100..200, &[]), 100..200);
        assert_eq!(longest_clean(100..200, &[150..160, 90..105]), 105..150);
        assert_eq!(longest_clean(100..200, &[0..50, 120..130, 190..300]), 130..190);
        assert_eq!(longest_clean(100..200, &[0..150, 150..500]).len(), 0);
    }
}
