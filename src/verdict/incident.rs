//! Alerts of one site that overlap in time are one incident with its members.

use std::collections::BTreeMap;

use super::{Alert, AlertId, AlertState, Severity};
use crate::series::Timestamp;

/// Alerts that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// The id of its first alert.
    pub id: AlertId,
    /// The site: see [`site_of`].
    pub site: String,
    /// Open while any member is.
    pub state: AlertState,
    /// The worst of its members'.
    pub severity: Severity,
    /// When the first member opened.
    pub opened_at: Timestamp,
    /// When the last member was over; none while one is open.
    pub resolved_at: Option<Timestamp>,
    /// The highest of its members'.
    pub peak_score: f64,
    /// Its alerts, oldest opening first.
    pub members: Vec<Alert>,
}

/// The site of a series: what stands before the last `/` of its name; nothing for a name without one.
pub fn site_of(series: &str) -> &str {
    series.rsplit_once('/').map_or("", |(site, _)| site)
}

/// Groups alerts into incidents, newest opening first. Two alerts of one site belong together when one opens before the
/// other is over.
pub fn incidents(mut alerts: Vec<Alert>) -> Vec<Incident> {
    alerts.sort_by(|a, b| (a.opened_at, &a.id).cmp(&(b.opened_at, &b.id)));
    let mut done = Vec::new();
    let mut current: BTreeMap<String, Incident> = BTreeMap::new();
    for alert in alerts {
        let site = site_of(alert.series.as_str()).to_owned();
        match current.get_mut(&site) {
            Some(incident) if incident.resolved_at.is_none_or(|over| alert.opened_at <= over) => incident.join(alert),
            _ => done.extend(current.insert(site.clone(), Incident::begin(site, alert))),
        }
    }
    done.extend(current.into_values());
    done.sort_by(|a, b| (b.opened_at, &a.id).cmp(&(a.opened_at, &b.id)));
    done
}

impl Incident {
    fn begin(site: String, alert: Alert) -> Self {
        Self {
            id: alert.id.clone(),
            site,
            state: alert.state,
            severity: alert.severity,
            opened_at: alert.opened_at,
            resolved_at: alert.resolved_at,
            peak_score: alert.peak_score,
            members: vec![alert],
        }
    }

    fn join(&mut self, alert: Alert) {
        self.severity = self.severity.max(alert.severity);
        self.peak_score = self.peak_score.max(alert.peak_score);
        // An open member keeps it open.
        self.resolved_at = self.resolved_at.zip(alert.resolved_at).map(|(a, b)| a.max(b));
        self.state = if self.resolved_at.is_none() { AlertState::Open } else { AlertState::Resolved };
        self.members.push(alert);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::SeriesId;
    use crate::verdict::AlertKind;

    fn alert(series: &str, from: i64, to: Option<i64>) -> Alert {
        let series = SeriesId::parse(series).unwrap();
        let opened_at = Timestamp::from_ms(from);
        Alert {
            id: AlertId::new(&series, AlertKind::Anomaly, opened_at),
            kind: AlertKind::Anomaly,
            series,
            state: if to.is_some() { AlertState::Resolved } else { AlertState::Open },
            severity: if from == 15 { Severity::Critical } else { Severity::Warning },
            opened_at,
            resolved_at: to.map(Timestamp::from_ms),
            peak_score: from as f64,
            p_value: 0.1,
            evidence: 1.0,
            alarm_budget: String::new(),
            channels: Vec::new(),
            model_id: None,
            acknowledged_at: None,
            label: None,
            note: None,
            labelled_by: None,
            labelled_at: None,
            openings: 1,
        }
    }

    #[test]
    fn alerts_of_one_site_that_overlap_are_one_incident() {
        // hall-1: [10, 20] and [15, 40] overlap, [41, 50] stands alone; hall-2 has its own; [60, …) stays open and
        // takes in what opens later.
        let found = incidents(vec![
            alert("hall-1/a", 41, Some(50)),
            alert("hall-1/b", 15, Some(40)),
            alert("hall-1/a", 10, Some(20)),
            alert("hall-2/a", 12, Some(13)),
            alert("hall-1/a", 60, None),
            alert("hall-1/b", 70, Some(75)),
        ]);
        let shape: Vec<_> = found
            .iter()
            .map(|i| (i.site.as_str(), i.opened_at.as_ms(), i.resolved_at.map(Timestamp::as_ms), i.members.len()))
            .collect();
        assert_eq!(
            shape,
            [
                ("hall-1", 60, None, 2),
                ("hall-1", 41, Some(50), 1),
                ("hall-2", 12, Some(13), 1),
                ("hall-1", 10, Some(40), 2)
            ]
        );
        assert_eq!(
            (found[3].severity, found[3].peak_score, &found[3].id),
            (Severity::Critical, 15.0, &found[3].members[0].id)
        );
        assert_eq!(found[0].state, AlertState::Open);
        assert_eq!(site_of("pump-1"), "");
        assert_eq!(site_of("plant/hall-1/pump"), "plant/hall-1");
    }
}
