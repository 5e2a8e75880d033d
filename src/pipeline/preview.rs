//! What a label would do, before it is given: past alerts judged again by a judge that knows it.
//!
//! Every alert is judged from its own rows and those just before it, by the model in charge, once by what is known now
//! and once with the label. Evidence begins at nothing there, so an alert that opened only on what had been gathered
//! long before does not open in either case; such alerts are counted, not guessed about.

use std::sync::Arc;

use super::Rejudged;
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Frame};
use crate::stats::Residual;
use crate::verdict::{Alert, AlertId, DecisionRule, DecisionSpec};

/// What a label would do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelEffect {
    /// Alerts that would not have opened, in the order given; never the labelled one.
    pub vanish: Vec<Alert>,
    /// Alerts that are held back by the label that would be taken back.
    pub come_back: Vec<Alert>,
    /// True when the labelled alert itself would not open again.
    pub is_learned: bool,
    /// Alerts that were judged again.
    pub n_judged: usize,
    /// Alerts whose rows are gone, or that do not open again from their own rows.
    pub n_unknown: usize,
    /// Why nothing would change, if so.
    pub nothing: Option<String>,
}

/// Judges past alerts of a series again, as if the alert `labelled` had the label `label`. `alerts` holds every alert
/// that is looked at with its rows, the labelled one among them.
///
/// # Errors
/// When a channel of the model is unknown to the series.
pub fn preview_label(
    bundle: &Arc<ModelBundle>,
    channels: &[ChannelName],
    decision: &DecisionSpec,
    alerts: &[(Alert, Vec<Frame>)],
    (labelled, label): (&AlertId, Option<bool>),
) -> Result<LabelEffect, String> {
    let mut effect = LabelEffect::default();
    if decision.rule == DecisionRule::Spot {
        effect.nothing = Some("the SPOT rule refits itself on the stream and takes no labels in".to_owned());
        return Ok(effect);
    }
    let judge = Rejudged { bundle, channels, decision };
    let mut residuals = Vec::with_capacity(alerts.len());
    for (_, frames) in alerts {
        residuals.push(judge.residuals(frames)?);
    }
    let called_false = |with_label: bool| {
        let is_false = |alert: &Alert| match with_label && alert.id == *labelled {
            true => label == Some(false),
            false => alert.label == Some(false),
        };
        let spans: Vec<Vec<Residual>> = alerts
            .iter()
            .zip(&residuals)
            .filter(|((alert, _), _)| is_false(alert))
            .map(|(_, rows)| rows.clone())
            .collect();
        judge.gather(&spans)
    };
    let (now, then) = (called_false(false), called_false(true));
    for ((alert, _), residuals) in alerts.iter().zip(&residuals) {
        let (opens_now, opens_then) = (judge.opens(residuals, &now), judge.opens(residuals, &then));
        if alert.id == *labelled {
            effect.is_learned = !opens_then;
            continue;
        }
        effect.n_judged += 1;
        match (opens_now, opens_then) {
            (true, false) => effect.vanish.push(alert.clone()),
            (false, true) => effect.come_back.push(alert.clone()),
            (false, false) => effect.n_unknown += 1,
            (true, true) => {}
        }
    }
    Ok(effect)
}
