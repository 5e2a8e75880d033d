//! What a series says of itself: its state with the reason, and how it keeps its alarm budget.

use super::super::{BudgetRow, Outcome};
use super::SeriesLife;
use crate::series::Timestamp;
use crate::verdict::{Alert, AlertKind, SeriesState};

impl SeriesLife {
    /// What the series is doing after a row.
    pub(super) fn say_state(&mut self, at: Timestamp, out: &mut Vec<Outcome>) {
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
    pub(super) fn what_the_next_model_does(&self, alert: &Alert) -> &'static str {
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

    pub(super) fn warm_up_reason(&self) -> String {
        if self.fitting.is_some() {
            return format!("warming_up: {} rows, the first model is being fitted", self.n_usable);
        }
        let wanted = self.next_fit.unwrap_or(self.n_usable);
        let fault = self.fit_fault.as_ref().map(|fault| format!("; no model could be fitted: {fault}"));
        format!("warming_up: {} of {wanted} rows{}", self.n_usable, fault.unwrap_or_default())
    }

    /// How the series keeps its alarm budget.
    pub(super) fn budget(&self, at: Timestamp) -> Option<Outcome> {
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
    pub(super) fn enter(&mut self, state: SeriesState, at: Timestamp, reason: String, out: &mut Vec<Outcome>) {
        if self.state != state || self.reason != reason {
            let at = self.last_at.map_or(at, |newest| at.max(newest));
            self.state = state;
            self.reason.clone_from(&reason);
            out.push(Outcome::State { series: self.id.clone(), state, at, reason });
        }
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
