//! From the store back into a pipeline: windows, calibration, open alerts and rows that still wait for a model.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bundle::ModelBundle;
use crate::pipeline::{Checkpoint, Outcome, Pipeline, Restored};
use crate::series::{SeriesId, Timestamp};
use crate::store::{ReadError, RestoredSeries, RowQuery, Store};

/// Models read so far by id: many series may share one.
type Models = HashMap<String, Option<Arc<ModelBundle>>>;

/// Puts every series of the store back into the pipeline; gives what the pipeline wants done, which may repeat what is
/// stored already.
pub(super) async fn restore(store: &Store, pipeline: &mut Pipeline, now: Timestamp) -> Result<Vec<Outcome>, ReadError> {
    let mut outcomes = Vec::new();
    let mut models = Models::new();
    let with_false_alarms = store.reader().series_with_false_alarms().await?;
    for kept in store.restore().await? {
        // Said while the checkpoint was already written.
        let series = kept.series.clone();
        let said: Vec<_> = kept.open_alerts.iter().map(|open| open.alert.clone()).collect();
        let restored = complete(store, kept, pipeline.rows_reached_back(), &mut models).await?;
        outcomes.extend(pipeline.restore(restored, now));
        said.iter().for_each(|alert| pipeline.amend(alert));
        if with_false_alarms.contains(&series) {
            let alarms = store.reader().false_alarms(&series, pipeline.rows_reached_back()).await?;
            outcomes.extend(pipeline.on_false_alarms(&series, alarms));
        }
    }
    Ok(outcomes)
}

/// Adds the rows and the model that a series' checkpoint asks for.
async fn complete(
    store: &Store,
    kept: RestoredSeries,
    n_back: usize,
    models: &mut Models,
) -> Result<Restored, ReadError> {
    let RestoredSeries { series, channels, open_rows: unfinished, checkpoint, last_closed_at, .. } = kept;
    let checkpoint = checkpoint.and_then(|found| match Checkpoint::decode(&found.bytes) {
        Ok(checkpoint) => Some((found.at, checkpoint)),
        Err(fault) => {
            tracing::error!(%series, %fault, "the series starts anew from its rows");
            None
        }
    });
    let end = last_closed_at.unwrap_or(Timestamp::from_ms(0));
    let Some((at, checkpoint)) = checkpoint else {
        let replay = store.frames_between(&series, Timestamp::from_ms(0), end).await?;
        return Ok(Restored {
            series,
            channels,
            checkpoint: None,
            bundle: None,
            recent: Vec::new(),
            since_fit: Vec::new(),
            replay,
            unfinished,
        });
    };
    let last = RowQuery { end: Some(at.plus_ms(1)), limit: n_back as u32, newest_first: true, ..RowQuery::default() };
    let mut recent = store.reader().frames(&series, &last).await?;
    recent.reverse();
    let since_fit = match &checkpoint.fitting {
        Some(wanted) => store.frames_between(&series, wanted.to.plus_ms(1), at).await?,
        None => Vec::new(),
    };
    let first = checkpoint.last_at.map_or(at, |last| last.plus_ms(1));
    let replay = if first > end { Vec::new() } else { store.frames_between(&series, first, end).await? };
    let bundle = match &checkpoint.judging {
        Some((model_id, ..)) => match models.get(model_id) {
            Some(bundle) => bundle.clone(),
            None => {
                let bundle = bundle(store, &series, model_id).await?;
                models.insert(model_id.clone(), bundle.clone());
                bundle
            }
        },
        None => None,
    };
    Ok(Restored { series, channels, checkpoint: Some(checkpoint), bundle, recent, since_fit, replay, unfinished })
}

/// A model of the store; none, and said so, when it is missing or damaged.
async fn bundle(store: &Store, series: &SeriesId, model_id: &str) -> Result<Option<Arc<ModelBundle>>, ReadError> {
    let Some(bytes) = store.load_bundle(model_id).await? else {
        tracing::error!(%series, model_id, "the model is not in the store");
        return Ok(None);
    };
    match ModelBundle::decode(&bytes) {
        Ok(bundle) => Ok(Some(Arc::new(bundle))),
        Err(fault) => {
            tracing::error!(%series, model_id, %fault, "the model is damaged");
            Ok(None)
        }
    }
}
