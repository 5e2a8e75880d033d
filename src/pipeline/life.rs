//! The life of one series: rows gathered, models fitted, scores issued, alerts opened.
//!
//! Purely a state machine: rows, fitted models and times come in, outcomes go out. It fits nothing itself. Here is what
//! becomes of a row; what a series learns, what it says of itself, and how it survives a restart have files of their own.

mod learning;
mod restart;
mod telling;

use std::sync::Arc;

use self::restart::CHECKPOINT_ROWS;
pub use self::restart::Restored;
use super::chain::{Chain, Judged, Phase};
use super::watches::Watches;
use super::{FitWanted, MeasuredPower, ModelPower, Outcome, PowerRow, SeriesSpec, ShiftDeed, TakeOver, Trained};
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Frame, Quality, Reading, SeriesId, Timestamp};
use crate::verdict::{Alert, AlertKind, AlertMachine, FalseAlarms, SeriesState, Transition, TransitionKind};
use crate::windowing::{Assembler, Counts, IndexedReading, Pushed};

/// Usable rows with a new channel after which a frozen model is fitted anew.
const NEW_CHANNEL_ROWS: u64 = 250;

/// A model in charge.
#[derive(Debug)]
struct Judging {
    chain: Chain,
    bundle: Arc<ModelBundle>,
    /// False until the first row it judges has been announced.
    is_announced: bool,
    /// False openings per row that its budget allows.
    openings_per_row: f64,
    /// Why that is more than asked for.
    budget_explanation: Option<String>,
    /// The next fit that the present reason for being normal names, so that it is not written anew on every row.
    said_next_fit: Option<Option<u64>>,
}

impl Judging {
    fn new(chain: Chain, bundle: Arc<ModelBundle>, is_announced: bool, spec: &SeriesSpec) -> Self {
        let n_rows = bundle.calibration.n_rows();
        let openings_per_row = spec.decision_for(n_rows).openings_per_row;
        let budget_explanation = spec.budget_explanation(n_rows);
        Self { chain, bundle, is_announced, openings_per_row, budget_explanation, said_next_fit: None }
    }
}

impl Judging {
    /// Lets false alarms teach the judge; what they come to under its model.
    fn teach(&mut self, false_alarms: &[FalseAlarm], spec: &SeriesSpec) -> FalseAlarms {
        let spans: Vec<_> = false_alarms.iter().map(|alarm| self.chain.residuals_of(&alarm.frames)).collect();
        let taught = FalseAlarms::gather(&self.bundle.calibration, spec.decision.betting.block_rows, &spans);
        self.chain.learn(&taught);
        taught
    }
}

/// A fit asked for, and the rows that came since.
#[derive(Debug)]
struct Fitting {
    wanted: FitWanted,
    since: Vec<Frame>,
    /// The answer, waiting for an open alert to resolve.
    ready: Option<Box<Trained>>,
}

/// One series.
#[derive(Debug)]
pub(super) struct SeriesLife {
    id: SeriesId,
    spec: Arc<SeriesSpec>,
    channels: Vec<ChannelName>,
    assembler: Assembler,
    last_at: Option<Timestamp>,
    n_rows: u64,
    n_usable: u64,
    learn_from: Option<Timestamp>,
    next_fit: Option<u64>,
    fitting: Option<Fitting>,
    judging: Option<Judging>,
    excluded: Vec<(Timestamp, Timestamp)>,
    alert: AlertMachine,
    /// Rows of the open alert that surprised the model, those on its way to its end left out.
    open_rows: u64,
    /// When the alert opened that has lasted for more rows than its young model had learned.
    disbelieved: Option<Timestamp>,
    watches: Watches,
    /// Alerts that people called false, and what they have taught the model in charge.
    false_alarms: Vec<FalseAlarm>,
    taught: FalseAlarms,
    state: SeriesState,
    reason: String,
    /// Why the last fit failed, until one succeeds.
    fit_fault: Option<String>,
    /// Usable rows when a model was last fitted or its calibration last grew.
    calibrated_rows: u64,
    /// Rows judged so far, openings promised for them, openings of anomaly alerts.
    alarms: (u64, f64, u64),
    rows_since_checkpoint: u32,
    last_heard: Timestamp,
}

/// An alert that people called false.
#[derive(Debug, Clone, PartialEq)]
pub struct FalseAlarm {
    /// When it opened: its rows may be learned from.
    pub opened_at: Timestamp,
    /// Its rows, and before them as many as a window and the gathering of evidence reach back; oldest first.
    pub frames: Vec<Frame>,
}

/// What became of the readings of one message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// What became of those that reached the grid.
    pub counts: Counts,
    /// Readings of channels beyond the limit, refused.
    pub over_channel_limit: u64,
}

impl SeriesLife {
    pub(super) fn new(id: SeriesId, spec: Arc<SeriesSpec>, now: Timestamp) -> Self {
        Self {
            assembler: Assembler::new(spec.grid.clone()),
            alert: machine(&id, AlertKind::Anomaly, &spec),
            watches: Watches::new(&id, &spec),
            next_fit: spec.warm_up.next_fit(0),
            id,
            spec,
            channels: Vec::new(),
            last_at: None,
            n_rows: 0,
            n_usable: 0,
            learn_from: None,
            fitting: None,
            judging: None,
            excluded: Vec::new(),
            open_rows: 0,
            disbelieved: None,
            false_alarms: Vec::new(),
            taught: FalseAlarms::default(),
            state: SeriesState::WarmingUp,
            reason: String::new(),
            fit_fault: None,
            calibrated_rows: 0,
            alarms: (0, 0.0, 0),
            rows_since_checkpoint: 0,
            last_heard: now,
        }
    }

    pub(super) fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    /// The model in charge.
    pub(super) fn bundle(&self) -> Option<&Arc<ModelBundle>> {
        self.judging.as_ref().map(|judging| &judging.bundle)
    }

    /// Closed rows so far that can be learned from.
    pub(super) fn n_usable(&self) -> u64 {
        self.n_usable
    }

    pub(super) fn spec(&self) -> &Arc<SeriesSpec> {
        &self.spec
    }

    /// The readings of one message; all of them belong to this series.
    pub(super) fn on_message(&mut self, readings: &[Reading], received_at: Timestamp, out: &mut Vec<Outcome>) -> Heard {
        let Some((heard, pushed)) = self.assemble(readings, received_at, Some(out)) else { return Heard::default() };
        self.on_pushed(pushed, out);
        heard
    }

    /// The first half of [`SeriesLife::on_message`]: which rows a message closes. [`SeriesLife::on_pushed`] is the second;
    /// nothing that it does changes what later messages close. None, and nothing done, when the message brings a channel.
    pub(super) fn hear(&mut self, readings: &[Reading], received_at: Timestamp) -> Option<(Heard, Pushed)> {
        self.assemble(readings, received_at, None)
    }

    /// Channels that are new go into `out`; without it such a message is refused.
    fn assemble(
        &mut self,
        readings: &[Reading],
        received_at: Timestamp,
        mut out: Option<&mut Vec<Outcome>>,
    ) -> Option<(Heard, Pushed)> {
        let mut heard = Heard::default();
        let mut indexed = Vec::with_capacity(readings.len());
        for reading in readings {
            let known = self.channels.iter().position(|known| *known == reading.channel);
            let channel_index = match (known, &mut out) {
                (Some(index), _) => Some(index),
                // A member that never was a number is no channel.
                (None, _) if reading.quality == Quality::Missing => continue,
                // A refused reading makes no channel known; it is handed on all the same, to be counted.
                (None, _) if !self.assembler.would_take(reading.at, received_at) => Some(self.channels.len()),
                (None, _) if self.channels.len() >= self.spec.channels_max => None,
                (None, Some(out)) => Some(self.add_channel(&reading.channel, out)),
                (None, None) => return None,
            };
            match channel_index {
                Some(channel_index) => indexed.push(IndexedReading {
                    channel_index,
                    at: reading.at,
                    value: reading.value,
                    quality: reading.quality,
                }),
                None => heard.over_channel_limit += 1,
            }
        }
        self.last_heard = received_at;
        let pushed = self.assembler.push_message(&indexed, received_at);
        heard.counts = pushed.counts;
        Some((heard, pushed))
    }

    /// The chain of the model in charge.
    pub(super) fn chain(&self) -> Option<&Chain> {
        self.judging.as_ref().map(|judging| &judging.chain)
    }

    /// The same, to tell it what its network expects.
    pub(super) fn chain_mut(&mut self) -> Option<&mut Chain> {
        self.judging.as_mut().map(|judging| &mut judging.chain)
    }

    /// Time has passed: rows that nothing can fill any more close, and silence is noticed.
    pub(super) fn on_idle(&mut self, now: Timestamp, out: &mut Vec<Outcome>) {
        let pushed = self.assembler.on_idle(now);
        self.on_pushed(pushed, out);
        let silent_ms = now.ms_since(self.last_heard);
        if let Some(last_at) = self.last_at.filter(|_| silent_ms > 0) {
            let event_now = last_at.plus_ms(silent_ms);
            if let Some(transition) = self.watches.on_idle(event_now, &self.channels, &self.spec.watches) {
                self.report(transition, out);
                if self.state != SeriesState::NoData {
                    self.say_state(event_now, out);
                }
                // No row leads a restart back to it.
                self.checkpoint(out);
            }
        }
        if silent_ms >= self.spec.silence_after_ms && self.state != SeriesState::NoData {
            self.enter(SeriesState::NoData, now, format!("nothing heard for {} s", silent_ms / 1000), out);
        }
    }

    /// What a person has said of an alert.
    pub(super) fn amend(&mut self, said: &Alert) {
        self.alert.amend(said);
        self.watches.amend(said);
    }

    /// Which alerts people call false now; in place of those told before.
    pub(super) fn on_false_alarms(&mut self, false_alarms: Vec<FalseAlarm>, out: &mut Vec<Outcome>) {
        self.false_alarms = false_alarms;
        if let Some(judging) = &mut self.judging {
            let taught = judging.teach(&self.false_alarms, &self.spec);
            if taught != self.taught {
                self.taught = taught;
                // A replay after a crash must not judge rows by what was not yet known.
                self.checkpoint(out);
            }
        }
    }

    pub(super) fn listening_since(&mut self, now: Timestamp) {
        self.assembler.listening_since(now);
        self.last_heard = self.last_heard.max(now);
    }

    pub(super) fn finish(&mut self, out: &mut Vec<Outcome>) {
        let pushed = self.assembler.finish();
        self.on_pushed(pushed, out);
    }

    pub(super) fn settle_rest(&self, out: &mut Vec<Outcome>) {
        let rest = self.judging.iter().flat_map(|judging| judging.chain.settle_rest());
        out.extend(rest.map(|settled| Outcome::Settled { series: self.id.clone(), settled }));
    }

    /// Takes a channel in that has not spoken before.
    fn add_channel(&mut self, channel: &ChannelName, out: &mut Vec<Outcome>) -> usize {
        let channel_index = self.channels.len();
        self.channels.push(channel.clone());
        out.push(Outcome::ChannelSeen { series: self.id.clone(), channel_index, channel: channel.clone() });
        if self.judging.is_some() && self.fitting.is_none() {
            // A frozen or coming model knows nothing of the channel: learn anew once there are rows with it.
            let soon = self.n_usable + NEW_CHANNEL_ROWS;
            self.learn_from = None;
            self.next_fit = Some(self.next_fit.map_or(soon, |next| next.max(soon)));
        }
        channel_index
    }

    /// The rows that a message has closed, judged, and those that it has left open.
    pub(super) fn on_pushed(&mut self, pushed: Pushed, out: &mut Vec<Outcome>) {
        for closed in pushed.closed {
            if closed.after_gap {
                self.on_gap();
            }
            out.push(Outcome::Frame { series: self.id.clone(), frame: closed.frame.clone() });
            self.on_frame(closed.frame, out);
        }
        for row in pushed.touched {
            out.push(Outcome::OpenRow { series: self.id.clone(), row });
        }
    }

    /// Rows were left out: no window may span the gap.
    fn on_gap(&mut self) {
        if let Some(judging) = &mut self.judging {
            judging.chain.on_gap();
        }
    }

    /// A closed row, in order. Also the way rows are replayed after a restart.
    pub(super) fn on_frame(&mut self, frame: Frame, out: &mut Vec<Outcome>) {
        let at = frame.at;
        self.n_rows += 1;
        self.last_at = Some(at);
        for transition in self.watches.on_frame(&frame, &self.channels, &self.spec.watches) {
            self.report(transition, out);
        }
        let is_usable = frame.n_present() > 0;
        if is_usable {
            self.n_usable += 1;
            self.learn_from.get_or_insert(at);
        }
        match &mut self.fitting {
            // The first model's rows wait for it; a later model only catches up on what another one judged.
            Some(fitting) if self.judging.is_none() => fitting.since.push(frame),
            Some(fitting) => {
                fitting.since.push(frame.clone());
                self.judge(&frame, out);
            }
            None => self.judge(&frame, out),
        }
        self.doubt(at, out);
        self.take_over_if_calm(at, out);
        self.want_fit(at, out);
        self.want_calibration(at, out);
        if self.judging.is_none() && self.fitting.is_none() {
            let wanted = self.next_fit.unwrap_or(self.n_usable);
            out.push(Outcome::WarmUp { series: self.id.clone(), n_rows: self.n_usable, n_wanted: wanted });
        }
        if self.judging.is_none() {
            self.say_state(at, out);
        }
        self.rows_since_checkpoint += 1;
        if self.rows_since_checkpoint >= CHECKPOINT_ROWS {
            self.checkpoint(out);
        }
    }

    fn judge(&mut self, frame: &Frame, out: &mut Vec<Outcome>) {
        let Some(judging) = &mut self.judging else { return };
        if !judging.is_announced {
            judging.is_announced = true;
            out.push(Outcome::TakeOver(TakeOver {
                series: self.id.clone(),
                model_id: judging.bundle.id().to_owned(),
                from: frame.at,
                from_row: self.n_rows - 1,
            }));
        }
        let openings_per_row = judging.openings_per_row;
        let judged = judging.chain.push(frame, Phase::Scoring);
        let transition = judged.verdict().and_then(|verdict| self.alert.on_verdict(&verdict));
        if let Some((alert, sequence)) = self.alert.take_raised() {
            out.push(Outcome::AlertRaised { alert: Box::new(alert), sequence });
        }
        let Judged { score, settled, observed, stuck, accepted_shift } = judged;
        let latent = score.as_ref().filter(|_| self.spec.keeps_latents).and_then(|_| judging.chain.latent());
        if let Some(shift) = accepted_shift {
            let deed = ShiftDeed::Accepted { at: frame.at, factor: shift.factor };
            out.push(Outcome::Shift { series: self.id.clone(), deed });
        }
        let expected = score.as_ref().map_or(&[][..], |score| &score.expected);
        let stuck = self.watches.on_judged(frame.at, &stuck, &observed, expected, &self.spec.watches);
        if let Some(transition) = stuck {
            self.report(transition, out);
        }
        if let Some(settled) = settled {
            out.push(Outcome::Settled { series: self.id.clone(), settled });
        }
        let Some(score) = score else {
            if frame.n_present() == 0 {
                self.enter(SeriesState::NoData, frame.at, "no usable value in the last row".to_owned(), out);
            }
            return;
        };
        out.push(Outcome::Score { series: self.id.clone(), score });
        out.extend(latent.map(|latent| Outcome::Latent { series: self.id.clone(), at: frame.at, latent }));
        self.alarms.0 += 1;
        self.alarms.1 += openings_per_row;
        if let Some(transition) = transition {
            self.report(transition, out);
        }
        self.say_state(frame.at, out);
    }

    /// An alert did something. What was wrong is never learned; a silent channel only said nothing.
    fn report(&mut self, transition: Transition, out: &mut Vec<Outcome>) {
        let alert = &transition.alert;
        if alert.kind == AlertKind::Anomaly && transition.kind == TransitionKind::Opened {
            self.alarms.2 += 1;
        }
        let is_learned = alert.kind == AlertKind::Silent || self.disbelieved == Some(alert.opened_at);
        if let Some(resolved_at) = alert.resolved_at.filter(|_| !is_learned) {
            // One that came back has a longer span than before.
            self.excluded.retain(|span| span.0 != alert.opened_at);
            self.excluded.push((alert.opened_at, resolved_at));
        }
        out.push(Outcome::Transition(transition));
    }

    /// What a model of this series would see was measured; told with the units of its channels.
    pub(super) fn on_power(&self, measured: MeasuredPower, out: &mut Vec<Outcome>) {
        let MeasuredPower { series, model_id, at, channels, report } = measured;
        let units = channels.iter().map(|channel| self.spec.units.get(channel).cloned()).collect();
        out.push(Outcome::Power(PowerRow { series, model_id, at, power: ModelPower { channels, units, report } }));
    }

    /// A person takes back what the slow baseline has accepted: the learned level counts as normal again.
    pub(super) fn undo_shift(&mut self, now: Timestamp, out: &mut Vec<Outcome>) {
        let Some(judging) = &mut self.judging else { return };
        judging.chain.undo_shift();
        out.push(Outcome::Shift { series: self.id.clone(), deed: ShiftDeed::Undone { undone_at: now } });
        // No row leads a restart back to it.
        self.checkpoint(out);
    }
}

/// An alert machine of a series that has said nothing.
fn machine(series: &SeriesId, kind: AlertKind, spec: &SeriesSpec) -> AlertMachine {
    let mut machine = AlertMachine::new(series.clone(), kind, spec.alarm_budget.to_string(), Vec::new());
    machine.follow(spec.alerts.clone());
    machine
}
