//! The silence rule: a channel that has not spoken for several times its own longest usual pause.
//!
//! A pause long enough to be called silence teaches little: it lengthens the usual pause by a factor of two at most. So
//! an outage is not learned, and a sender that has become slower for good is learned after a few alerts.

use serde::{Deserialize, Serialize};

use crate::series::{HumanDuration, Timestamp};

/// Each new pause wears the memory of longer ones down by this much: the cadence follows a sender that speeds up.
const FORGETTING: f64 = 0.999;
/// A pause that was silence lengthens the longest usual one by at most this factor.
const SILENCE_LEARNED: f64 = 2.0;

/// Settings of the silence rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilentSpec {
    /// Whether alerts of this kind are raised.
    pub enabled: bool,
    /// Pauses that must have been seen before a channel can be silent.
    pub pauses_min: u32,
    /// Silent after so many times the longest usual pause.
    pub pauses: f64,
    /// And after at least so long.
    pub after: HumanDuration,
}

impl Default for SilentSpec {
    fn default() -> Self {
        Self { enabled: true, pauses_min: 100, pauses: 4.0, after: HumanDuration::from_secs(60) }
    }
}

/// Cadence of one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cadence {
    last_at: Timestamp,
    longest_ms: f64,
    n_pauses: u32,
}

/// Watches when the channels of one series speak.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SilentWatch {
    channels: Vec<Option<Cadence>>,
}

impl SilentWatch {
    /// A watch that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A channel spoke. Times that do not rise count as the same word.
    pub fn on_reading(&mut self, channel_index: usize, at: Timestamp, spec: &SilentSpec) {
        if self.channels.len() <= channel_index {
            self.channels.resize(channel_index + 1, None);
        }
        let Some(cadence) = &mut self.channels[channel_index] else {
            self.channels[channel_index] = Some(Cadence { last_at: at, longest_ms: 0.0, n_pauses: 0 });
            return;
        };
        let pause = at.ms_since(cadence.last_at);
        if pause > 0 {
            let pause = pause as f64;
            let learned = match cadence.silent_from_ms(spec) {
                Some(silent_from) if pause > silent_from => pause.min(SILENCE_LEARNED * cadence.longest_ms),
                _ => pause,
            };
            cadence.longest_ms = (cadence.longest_ms * FORGETTING).max(learned);
            cadence.n_pauses = cadence.n_pauses.saturating_add(1);
            cadence.last_at = at;
        }
    }

    /// Milliseconds since a channel spoke, when that is long enough to call it silent.
    pub fn silent_ms(&self, channel_index: usize, now: Timestamp, spec: &SilentSpec) -> Option<i64> {
        let cadence = self.channels.get(channel_index)?.as_ref()?;
        let silent = now.ms_since(cadence.last_at);
        cadence.silent_from_ms(spec).filter(|from| silent as f64 > *from).map(|_| silent)
    }
}

impl Cadence {
    /// Milliseconds from which a pause is silence; none while too few pauses are known.
    fn silent_from_ms(&self, spec: &SilentSpec) -> Option<f64> {
        let is_known = self.n_pauses >= spec.pauses_min;
        is_known.then(|| (spec.pauses * self.longest_ms).max(spec.after.as_ms() as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(after_secs: u64) -> SilentSpec {
        SilentSpec { pauses_min: 20, after: HumanDuration::from_secs(after_secs), ..SilentSpec::default() }
    }

    #[test]
    fn each_channel_is_held_to_its_own_cadence() {
        let spec = spec(1);
        let mut watch = SilentWatch::new();
        for i in 0..100 {
            watch.on_reading(0, Timestamp::from_ms(1000 * i), &spec);
            if i % 10 == 0 {
                watch.on_reading(1, Timestamp::from_ms(1000 * i), &spec);
            }
        }
        // Channel 0 spoke every second, channel 1 every ten and too seldom to know.
        let at = |ms: i64| Timestamp::from_ms(99_000 + ms);
        assert_eq!(watch.silent_ms(0, at(4000), &spec), None);
        assert_eq!(watch.silent_ms(0, at(4001), &spec), Some(4001));
        assert_eq!(watch.silent_ms(1, at(60_000), &spec), None);
        assert_eq!(watch.silent_ms(7, at(60_000), &spec), None);
        let patient = SilentSpec { after: HumanDuration::from_secs(5), ..spec };
        assert_eq!(watch.silent_ms(0, at(4001), &patient), None);
    }

    #[test]
    fn an_outage_teaches_little_and_a_slower_sender_is_learned_after_a_few_alerts() {
        let spec = spec(1);
        let mut watch = SilentWatch::new();
        let mut at = Timestamp::from_ms(0);
        for _ in 0..50 {
            at = at.plus_ms(1000);
            watch.on_reading(0, at, &spec);
        }
        at = at.plus_ms(3_600_000);
        watch.on_reading(0, at, &spec);
        // An hour of outage doubles the usual pause of a second: silent after four times two seconds.
        assert_eq!(watch.silent_ms(0, at.plus_ms(8000), &spec), None);
        assert_eq!(watch.silent_ms(0, at.plus_ms(8001), &spec), Some(8001));
        // From now on a word a minute: silence after 8, 16, 32 and 64 seconds, so the fourth minute is none.
        let silent: Vec<bool> = (0..6)
            .map(|_| {
                at = at.plus_ms(60_000);
                let is_silent = watch.silent_ms(0, at, &spec).is_some();
                watch.on_reading(0, at, &spec);
                is_silent
            })
            .collect();
        assert_eq!(silent, [true, true, true, false, false, false]);
    }
}
