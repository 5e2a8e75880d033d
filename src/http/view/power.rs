//! Which faults a model would see.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;
use crate::detector::{ChannelPower, FaultKind, FaultPower};
use crate::pipeline::{ModelPower, PowerRow};

/// What a model would see: faults of known kind and size, put into clean rows that its members have not learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PowerView {
    /// The model.
    pub model_id: String,
    /// The series.
    pub series: String,
    /// Event time of the last row that faults were put into.
    pub measured_to: Moment,
    /// Clean rows that faults were put into.
    pub n_rows: u64,
    /// Mean area under the curve over shifts, drifts and noise, less that of the PCA alone; null without a PCA.
    pub model_skill: Option<f64>,
    /// The same, less that of the members without the trained one; null without a trained one.
    pub trained_gain: Option<f64>,
    /// In words, channel by channel.
    pub sentences: Vec<String>,
    /// The fused score by channel, kind and size.
    pub channels: Vec<ChannelPowerView>,
    /// The fused score by kind and size, on one channel at random and an eighth of the others.
    pub faults: Vec<FaultPowerView>,
    /// Each member alone.
    pub members: Vec<MemberPowerView>,
}

/// One kind and size of fault on one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChannelPowerView {
    /// The channel.
    pub channel: String,
    /// spike, shift, drift or noise.
    pub kind: String,
    /// Its size in the channel's unit.
    pub size: f64,
    /// The unit, where it is configured.
    pub unit: Option<String>,
    /// Rows it lasts.
    pub rows: u64,
    /// Probability that it is seen.
    pub seen: f64,
}

/// One kind and size of fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FaultPowerView {
    /// spike, shift, drift, noise, stuck, swap or warp.
    pub kind: String,
    /// Its size in standard deviations of the channel; null where size has no meaning.
    pub size: Option<f64>,
    /// Rows it lasts.
    pub rows: u64,
    /// Probability that it is seen.
    pub seen: f64,
    /// Area under the ROC curve of scores inside the fault against clean ones.
    pub area: f64,
}

/// The power of a member alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemberPowerView {
    /// The member.
    pub member: String,
    /// By kind and size.
    pub faults: Vec<FaultPowerView>,
}

impl From<PowerRow> for PowerView {
    fn from(row: PowerRow) -> Self {
        let report = &row.power.report;
        Self {
            model_id: row.model_id,
            series: row.series.into(),
            measured_to: row.at.into(),
            n_rows: report.n_rows as u64,
            model_skill: report.model_skill,
            trained_gain: report.trained_gain,
            sentences: sentences(&row.power),
            channels: report.channels.iter().map(|power| channel_view(&row.power, power)).collect(),
            faults: report.fused.iter().map(FaultPowerView::from).collect(),
            members: report
                .members
                .iter()
                .map(|(member, faults)| MemberPowerView {
                    member: member.as_str().to_owned(),
                    faults: faults.iter().map(FaultPowerView::from).collect(),
                })
                .collect(),
        }
    }
}

impl From<&FaultPower> for FaultPowerView {
    fn from(power: &FaultPower) -> Self {
        let FaultPower { kind, size, rows, seen, area } = *power;
        Self { kind: kind.as_str().to_owned(), size, rows: rows as u64, seen, area }
    }
}

fn channel_view(power: &ModelPower, of: &ChannelPower) -> ChannelPowerView {
    ChannelPowerView {
        channel: power.channels.get(of.channel).map_or_else(String::new, ToString::to_string),
        kind: of.kind.as_str().to_owned(),
        size: of.size,
        unit: power.units.get(of.channel).cloned().flatten(),
        rows: of.rows as u64,
        seen: of.seen,
    }
}

/// What is seen, as people say it: "temperature: a 2.1 °C shift for 25 rows is seen with probability 0.9".
fn sentences(power: &ModelPower) -> Vec<String> {
    let of_channel = |of: &ChannelPower| {
        let view = channel_view(power, of);
        let size = format!("{}{}", readable(of.size), view.unit.map(|unit| format!(" {unit}")).unwrap_or_default());
        let (article, fault) = match of.kind {
            FaultKind::Spike => ("a", format!("{size} spike of one row")),
            FaultKind::Drift => ("a drift that ends", format!("{size} off after {} rows", of.rows)),
            FaultKind::Noise => ("noise of", format!("{size} for {} rows", of.rows)),
            kind => ("a", format!("{size} {} for {} rows", kind.as_str(), of.rows)),
        };
        format!("{}: {article} {fault} is seen with probability {}", view.channel, share(of.seen))
    };
    let of_series = |of: &FaultPower| {
        let fault = match of.kind {
            FaultKind::Stuck => "a channel that stands still",
            FaultKind::Swap => "two exchanged channels",
            _ => "a channel that runs twice as fast",
        };
        format!("{fault} for {} rows: seen by the score with probability {}", of.rows, share(of.seen))
    };
    let report = &power.report;
    let channels = report.channels.iter().map(of_channel);
    channels.chain(report.fused.iter().filter(|of| of.size.is_none()).map(of_series)).collect()
}

/// Two digits behind the point at most, none that say nothing.
fn share(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// About two digits, which is what a size chosen by the measurement deserves.
fn readable(value: f64) -> String {
    match value.abs() {
        size if size >= 10.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        size if size >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::PowerReport;
    use crate::series::ChannelName;

    #[test]
    fn power_is_told_in_words_with_units() {
        let of = |channel, kind, size, rows, seen| ChannelPower { channel, kind, size, rows, seen };
        let power = ModelPower {
            channels: ["flow", "temperature"].map(|name| ChannelName::parse(name).unwrap()).to_vec(),
            units: vec![None, Some("°C".to_owned())],
            report: PowerReport {
                fused: vec![FaultPower { kind: FaultKind::Stuck, size: None, rows: 25, seen: 0.25, area: 0.5 }],
                members: Vec::new(),
                channels: vec![
                    of(1, FaultKind::Shift, 2.13, 25, 0.9),
                    of(0, FaultKind::Drift, 14.2, 50, 1.0),
                    of(1, FaultKind::Noise, 0.51, 25, 0.125),
                ],
                n_rows: 500,
                model_skill: None,
                trained_gain: None,
            },
        };
        let expected = [
            "temperature: a 2.1 °C shift for 25 rows is seen with probability 0.9",
            "flow: a drift that ends 14 off after 50 rows is seen with probability 1",
            "temperature: noise of 0.51 °C for 25 rows is seen with probability 0.12",
            "a channel that stands still for 25 rows: seen by the score with probability 0.25",
        ];
        assert_eq!(sentences(&power), expected);
    }
}
