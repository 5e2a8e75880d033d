//! Who is told, and what they refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Moment, TransitionView};
use crate::store::{DeadLetter, TargetRow};

/// Who is told of alerts, and how far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// As in the configuration: `mqtt`, `webhook:<name>`, `email:<name>`.
    pub name: String,
    /// When it last acknowledged a notice; null before the first.
    pub delivered_at: Option<Moment>,
    /// Notices that wait for it.
    pub n_pending: u64,
    /// Openings held back by a silence, or by the wait for an acknowledgement.
    pub n_held: u64,
    /// Notices it has refused for good: see `dead_letters`.
    pub n_dead: u64,
}

impl From<TargetRow> for TargetView {
    fn from(row: TargetRow) -> Self {
        let TargetRow { name, delivered_at, n_pending, n_held, n_dead } = row;
        Self { name, delivered_at: delivered_at.map(Moment), n_pending, n_held, n_dead }
    }
}

/// A notice that a receiver has refused for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterView {
    /// Who refused it.
    pub target: String,
    /// When it was last tried.
    pub at: Moment,
    /// How often it was tried.
    pub attempts: u32,
    /// What the receiver said.
    pub error: String,
    /// What it was not told.
    pub transition: TransitionView,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { target, at, attempts, error, told } = letter;
        Self { target, at: at.into(), attempts, error, transition: TransitionView::new(told, &[], at) }
    }
}
