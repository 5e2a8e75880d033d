//! What the pipeline wants done: rows to write, transitions to report, models to fit. Plain data; it does nothing itself.

use serde::{Deserialize, Serialize};

use super::ModelPower;
use crate::series::{ChannelName, Frame, SeriesId, Timestamp};
use crate::verdict::{Alert, SeriesState, Transition};
use crate::windowing::OpenRow;

/// One judged row of a series, as stored. Written once, never rewritten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Event time of the row.
    pub at: Timestamp,
    /// Smoothed fused score from nothing later than this row; 1.0 is the notable level.
    pub live_score: f64,
    /// What the decision rule has gathered; an alert opens at 1.0.
    pub evidence: f64,
    /// Share of calibration scores at least as high, in (0, 1].
    pub p_value: f64,
    /// Mean squared residual of the row per member, in scaled units; none when the member is off.
    pub autoencoder_error: Option<f64>,
    /// The same for the PCA.
    pub pca_error: Option<f64>,
    /// Smoothed squared z-score, the trivial baseline.
    pub baseline_error: f64,
    /// True when an alert is open on this row.
    pub is_anomalous: bool,
    /// Share of the fused residual owed to each channel of the model, `[channel]`, sums to 1.
    pub contributions: Vec<f32>,
    /// Share of each member's normalised residual in the row, in the order of the model's members, sums to 1.
    pub member_contributions: Vec<f32>,
    /// What the members would have expected, in the sender's unit, `[channel]` of the model.
    pub expected: Vec<f64>,
}

/// The settled score of an earlier row, issued once the settle delay has passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SettledRow {
    /// Event time of the row that the score belongs to.
    pub at: Timestamp,
    /// Two-sided smoothed score; 1.0 is the notable level.
    pub settled_score: f64,
}

/// A request to fit a model on the closed frames of a series, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FitWanted {
    /// Whose.
    pub series: SeriesId,
    /// First row to use.
    pub from: Timestamp,
    /// Last row to use, included.
    pub to: Timestamp,
    /// Spans `[start, end)` in which an alert was open: never learned from.
    pub excluded: Vec<(Timestamp, Timestamp)>,
    /// A stored model that a person picked: it takes over as it is, nothing is fitted.
    pub model: Option<String>,
    /// The model whose calibration is to grow by these rows; none when a new model is wanted.
    pub recalibrates: Option<String>,
}

/// Promised against realised.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetRow {
    /// Whose.
    pub series: SeriesId,
    /// Event time of the last row counted.
    pub at: Timestamp,
    /// The budget as asked for, in the user's unit.
    pub asked: String,
    /// Why it runs at a looser one, in the user's unit; none when it runs as asked.
    pub explanation: Option<String>,
    /// False openings per row that it runs at now.
    pub openings_per_row: f64,
    /// Rows judged so far.
    pub n_judged: u64,
    /// Openings promised for them.
    pub n_promised: f64,
    /// Openings of anomaly alerts.
    pub n_openings: u64,
}

/// What happened to the level that counts as normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShiftDeed {
    /// The slow baseline has accepted a lasting rise.
    Accepted {
        /// The row from which on it counts as normal.
        at: Timestamp,
        /// How many times larger residuals now count as normal.
        factor: f64,
    },
    /// A person took back all that was accepted.
    Undone {
        /// When, by the wall clock.
        undone_at: Timestamp,
    },
}

/// What a model of a series would see.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerRow {
    /// Whose.
    pub series: SeriesId,
    /// The model.
    pub model_id: String,
    /// Event time of the last row that faults were put into.
    pub at: Timestamp,
    /// What it would see.
    pub power: ModelPower,
}

/// A model begins to judge a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeOver {
    /// Whose.
    pub series: SeriesId,
    /// The model.
    pub model_id: String,
    /// First row that it judges.
    pub from: Timestamp,
    /// Index of that row, counted in closed rows of the series.
    pub from_row: u64,
}

/// One thing the pipeline wants done.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A series spoke for the first time.
    SeriesSeen {
        /// The series.
        series: SeriesId,
        /// Event time of the first reading.
        at: Timestamp,
    },
    /// A channel of a series spoke for the first time.
    ChannelSeen {
        /// The series.
        series: SeriesId,
        /// Position of the channel in the series' frames.
        channel_index: usize,
        /// Its name.
        channel: ChannelName,
    },
    /// A closed row to keep; nothing more can change it.
    Frame {
        /// The series.
        series: SeriesId,
        /// The row.
        frame: Frame,
    },
    /// A row that is being filled, kept so that a restart can go on filling it. It comes again when more of it
    /// arrives, and as [`Outcome::Frame`] of the same time when it closes.
    OpenRow {
        /// The series.
        series: SeriesId,
        /// The row so far.
        row: OpenRow,
    },
    /// A judged row.
    Score {
        /// The series.
        series: SeriesId,
        /// The row.
        score: ScoreRow,
    },
    /// The latent of the window that ends with a row, when it is to be kept.
    Latent {
        /// The series.
        series: SeriesId,
        /// Event time of the row.
        at: Timestamp,
        /// The latent, `[Z]`.
        latent: Vec<f32>,
    },
    /// A settled score for an earlier row.
    Settled {
        /// The series.
        series: SeriesId,
        /// The score.
        settled: SettledRow,
    },
    /// An alert opened or resolved.
    Transition(Transition),
    /// An open alert has become more severe or reached a higher peak. No transition: receivers are told of openings and
    /// ends, whoever looks sees how it stands.
    AlertRaised {
        /// The alert as it now is.
        alert: Box<Alert>,
        /// Sequence number of its last transition.
        sequence: u32,
    },
    /// A series is now in another state.
    State {
        /// The series.
        series: SeriesId,
        /// Its state.
        state: SeriesState,
        /// Event time, or arrival time where no event caused it.
        at: Timestamp,
        /// One sentence for people: why, or how far the warm-up is.
        reason: String,
    },
    /// How far the gathering of rows for the first model is. Not stored.
    WarmUp {
        /// The series.
        series: SeriesId,
        /// Usable rows so far.
        n_rows: u64,
        /// Usable rows at which the first model is fitted.
        n_wanted: u64,
    },
    /// A model should be fitted once the frames before it are committed.
    FitWanted(FitWanted),
    /// A fitted model to keep. Comes before the take-over that names it.
    Model {
        /// Whose.
        series: SeriesId,
        /// The model.
        bundle: std::sync::Arc<crate::bundle::ModelBundle>,
    },
    /// A model took over.
    TakeOver(TakeOver),
    /// How a series keeps its alarm budget.
    Budget(BudgetRow),
    /// A lasting change of level was accepted as normal, or taken back.
    Shift {
        /// The series.
        series: SeriesId,
        /// What happened.
        deed: ShiftDeed,
    },
    /// What a model would see was measured.
    Power(PowerRow),
    /// The state of a series' chain after a row, so that a restart needs to replay only the rows since.
    Checkpoint {
        /// The series.
        series: SeriesId,
        /// The last row it includes.
        at: Timestamp,
        /// Versioned bytes.
        bytes: Vec<u8>,
    },
}
