//! From the frames of a series to a model that is ready to take over.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::chain::{Chain, Phase};
use super::{FitWanted, SeriesSpec, WarmUp};
use crate::bundle::{FitError, FitInput, FitProgress, ForeignWeights, ModelBundle, SwitchedOff, fit, fit_with, power};
use crate::detector::{DetectorSpec, PowerDraws, PowerReport};
use crate::series::{ChannelName, Frame, Timestamp};
use crate::verdict::StuckSpec;

/// A fitted model with its chain, warmed over the rows that it was fitted on.
#[derive(Debug)]
pub struct Trained {
    /// The request it answers.
    pub wanted: FitWanted,
    /// The model.
    pub bundle: Arc<ModelBundle>,
    /// The chain after the last training row.
    pub chain: Chain,
}

/// Fits a model on frames, oldest first, and warms its chain over them.
///
/// `channels` are the series' channels in frame order; the model takes them sorted by name, so that the order in
/// which they were discovered changes nothing.
///
/// # Errors
/// When the rows cannot be learned from, or `progress` asked to stop.
pub fn train(
    wanted: FitWanted,
    frames: &[Frame],
    channels: &[ChannelName],
    spec: &SeriesSpec,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<Trained, FitError> {
    train_with(wanted, frames, channels, spec, None, progress)
}

/// As [`train`], with the autoencoder's weights given instead of trained.
///
/// # Errors
/// As [`train`], and when the weights do not make the autoencoder of `spec`.
pub fn train_with(
    wanted: FitWanted,
    frames: &[Frame],
    channels: &[ChannelName],
    spec: &SeriesSpec,
    weights: Option<ForeignWeights<'_>>,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<Trained, FitError> {
    let order = sorted_order(channels);
    let input = FitInput { stuck: spec.watches.stuck.clone(), ..fit_input(frames, channels, &order, &wanted.excluded) };
    let mut detector = spec.detector.clone();
    if matches!(spec.warm_up, WarmUp::Rows(_)) || weights.is_some() {
        // The only fit there will be: every member that was asked for takes part.
        detector.autoencoder_from_rows = detector.autoencoder_from_rows.min(detector.members_from_rows);
    }
    let bundle = match weights {
        // Weights that a person brings are theirs to judge.
        Some(_) => fit_with(&input, &detector, weights, progress)?,
        None => fit_what_helps(&input, &detector, spec, progress)?,
    };
    let bundle = Arc::new(bundle);
    let chain = warm_chain(&bundle, frames, order, spec);
    Ok(Trained { wanted, bundle, chain })
}

/// Why a stored model cannot judge a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("model {model_id} judges channel {channel}, which the series does not have")]
pub struct AdoptError {
    /// The model.
    pub model_id: String,
    /// Its first channel that is missing.
    pub channel: ChannelName,
}

/// A stored model made ready to take over, its chain warmed over the last frames of the series, oldest first.
///
/// # Errors
/// When the series lacks a channel of the model.
pub fn adopt(
    wanted: FitWanted,
    bundle: Arc<ModelBundle>,
    frames: &[Frame],
    channels: &[ChannelName],
    spec: &SeriesSpec,
) -> Result<Trained, AdoptError> {
    let Some(indexes) = channel_indexes(&bundle.channels, channels) else {
        let missing = bundle.channels.iter().find(|channel| !channels.contains(channel));
        let channel = missing.unwrap_or(&bundle.channels[0]).clone();
        return Err(AdoptError { model_id: bundle.id().to_owned(), channel });
    };
    let chain = warm_chain(&bundle, frames, indexes, spec);
    Ok(Trained { wanted, bundle, chain })
}

fn warm_chain(bundle: &Arc<ModelBundle>, frames: &[Frame], indexes: Vec<usize>, spec: &SeriesSpec) -> Chain {
    let decision = spec.decision_for(bundle.calibration.n_rows());
    let mut chain = Chain::new(Arc::clone(bundle), &decision, indexes);
    let mut before = None;
    for frame in frames {
        if before.replace(frame.at).is_some_and(|before| spec.is_gap(before, frame.at)) {
            chain.on_gap();
        }
        chain.push(frame, Phase::Training);
    }
    chain
}

/// A model of all members; without the trained one when that hurts. The check belongs to the fit: a recording judged
/// again is judged by the same members.
fn fit_what_helps(
    input: &FitInput,
    detector: &DetectorSpec,
    spec: &SeriesSpec,
    progress: &mut dyn FnMut(FitProgress) -> ControlFlow<()>,
) -> Result<ModelBundle, FitError> {
    let bundle = fit(input, detector, progress)?;
    let trained = bundle.members().into_iter().find(|member| member.is_trained());
    let (Some(member), true, false) = (trained, spec.power.enabled, spec.power.force_trained) else {
        return Ok(bundle);
    };
    let report = power(&bundle, input, PowerDraws::GAIN, &mut || true)?;
    let Some(gain) = report.filter(PowerReport::trained_member_hurts).and_then(|report| report.trained_gain) else {
        return Ok(bundle);
    };
    let members = detector.members.iter().copied().filter(|other| *other != member).collect();
    let without = fit(input, &DetectorSpec { members, ..detector.clone() }, progress)?;
    Ok(without.with_switched_off(SwitchedOff { member, gain }))
}

/// For each channel in name order, its index in the frames.
fn sorted_order(channels: &[ChannelName]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..channels.len()).collect();
    order.sort_by(|a, b| channels[*a].cmp(&channels[*b]));
    order
}

/// For each channel of a model, its index in a series' frames; none when the series lacks one.
pub(super) fn channel_indexes(model: &[ChannelName], series: &[ChannelName]) -> Option<Vec<usize>> {
    model.iter().map(|name| series.iter().position(|c| c == name)).collect()
}

pub(super) fn fit_input(
    frames: &[Frame],
    channels: &[ChannelName],
    order: &[usize],
    excluded: &[(Timestamp, Timestamp)],
) -> FitInput {
    let mut values = Vec::with_capacity(frames.len() * order.len());
    let mut mask = Vec::with_capacity(frames.len() * order.len());
    for frame in frames {
        for &index in order {
            let is_present = frame.cells.get(index).is_some_and(|cell| cell.is_present());
            values.push(if is_present { frame.values[index] } else { 0.0 });
            mask.push(is_present);
        }
    }
    let nothing = Timestamp::from_ms(0);
    FitInput {
        channels: order.iter().map(|&index| channels[index].clone()).collect(),
        values,
        mask,
        first_at: frames.first().map_or(nothing, |frame| frame.at),
        last_at: frames.last().map_or(nothing, |frame| frame.at),
        excluded: excluded.iter().map(|span| rows_within(frames, *span)).filter(|rows| !rows.is_empty()).collect(),
        stuck: StuckSpec::default(),
    }
}

/// Rows whose time lies in `[start, end)`.
fn rows_within(frames: &[Frame], (start, end): (Timestamp, Timestamp)) -> Range<usize> {
    frames.partition_point(|frame| frame.at < start)..frames.partition_point(|frame| frame.at < end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Cell;

    fn frame(at: i64, values: &[f64]) -> Frame {
        Frame { at: Timestamp::from_ms(at), values: values.to_vec(), cells: vec![Cell::Measured; values.len()] }
    }

    #[test]
    fn the_model_sees_channels_by_name_and_no_row_under_an_alert() {
        let names: Vec<ChannelName> = ["b", "c", "a"].iter().map(|n| ChannelName::parse(n).unwrap()).collect();
        let frames = [frame(0, &[2.0]), frame(10, &[2.0, 3.0, 1.0]), frame(20, &[2.0, 3.0, 1.0])];
        let order = sorted_order(&names);
        let span = (Timestamp::from_ms(10), Timestamp::from_ms(20));
        let input = fit_input(&frames, &names, &order, &[span]);
        assert_eq!(input.channels.iter().map(ChannelName::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(input.values, [0.0, 2.0, 0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        assert_eq!(input.mask[..3], [false, true, false]);
        assert_eq!(input.excluded.len(), 1);
        assert_eq!(input.excluded[0], 1..2);
    }
}
