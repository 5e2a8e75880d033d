//! The life of one series: rows gathered, models fitted, scores issued, alerts opened.
//!
//! Purely a state machine: rows, fitted models and times come in, outcomes go out. It fits nothing itself.

use std::sync::Arc;

use super::chain::{Chain, Judged, Phase};
use super::checkpoint::Checkpoint;
use super::rebuild::resume_chain;
use super::watches::Watches;
use super::{
    BudgetRow, FitWanted, MeasuredPower, ModelPower, Outcome, PowerRow, SeriesSpec, ShiftDeed, TakeOver, Trained,
};
use crate::bundle::ModelBundle;
use crate::series::{ChannelName, Frame, Quality, Reading, SeriesId, Timestamp};
use crate::verdict::{Alert, AlertKind, AlertMachine, FalseAlarms, SeriesState, Transition, TransitionKind};
use crate::windowing::{Assembler, Counts, IndexedReading, OpenRow, Pushed};

/// Closed rows between two checkpoints: a restart replays at most so many rows of a series.
const CHECKPOINT_ROWS: u32 = 64;

/// Usable rows with a new channel after which a frozen model is fitted anew.
const NEW_CHANNEL_ROWS: u64 = 250;

/// A model of fewer rows may not have seen one cycle of its machine: its alert is believed for as many rows as it learned.
const BELIEVED_ROWS: u64 = 250;

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

    /// True while an alert is open on values: nothing is learned from them, no model takes over.
    fn is_alert_open(&self) -> bool {
        self.believed_alert().is_some() || self.watches.is_misled()
    }

    fn believed_alert(&self) -> Option<&Alert> {
        self.alert.alert().filter(|alert| self.disbelieved != Some(alert.opened_at))
    }

    /// A model of few rows that calls more rows abnormal than it has learned knows less of the machine than its alert
    /// does. Rows of such an alert count as the machine's, so that the next model learns them instead of waiting forever.
    fn doubt(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
        let (Some(alert), Some(judging)) = (self.believed_alert(), &self.judging) else {
            self.open_rows = 0;
            return;
        };
        let (opened_at, n_learned) = (alert.opened_at, judging.bundle.provenance.n_rows as u64);
        self.open_rows += u64::from(!judging.chain.is_calming());
        if n_learned < BELIEVED_ROWS && self.open_rows > n_learned && self.next_fit.is_some() {
            self.disbelieved = Some(opened_at);
            self.say_state(at, out);
        }
    }

    /// What the series is doing after a row.
    fn say_state(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
        // A rule says more exactly what is wrong than the score does.
        let alert = self.watches.open().next().or(self.alert.alert());
        let next_fit = self.next_fit;
        let (state, reason) = match (alert, &mut self.judging) {
            (Some(alert), _) => (SeriesState::Anomalous, alert_reason(alert) + self.what_the_next_model_does(alert)),
            (None, Some(judging)) => {
                let said = judging.said_next_fit.replace(next_fit);
                if self.state == SeriesState::Normal && said == Some(next_fit) {
                    return;
                }
                let n_rows = judging.bundle.provenance.n_rows;
                let next = next_fit.map_or("the last one".to_owned(), |rows| format!("the next at {rows}"));
                let off = judging.bundle.provenance.switched_off;
                let off = off.map(|off| format!("; {} is switched off, with it less would be seen", off.member));
                let off = off.unwrap_or_default();
                let budget = judging.budget_explanation.as_ref();
                let budget = budget.map(|why| format!("; alarm budget: {why}")).unwrap_or_default();
                let reason = format!("nothing to report; the model learned {n_rows} rows, {next}{off}{budget}");
                (SeriesState::Normal, reason)
            }
            (None, None) => (SeriesState::WarmingUp, self.warm_up_reason()),
        };
        self.enter(state, at, reason, out);
    }

    /// What an open alert means for the model that is due, if one is.
    fn what_the_next_model_does(&self, alert: &Alert) -> &'static str {
        match self.next_fit {
            Some(_) if self.disbelieved == Some(alert.opened_at) => {
                "; it has lasted longer than all that the model has learned, so the next model learns these rows too"
            }
            Some(rows) if rows <= self.n_usable => {
                "; the next model waits for its end: label it false if the machine is well"
            }
            _ => "",
        }
    }

    fn warm_up_reason(&self) -> String {
        if self.fitting.is_some() {
            return format!("warming_up: {} rows, the first model is being fitted", self.n_usable);
        }
        let wanted = self.next_fit.unwrap_or(self.n_usable);
        let fault = self.fit_fault.as_ref().map(|fault| format!("; no model could be fitted: {fault}"));
        format!("warming_up: {} of {wanted} rows{}", self.n_usable, fault.unwrap_or_default())
    }

    /// Asks for the next model when its row has come; never while an alert is open.
    fn want_fit(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
        let is_due = self.next_fit.is_some_and(|rows| self.n_usable >= rows);
        let Some(from) = self.learn_from.filter(|_| is_due && self.fitting.is_none() && !self.is_alert_open()) else {
            return;
        };
        self.next_fit = self.spec.warm_up.next_fit(self.n_usable);
        let excluded = self.unlearnable(from);
        self.ask(FitWanted { series: self.id.clone(), from, to: at, excluded, model: None, recalibrates: None }, out);
    }

    /// Spans since a time that are never learned from: alerts, without those that people called false.
    pub(super) fn unlearnable(&self, from: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let is_true = |span: &(Timestamp, Timestamp)| self.false_alarms.iter().all(|alarm| alarm.opened_at != span.0);
        let open = self.believed_alert().map(|alert| (alert.opened_at, Timestamp::from_ms(i64::MAX)));
        self.excluded.iter().copied().chain(open).filter(|span| span.1 > from && is_true(span)).collect()
    }

    /// Asks for a larger calibration under the frozen model each time its clean rows may have doubled, for as long as the
    /// budget asked for is tighter than the calibration can hold. Series that share a model pool their rows.
    fn want_calibration(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
        let Some(judging) = &self.judging else { return };
        // A series may be judged by a model that has learned from another one of its kind.
        let known_rows = self.calibrated_rows.max(judging.bundle.provenance.n_rows as u64);
        let is_due = self.next_fit.is_none() && self.n_usable >= 2 * known_rows;
        if !is_due || judging.budget_explanation.is_none() || self.fitting.is_some() || self.is_alert_open() {
            return;
        }
        let from = judging.bundle.knows_to().plus_ms(1);
        let excluded = self.unlearnable(from);
        let recalibrates = Some(judging.bundle.id().to_owned());
        self.ask(FitWanted { series: self.id.clone(), from, to: at, excluded, model: None, recalibrates }, out);
    }

    fn ask(&mut self, wanted: FitWanted, out: &mut Vec<Outcome>) {
        self.calibrated_rows = self.n_usable;
        out.push(Outcome::FitWanted(wanted.clone()));
        self.fitting = Some(Fitting { wanted, since: Vec::new(), ready: None });
        self.checkpoint(out);
    }

    /// A person picks a stored model: it takes over as soon as it has been read, whether an alert is open or not, and
    /// no later fit of the warm-up replaces it. False when the series has no row yet.
    pub(super) fn activate(&mut self, model_id: &str, out: &mut Vec<Outcome>) -> bool {
        let Some(at) = self.last_at else { return false };
        // Rows that wait for a first model go on waiting, for this one.
        let (to, since) = match self.fitting.take() {
            Some(fitting) if self.judging.is_none() => (fitting.wanted.to, fitting.since),
            _ => (at, Vec::new()),
        };
        self.next_fit = None;
        let from = self.learn_from.unwrap_or(to).min(to);
        let model = Some(model_id.to_owned());
        let wanted = FitWanted { series: self.id.clone(), from, to, excluded: Vec::new(), model, recalibrates: None };
        out.push(Outcome::FitWanted(wanted.clone()));
        self.fitting = Some(Fitting { wanted, since, ready: None });
        self.checkpoint(out);
        true
    }

    /// The answer to a fit. Answers to a question that was asked before a restart are ignored.
    pub(super) fn on_trained(&mut self, trained: Trained, out: &mut Vec<Outcome>) {
        let Some(fitting) = &mut self.fitting else { return };
        if fitting.wanted != trained.wanted {
            return;
        }
        fitting.ready = Some(Box::new(trained));
        let at = self.last_at.unwrap_or(self.last_heard);
        self.take_over_if_calm(at, out);
    }

    /// A fit failed: judged on as before, or asked again with twice the rows.
    pub(super) fn on_fit_failed(&mut self, wanted: &FitWanted, reason: &str, now: Timestamp, out: &mut Vec<Outcome>) {
        if self.fitting.as_ref().is_none_or(|fitting| fitting.wanted != *wanted) {
            return;
        }
        self.fitting = None;
        if wanted.recalibrates.is_some() {
            // The model judges on under the calibration it has; the next doubling asks again.
            return;
        }
        let state = if self.judging.is_some() { SeriesState::ModelStale } else { SeriesState::WarmingUp };
        if wanted.model.is_none() || self.judging.is_none() {
            self.next_fit.get_or_insert(2 * self.n_usable);
        }
        self.fit_fault = Some(reason.to_owned());
        self.enter(state, now, format!("no model could be fitted: {reason}"), out);
        self.checkpoint(out);
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

    fn take_over_if_calm(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
        let is_ready =
            |fitting: &Fitting| fitting.ready.is_some() && (fitting.wanted.model.is_some() || !self.is_alert_open());
        if !self.fitting.as_ref().is_some_and(is_ready) {
            return;
        }
        let Some(Fitting { since, ready: Some(trained), .. }) = self.fitting.take() else { return };
        let Trained { bundle, mut chain, wanted } = *trained;
        if wanted.recalibrates.is_some() {
            return self.go_on_with(bundle, out);
        }
        let trained_to = wanted.to;
        out.push(Outcome::Model { series: self.id.clone(), bundle: Arc::clone(&bundle) });
        let is_first = self.judging.is_none();
        if !is_first {
            let mut before = trained_to;
            for frame in &since {
                if self.spec.is_gap(before, frame.at) {
                    chain.on_gap();
                }
                before = frame.at;
                chain.push(frame, Phase::Training);
            }
        }
        self.alert.on_model(bundle.id().to_owned(), bundle.channels.clone());
        self.watches.on_model(&bundle);
        self.fit_fault = None;
        if self.spec.shares_model && wanted.model.is_none() {
            // Its kind may have learned more rows than the series has.
            let n_learned = self.n_usable.max(bundle.provenance.n_rows as u64);
            self.next_fit = self.next_fit.and(self.spec.warm_up.next_fit(n_learned));
        }
        let mut judging = Judging::new(chain, bundle, false, &self.spec);
        self.taught = judging.teach(&self.false_alarms, &self.spec);
        self.judging = Some(judging);
        if is_first {
            let n_rows = self.n_rows;
            self.say_state(at, out);
            let mut before = trained_to;
            for (index, frame) in since.iter().enumerate() {
                if self.spec.is_gap(before, frame.at) {
                    self.on_gap();
                }
                before = frame.at;
                self.n_rows = n_rows - (since.len() - index - 1) as u64;
                self.judge(frame, out);
            }
            self.n_rows = n_rows;
        }
        self.checkpoint(out);
    }

    /// The model in charge goes on in the middle of its work, under a calibration that has grown.
    fn go_on_with(&mut self, bundle: Arc<ModelBundle>, out: &mut Vec<Outcome>) {
        let Some(judging) = &self.judging else { return };
        let decision = self.spec.decision_for(bundle.calibration.n_rows());
        let chain = judging.chain.recalibrated(Arc::clone(&bundle), &decision);
        out.push(Outcome::Model { series: self.id.clone(), bundle: Arc::clone(&bundle) });
        self.alert.on_model(bundle.id().to_owned(), bundle.channels.clone());
        self.watches.on_model(&bundle);
        let mut judging = Judging::new(chain, bundle, false, &self.spec);
        self.taught = judging.teach(&self.false_alarms, &self.spec);
        self.judging = Some(judging);
        self.checkpoint(out);
    }

    /// How the series keeps its alarm budget.
    fn budget(&self, at: Timestamp) -> Option<Outcome> {
        let judging = self.judging.as_ref()?;
        let (n_judged, n_promised, n_openings) = self.alarms;
        Some(Outcome::Budget(BudgetRow {
            series: self.id.clone(),
            at,
            asked: self.spec.alarm_budget.to_string(),
            explanation: judging.budget_explanation.clone(),
            openings_per_row: judging.openings_per_row,
            n_judged,
            n_promised,
            n_openings,
        }))
    }

    /// Rows that waited for the first model are judged after newer ones came: what is said then is the news all the same.
    fn enter(&mut self, state: SeriesState, at: Timestamp, reason: String, out: &mut Vec<Outcome>) {
        if self.state != state || self.reason != reason {
            let at = self.last_at.map_or(at, |newest| at.max(newest));
            self.state = state;
            self.reason.clone_from(&reason);
            out.push(Outcome::State { series: self.id.clone(), state, at, reason });
        }
    }

    /// Says what a restart needs.
    pub(super) fn checkpoint(&mut self, out: &mut Vec<Outcome>) {
        self.rows_since_checkpoint = 0;
        let at = self.last_at.unwrap_or(Timestamp::from_ms(0));
        out.extend(self.budget(at));
        let checkpoint = Checkpoint {
            spec_name: self.spec.name.clone(),
            last_at: self.last_at,
            n_rows: self.n_rows,
            n_usable: self.n_usable,
            learn_from: self.learn_from,
            next_fit: self.next_fit,
            fitting: self.fitting.as_ref().map(|fitting| fitting.wanted.clone()),
            excluded: self.excluded.clone(),
            doubt: (self.open_rows, self.disbelieved),
            judging: self.judging.as_ref().map(|j| (j.bundle.id().to_owned(), j.is_announced, j.chain.save())),
            alert: self.alert.clone(),
            watches: self.watches.clone(),
            state: self.state,
            reason: self.reason.clone(),
            decision: self.judging.as_ref().map_or_else(
                || self.spec.decision.clone(),
                |judging| self.spec.decision_for(judging.bundle.calibration.n_rows()),
            ),
            stride: self.spec.stride(),
            false_alarms: self.taught.clone(),
            calibrated_rows: self.calibrated_rows,
            alarms: self.alarms,
        };
        out.push(Outcome::Checkpoint { series: self.id.clone(), at, bytes: checkpoint.encode() });
    }

    /// Continues a series from what the store kept.
    pub(super) fn restore(restored: Restored, spec: Arc<SeriesSpec>, now: Timestamp, out: &mut Vec<Outcome>) -> Self {
        let Restored { series, channels, checkpoint, bundle, recent, since_fit, replay, unfinished } = restored;
        let mut life = Self::new(series, spec, now);
        life.channels = channels;
        if let Some(checkpoint) = checkpoint {
            life.last_at = checkpoint.last_at;
            life.n_rows = checkpoint.n_rows;
            life.n_usable = checkpoint.n_usable;
            life.learn_from = checkpoint.learn_from;
            life.next_fit = checkpoint.next_fit;
            life.excluded = checkpoint.excluded;
            (life.open_rows, life.disbelieved) = checkpoint.doubt;
            life.alert = checkpoint.alert;
            life.alert.follow(life.spec.alerts.clone());
            life.watches = checkpoint.watches;
            life.watches.follow(&life.spec);
            life.state = checkpoint.state;
            life.reason = checkpoint.reason;
            life.taught = checkpoint.false_alarms;
            life.calibrated_rows = checkpoint.calibrated_rows;
            life.alarms = checkpoint.alarms;
            if let Some(wanted) = checkpoint.fitting {
                out.push(Outcome::FitWanted(wanted.clone()));
                life.fitting = Some(Fitting { wanted, since: since_fit, ready: None });
            }
            if let Some((model_id, is_announced, state)) = checkpoint.judging {
                match life.restore_judging(bundle, is_announced, &state, &recent) {
                    Ok(judging) => life.judging = Some(judging),
                    Err(reason) => {
                        let reason = format!("model {model_id} cannot go on after the restart: {reason}");
                        life.enter(SeriesState::ModelStale, now, reason, out);
                        life.next_fit = Some(life.n_usable + 1);
                    }
                }
            }
        }
        // The configuration may have another budget than before the restart.
        out.extend(life.last_at.and_then(|at| life.budget(at)));
        let n_replayed = replay.len();
        let mut closed = recent;
        for frame in replay {
            closed.push(frame.clone());
            if life.last_at.is_some_and(|before| life.spec.is_gap(before, frame.at)) {
                life.on_gap();
            }
            life.on_frame(frame, out);
        }
        let filled_from = closed.len().saturating_sub(n_replayed.max(life.spec.grid.hold_limit as usize + 1));
        life.assembler = Assembler::restore(life.spec.grid.clone(), life.last_at, &closed[filled_from..], &unfinished);
        life
    }

    fn restore_judging(
        &self,
        bundle: Option<Arc<ModelBundle>>,
        is_announced: bool,
        state: &[u8],
        recent: &[Frame],
    ) -> Result<Judging, String> {
        let bundle = bundle.ok_or("it is not in the store")?;
        let decision = self.spec.decision_for(bundle.calibration.n_rows());
        let told = (&decision, &self.taught);
        let chain = resume_chain(&bundle, &self.channels, told, self.spec.stride(), state, recent)?;
        Ok(Judging::new(chain, bundle, is_announced, &self.spec))
    }
}

/// Which alert is open, with the channel most to blame.
fn alert_reason(alert: &Alert) -> String {
    let claim = match alert.kind {
        AlertKind::Anomaly => "does not behave as learned",
        AlertKind::Stuck => "no longer moves",
        AlertKind::Silent => "no longer speaks",
        AlertKind::OutOfRange => "is outside its limits",
    };
    let channel = alert.channels.first().map_or("the series", |first| first.channel.as_str());
    format!("an alert is open: {channel} {claim}")
}

/// An alert machine of a series that has said nothing.
fn machine(series: &SeriesId, kind: AlertKind, spec: &SeriesSpec) -> AlertMachine {
    let mut machine = AlertMachine::new(series.clone(), kind, spec.alarm_budget.to_string(), Vec::new());
    machine.follow(spec.alerts.clone());
    machine
}

/// What the store kept of a series, oldest frames first.
#[derive(Debug)]
pub struct Restored {
    /// Which.
    pub series: SeriesId,
    /// Its channels in frame order.
    pub channels: Vec<ChannelName>,
    /// Its last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The model that the checkpoint names.
    pub bundle: Option<Arc<ModelBundle>>,
    /// The last closed frames up to the checkpoint, as many as windows and held values reach back.
    pub recent: Vec<Frame>,
    /// Closed frames after the last training row of an unanswered fit, up to the checkpoint.
    pub since_fit: Vec<Frame>,
    /// Closed frames after the checkpoint.
    pub replay: Vec<Frame>,
    /// Unfinished rows.
    pub unfinished: Vec<OpenRow>,
}
