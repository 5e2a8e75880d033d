//! Windows that one network judges are asked for together, whichever series they are of.
//!
//! The network reads its weights once for all of them and keeps several in the processor's lanes. A window's result is the
//! same bits in every batch, so that what comes out is what [`Detector::score`] would have found alone.

use super::autoencoder::Autoencoder;
use super::{Detector, FittedMember, RowScratch};

/// The network of a member that may be asked for many windows at once, before their rows are judged.
pub(super) fn joining(member: &dyn FittedMember) -> Option<&Autoencoder> {
    member.as_autoencoder().filter(|network| network.judges_by_reconstruction())
}

impl Detector {
    /// True when there is a network to ask.
    pub fn joins(&self) -> bool {
        self.network().is_some()
    }

    /// What the network expects of the last rows of scaled windows `[B, T, C]`, into `out` `[B, C]`; [`Detector::score_with`]
    /// takes it row by row. Nothing when there is no network.
    ///
    /// # Panics
    /// When `windows` is not whole windows.
    pub fn expect_together(&self, windows: &[f32], scratch: &mut RowScratch, out: &mut Vec<f32>) {
        out.clear();
        if let Some(network) = self.network() {
            out.resize(windows.len() / self.n_time, 0.0);
            network.reconstruct_last_rows(windows, scratch.member.autoencoder(), out);
        }
    }

    fn network(&self) -> Option<&Autoencoder> {
        self.members.iter().find_map(|member| joining(member.as_ref()))
    }
}
