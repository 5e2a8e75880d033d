//! Why an alert opened, row by row.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertView, Moment};
use crate::pipeline::Explanation;

/// Why an alert opened: its score computed again from the stored rows, model and calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplanationView {
    /// The alert.
    pub alert: AlertView,
    /// Channels, in the order of the lists in every row.
    pub channels: Vec<String>,
    /// True when every score computed again equals the stored one to the last bit, and there was at least one.
    pub is_equal: bool,
    /// Rows whose score was computed again.
    pub n_rebuilt: usize,
    /// Those of them that equal what was stored, to the last bit.
    pub n_equal: usize,
    /// Largest difference of a live score from the stored one.
    pub difference_max: f64,
    /// What a reader must know: why rows could not be computed again, or why they differ.
    pub notes: Vec<String>,
    /// Rows before, during and after the alert, oldest first.
    pub rows: Vec<ExplainedRowView>,
}

/// A row of an explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedRowView {
    /// Event time.
    pub at: Moment,
    /// `before`, `during` or `after`.
    pub phase: String,
    /// Values seen, in the sender's unit; null where missing.
    pub observed: Vec<Option<f64>>,
    /// Values expected; null where the row was not judged.
    pub expected: Vec<Option<f64>>,
    /// Share of the score owed to each channel; null where the row was not judged.
    pub contributions: Vec<Option<f64>>,
    /// As stored; 1.0 is the notable level. Null where the row was not judged.
    pub live_score: Option<f64>,
    /// As computed again; null where it could not be.
    pub rebuilt_score: Option<f64>,
    /// As stored; an alert opens at 1.0.
    pub evidence: Option<f64>,
    /// As stored.
    pub p_value: Option<f64>,
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        let n_channels = explanation.channels.len();
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let rows = explanation.rows.into_iter().map(|row| ExplainedRowView {
            at: row.at.into(),
            phase: row.phase.as_str().to_owned(),
            observed: row.observed.into_iter().map(finite).collect(),
            expected: (0..n_channels).map(|index| finite(row.expected.get(index).copied())).collect(),
            contributions: (0..n_channels).map(|i| finite(row.contributions.get(i).map(|c| f64::from(*c)))).collect(),
            live_score: finite(row.live_score),
            rebuilt_score: finite(row.rebuilt_score),
            evidence: finite(row.evidence),
            p_value: finite(row.p_value),
        });
        Self {
            rows: rows.collect(),
            alert: explanation.alert.into(),
            channels: explanation.channels.into_iter().map(Into::into).collect(),
            is_equal: explanation.n_rebuilt > 0 && explanation.n_equal == explanation.n_rebuilt,
            n_rebuilt: explanation.n_rebuilt,
            n_equal: explanation.n_equal,
            difference_max: explanation.difference_max,
            notes: explanation.notes,
        }
    }
}
