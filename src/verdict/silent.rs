//! The silence rule: a channel that has not spoken for several times its own longest usual pause.

use serde::{Deserialize, Serialize};

use crate::series::Timestamp;

/// Each new pause wears the memory of longer ones down by this much: the cadence follows a sender that speeds up.
const FORGETTING: f64 = 0.999;

/// Settings of the silence rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilentSpec {
    /// Pauses that must have been seen before a channel can be silent.
    pub pauses_min: u32,
    /// Silent after so many times the longest usual pause.
    pub pauses: f64,
    /// And after at least so many milliseconds.
    pub after_ms_min: i64,
}

impl Default for SilentSpec {
    fn default() -> Self {
        Self { pauses_min: 20, pauses: 4.0, after_ms_min: 10_000 }
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
    pub fn on_reading(&mut self, channel_index: usize, at: Timestamp) {
        if self.channels.len() <= channel_index {
            self.channels.resize(channel_index + 1, None);
        }
        let Some(cadence) = &mut self.channels[channel_index] else {
            self.channels[channel_index] = Some(Cadence { last_at: at, longest_ms: 0.0, n_pauses: 0 });
            return;
        };
        let pause = at.ms_since(cadence.last_at);
        if pause > 0 {
            cadence.longest_ms = (cadence.longest_ms * FORGETTING).max(pause as f64);
            cadence.n_pauses = cadence.n_pauses.saturating_add(1);
            cadence.last_at = at;
        }
    }

    /// Milliseconds since a channel spoke, when that is long enough to call it silent.
    pub fn silent_ms(&self, channel_index: usize, now: Timestamp, spec: &SilentSpec) -> Option<i64> {
        let cadence = self.channels.get(channel_index)?.as_ref()?;
        let silent = now.ms_since(cadence.last_at);
        let is_known = cadence.n_pauses >= spec.pauses_min;
        let longest = (spec.pauses * cadence.longest_ms).max(spec.after_ms_min as f64);
        (is_known && silent as f64 > longest).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_is_held_to_its_own_cadence() {
        let spec = SilentSpec { after_ms_min: 0, ..SilentSpec::default() };
        let mut watch = SilentWatch::new();
        for i in 0..100 {
            watch.on_reading(0, Timestamp::from_ms(1000 * i));
            if i % 10 == 0 {
                watch.on_reading(1, Timestamp::from_ms(1000 * i));
            }
        }
        // Channel 0 spoke every second, channel 1 every ten and too seldom to know.
        let at = |ms: i64| Timestamp::from_ms(99_000 + ms);
        assert_eq!(watch.silent_ms(0, at(4000), &spec), None);
        assert_eq!(watch.silent_ms(0, at(4001), &spec), Some(4001));
        assert_eq!(watch.silent_ms(1, at(60_000), &spec), None);
        assert_eq!(watch.silent_ms(7, at(60_000), &spec), None);
        let patient = SilentSpec { after_ms_min: 5000, ..spec };
        assert_eq!(watch.silent_ms(0, at(4001), &patient), None);
    }
}
