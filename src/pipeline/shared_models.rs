//! One model for all machines of a kind: whoever has the rows first is learned from, the others are judged by its model.
//!
//! A kind is a configuration entry with `share_model = true` and a set of channels. Ten thousand machines of a kind then
//! cost one fit a rung and one model in memory.

use std::collections::HashMap;
use std::sync::Arc;

use super::SeriesSpec;
use crate::bundle::ModelBundle;
use crate::series::ChannelName;

/// Closed rows over which the chain of a series is warmed before a shared model takes over, at most.
pub const SHARED_WARM_ROWS: u32 = 256;

/// The newest model of each kind.
#[derive(Debug, Default)]
pub struct SharedModels {
    /// By name of the entry and channels, sorted by name.
    by_kind: HashMap<(String, Vec<ChannelName>), Arc<ModelBundle>>,
}

impl SharedModels {
    /// The model of a series' kind, when it is one that `n_rows` usable rows of the series' own would not better: one
    /// of the same rung of the warm-up or a later one.
    pub fn find(&self, spec: &SeriesSpec, channels: &[ChannelName], n_rows: u64) -> Option<Arc<ModelBundle>> {
        if !spec.shares_model {
            return None;
        }
        let mut sorted = channels.to_vec();
        sorted.sort();
        let bundle = self.by_kind.get(&(spec.name.clone(), sorted))?;
        let next = spec.warm_up.next_fit(bundle.provenance.n_rows as u64);
        next.is_none_or(|rows| rows > n_rows).then(|| Arc::clone(bundle))
    }

    /// The model of a series' kind under a larger calibration than `bundle`, which must be the same fit.
    pub fn grown(&self, spec: &SeriesSpec, bundle: &ModelBundle) -> Option<Arc<ModelBundle>> {
        let kept = self.by_kind.get(&(spec.name.clone(), bundle.channels.clone()))?;
        let is_larger = spec.shares_model && kept.calibration.n_rows() > bundle.calibration.n_rows();
        (is_larger && kept.is_same_fit(bundle)).then(|| Arc::clone(kept))
    }

    /// Notes a model that was fitted for a series of a kind, or that was in charge of one before a restart.
    pub fn keep(&mut self, spec: &SeriesSpec, bundle: &Arc<ModelBundle>) {
        if !spec.shares_model {
            return;
        }
        let kept = self.by_kind.entry((spec.name.clone(), bundle.channels.clone()));
        let kept = kept.or_insert_with(|| Arc::clone(bundle));
        let knows = |bundle: &ModelBundle| (bundle.provenance.n_rows, bundle.calibration.n_rows());
        if knows(kept) < knows(bundle) {
            *kept = Arc::clone(bundle);
        }
    }
}
