//! A chain brought back from what the store kept: after a restart, and when a score is computed again.

use std::sync::Arc;

use super::chain::Chain;
use super::training::channel_indexes;
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Frame, Stride, Timestamp};
use crate::verdict::{DecisionSpec, FalseAlarms};

/// True when rows were left out between two closed rows of a grid; a row grid has no gaps.
pub(super) fn is_gap(stride: Option<Stride>, before: Timestamp, after: Timestamp) -> bool {
    stride.is_some_and(|stride| after.ms_since(before) > stride.as_ms())
}

/// The chain that `state` describes, its window filled from the last rows up to that state, oldest first.
///
/// # Errors
/// When a channel of the model is unknown to the series, or the state belongs to another model.
pub(super) fn resume_chain(
    bundle: &Arc<ModelBundle>,
    channels: &[ChannelName],
    (decision, false_alarms): (&DecisionSpec, &FalseAlarms),
    stride: Option<Stride>,
    state: &[u8],
    recent: &[Frame],
) -> Result<Chain, String> {
    let indexes = channel_indexes(&bundle.channels, channels).ok_or("a channel of it is unknown")?;
    let mut chain = Chain::restore(Arc::clone(bundle), decision, indexes, state).map_err(|fault| fault.to_string())?;
    chain.learn(false_alarms);
    let n_window = bundle.n_time() - 1;
    let mut before = None;
    for frame in &recent[recent.len().saturating_sub(n_window)..] {
        if before.replace(frame.at).is_some_and(|before| is_gap(stride, before, frame.at)) {
            chain.on_gap();
        }
        chain.refill(frame);
    }
    Ok(chain)
}
