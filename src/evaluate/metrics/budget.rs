//! Promised against realised: how often alerts opened where nothing was wrong.

use std::ops::AddAssign;

use serde::Serialize;

use super::AlarmTrack;

/// Openings promised and met on rows known to be normal. Add several to pool them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct BudgetCheck {
    /// Normal rows counted.
    pub rows: usize,
    /// Openings the budget allows on so many rows.
    pub promised: f64,
    /// Openings met.
    pub realised: usize,
    /// Rows of them in alert.
    pub in_alert: usize,
}

impl BudgetCheck {
    /// Share of the rows in alert. `None` without rows.
    pub fn time_in_alert(&self) -> Option<f64> {
        (self.rows > 0).then(|| self.in_alert as f64 / self.rows as f64)
    }

    /// Realised / promised; 1 is as promised, above 1 is a broken promise. `None` when nothing was promised.
    pub fn ratio(&self) -> Option<f64> {
        (self.promised > 0.0).then(|| self.realised as f64 / self.promised)
    }
}

impl AddAssign for BudgetCheck {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.promised += other.promised;
        self.realised += other.realised;
        self.in_alert += other.in_alert;
    }
}

/// Counts openings on the rows from `from` (the first row after training) to the first event: rows after an event
/// may still feel it, and blaming the budget for that would be unfair.
///
/// `openings_per_row` is the budget, for example 1/1000.
pub fn budget_check(track: &AlarmTrack<'_>, from: usize, openings_per_row: f64) -> BudgetCheck {
    let end = track.events().iter().map(|event| event.start).find(|start| *start >= from);
    let end = end.unwrap_or(track.label().len());
    let has_early_event = track.events().iter().any(|event| event.start < from && event.end > from);
    let rows = if has_early_event { 0 } else { end.saturating_sub(from) };
    let realised = match rows {
        0 => 0,
        _ => track.runs().iter().filter(|run| (from..end).contains(&run.start)).count(),
    };
    let in_alert = track.alarm()[end - rows..end].iter().filter(|is_alarm| **is_alarm).count();
    BudgetCheck { rows, promised: rows as f64 * openings_per_row, realised, in_alert }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_openings_between_training_and_the_first_event_count() {
        let label: Vec<bool> = (0..1000).map(|row| (600..620).contains(&row)).collect();
        let alarm: Vec<bool> = (0..1000).map(|row| [50, 150, 151, 300, 605, 900].contains(&row)).collect();
        let found = budget_check(&AlarmTrack::new(&label, &alarm).unwrap(), 100, 1.0 / 250.0);
        assert_eq!(found, BudgetCheck { rows: 500, promised: 2.0, realised: 2, in_alert: 3 });
        assert_eq!(found.ratio(), Some(1.0));
    }
}
