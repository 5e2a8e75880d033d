//! The model bundle: a detector, its calibration and where both come from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TrainingCurve;
use crate::detector::{Detector, DetectorSpec, Member};
use crate::series::{ChannelName, Timestamp};
use crate::verdict::{Calibration, StuckCalibration};

/// A member that was left out because it hurts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SwitchedOff {
    /// The member.
    pub member: Member,
    /// Mean area under the curve over injected shifts, drifts and noise with it, less that without it.
    pub gain: f64,
}

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Event time of the first training row.
    pub first_at: Timestamp,
    /// Event time of the last training row.
    pub last_at: Timestamp,
    /// Training rows, all.
    pub n_rows: usize,
    /// Rows left out because an alert was open on them.
    pub n_excluded: usize,
    /// What was asked for.
    pub spec: DetectorSpec,
    /// Event time of the last clean row that was added to the calibration after the fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated_to: Option<Timestamp>,
    /// How many series those rows came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated_on: Option<usize>,
    /// The trained member, when it was left out because injected faults are seen worse with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<SwitchedOff>,
    /// Version of the program that fitted it.
    pub kilter_version: String,
    /// How the training of its network went; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<TrainingCurve>,
}

/// All that is needed to judge a series.
#[derive(Debug, Clone)]
pub struct ModelBundle {
    /// First 16 hex digits of the SHA-256 of its bytes.
    pub(super) id: String,
    /// Channels, sorted by name; position is the channel index of every array in here.
    pub channels: Vec<ChannelName>,
    /// Scaler, members and levels.
    pub detector: Detector,
    /// What normal looks like.
    pub calibration: Arc<Calibration>,
    /// How little each channel moved while learning.
    pub stuck: StuckCalibration,
    /// Where it comes from.
    pub provenance: Provenance,
}

impl ModelBundle {
    /// Its name: the first 16 hex digits of the SHA-256 of its bytes. The same rows and spec give the same name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same model that says which member was left out; another name, because the bytes are others.
    pub fn with_switched_off(self, switched_off: SwitchedOff) -> Self {
        let Self { channels, detector, calibration, stuck, provenance, .. } = self;
        let provenance = Provenance { switched_off: Some(switched_off), ..provenance };
        Self::from_parts(channels, detector, Arc::unwrap_or_clone(calibration), stuck, provenance)
    }

    /// The same members under a calibration that has grown by rows of `n_series` up to `to`; another name, because the
    /// bytes are others.
    pub fn with_calibration(&self, calibration: Calibration, to: Timestamp, n_series: usize) -> Self {
        let calibrated_on = Some(n_series);
        let provenance = Provenance { calibrated_to: Some(to), calibrated_on, ..self.provenance.clone() };
        Self::from_parts(self.channels.clone(), self.detector.clone(), calibration, self.stuck.clone(), provenance)
    }

    /// True when only the calibrations of two models may differ.
    pub fn is_same_fit(&self, other: &Self) -> bool {
        let fitted =
            |bundle: &Self| Provenance { calibrated_to: None, calibrated_on: None, ..bundle.provenance.clone() };
        self.channels == other.channels && fitted(self) == fitted(other)
    }

    /// Event time of the last row that the model knows, be it learned or only calibrated on.
    pub fn knows_to(&self) -> Timestamp {
        self.provenance.calibrated_to.map_or(self.provenance.last_at, |to| to.max(self.provenance.last_at))
    }

    /// Rows of a window, T.
    pub fn n_time(&self) -> usize {
        self.detector.n_time
    }

    /// Members, in the order of `member_contributions`.
    pub fn members(&self) -> Vec<Member> {
        self.detector.members.iter().map(|member| member.member()).collect()
    }
}
