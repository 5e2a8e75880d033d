//! Alerts that belong together.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertView, Moment, word};
use crate::series::Timestamp;
use crate::verdict::{AlertState, Incident, Severity, Silence};

/// Alerts of one site that overlap in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentView {
    /// The id of its first alert.
    pub id: String,
    /// What stands before the last `/` of its series' names; empty for names without one.
    pub site: String,
    /// Open while any member is.
    #[schema(schema_with = word::alert_state)]
    pub state: AlertState,
    /// The worst of its members'.
    #[schema(schema_with = word::severity)]
    pub severity: Severity,
    /// When the first member opened.
    pub opened_at: Moment,
    /// When the last member was over; null while one is open.
    pub resolved_at: Option<Moment>,
    /// The highest of its members'.
    pub peak_score: f64,
    /// Its alerts, oldest opening first.
    pub members: Vec<AlertView>,
}

impl IncidentView {
    /// An incident whose members say which silences hold them.
    pub fn new(incident: Incident, silences: &[Silence], now: Timestamp) -> Self {
        Self {
            id: incident.id.0,
            site: incident.site,
            state: incident.state,
            severity: incident.severity,
            opened_at: incident.opened_at.into(),
            resolved_at: incident.resolved_at.map(Moment),
            peak_score: incident.peak_score,
            members: incident.members.into_iter().map(|alert| AlertView::new(alert, silences, now)).collect(),
        }
    }
}
