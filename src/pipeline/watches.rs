//! What is wrong with a series besides its pattern: stuck, silent and impossible channels, each with alerts of its own
//! kind, one open at a time.
//!
//! These rules know no score. Silence and limits need no model; the stuck rule is calibrated with one, because the
//! training rows tell how little a channel moves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SeriesSpec;
use crate::bundle::ModelBundle;
use crate::series::{Cell, ChannelName, Frame, SeriesId, Timestamp};
use crate::verdict::{
    Alert, AlertKind, AlertMachine, Flags, Limits, OutOfRangeWatch, SilentSpec, SilentWatch, StuckSpec, Transition,
};
use crate::windowing::GridKind;

/// What stands in an alert of these kinds where a budget would: their rules are fixed.
const NO_BUDGET: &str = "a fixed rule, no budget";

/// Which of these rules watch a series, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WatchSpec {
    /// Channels that no longer move.
    pub stuck: StuckSpec,
    /// Channels that no longer speak.
    pub silent: SilentSpec,
    /// Physical limits by channel, in the sender's unit.
    pub limits: BTreeMap<ChannelName, Limits>,
}

/// The watches of one series with their alerts. Serialised, it is all that a restart needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Watches {
    stuck: AlertMachine,
    silent: AlertMachine,
    out_of_range: AlertMachine,
    silence: SilentWatch,
    range: OutOfRangeWatch,
}

impl Watches {
    pub(super) fn new(series: &SeriesId, spec: &SeriesSpec) -> Self {
        let machine = |kind| AlertMachine::new(series.clone(), kind, NO_BUDGET.to_owned(), Vec::new());
        let mut watches = Self {
            stuck: machine(AlertKind::Stuck),
            silent: machine(AlertKind::Silent),
            out_of_range: machine(AlertKind::OutOfRange),
            silence: SilentWatch::new(),
            range: OutOfRangeWatch::new(),
        };
        watches.follow(spec);
        watches
    }

    /// What of their alerts is worth telling from now on; a checkpoint does not keep it.
    pub(super) fn follow(&mut self, spec: &SeriesSpec) {
        let WatchSpec { stuck, silent, .. } = &spec.watches;
        // On the row grid time says nothing about rows.
        let rows_of_silence = match spec.grid.grid {
            GridKind::Time => silent.after.as_ms() / spec.grid.stride.as_ms(),
            GridKind::Row => 0,
        };
        self.out_of_range.follow(spec.alerts.of_rule(0));
        self.stuck.follow(spec.alerts.of_rule(u32::try_from(stuck.rows).unwrap_or(u32::MAX)));
        self.silent.follow(spec.alerts.of_rule(u32::try_from(rows_of_silence).unwrap_or(u32::MAX)));
    }

    /// A model takes over: stuck channels are its channels.
    pub(super) fn on_model(&mut self, bundle: &ModelBundle) {
        self.stuck.on_model(bundle.id().to_owned(), bundle.channels.clone());
    }

    /// A closed row, in order: who has spoken, and whether what was said is possible.
    pub(super) fn on_frame(&mut self, frame: &Frame, channels: &[ChannelName], spec: &WatchSpec) -> Vec<Transition> {
        let measured = |(value, cell): (&f64, &Cell)| (*cell == Cell::Measured).then_some(*value);
        let observed: Vec<Option<f64>> = frame.values.iter().zip(&frame.cells).map(measured).collect();
        let mut transitions = Vec::new();
        transitions.extend(self.silence(frame.at, &observed, channels, &spec.silent));
        transitions.extend(self.out_of_range(frame.at, &observed, channels, &spec.limits));
        transitions
    }

    fn silence(
        &mut self,
        at: Timestamp,
        observed: &[Option<f64>],
        channels: &[ChannelName],
        spec: &SilentSpec,
    ) -> Option<Transition> {
        for (channel_index, _) in observed.iter().enumerate().filter(|(_, value)| value.is_some()) {
            self.silence.on_reading(channel_index, at, spec);
        }
        self.tell_silent(at, channels, spec)
    }

    /// Time has passed without rows; `at` is the event time it would be now.
    pub(super) fn on_idle(&mut self, at: Timestamp, channels: &[ChannelName], spec: &WatchSpec) -> Option<Transition> {
        let is_silent = |c: usize| self.silence.silent_ms(c, at, &spec.silent).is_some();
        // The passing of time ends no silence: after a restart it begins anew while the alert is still open.
        (0..channels.len()).any(is_silent).then(|| self.tell_silent(at, channels, &spec.silent)).flatten()
    }

    fn tell_silent(&mut self, at: Timestamp, channels: &[ChannelName], spec: &SilentSpec) -> Option<Transition> {
        let is_silent = |c: usize| spec.enabled && self.silence.silent_ms(c, at, spec).is_some();
        let flags: Vec<bool> = (0..channels.len()).map(is_silent).collect();
        // A row of before the silence was noticed may close after it.
        let at = self.silent.alert().map_or(at, |alert| at.max(alert.opened_at));
        let flags = Flags { flags: &flags, observed: &[], expected: &[] };
        self.silent.set_channels(channels);
        self.silent.on_flags(at, &flags)
    }

    fn out_of_range(
        &mut self,
        at: Timestamp,
        observed: &[Option<f64>],
        channels: &[ChannelName],
        limits: &BTreeMap<ChannelName, Limits>,
    ) -> Option<Transition> {
        if limits.is_empty() && self.out_of_range.alert().is_none() {
            return None;
        }
        let limits: Vec<Limits> = channels.iter().map(|name| limits.get(name).copied().unwrap_or_default()).collect();
        let flags = self.range.push(observed, &limits);
        let nearest = |(limits, value): (&Limits, &Option<f64>)| limits.nearest((*value)?);
        let expected: Vec<Option<f64>> = limits.iter().zip(observed).map(nearest).collect();
        self.out_of_range.set_channels(channels);
        self.out_of_range.on_flags(at, &Flags { flags, observed, expected: &expected })
    }

    /// A judged row: the model's channels that no longer move, with what was expected of them.
    pub(super) fn on_judged(
        &mut self,
        at: Timestamp,
        flags: &[bool],
        observed: &[Option<f64>],
        expected: &[f64],
        spec: &WatchSpec,
    ) -> Option<Transition> {
        let none = vec![false; flags.len()];
        let flags = if spec.stuck.enabled { flags } else { &none };
        let expected: Vec<Option<f64>> = expected.iter().map(|value| Some(*value)).collect();
        self.stuck.on_flags(at, &Flags { flags, observed, expected: &expected })
    }

    /// What a person has said of an alert.
    pub(super) fn amend(&mut self, said: &Alert) {
        for machine in [&mut self.out_of_range, &mut self.stuck, &mut self.silent] {
            machine.amend(said);
        }
    }

    /// Open alerts, the one that weighs most first.
    pub(super) fn open(&self) -> impl Iterator<Item = &Alert> {
        [&self.out_of_range, &self.stuck, &self.silent].into_iter().filter_map(AlertMachine::alert)
    }

    /// True while readings arrive that say nothing true: nothing may be learned from them. A silent channel sends no
    /// readings at all, and one that was taken away for good must not keep the others from being learned.
    pub(super) fn is_misled(&self) -> bool {
        self.stuck.alert().is_some() || self.out_of_range.alert().is_some()
    }
}
