//! `alerts/{id}/label/preview`: what a label would do to the past, before it is given.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::alerts::unknown;
use super::error::{ApiError, Problem};
use super::extract::{Path, Query};
use super::state::AppState;
use super::view::AlertView;
use crate::pipeline::{LabelEffect, preview_label};
use crate::store::LabelContext;
use crate::verdict::{Alert, AlertId, AlertKind};

/// Alerts of the series that are judged again at most, the newest.
const ALERTS_MAX: usize = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewParameters {
    /// True for a true alert, false for a false alarm.
    label: bool,
}

/// What a label would do: the series' newest alerts judged again, by a judge that knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LabelPreview {
    /// The answer in one or two sentences.
    pub summary: String,
    /// Alerts of the same kind that would not have opened, newest first; the labelled one is not among them.
    pub would_vanish: Vec<AlertView>,
    /// Those of them that a person has confirmed.
    pub would_be_lost: Vec<AlertView>,
    /// Alerts that were judged again.
    #[serde(default)]
    pub n_judged: usize,
    /// Those of them of which nothing can be said: their rows are gone, or they do not open from their own rows alone.
    #[serde(default)]
    pub n_unknown: usize,
    /// True when the alert itself would not open again.
    #[serde(default)]
    pub is_learned: bool,
}

/// What a label would do to the past. Changes nothing.
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
    let context = state.reader.label_context(&alert.series, alert.kind, ALERTS_MAX).await?;
    // Judging thousands of rows again is work for another thread.
    let judged = tokio::task::spawn_blocking(move || LabelPreview::judge(&context, &alert, parameters.label)).await;
    judged.map(Json).map_err(|error| ApiError::Unavailable(error.to_string()))
}

impl LabelPreview {
    /// Alerts of a series that are judged again at most, the newest.
    pub const ALERTS_MAX: usize = ALERTS_MAX;

    /// Judges past alerts again, as if `alert` had the label.
    pub fn judge(context: &LabelContext, alert: &Alert, label: bool) -> Self {
        preview(alert, label, effect(context, alert, label))
    }
}

fn effect(context: &LabelContext, alert: &Alert, label: bool) -> LabelEffect {
    let nothing = |reason: String| LabelEffect { nothing: Some(reason), ..LabelEffect::default() };
    if alert.kind != AlertKind::Anomaly {
        return nothing(format!("a rule without a score judges alerts of the kind {}", alert.kind));
    }
    let (bundle, checkpoint) = match (&context.bundle, &context.checkpoint) {
        (Ok(bundle), Some(checkpoint)) => (bundle, checkpoint),
        (Err(reason), _) => return nothing(reason.clone()),
        (Ok(_), None) => return nothing("the series has no state yet".to_owned()),
    };
    let told = (&alert.id, Some(label));
    preview_label(bundle, &context.channels, &checkpoint.decision, &context.alerts, told).unwrap_or_else(nothing)
}

fn preview(alert: &Alert, label: bool, effect: LabelEffect) -> LabelPreview {
    let confirmed = effect.vanish.iter().filter(|alert| alert.label == Some(true)).cloned();
    let would_be_lost: Vec<AlertView> = confirmed.map(AlertView::from).collect();
    let (n_vanish, n_lost) = (effect.vanish.len(), would_be_lost.len());
    let summary = match (&effect.nothing, label) {
        (Some(reason), _) => format!("The label is kept with the alert and changes nothing else: {reason}."),
        (None, false) => {
            let itself = if effect.is_learned { "would not open again" } else { "would open again all the same" };
            let others = match (effect.n_judged, n_vanish, n_lost) {
                (0, ..) => "there is no other alert of this series to judge again".to_owned(),
                (1, 0, _) => "the one other alert judged again would not vanish".to_owned(),
                (n, 0, _) => format!("none of the {n} other alerts judged again would vanish"),
                (n, vanish, 0) => {
                    format!("of {n} other alerts judged again {vanish} would not have opened, none of them confirmed")
                }
                (n, vanish, lost) => format!(
                    "of {n} other alerts judged again {vanish} would not have opened, {lost} of them CONFIRMED, which \
                     would be lost"
                ),
            };
            format!(
                "What this alert showed would count as ordinary for {}: it {itself}; {others}. The label can be taken \
                 back at any time.",
                alert.series
            )
        }
        (None, true) if alert.label == Some(false) => format!(
            "The label \"false alarm\" is taken back: {} of {} other alerts judged again would open once more.",
            effect.come_back.len(),
            effect.n_judged
        ),
        (None, true) => {
            "A confirmed alert changes no judgement; it counts when others are labelled, whose preview says \
                         so before one like it would be lost."
                .to_owned()
        }
    };
    LabelPreview {
        summary,
        would_vanish: effect.vanish.into_iter().map(AlertView::from).collect(),
        would_be_lost,
        n_judged: effect.n_judged,
        n_unknown: effect.n_unknown,
        is_learned: effect.is_learned,
    }
}
