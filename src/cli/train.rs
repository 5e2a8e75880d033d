//! `kilter train`: fits a model from a recording or from the store.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::CliError;
use super::judging::series_spec;
use super::source::series_id;
use crate::bundle::{FitProgress, ForeignWeights};
use crate::ingest::{LabelColumn, Recording};
use crate::pipeline::{FitWanted, Outcome, train_with};
use crate::series::{Cell, ChannelName, Frame, SeriesId, Timestamp};
use crate::store::{Reader, RowQuery, Store, StoreConfig};

/// Fit a model from a recording or from the store
///
/// The model is kept in the data directory (the service must be stopped, there is one writer), or written to a file
/// with --out. It does not take over by itself.
#[derive(Debug, clap::Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    fit: FitArgs,
}

/// What a model is fitted on, and where it goes.
#[derive(Debug, clap::Args)]
pub(super) struct FitArgs {
    /// Series that the model is for.
    series: String,
    /// Recording to fit on; frames of the store when not given.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Rows to fit on: the newest of the store, the first of a recording.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(50..))]
    rows: u32,
    /// A configuration file whose `[defaults]` describe window, members and alarm budget.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory of the service.
    #[arg(long, value_name = "DIR", required_unless_present = "out")]
    data_dir: Option<PathBuf>,
    /// Write the model to this file instead of keeping it in the data directory.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &TrainArgs) -> Result<(), CliError> {
    fit_model(&args.fit, None)
}

/// Fits a model, with the weights of its autoencoder when they are given, and keeps or writes it.
pub(super) fn fit_model(args: &FitArgs, weights: Option<ForeignWeights<'_>>) -> Result<(), CliError> {
    let series = series_id(&args.series)?;
    let spec = series_spec(args.config.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (channels, frames) = match (&args.from, &args.data_dir) {
        (Some(file), _) => recorded(file, args.rows)?,
        (None, Some(dir)) => runtime.block_on(stored(&StoreConfig::in_dir(dir), &series, args.rows))?,
        (None, None) => return Err(CliError::Usage("rows come from --from FILE or --data-dir DIR".to_owned())),
    };
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
        return Err(CliError::failed(format!("series {series} has no rows to fit on")));
    };
    let wanted = FitWanted {
        series: series.clone(),
        from: first.at,
        to: last.at,
        excluded: Vec::new(),
        model: None,
        recalibrates: None,
    };
    let first_at = first.at;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").map_err(CliError::failed)?);
    let mut report = |progress: FitProgress| {
        bar.set_message(told(progress));
        bar.tick();
        ControlFlow::Continue(())
    };
    let trained = train_with(wanted, &frames, &channels, &spec, weights, &mut report).map_err(CliError::failed)?;
    bar.finish_and_clear();
    let bundle = trained.bundle;
    println!("model {} fitted on {} rows of {series}, {} to {}", bundle.id(), frames.len(), first_at, last.at);
    if let Some(file) = &args.out {
        std::fs::write(file, bundle.encode())?;
        println!("written to {}", file.display());
    } else if let Some(dir) = &args.data_dir {
        let mut batch = vec![Outcome::SeriesSeen { series: series.clone(), at: first_at }];
        let seen = |(channel_index, channel): (usize, ChannelName)| Outcome::ChannelSeen {
            series: series.clone(),
            channel_index,
            channel,
        };
        batch.extend(channels.into_iter().enumerate().map(seen));
        batch.push(Outcome::Model { series: series.clone(), bundle: Arc::clone(&bundle) });
        let keep = async {
            let store = Store::open(&StoreConfig::in_dir(dir)).await.map_err(CliError::failed)?;
            store.commit(&batch).await.map_err(CliError::failed)?;
            store.close().await.map_err(CliError::failed)
        };
        runtime.block_on(keep)?;
        println!("kept in {}", dir.display());
    }
    Ok(())
}

fn told(progress: FitProgress) -> String {
    match progress {
        FitProgress::Fold { done, of } => format!("held out {done} of {of}"),
        FitProgress::Epoch { epoch, epochs, loss, .. } => format!("epoch {epoch} of {epochs}, loss {loss:.4}"),
    }
}

/// The first rows of a recording.
pub(super) fn recorded(file: &std::path::Path, n_rows: u32) -> Result<(Vec<ChannelName>, Vec<Frame>), CliError> {
    let recording = Recording::open(file, LabelColumn::Ignored).map_err(CliError::failed)?;
    let frame = |(row, at): (usize, Timestamp)| Frame {
        at,
        values: recording.row(row).to_vec(),
        cells: recording.row_present(row).iter().map(|p| if *p { Cell::Measured } else { Cell::Missing }).collect(),
    };
    let frames = recording.row_times().into_iter().enumerate().take(n_rows as usize).map(frame).collect();
    Ok((recording.channels.clone(), frames))
}

/// The newest rows of a series in the store, oldest first.
pub(super) async fn stored(
    config: &StoreConfig,
    series: &SeriesId,
    n_rows: u32,
) -> Result<(Vec<ChannelName>, Vec<Frame>), CliError> {
    let reader = Reader::open(config).await.map_err(CliError::failed)?;
    let row = reader.one_series(series).await.map_err(CliError::failed)?;
    let newest = RowQuery { limit: n_rows, newest_first: true, ..RowQuery::default() };
    let mut frames = reader.frames(series, &newest).await.map_err(CliError::failed)?;
    frames.reverse();
    reader.close().await;
    Ok((row.channels, frames))
}
