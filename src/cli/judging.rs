//! What `score`, `evaluate` and `train` share: from a recording and a configuration to what the judge takes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::CliError;
use crate::config::Config;
use crate::detector::DetectorSpec;
use crate::evaluate::{JudgedSeries, SeriesRows};
use crate::ingest::Recording;
use crate::pipeline::{PowerSpec, SeriesSpec, WarmUp, WatchSpec};
use crate::series::{SeriesId, Stride, Timestamp};
use crate::verdict::{AlarmBudget, AlertSpec, BudgetPeriod, DecisionSpec};
use crate::windowing::{GridKind, GridSpec};

/// Columns of the score CSV. Once released, only ever followed by more.
pub(super) const SCORE_COLUMNS: &str = "row,timestamp,phase,live_score,settled_score,evidence,p_value,\
     autoencoder_error,pca_error,baseline_error,is_anomalous,top_channel";

/// What a recording is judged by: the defaults on the row grid, or the first kind of series of a configuration.
pub(super) fn series_spec(config: Option<&Path>) -> Result<SeriesSpec, CliError> {
    if let Some(path) = config {
        let config = Config::load(path).map_err(|error| CliError::Configuration(error.to_string()))?;
        let first = config.series.into_iter().next();
        return first.map(|entry| entry.spec).ok_or_else(|| CliError::Configuration("no series".to_owned()));
    }
    Ok(SeriesSpec {
        name: "recording".to_owned(),
        grid: GridSpec::row(),
        detector: DetectorSpec::default(),
        decision: DecisionSpec::default(),
        alarm_budget: AlarmBudget::default(),
        alerts: AlertSpec::default(),
        warm_up: WarmUp::default(),
        watches: WatchSpec::default(),
        power: PowerSpec::default(),
        units: BTreeMap::new(),
        channels_max: usize::MAX,
        silence_after_ms: i64::MAX,
        shares_model: false,
        keeps_latents: false,
    })
}

/// Puts a specification on the grid that is wanted, for rows at these times, if they have any.
///
/// On the time grid without a configuration the stride is the usual spacing of the recording's rows. On the row grid a
/// budget per time is counted in rows at the stride of the configuration's time grid, else at that usual spacing.
pub(super) fn choose_grid(
    spec: &mut SeriesSpec,
    wanted: Option<GridKind>,
    has_config: bool,
    at: Option<&[Timestamp]>,
) -> Result<(), CliError> {
    let configured = spec.stride();
    let wanted = wanted.unwrap_or(spec.grid.grid);
    let spacing = at.and_then(usual_spacing);
    spec.grid.grid = wanted;
    match wanted {
        GridKind::Time if at.is_none() => Err(CliError::Usage(
            "the time grid needs a first column `timestamp`; without one use --grid row".to_owned(),
        )),
        GridKind::Time => {
            if let (false, Some(stride)) = (has_config, spacing) {
                spec.grid.stride = stride;
            }
            Ok(())
        }
        GridKind::Row => {
            let stride = configured.or(spacing);
            let per_row =
                spec.alarm_budget.openings_per_row(stride).map_err(|error| CliError::Usage(error.to_string()))?;
            if !matches!(spec.alarm_budget.period, BudgetPeriod::Windows(_)) {
                spec.alarm_budget = AlarmBudget { count: 1.0, period: BudgetPeriod::Windows(1.0 / per_row) };
            }
            Ok(())
        }
    }
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
    fn a_budget_per_time_is_counted_in_rows_on_the_row_grid() {
        let mut spec = series_spec(None).unwrap();
        let hourly = AlarmBudget::parse("1 per hour").unwrap();
        spec.alarm_budget = hourly;
        assert!(choose_grid(&mut spec, None, true, None).is_err());
        let at: Vec<Timestamp> = (0..9).map(|row| Timestamp::from_ms(row * 10_000)).collect();
        choose_grid(&mut spec, None, true, Some(&at)).unwrap();
        assert_eq!(spec.alarm_budget, AlarmBudget::parse("1 per 360 windows").unwrap());
        spec.alarm_budget = hourly;
        choose_grid(&mut spec, Some(GridKind::Time), false, Some(&at)).unwrap();
        assert_eq!((spec.alarm_budget, spec.grid.stride.as_ms()), (hourly, 10_000));
    }

    #[test]
    fn names_with_commas_are_quoted() {
        assert_eq!(quoted("flow"), "flow");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
