//! A whole set of series at once, on all cores.

use rayon::prelude::*;

use super::{Contender, EvaluateError, LabelledSeries, SeriesReport, evaluate_series};
use crate::pipeline::SeriesSpec;

/// Judges every series by every contender, in parallel over series; `on_done` is told each index when it is done.
///
/// The reports stand in the order of the series, and one that fails leaves the others alone. Numbers do not depend
/// on the order in which series are done.
pub fn evaluate_set(
    set: &[LabelledSeries],
    contenders: &[Contender],
    spec: &SeriesSpec,
    on_done: &(dyn Fn(usize) + Sync),
) -> Vec<Result<SeriesReport, EvaluateError>> {
    set.par_iter()
        .enumerate()
        .with_max_len(1)
        .map(|(index, series)| {
            let report = evaluate_series(series, contenders, spec);
            on_done(index);
            report
        })
        .collect()
}
