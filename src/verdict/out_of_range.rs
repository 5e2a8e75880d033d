//! Physical limits: a value that the machine cannot have is an alert of its own, with no model at all.

use serde::{Deserialize, Serialize};

/// Limits of a channel in the sender's unit; a missing one does not bind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Lowest possible value.
    pub low: Option<f64>,
    /// Highest possible value.
    pub high: Option<f64>,
}

impl Limits {
    /// The limit that a value has passed; none when it lies inside.
    pub fn nearest(&self, value: f64) -> Option<f64> {
        self.low.filter(|low| value < *low).or(self.high.filter(|high| value > *high))
    }

    /// True when a value lies outside.
    pub fn is_outside(&self, value: f64) -> bool {
        self.nearest(value).is_some()
    }
}

/// Rows back inside its limits after which a channel counts as well again.
const QUIET_ROWS: u32 = 8;

/// Watches the channels of one series against their limits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OutOfRangeWatch {
    /// Rows until a channel counts as well again; 0 when it is.
    rows_left: Vec<u32>,
    is_outside: Vec<bool>,
}

impl OutOfRangeWatch {
    /// A watch that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a row; a channel is out of range with its first value outside, and until eight rows in a row inside.
    /// A missing value changes nothing.
    pub fn push(&mut self, row: &[Option<f64>], limits: &[Limits]) -> &[bool] {
        self.rows_left.resize(row.len(), 0);
        self.is_outside.resize(row.len(), false);
        for (c, value) in row.iter().enumerate() {
            let (Some(value), Some(limits)) = (value, limits.get(c)) else { continue };
            self.rows_left[c] =
                if limits.is_outside(*value) { QUIET_ROWS } else { self.rows_left[c].saturating_sub(1) };
            self.is_outside[c] = self.rows_left[c] > 0;
        }
        &self.is_outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_impossible_value_is_enough_and_eight_possible_ones_end_it() {
        let limits = [Limits { low: Some(-40.0), high: Some(120.0) }, Limits::default()];
        let mut watch = OutOfRangeWatch::new();
        assert_eq!(watch.push(&[Some(20.0), Some(1e9)], &limits), [false, false]);
        assert_eq!(watch.push(&[Some(-273.0), Some(-1e9)], &limits), [true, false]);
        for row in 1..=8 {
            watch.push(&[None, None], &limits);
            assert_eq!(watch.push(&[Some(20.0), None], &limits)[0], row < 8, "{row}");
        }
    }
}
