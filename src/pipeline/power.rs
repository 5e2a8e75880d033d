//! Which faults a model would see, measured beside the line on rows of its series.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::training::{channel_indexes, fit_input};
use crate::bundle::{FitInput, ModelBundle, power, power_since};
use crate::detector::{PowerDraws, PowerReport};
use crate::series::{ChannelName, Frame, SeriesId, Timestamp};

/// When power is measured, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PowerSpec {
    /// Whether it is measured, after each fit and every night.
    pub enabled: bool,
    /// Keeps a trained member on although injected faults are seen worse with it.
    pub force_trained: bool,
}

impl Default for PowerSpec {
    fn default() -> Self {
        Self { enabled: true, force_trained: false }
    }
}

/// A model whose power is to be measured.
#[derive(Debug, Clone)]
pub struct PowerWanted {
    /// The series it judges.
    pub series: SeriesId,
    /// The model.
    pub bundle: Arc<ModelBundle>,
    /// Channels of the frames.
    pub channels: Vec<ChannelName>,
    /// First and last row to use.
    pub span: (Timestamp, Timestamp),
    /// Spans `[start, end)` in which an alert was open.
    pub excluded: Vec<(Timestamp, Timestamp)>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredPower {
    /// The series.
    pub series: SeriesId,
    /// The model.
    pub model_id: String,
    /// Event time of the last row used.
    pub at: Timestamp,
    /// Channels of the model.
    pub channels: Vec<ChannelName>,
    /// What was seen.
    pub report: PowerReport,
}

/// What a model would see, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelPower {
    /// Channels of the model; the report names them by index.
    pub channels: Vec<ChannelName>,
    /// Their units, where they are configured.
    pub units: Vec<Option<String>>,
    /// What was seen.
    pub report: PowerReport,
}

/// Puts faults into rows of a series, oldest first: into the last part of the training rows when the model was fitted on
/// them, into all of them when they came later. None when there are too few rows, or `go_on` said no.
pub fn measure_power_of(
    wanted: &PowerWanted,
    frames: &[Frame],
    go_on: &mut dyn FnMut() -> bool,
) -> Option<MeasuredPower> {
    let PowerWanted { series, bundle, channels, excluded, .. } = wanted;
    let last = frames.last()?;
    let order = channel_indexes(&bundle.channels, channels)?;
    let input: FitInput = fit_input(frames, channels, &order, excluded);
    let is_fitted_on_them = bundle.provenance.last_at >= last.at;
    let report = if is_fitted_on_them {
        power(bundle, &input, PowerDraws::default(), go_on).ok().flatten()
    } else {
        power_since(bundle, &input, PowerDraws::default(), go_on)
    }?;
    Some(MeasuredPower {
        series: series.clone(),
        model_id: bundle.id().to_owned(),
        at: last.at,
        channels: bundle.channels.clone(),
        report,
    })
}
