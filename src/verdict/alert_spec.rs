//! What of a series' alerts is worth telling: the table `alerts` of its configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::series::ChannelName;

/// Which way a channel may deviate to be worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Either way.
    #[default]
    Both,
    /// Only upwards.
    AboveExpected,
    /// Only downwards.
    BelowExpected,
}

/// What one channel says anew; what it leaves out is as for the others.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelAlertSpec {
    /// Which way.
    pub direction: Option<Direction>,
    /// How far at least, in the sender's unit.
    pub deviation_min: Option<f64>,
    /// How far at least, as a share of what was expected.
    pub deviation_min_relative: Option<f64>,
}

/// Settings of a series' alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSpec {
    /// Which way a channel to blame must deviate for an alert to open.
    pub direction: Direction,
    /// How far from what was expected at least, in the sender's unit.
    pub deviation_min: f64,
    /// How far at least, as a share of what was expected.
    pub deviation_min_relative: f64,
    /// Channels that differ from that, by name.
    pub channels: BTreeMap<String, ChannelAlertSpec>,
    /// An alert is critical from this live score on, when the row is as improbable as `critical_p_value`.
    pub critical_score: f64,
    /// An alert is critical, too, once so many of its rows had a p-value of at most `critical_p_value`.
    pub critical_after_rows: u32,
    /// See `critical_after_rows`.
    pub critical_p_value: f64,
    /// An alert that comes back within so many rows is the same one again, with one more opening.
    pub fold_within_rows: u32,
    /// False leaves time out of training in which a silence held the whole series.
    pub learn_silenced: bool,
}

impl Default for AlertSpec {
    fn default() -> Self {
        Self {
            direction: Direction::default(),
            deviation_min: 0.0,
            deviation_min_relative: 0.0,
            channels: BTreeMap::new(),
            critical_score: 3.0,
            critical_after_rows: 120,
            critical_p_value: 0.01,
            fold_within_rows: 32,
            learn_silenced: true,
        }
    }
}

impl AlertSpec {
    /// The defaults for alerts of which every opening counts.
    pub fn unfolded() -> Self {
        Self { fold_within_rows: 0, ..Self::default() }
    }

    /// What holds for alerts of a rule without a score (stuck, silent, out of range) that takes `rows_to_notice` to see
    /// that something is wrong: they fold as others do, counted from where the trouble began again, and nothing else is
    /// asked of them, because the rule has asked it already.
    #[must_use]
    pub fn of_rule(&self, rows_to_notice: u32) -> Self {
        let fold_within_rows = match self.fold_within_rows {
            0 => 0,
            rows => rows.saturating_add(rows_to_notice),
        };
        Self { fold_within_rows, ..Self::default() }
    }

    /// True when the row may open an alert: a channel to blame (one with at least an even share of the contributions)
    /// deviates in its direction by at least its minimum. Rows about which nothing is expected always may.
    pub fn is_worth_telling(&self, channels: &[ChannelName], verdict: &Verdict<'_>) -> bool {
        let asks_nothing = self.direction == Direction::Both
            && self.deviation_min <= 0.0
            && self.deviation_min_relative <= 0.0
            && self.channels.is_empty();
        if asks_nothing || verdict.expected.is_empty() {
            return true;
        }
        let even = 1.0 / channels.len().max(1) as f32;
        let largest = verdict.contributions.iter().copied().fold(0.0, f32::max);
        channels.iter().enumerate().any(|(index, channel)| {
            let share = verdict.contributions.get(index).copied().unwrap_or(0.0);
            let pair = verdict.observed.get(index).copied().flatten().zip(verdict.expected.get(index).copied());
            let is_blamed = share >= even.min(largest);
            is_blamed && pair.is_some_and(|(observed, expected)| self.counts(channel, observed, expected))
        })
    }

    fn counts(&self, channel: &ChannelName, observed: f64, expected: f64) -> bool {
        let own = self.channels.get(channel.as_str()).copied().unwrap_or_default();
        let deviation = observed - expected;
        let is_that_way = match own.direction.unwrap_or(self.direction) {
            Direction::Both => true,
            Direction::AboveExpected => deviation > 0.0,
            Direction::BelowExpected => deviation < 0.0,
        };
        let far = deviation.abs();
        is_that_way
            && far >= own.deviation_min.unwrap_or(self.deviation_min)
            && far >= own.deviation_min_relative.unwrap_or(self.deviation_min_relative) * expected.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Timestamp;

    fn check(spec: &AlertSpec, observed: [f64; 2], contributions: [f32; 2], expected: bool) {
        let channels = ["load", "temp"].map(|name| ChannelName::parse(name).unwrap());
        let verdict = Verdict {
            at: Timestamp::from_ms(0),
            live_score: 2.0,
            p_value: 0.01,
            evidence: 1.0,
            is_anomalous: true,
            contributions: &contributions,
            observed: &observed.map(Some),
            expected: &[10.0, 50.0],
        };
        assert_eq!(spec.is_worth_telling(&channels, &verdict), expected, "{spec:?} {observed:?} {contributions:?}");
    }

    #[test]
    fn only_a_channel_to_blame_that_deviates_its_way_and_far_enough_is_worth_telling() {
        let all = AlertSpec::default();
        check(&all, [10.0, 50.0], [0.5, 0.5], true);
        let above = AlertSpec { direction: Direction::AboveExpected, ..AlertSpec::default() };
        check(&above, [11.0, 50.0], [0.9, 0.1], true);
        check(&above, [9.0, 50.0], [0.9, 0.1], false);
        check(&above, [9.0, 60.0], [0.9, 0.1], false);
        check(&above, [9.0, 60.0], [0.2, 0.8], true);
        let absolute = AlertSpec { deviation_min: 5.0, ..AlertSpec::default() };
        check(&absolute, [14.0, 50.0], [1.0, 0.0], false);
        check(&absolute, [5.0, 50.0], [1.0, 0.0], true);
        let relative = AlertSpec { deviation_min_relative: 0.2, ..AlertSpec::default() };
        check(&relative, [10.0, 59.0], [0.0, 1.0], false);
        check(&relative, [10.0, 60.0], [0.0, 1.0], true);
        let own = ChannelAlertSpec { deviation_min: Some(0.0), ..ChannelAlertSpec::default() };
        let mixed = AlertSpec { channels: BTreeMap::from([("temp".to_owned(), own)]), ..absolute };
        check(&mixed, [14.0, 51.0], [0.5, 0.5], true);
        check(&mixed, [14.0, 51.0], [1.0, 0.0], false);
    }
}
