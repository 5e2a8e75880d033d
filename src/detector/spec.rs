//! What a user may choose about the detector; the defaults serve every series.

use serde::{Deserialize, Serialize};

use super::Member;
use super::autoencoder::AutoencoderSpec;
use super::kernel_pca::KernelPcaSpec;
use super::pca::PcaScore;

/// Settings of the window PCA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PcaSpec {
    /// Share of variance the components explain, in (0, 1].
    pub variance_share: f64,
    /// Components kept at most; without it the share of variance alone decides.
    pub n_components: Option<usize>,
    /// What of a window is its surprise.
    pub score: PcaScore,
}

impl Default for PcaSpec {
    fn default() -> Self {
        Self { variance_share: 0.99, n_components: None, score: PcaScore::LastRow }
    }
}

impl PcaSpec {
    /// Every fault: key, found, allowed.
    pub fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut faults = Vec::new();
        if !(self.variance_share > 0.0 && self.variance_share <= 1.0) {
            faults.push(("variance_share", self.variance_share.to_string(), "above 0, at most 1"));
        }
        if self.n_components == Some(0) {
            faults.push(("n_components", "0".to_owned(), "1 or more"));
        }
        faults
    }
}

/// Settings of the random-feature autoencoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomFeaturesSpec {
    /// Random features, without the constant.
    pub n_features: usize,
    /// Ridge per training window.
    pub ridge: f64,
}

impl Default for RandomFeaturesSpec {
    fn default() -> Self {
        Self { n_features: 100, ridge: 0.01 }
    }
}

/// Settings of k-means on centred windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KmeansSpec {
    /// Centres.
    pub n_centres: usize,
    /// Lloyd steps at most.
    pub steps_max: usize,
    /// Training windows at most, evenly spaced.
    pub windows_max: usize,
}

impl Default for KmeansSpec {
    fn default() -> Self {
        Self { n_centres: 10, steps_max: 15, windows_max: 3000 }
    }
}

/// Settings of the ridge vector autoregression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VarSpec {
    /// Rows looked back, at most T - 1.
    pub n_lags: usize,
    /// Ridge per training window.
    pub ridge: f64,
}

impl Default for VarSpec {
    fn default() -> Self {
        Self { n_lags: 16, ridge: 0.3 }
    }
}

/// What a user may choose about the detector of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorSpec {
    /// Rows of a window, T; a third of the training rows when those are fewer than three windows.
    pub window_rows: usize,
    /// Members of the fused score.
    pub members: Vec<Member>,
    /// The autoencoder.
    pub autoencoder: AutoencoderSpec,
    /// The window PCA.
    pub pca: PcaSpec,
    /// The kernel PCA.
    pub kernel_pca: KernelPcaSpec,
    /// The random-feature autoencoder.
    pub random_features: RandomFeaturesSpec,
    /// K-means on centred windows.
    pub kmeans: KmeansSpec,
    /// The ridge vector autoregression.
    pub var: VarSpec,
    /// Contiguous folds of the out-of-fold residuals.
    pub n_folds: usize,
    /// Below this many usable rows the baseline judges alone.
    pub members_from_rows: usize,
    /// Below this many usable rows trained members are left out.
    pub autoencoder_from_rows: usize,
    /// Weight of the newest row in the live score, in (0, 1].
    pub live_alpha: f64,
    /// The same for the settled score.
    pub settled_alpha: f64,
    /// Rows the settled score looks ahead.
    pub settle_delay_rows: usize,
    /// Rows in which a lasting rise of the residual by one log unit leaves the scores, or as many as were learned when those
    /// are more; 0 for never.
    pub score_acceptance_rows: usize,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for DetectorSpec {
    fn default() -> Self {
        Self {
            window_rows: 32,
            members: vec![Member::Autoencoder, Member::Pca, Member::RandomFeatures, Member::Kmeans, Member::Var],
            autoencoder: AutoencoderSpec::default(),
            pca: PcaSpec::default(),
            kernel_pca: KernelPcaSpec::default(),
            random_features: RandomFeaturesSpec::default(),
            kmeans: KmeansSpec::default(),
            var: VarSpec::default(),
            n_folds: 5,
            members_from_rows: 100,
            autoencoder_from_rows: 500,
            live_alpha: 0.03,
            settled_alpha: 0.02,
            settle_delay_rows: 31,
            score_acceptance_rows: 1000,
            seed: 0,
        }
    }
}

impl DetectorSpec {
    /// Rows of a window for so many training rows.
    pub fn n_time(&self, n_rows: usize) -> usize {
        self.window_rows.min(n_rows / 3).max(1)
    }

    /// Rows in which a lasting rise leaves the scores, for so many training rows; 0 for never. Where many rows were
    /// learned they follow each other fast, or an event may be long: it must not fade while it lasts.
    pub fn score_acceptance(&self, n_rows: usize) -> usize {
        match self.score_acceptance_rows {
            0 => 0,
            rows => rows.max(n_rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_forgive_the_more_slowly_the_more_rows_were_learned() {
        let spec = DetectorSpec::default();
        // 1000 rows, or the training rows when those are more.
        assert_eq!([50, 1000, 1001, 9693].map(|n_rows| spec.score_acceptance(n_rows)), [1000, 1000, 1001, 9693]);
        let never = DetectorSpec { score_acceptance_rows: 0, ..spec };
        assert_eq!(never.score_acceptance(500), 0);
    }
}
