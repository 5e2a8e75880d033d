//! `alerts/{id}/label/preview`: what the past would look like if the label were acted upon, before it is given.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::unknown;
use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::state::AppState;
use super::view::AlertView;
use crate::store::AlertQuery;
use crate::verdict::{Alert, AlertId};

/// Alerts of the series that are looked at, newest first.
const ALERTS_MAX: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewParameters {
    /// True for a true alert, false for a false alarm.
    label: bool,
}

/// What the past of the series would look like if an alert had to gather more evidence than the labelled one did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelPreview {
    /// The answer in one or two sentences.
    pub summary: String,
    /// Alerts of the same kind that would not have opened, newest first; the labelled one is not among them.
    pub would_vanish: Vec<AlertView>,
    /// Those of them that a person has confirmed.
    pub would_be_lost: Vec<AlertView>,
}

/// What the past would look like if the label were acted upon. Changes nothing.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/label/preview", tag = "alerts",
    params(("id" = String, Path, description = "Its id"), PreviewParameters),
    responses(
    (status = 200, description = "The preview", body = LabelPreview),
    (status = 400, description = "The path or a parameter is unusable", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such alert", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "The store does not answer", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn label_preview(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Query(parameters): Query<PreviewParameters>,
) -> Result<Json<LabelPreview>, ApiError> {
    let alert = state.reader.alert(&AlertId(id.clone())).await?.ok_or_else(|| unknown(&id))?;
    let query = AlertQuery { series: Some(alert.series.clone()), limit: ALERTS_MAX, ..AlertQuery::default() };
    let alerts = state.reader.alerts(&query).await?;
    Ok(Json(preview(&alert, alerts, parameters.label)))
}

fn preview(labelled: &Alert, alerts: Vec<Alert>, label: bool) -> LabelPreview {
    let others: Vec<Alert> =
        alerts.into_iter().filter(|alert| alert.id != labelled.id && alert.kind == labelled.kind).collect();
    if label {
        let summary = format!(
            "A confirmed alert counts when others are weighed: a later preview says so before one like it would be \
             lost. This series has {} other alerts of the kind.",
            others.len()
        );
        return LabelPreview { summary, would_vanish: Vec::new(), would_be_lost: Vec::new() };
    }
    let n_others = others.len();
    let would_vanish: Vec<Alert> = others.into_iter().filter(|alert| alert.evidence <= labelled.evidence).collect();
    let would_be_lost: Vec<AlertView> =
        would_vanish.iter().filter(|alert| alert.label == Some(true)).cloned().map(AlertView::from).collect();
    let summary = format!(
        "Had alerts of this kind needed more evidence than this one gathered ({:.2}), {} of the series' other \
         {n_others} would not have opened either; {} of those were confirmed. The label is kept with the alert and can be \
         taken back; it does not by itself change when alerts open.",
        labelled.evidence,
        would_vanish.len(),
        would_be_lost.len(),
    );
    LabelPreview { summary, would_vanish: would_vanish.into_iter().map(AlertView::from).collect(), would_be_lost }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{SeriesId, Timestamp};
    use crate::verdict::{AlertKind, AlertState, Severity};

    fn alert(id: &str, kind: AlertKind, evidence: f64, label: Option<bool>) -> Alert {
        Alert {
            id: AlertId(id.to_owned()),
            kind,
            series: SeriesId::parse("pump").unwrap(),
            state: AlertState::Resolved,
            severity: Severity::Warning,
            opened_at: Timestamp::from_ms(0),
            resolved_at: None,
            peak_score: 2.0,
            p_value: 0.01,
            evidence,
            alarm_budget: "1 per day".to_owned(),
            channels: Vec::new(),
            model_id: None,
            acknowledged_at: None,
            label,
        }
    }

    #[test]
    fn a_false_alarm_would_take_the_weaker_alerts_of_its_kind_and_names_the_confirmed_ones() {
        let labelled = alert("this", AlertKind::Anomaly, 2.0, None);
        let all = vec![
            labelled.clone(),
            alert("weaker", AlertKind::Anomaly, 1.1, None),
            alert("weaker, confirmed", AlertKind::Anomaly, 1.9, Some(true)),
            alert("stronger", AlertKind::Anomaly, 2.1, Some(true)),
            alert("another kind", AlertKind::Stuck, 1.0, Some(true)),
        ];
        let found = preview(&labelled, all.clone(), false);
        let ids = |alerts: &[AlertView]| alerts.iter().map(|alert| alert.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&found.would_vanish), ["weaker", "weaker, confirmed"]);
        assert_eq!(ids(&found.would_be_lost), ["weaker, confirmed"]);
        assert!(found.summary.contains("2 of the series' other 3"), "{}", found.summary);
        let found = preview(&labelled, all, true);
        assert!(found.would_vanish.is_empty() && found.would_be_lost.is_empty());
    }
}
