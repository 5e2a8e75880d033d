//! `kilter models activate` and `kilter models rollback`: a person picks what judges a series.

use super::super::CliError;
use super::super::source::{SourceArgs, series_id};
use crate::http::view::{ActivationView, TakeOverView};

/// Let a stored model judge a series
///
/// The running service takes it over with the next row of the series, keeps it over a restart, and fits no further
/// model for the series' warm-up.
#[derive(Debug, clap::Args)]
pub(super) struct ActivateArgs {
    /// The model's id.
    model: String,
    /// The series; the one it was fitted on when not given.
    #[arg(long)]
    series: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
}

/// Let the model judge a series that judged it before the present one
#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    /// The series.
    series: String,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn activate(args: &ActivateArgs) -> Result<(), CliError> {
    let series = args.series.as_deref().map(series_id).transpose()?;
    tell(&args.source.activate(&args.model, series.as_ref())?);
    Ok(())
}

pub(super) fn roll_back(args: &RollbackArgs) -> Result<(), CliError> {
    let series = series_id(&args.series)?;
    let take_overs = args.source.open()?.take_overs(&series)?;
    let before = before_present(&take_overs)
        .ok_or_else(|| CliError::failed(format!("no model has judged {series} before the present one")))?;
    tell(&args.source.activate(before, Some(&series))?);
    Ok(())
}

/// The model before the present one, of take-overs from the oldest on.
fn before_present(take_overs: &[TakeOverView]) -> Option<&str> {
    let present = &take_overs.last()?.model_id;
    take_overs.iter().rev().map(|t| t.model_id.as_str()).find(|id| id != present)
}

fn tell(done: &ActivationView) {
    println!("model {} judges {} from its next row on", done.model_id, done.series);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::view::Moment;
    use crate::series::Timestamp;

    #[test]
    fn the_model_before_is_the_last_other_one() {
        let row = |(i, id): (usize, &&str)| TakeOverView {
            from: Moment(Timestamp::from_ms(i as i64)),
            from_row: i as u64,
            model_id: (*id).to_owned(),
        };
        let check = |ids: &[&str], expected: Option<&str>| {
            let rows: Vec<TakeOverView> = ids.iter().enumerate().map(row).collect();
            assert_eq!(before_present(&rows), expected, "{ids:?}");
        };
        check(&[], None);
        check(&["a"], None);
        check(&["a", "b", "b"], Some("a"));
        check(&["a", "b", "a"], Some("b"));
    }
}
