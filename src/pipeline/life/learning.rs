//! What a series learns: when it asks for a model or a larger calibration, and when one takes over.

use std::sync::Arc;

use super::super::chain::Phase;
use super::super::{FitWanted, Outcome, Trained};
use super::{Fitting, Judging, SeriesLife};
use crate::bundle::ModelBundle;
use crate::series::Timestamp;
use crate::verdict::{Alert, SeriesState};

/// A model of fewer rows may not have seen one cycle of its machine: its alert is believed for as many rows as it learned.
const BELIEVED_ROWS: u64 = 250;

impl SeriesLife {
    /// True while an alert is open on values: nothing is learned from them, no model takes over.
    pub(super) fn is_alert_open(&self) -> bool {
        self.believed_alert().is_some() || self.watches.is_misled()
    }

    pub(super) fn believed_alert(&self) -> Option<&Alert> {
        self.alert.alert().filter(|alert| self.disbelieved != Some(alert.opened_at))
    }

    /// A model of few rows that calls more rows abnormal than it has learned knows less of the machine than its alert
    /// does. Rows of such an alert count as the machine's, so that the next model learns them instead of waiting forever.
    pub(super) fn doubt(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
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

    /// Asks for the next model when its row has come; never while an alert is open.
    pub(super) fn want_fit(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
        let is_due = self.next_fit.is_some_and(|rows| self.n_usable >= rows);
        let Some(from) = self.learn_from.filter(|_| is_due && self.fitting.is_none() && !self.is_alert_open()) else {
            return;
        };
        self.next_fit = self.spec.warm_up.next_fit(self.n_usable);
        let excluded = self.unlearnable(from);
        self.ask(FitWanted { series: self.id.clone(), from, to: at, excluded, model: None, recalibrates: None }, out);
    }

    /// Spans since a time that are never learned from: alerts, without those that people called false.
    pub(in crate::pipeline) fn unlearnable(&self, from: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let is_true = |span: &(Timestamp, Timestamp)| self.false_alarms.iter().all(|alarm| alarm.opened_at != span.0);
        let open = self.believed_alert().map(|alert| (alert.opened_at, Timestamp::from_ms(i64::MAX)));
        self.excluded.iter().copied().chain(open).filter(|span| span.1 > from && is_true(span)).collect()
    }

    /// Asks for a larger calibration under the frozen model each time its clean rows may have doubled, for as long as the
    /// budget asked for is tighter than the calibration can hold. Series that share a model pool their rows.
    pub(super) fn want_calibration(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
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

    pub(super) fn ask(&mut self, wanted: FitWanted, out: &mut Vec<Outcome>) {
        self.calibrated_rows = self.n_usable;
        out.push(Outcome::FitWanted(wanted.clone()));
        self.fitting = Some(Fitting { wanted, since: Vec::new(), ready: None });
        self.checkpoint(out);
    }

    /// A person picks a stored model: it takes over as soon as it has been read, whether an alert is open or not, and
    /// no later fit of the warm-up replaces it. False when the series has no row yet.
    pub(in crate::pipeline) fn activate(&mut self, model_id: &str, out: &mut Vec<Outcome>) -> bool {
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
    pub(in crate::pipeline) fn on_trained(&mut self, trained: Trained, out: &mut Vec<Outcome>) {
        let Some(fitting) = &mut self.fitting else { return };
        if fitting.wanted != trained.wanted {
            return;
        }
        fitting.ready = Some(Box::new(trained));
        let at = self.last_at.unwrap_or(self.last_heard);
        self.take_over_if_calm(at, out);
    }

    /// A fit failed: judged on as before, or asked again with twice the rows.
    pub(in crate::pipeline) fn on_fit_failed(
        &mut self,
        wanted: &FitWanted,
        reason: &str,
        now: Timestamp,
        out: &mut Vec<Outcome>,
    ) {
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

    pub(super) fn take_over_if_calm(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
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
    pub(super) fn go_on_with(&mut self, bundle: Arc<ModelBundle>, out: &mut Vec<Outcome>) {
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
}
