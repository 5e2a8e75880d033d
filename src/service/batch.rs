//! What travels down the line: from the pipeline to the writer, and from there to trainer and notifier.

use std::sync::Arc;
use std::time::Instant;

use crate::bundle::{FitProgress, ModelBundle};
use crate::ingest::AckToken;
use crate::pipeline::{FitWanted, MeasuredPower, Outcome, Peer, PowerWanted, SeriesSpec, Trained};
use crate::series::{ChannelName, SeriesId};

/// What one turn of the pipeline produced; the writer commits it as a whole or not at all.
#[derive(Debug)]
pub(super) struct Batch {
    /// Rows, scores, transitions, in order.
    pub(super) outcomes: Vec<Outcome>,
    /// Messages that may be acknowledged once the outcomes are committed.
    pub(super) acks: Vec<AckToken>,
    /// Models to fit once the rows they need are committed.
    pub(super) fits: Vec<FitJob>,
    /// When the oldest message in it was taken from the queue.
    pub(super) begun: Instant,
}

/// A model to fit.
#[derive(Debug, Clone)]
pub(super) struct FitJob {
    pub(super) wanted: FitWanted,
    /// Channels in frame order.
    pub(super) channels: Vec<ChannelName>,
    pub(super) spec: Arc<SeriesSpec>,
    /// Closed rows of the series that can be learned from.
    pub(super) n_usable: u64,
    /// The model in charge.
    pub(super) bundle: Option<Arc<ModelBundle>>,
    /// Whose rows may join a larger calibration; none when those of its kind were asked for already.
    pub(super) peers: Option<Vec<Peer>>,
}

/// Work for the trainer.
#[derive(Debug)]
pub(super) enum Job {
    /// A model to fit.
    Fit(FitJob),
    /// A model whose power is to be measured.
    Power(PowerWanted),
}

/// What became of a job.
#[derive(Debug)]
pub(super) enum Answer {
    Power(Box<MeasuredPower>),
    Trained(Box<Trained>),
    Failed { wanted: FitWanted, reason: String },
}

/// How far warm-ups and fits are, for whoever shows it. A convenience that may be lost, never a record.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Rows are gathered for the first model.
    WarmUp {
        /// The series.
        series: SeriesId,
        /// Usable rows so far.
        n_rows: u64,
        /// Rows at which the first model is fitted.
        n_wanted: u64,
    },
    /// A model is being fitted.
    Fit {
        /// The series.
        series: SeriesId,
        /// Where the fit stands.
        progress: FitProgress,
    },
    /// A fit has ended; the model takes over at the next row.
    Fitted {
        /// The series.
        series: SeriesId,
        /// The model, or why there is none.
        result: Result<String, String>,
        /// Seconds it took.
        seconds: f64,
    },
}
