//! What `score`, `evaluate` and `train` share: from a recording and a configuration to what the judge takes.

use std::io::Write;
use std::path::Path;

use super::CliError;
use crate::detector::DetectorSpec;
use crate::evaluate::{JudgedSeries, SeriesRows};
use crate::ingest::Recording;
use crate::pipeline::{SeriesSpec, WarmUp};
use crate::series::{SeriesId, Stride, Timestamp};
use crate::verdict::{AlarmBudget, DecisionSpec};
use crate::windowing::{GridKind, GridSpec};

/// Columns of the score CSV. Once released, only ever followed by more.
pub(super) const SCORE_COLUMNS: &str = "row,timestamp,phase,live_score,settled_score,evidence,p_value,\
     autoencoder_error,pca_error,baseline_error,is_anomalous,top_channel";

/// What a recording is judged by: the defaults on the row grid, or what a configuration says.
pub(super) fn series_spec(config: Option<&Path>) -> Result<SeriesSpec, CliError> {
    if config.is_some() {
        return Err(CliError::NotYet { command: "score --config", missing: "the configuration has not landed" });
    }
    Ok(SeriesSpec {
        name: "recording".to_owned(),
        grid: GridSpec::row(),
        detector: DetectorSpec::default(),
        decision: DecisionSpec::default(),
        alarm_budget: AlarmBudget::default(),
        warm_up: WarmUp::default(),
        channels_max: usize::MAX,
        silence_after_ms: i64::MAX,
    })
}

/// Lets `--grid` have the last word. On the time grid without a configuration the stride is the usual spacing of the
/// recording's rows.
pub(super) fn choose_grid(
    spec: &mut SeriesSpec,
    wanted: Option<GridKind>,
    has_config: bool,
    recording: &Recording,
) -> Result<(), CliError> {
    if let Some(grid) = wanted {
        spec.grid.grid = grid;
    }
    if spec.grid.grid == GridKind::Row {
        return Ok(());
    }
    let Some(at) = &recording.at else {
        return Err(CliError::Usage(
            "the time grid needs a first column `timestamp`; without one use --grid row".to_owned(),
        ));
    };
    if !has_config && let Some(stride) = usual_spacing(at) {
        spec.grid.stride = stride;
    }
    // A recording is read in one go: nothing in it is late or too old.
    Ok(())
}

/// The median distance of one row from the next.
fn usual_spacing(at: &[Timestamp]) -> Option<Stride> {
    let mut steps: Vec<i64> = at.windows(2).map(|pair| pair[1].ms_since(pair[0])).filter(|ms| *ms > 0).collect();
    steps.sort_unstable();
    Stride::from_ms(*steps.get(steps.len() / 2)?).ok()
}

/// A recording as the judge takes it: on the row grid times that do not rise are nudged, on the time grid they stay.
pub(super) fn series_rows(name: &str, recording: &Recording, grid: GridKind) -> Result<SeriesRows, CliError> {
    let at = match (&recording.at, grid) {
        (Some(at), GridKind::Time) => at.clone(),
        _ => recording.row_times(),
    };
    Ok(SeriesRows {
        series: SeriesId::parse(&name.replace(['+', '#'], "_")).map_err(CliError::failed)?,
        channels: recording.channels.clone(),
        at,
        values: recording.values.clone(),
        present: recording.present.clone(),
    })
}

/// Writes the score CSV, one line per input row; `at` are the recording's own timestamps, if it has any.
pub(super) fn write_scores(
    to: &mut impl Write,
    judged: &JudgedSeries,
    at: Option<&[Timestamp]>,
) -> std::io::Result<()> {
    writeln!(to, "{SCORE_COLUMNS}")?;
    for (row, found) in judged.rows.iter().enumerate() {
        let timestamp = at.and_then(|at| at.get(row)).map(Timestamp::to_string).unwrap_or_default();
        writeln!(
            to,
            "{row},{timestamp},{},{},{},{},{},{},{},{},{},{}",
            if found.is_training { "training" } else { "scoring" },
            found.live_score,
            found.settled_score,
            found.evidence,
            found.p_value,
            found.autoencoder_error,
            found.pca_error,
            found.baseline_error,
            u8::from(found.is_anomalous),
            quoted(judged.top_channel(found).as_str()),
        )?;
    }
    to.flush()
}

/// A name as a CSV cell.
fn quoted(name: &str) -> String {
    if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spacing_ignores_repeats_and_gaps() {
        let at: Vec<Timestamp> = [0, 1000, 1000, 2000, 60_000, 61_000].map(Timestamp::from_ms).to_vec();
        assert_eq!(usual_spacing(&at).map(Stride::as_ms), Some(1000));
        assert_eq!(usual_spacing(&at[..1]), None);
    }

    #[test]
    fn names_with_commas_are_quoted() {
        assert_eq!(quoted("flow"), "flow");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
