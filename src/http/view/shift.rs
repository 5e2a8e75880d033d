//! What the rules have accepted on a series by themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;
use crate::store::ShiftRow;

/// A lasting change of level that counts as normal, or did until it was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LevelShiftView {
    /// Event time of the row from which on it counts as normal.
    pub at: Moment,
    /// How many times larger residuals count as normal from then on.
    pub factor: f64,
    /// When a person took it back; null while it stands.
    pub undone_at: Option<Moment>,
    /// The same in one sentence.
    pub sentence: String,
}

impl From<ShiftRow> for LevelShiftView {
    fn from(row: ShiftRow) -> Self {
        let accepted =
            format!("a lasting change was accepted: residuals {:.1} times as large count as normal", row.factor);
        let sentence = match row.undone_at {
            Some(at) => format!("{accepted}; taken back at {at}"),
            None => accepted,
        };
        Self { at: row.at.into(), factor: row.factor, undone_at: row.undone_at.map(Moment), sentence }
    }
}
