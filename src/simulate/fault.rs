//! Labelled faults: what a broken sensor or a broken machine does to the values that arrive.

use serde::Serialize;

use crate::series::{ChannelName, SeriesId, Timestamp};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A few readings far outside.
    Spike,
    /// All readings moved by a constant.
    LevelShift,
    /// Readings move away slowly and steadily.
    SlowDrift,
    /// The sensor repeats its last reading.
    StuckSensor,
    /// The noise grows to a multiple.
    NoiseBurst,
    /// One channel goes on as it always does, but no longer together with the others.
    LostCoupling,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [FaultKind; 6] = [
        FaultKind::LevelShift,
        FaultKind::NoiseBurst,
        FaultKind::StuckSensor,
        FaultKind::Spike,
        FaultKind::LostCoupling,
        FaultKind::SlowDrift,
    ];

    /// The kind in plain words.
    pub fn as_words(self) -> &'static str {
        match self {
            FaultKind::Spike => "spike",
            FaultKind::LevelShift => "level shift",
            FaultKind::SlowDrift => "slow drift",
            FaultKind::StuckSensor => "stuck sensor",
            FaultKind::NoiseBurst => "noise burst",
            FaultKind::LostCoupling => "lost coupling",
        }
    }

    /// Rows that a fault of this kind lasts.
    pub(super) fn n_rows(self) -> usize {
        match self {
            FaultKind::Spike => 4,
            FaultKind::LevelShift | FaultKind::NoiseBurst => 60,
            FaultKind::StuckSensor | FaultKind::LostCoupling => 90,
            FaultKind::SlowDrift => 150,
        }
    }

    /// Size, in units of the channel's usual span (lost coupling: in rows of delay; stuck sensor: none).
    pub(super) fn size(self) -> f64 {
        match self {
            FaultKind::Spike => 0.9,
            FaultKind::LevelShift => 0.35,
            FaultKind::SlowDrift => 0.6,
            FaultKind::NoiseBurst => 0.15,
            FaultKind::LostCoupling => 17.0,
            FaultKind::StuckSensor => 0.0,
        }
    }
}

/// One fault of one channel, with the span of event time it lasts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// What is broken.
    pub kind: FaultKind,
    /// Where.
    pub series: SeriesId,
    /// The channel that reports wrongly.
    pub channel: ChannelName,
    /// The first wrong row.
    pub starts_at: Timestamp,
    /// The first row that is right again.
    pub ends_at: Timestamp,
    /// Position of the channel in the machine's values.
    #[serde(skip)]
    pub(super) channel_index: usize,
    /// First wrong row, counted from the plant's first.
    #[serde(skip)]
    pub(super) first_row: usize,
    /// Rows it lasts.
    #[serde(skip)]
    pub(super) n_rows: usize,
    /// Up or down.
    #[serde(skip)]
    pub(super) sign: f64,
}

impl Fault {
    /// True while it lasts.
    pub(super) fn covers(&self, row: usize) -> bool {
        (self.first_row..self.first_row + self.n_rows).contains(&row)
    }

    /// What arrives instead of `history[row]`, given all true readings of the channel up to this row, the channel's
    /// usual span and one draw from a standard normal distribution.
    pub(super) fn bend(&self, row: usize, history: &[f64], span: f64, kick: f64) -> f64 {
        let value = history[row];
        let size = self.kind.size();
        let age = (row - self.first_row) as f64;
        let bent = match self.kind {
            FaultKind::Spike | FaultKind::LevelShift => value + self.sign * size * span,
            FaultKind::SlowDrift => value + self.sign * size * span * (age + 1.0) / self.n_rows as f64,
            FaultKind::StuckSensor => history[self.first_row.saturating_sub(1)],
            FaultKind::NoiseBurst => value + size * span * kick,
            FaultKind::LostCoupling => history[row.saturating_sub(size as usize)],
        };
        (bent * 1e3).round() / 1e3
    }
}
