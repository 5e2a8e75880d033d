//! Switches: channels that only ever say off or on. They are conditions, not symptoms.
//!
//! A command or a contact tells what is being done, and the members use it to expect what the other channels do. Its
//! own residual tells nothing but that somebody pressed a button, and where buttons outnumber sensors it drowns them:
//! with switches inside the mean over channels the spacecraft series of the benchmark lose up to 0.3 of VUS-PR. So a
//! channel whose training values are all 0 or 1 stays an input of every member and leaves the fused residual, except
//! on rows where its value is neither. 0 and 1 are no measurements, so no choice of unit decides this.

use serde::{Deserialize, Serialize};

/// Which channels are switches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// `[channel]`.
    pub is_switch: Vec<bool>,
}

impl Switches {
    /// Finds the switches in training rows `[N, C]` of which `is_used` says which count. When there is nothing else,
    /// there are none: somebody has to be judged.
    pub fn fit(values: &[f64], mask: &[bool], n_channels: usize, is_used: impl Fn(usize) -> bool) -> Self {
        let mut is_switch = vec![true; n_channels];
        for (cell, (value, present)) in values.iter().zip(mask).enumerate() {
            if *present && is_used(cell / n_channels) && !is_state(*value) {
                is_switch[cell % n_channels] = false;
            }
        }
        if is_switch.iter().all(|is| *is) {
            is_switch.fill(false);
        }
        Self { is_switch }
    }

    /// Which cells of a row count: the present ones, without switches that are off or on.
    pub fn counted(&self, values: &[f64], present: &[bool], out: &mut Vec<bool>) {
        out.clear();
        let cells = self.is_switch.iter().zip(values).zip(present);
        out.extend(cells.map(|((is_switch, value), present)| *present && !(*is_switch && is_state(*value))));
    }
}

/// True for off and on.
fn is_state(value: f64) -> bool {
    value == 0.0 || value == 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_of_zeros_and_ones_is_a_switch_until_it_says_something_else() {
        let values = [0.0, 0.3, 0.0, 1.0, 0.0, 1.0, 1.5, 7.0, 0.0];
        let switches = Switches::fit(&values, &[true; 9], 3, |_| true);
        assert_eq!(switches.is_switch, [false, false, true]);
        let without_last = Switches::fit(&values, &[true; 9], 3, |row| row < 2);
        assert_eq!(without_last.is_switch, [true, false, true], "the 1.5 lies in a row that does not count");
        let mut counted = Vec::new();
        switches.counted(&[0.0, 1.0, 1.0], &[true, false, true], &mut counted);
        assert_eq!(counted, [true, false, false]);
        switches.counted(&[0.0, 1.0, 0.5], &[true, true, true], &mut counted);
        assert_eq!(counted, [true, true, true]);
    }

    #[test]
    fn where_all_are_switches_none_is() {
        assert_eq!(Switches::fit(&[0.0, 1.0], &[true; 2], 2, |_| true).is_switch, [false, false]);
    }
}
