//! Beside the line: every night the power of each model in charge is measured anew, on rows that came after its fit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::batch::Job;
use super::supervisor::now;
use crate::bundle::ModelBundle;
use crate::pipeline::PowerWanted;
use crate::series::{SeriesId, Timestamp};
use crate::store::{AlertQuery, ReadError, Reader, RowQuery};
use crate::verdict::AlertKind;

/// Time of day, UTC, at which the night's work begins, in milliseconds after midnight: two o'clock.
const BEGINS_MS: i64 = 2 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// Rows of a series that faults are put into, the last ones.
const ROWS_MAX: u32 = 2000;
/// Series of one model at most.
const SERIES_MAX: usize = 8;

/// Runs until asked to stop.
pub(super) async fn measure_nightly(
    reader: Reader,
    jobs: mpsc::WeakUnboundedSender<Job>,
    mut stops: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(until_next(now())) => {}
            _ = stops.wait_for(|stop| *stop) => return,
        }
        match wanted(&reader).await {
            Ok(wanted) => {
                tracing::info!(n_models = wanted.len(), "measuring what the models would see");
                // The line's end closes the trainer's queue; what is asked for here must not keep it open.
                let Some(jobs) = jobs.upgrade() else { return };
                for wanted in wanted {
                    // An error means that the trainer has stopped.
                    let _ = jobs.send(Job::Power(wanted));
                }
            }
            Err(fault) => tracing::warn!(%fault, "what the models would see cannot be measured tonight"),
        }
    }
}

fn until_next(now: Timestamp) -> Duration {
    let wait = (BEGINS_MS - now.as_ms()).rem_euclid(DAY_MS);
    Duration::from_millis(if wait == 0 { DAY_MS } else { wait }.unsigned_abs())
}

/// Every model in charge with the latest rows after its fit.
pub(super) async fn wanted(reader: &Reader) -> Result<Vec<PowerWanted>, ReadError> {
    let mut all = Vec::new();
    for model in reader.models(None).await?.into_iter().filter(|model| !model.active_on.is_empty()) {
        let Some(bytes) = reader.bundle(&model.id).await? else { continue };
        let Ok(bundle) = ModelBundle::decode(&bytes) else { continue };
        let bundle = Arc::new(bundle);
        // One that a kind of machine shares is measured on some of them.
        for series in model.active_on.iter().take(SERIES_MAX) {
            all.extend(wanted_of(reader, series, &bundle).await?);
        }
    }
    Ok(all)
}

async fn wanted_of(
    reader: &Reader,
    series: &SeriesId,
    bundle: &Arc<ModelBundle>,
) -> Result<Option<PowerWanted>, ReadError> {
    let start = bundle.provenance.last_at.plus_ms(1);
    let latest = RowQuery { start: Some(start), end: None, limit: ROWS_MAX, newest_first: true };
    let frames = reader.frames(series, &latest).await?;
    let (Some(last), Some(first)) = (frames.first(), frames.last()) else { return Ok(None) };
    let of_series = AlertQuery { state: None, series: Some(series.clone()), start: None, end: None, limit: u32::MAX };
    let excluded = reader.alerts(&of_series).await?.into_iter().filter(|alert| alert.kind != AlertKind::Silent);
    let channels = reader.one_series(series).await?.channels;
    Ok(Some(PowerWanted {
        series: series.clone(),
        bundle: Arc::clone(bundle),
        channels,
        span: (first.at, last.at),
        excluded: excluded.map(|alert| (alert.opened_at, alert.resolved_at.unwrap_or(last.at.plus_ms(1)))).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_night_begins_at_two_o_clock() {
        let midnight = Timestamp::from_ms(1_795_478_400_000);
        assert_eq!(until_next(midnight), Duration::from_secs(2 * 3600));
        assert_eq!(until_next(midnight.plus_ms(BEGINS_MS)), Duration::from_secs(24 * 3600));
        assert_eq!(until_next(midnight.plus_ms(BEGINS_MS + 60_000)), Duration::from_secs(24 * 3600 - 60));
    }
}
