//! What the members together leave over of a row, in units of what they leave over of normal rows.

use serde::{Deserialize, Serialize};

/// The residual of a row, drawn from those of its members in two ways. Both are about 1 on a normal row, above 0 and
/// finite.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Residual {
    /// Mean over the channels of the geometric mean over the members: high when all agree. It ranks.
    pub fused: f64,
    /// The second highest of the members' own means over the channels: high when any two agree. It helps to decide.
    pub runner_up: f64,
}

impl Residual {
    /// The residual of a single member, which has nobody to agree with.
    pub fn alone(residual: f64) -> Self {
        Self { fused: residual, runner_up: residual }
    }
}
