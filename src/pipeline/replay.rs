//! Feeding a recording through the same path, with every fit done on the spot.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{
    FalseAlarm, FitWanted, Outcome, Pipeline, SHARED_WARM_ROWS, SharedModels, Trained, Unlearned, adopt, go_on_with,
    pool_size, recalibrate, train,
};
use crate::bundle::{FitError, FitProgress, ModelBundle};
use crate::series::{Frame, Reading, SeriesId, Timestamp};

/// A pipeline that fits its models itself: the same readings give the same outcomes, on any machine at any load.
///
/// It keeps every closed row in memory, as a recording fits into it.
#[derive(Debug)]
pub struct Replay {
    pipeline: Pipeline,
    rows: HashMap<SeriesId, Vec<Frame>>,
    shared: SharedModels,
}

impl Replay {
    /// A replay through a fresh pipeline.
    pub fn new(pipeline: Pipeline) -> Self {
        Self::resume(pipeline, HashMap::new())
    }

    /// A replay that goes on with a restored pipeline; `rows` are the closed rows of each series so far, oldest first.
    pub fn resume(pipeline: Pipeline, rows: HashMap<SeriesId, Vec<Frame>>) -> Self {
        Self { shared: pipeline.shared_models(), pipeline, rows }
    }

    /// The readings of one message, all of one series; fits that become due are done before this returns.
    ///
    /// # Errors
    /// When a fit asked for `progress` and was told to stop. A fit that fails otherwise is an outcome.
    pub fn on_message(
        &mut self,
        spec_index: usize,
        readings: &[Reading],
        received_at: Timestamp,
        progress: &mut dyn FnMut(&SeriesId, FitProgress) -> ControlFlow<()>,
    ) -> Result<Vec<Outcome>, FitError> {
        let processed = self.pipeline.on_message(spec_index, readings, received_at);
        self.settle(processed.outcomes, progress)
    }

    /// Ends the recording: every row that is still open closes, every score that still waits settles.
    ///
    /// # Errors
    /// As [`Replay::on_message`].
    pub fn finish(
        &mut self,
        progress: &mut dyn FnMut(&SeriesId, FitProgress) -> ControlFlow<()>,
    ) -> Result<Vec<Outcome>, FitError> {
        let outcomes = self.pipeline.finish();
        let mut settled = self.settle(outcomes, progress)?;
        settled.extend(self.pipeline.settle_rest());
        Ok(settled)
    }

    /// Which alerts of a series people call false, from the next row on.
    pub fn on_false_alarms(&mut self, series: &SeriesId, false_alarms: Vec<FalseAlarm>) -> Vec<Outcome> {
        self.pipeline.on_false_alarms(series, false_alarms)
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    fn settle(
        &mut self,
        outcomes: Vec<Outcome>,
        progress: &mut dyn FnMut(&SeriesId, FitProgress) -> ControlFlow<()>,
    ) -> Result<Vec<Outcome>, FitError> {
        let mut waiting = VecDeque::from(outcomes);
        let mut done = Vec::with_capacity(waiting.len());
        while let Some(outcome) = waiting.pop_front() {
            match outcome {
                Outcome::FitWanted(wanted) => waiting.extend(self.fit(wanted, progress)?),
                Outcome::Frame { ref series, ref frame } => {
                    self.rows.entry(series.clone()).or_default().push(frame.clone());
                    done.push(outcome);
                }
                outcome => done.push(outcome),
            }
        }
        Ok(done)
    }

    fn fit(
        &mut self,
        wanted: FitWanted,
        progress: &mut dyn FnMut(&SeriesId, FitProgress) -> ControlFlow<()>,
    ) -> Result<Vec<Outcome>, FitError> {
        if let Some(bundle) = self.pipeline.bundle_of(&wanted.series).filter(|_| wanted.recalibrates.is_some()) {
            return Ok(match self.recalibrate(&wanted, &bundle) {
                Ok(trained) => self.pipeline.on_trained(trained),
                Err(fault) => self.pipeline.on_fit_failed(&wanted, &fault.to_string(), wanted.to),
            });
        }
        let Some((channels, spec)) = self.pipeline.describe(&wanted.series) else { return Ok(Vec::new()) };
        let series = wanted.series.clone();
        let mut report = |step| progress(&series, step);
        let rows = self.rows_of(&series, &wanted);
        if let Some(bundle) = self.shared.find(spec, channels, self.pipeline.usable_rows(&series)) {
            let last = &rows[rows.len().saturating_sub(SHARED_WARM_ROWS as usize)..];
            // Its kind has the same channels.
            if let Ok(trained) = adopt(wanted.clone(), bundle, last, channels, spec) {
                return Ok(self.pipeline.on_trained(trained));
            }
        }
        match train(wanted.clone(), rows, channels, spec, &mut report) {
            Ok(trained) => {
                self.shared.keep(spec, &trained.bundle);
                Ok(self.pipeline.on_trained(trained))
            }
            Err(FitError::Cancelled) => Err(FitError::Cancelled),
            Err(fault) => {
                let now = wanted.to;
                Ok(self.pipeline.on_fit_failed(&wanted, &fault.to_string(), now))
            }
        }
    }

    /// Rows of a series in the span of a fit.
    fn rows_of(&self, series: &SeriesId, wanted: &FitWanted) -> &[Frame] {
        let rows = self.rows.get(series).map_or(&[][..], Vec::as_slice);
        let start = rows.partition_point(|frame| frame.at < wanted.from);
        let end = rows.partition_point(|frame| frame.at <= wanted.to);
        &rows[start..end]
    }

    /// A larger calibration for the model in charge.
    fn recalibrate(&mut self, wanted: &FitWanted, bundle: &Arc<ModelBundle>) -> Result<Trained, FitError> {
        let peers = self.pipeline.pool(wanted);
        let nothing = FitError::TooFewRows { found: 0, needed: 1 };
        let (channels, spec) = self.pipeline.describe(&wanted.series).ok_or_else(|| nothing.clone())?;
        if let Some(grown) = self.shared.grown(spec, bundle) {
            return go_on_with(wanted.clone(), grown, channels, spec);
        }
        let peers = peers.ok_or(nothing)?;
        let (rows_each, _) = pool_size(spec, peers.len() + 1);
        let own = Unlearned { frames: self.rows_of(&wanted.series, wanted), channels, excluded: &wanted.excluded };
        let others = peers.iter().map(|peer| {
            let frames = self.rows_of(&peer.series, wanted);
            let frames = &frames[frames.len().saturating_sub(rows_each)..];
            Unlearned { frames, channels: &peer.channels, excluded: &peer.excluded }
        });
        let pool: Vec<Unlearned<'_>> = std::iter::once(own).chain(others).collect();
        let trained = recalibrate(wanted.clone(), &pool, spec, bundle)?;
        self.shared.keep(spec, &trained.bundle);
        Ok(trained)
    }
}
