//! The state of a series between two rows, as bytes: a restart continues from it as if nothing had happened.

use serde::{Deserialize, Serialize};

use super::FitWanted;
use super::watches::Watches;
use crate::series::{Stride, Timestamp};
use crate::verdict::{AlertMachine, DecisionSpec, FalseAlarms, SeriesState};

/// Written before the bytes; another number means another layout.
const VERSION: u8 = 6;

/// Why bytes are not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Written by another version.
    #[error("the checkpoint has layout {found}, this program reads {VERSION}")]
    Version {
        /// The number found.
        found: u8,
    },
    /// Torn or altered.
    #[error("the checkpoint cannot be read: {0}")]
    Unreadable(String),
}

/// What a series remembers between two rows, besides its window (that is in the frames) and its model (that is a bundle).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Name of the configuration entry that the series follows.
    pub spec_name: String,
    /// The last closed row it includes; none before the first.
    pub last_at: Option<Timestamp>,
    /// Rows closed so far.
    pub n_rows: u64,
    /// Rows closed so far that can be learned from.
    pub n_usable: u64,
    /// First row to learn from.
    pub learn_from: Option<Timestamp>,
    /// Count of usable rows at which the next model is fitted.
    pub next_fit: Option<u64>,
    /// A fit that was asked for and not answered.
    pub fitting: Option<FitWanted>,
    /// Spans in which an alert was open.
    pub excluded: Vec<(Timestamp, Timestamp)>,
    /// Rows of the open alert that surprised the model, and when the alert opened that its young model is not believed about.
    pub doubt: (u64, Option<Timestamp>),
    /// The model in charge, whether its first row has been announced, and its chain's state.
    pub judging: Option<(String, bool, Vec<u8>)>,
    /// Where the alert stands.
    pub alert: AlertMachine,
    /// Where the alerts of other kinds stand.
    pub(super) watches: Watches,
    /// What was last said of the series.
    pub state: SeriesState,
    /// And why.
    pub reason: String,
    /// How its scores become alerts.
    pub decision: DecisionSpec,
    /// Spacing of its rows; none on the row grid.
    pub stride: Option<Stride>,
    /// What alerts that people called false have taught the model in charge.
    pub false_alarms: FalseAlarms,
    /// Usable rows when a model was last fitted or its calibration last grew.
    pub calibrated_rows: u64,
    /// Rows judged so far, openings promised for them, openings of anomaly alerts.
    pub alarms: (u64, f64, u64),
}

impl Checkpoint {
    /// The checkpoint as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // Serialising plain owned data into memory has no way to fail.
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// When the bytes are torn, altered or of another layout.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|fault| CheckpointError::Unreadable(fault.to_string()))
            }
            Some((&found, _)) => Err(CheckpointError::Version { found }),
            None => Err(CheckpointError::Unreadable("no bytes".to_owned())),
        }
    }
}
