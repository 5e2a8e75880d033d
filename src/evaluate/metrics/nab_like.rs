//! A score in the manner of NAB for one series, early alarms worth more (Lavin and Ahmad, ICMLA 2015).
//!
//! For NAB's own rules over a set of series see [`nab_standard`](super::nab_standard).

use super::AlarmTrack;

/// Weight of an alarm row outside events, from NAB's standard profile.
pub(super) const FALSE_WEIGHT: f64 = 0.11;

/// 100 = every event caught at its first row without a false alarm, 0 = silence, below 0 = worse than silence.
/// `None` without an event.
///
/// Per event the first alarm earns a sigmoid that is 1 at the event's start and 0 at its end; every missed event
/// costs 1, every alarm row outside events up to 0.11, less right after an event.
pub fn nab_like(track: &AlarmTrack<'_>) -> Option<f64> {
    let events = track.events();
    if events.is_empty() {
        return None;
    }
    let mut total = 0.0;
    for event in events {
        total += match track.first_alarm_in(event) {
            Some(first) => {
                let position = (first as f64 - event.end as f64) / event.len() as f64;
                sigmoid(position) / sigmoid(-1.0)
            }
            None => -1.0,
        };
    }
    let mut last = None;
    let mut upcoming = events.iter().peekable();
    let mut penalty = 0.0;
    for (row, _) in track.alarm().iter().zip(track.label()).enumerate().filter(|(_, (a, y))| **a && !**y) {
        while upcoming.peek().is_some_and(|event| event.end <= row) {
            last = upcoming.next();
        }
        penalty += match last {
            Some(event) => past_event((row - event.end + 1) as f64 / event.len() as f64),
            None => -1.0,
        };
    }
    total += FALSE_WEIGHT * penalty;
    let n_events = events.len() as f64;
    Some(100.0 * (total + n_events) / (2.0 * n_events))
}

/// NAB's sigmoid: nearly 1 at -1 (the start of an event), 0 at 0 (its end), nearly -1 at 1.
pub(super) fn sigmoid(position: f64) -> f64 {
    2.0 / (1.0 + (5.0 * position).exp()) - 1.0
}

/// Worth of a false alarm so many event lengths after an event.
fn past_event(lengths: f64) -> f64 {
    if lengths > 3.0 { -1.0 } else { sigmoid(lengths) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_zero_and_an_immediate_alarm_a_hundred() {
        let label: Vec<bool> = (0..100).map(|i| (40..50).contains(&i)).collect();
        let found = |alarm: &[usize]| {
            let alarm: Vec<bool> = (0..100).map(|i| alarm.contains(&i)).collect();
            nab_like(&AlarmTrack::new(&label, &alarm).unwrap()).unwrap()
        };
        assert_eq!(found(&[]), 0.0);
        assert!((found(&[40]) - 100.0).abs() < 1e-12);
        assert!((found(&[40, 3]) - (100.0 - 50.0 * 0.11)).abs() < 1e-12);
        assert!(found(&[49]) < found(&[45]) && found(&[45]) < found(&[40]));
    }
}
