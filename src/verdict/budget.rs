//! The alarm budget: how many false openings a user accepts, in their own unit and in openings per row.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::series::Stride;

/// Per what a budget counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BudgetPeriod {
    /// Per hour.
    Hour,
    /// Per day.
    Day,
    /// Per week.
    Week,
    /// Per month of 30 days.
    Month,
    /// Per so many windows, which is rows.
    Windows(f64),
}

impl BudgetPeriod {
    /// Length in milliseconds; none for a count of windows.
    fn ms(self) -> Option<f64> {
        const HOUR_MS: f64 = 3_600_000.0;
        match self {
            BudgetPeriod::Hour => Some(HOUR_MS),
            BudgetPeriod::Day => Some(24.0 * HOUR_MS),
            BudgetPeriod::Week => Some(7.0 * 24.0 * HOUR_MS),
            BudgetPeriod::Month => Some(30.0 * 24.0 * HOUR_MS),
            BudgetPeriod::Windows(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            BudgetPeriod::Hour => "hour",
            BudgetPeriod::Day => "day",
            BudgetPeriod::Week => "week",
            BudgetPeriod::Month => "month",
            BudgetPeriod::Windows(_) => "windows",
        }
    }
}

/// How many false openings are accepted, as the user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlarmBudget {
    /// Openings per period, above 0.
    pub count: f64,
    /// The period.
    pub period: BudgetPeriod,
}

impl Default for AlarmBudget {
    /// One per 1000 windows: the loosest of the measured budgets that keeps its promise on every kind of data tried.
    fn default() -> Self {
        Self { count: 1.0, period: BudgetPeriod::Windows(1000.0) }
    }
}

/// Why a text is not a budget, or a budget has no rate.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// The text has another form.
    #[error("{found:?} is not an alarm budget; write \"1 per week\", \"2 per day\" or \"1 per 5000 windows\"")]
    Unreadable {
        /// The text.
        found: String,
    },
    /// The budget counts time, but the rows have no spacing in time.
    #[error("a budget {budget:?} needs rows at a fixed stride; on a grid of rows write \"1 per N windows\"")]
    NeedsStride {
        /// The budget.
        budget: String,
    },
}

impl AlarmBudget {
    /// Reads `N per hour|day|week|month` or `N per M windows`.
    ///
    /// # Errors
    /// When the text has another form, or a number is not above 0.
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        let unreadable = || BudgetError::Unreadable { found: text.chars().take(64).collect() };
        let number = |word: &str| word.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
        let lower = text.trim().to_ascii_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let (count, period) = match words.as_slice() {
            [count, "per" | "a", period] => (count, period_named(period)),
            [count, "per", n, "window" | "windows" | "row" | "rows"] => (count, number(n).map(BudgetPeriod::Windows)),
            _ => return Err(unreadable()),
        };
        Ok(Self { count: number(count).ok_or_else(unreadable)?, period: period.ok_or_else(unreadable)? })
    }

    /// Accepted openings per row, for rows at a stride; a grid of rows has none.
    ///
    /// # Errors
    /// When the budget counts time and the rows have no stride.
    pub fn openings_per_row(&self, stride: Option<Stride>) -> Result<f64, BudgetError> {
        match (self.period, self.period.ms(), stride) {
            (BudgetPeriod::Windows(n), ..) => Ok(self.count / n),
            (_, Some(ms), Some(stride)) => Ok(self.count * stride.as_ms() as f64 / ms),
            _ => Err(BudgetError::NeedsStride { budget: self.to_string() }),
        }
    }

    /// The fewest calibration rows that can honestly hold it.
    ///
    /// # Errors
    /// When the budget counts time and the rows have no stride.
    pub fn rows_wanted(&self, stride: Option<Stride>) -> Result<usize, BudgetError> {
        let rows_per_opening = 1.0 / self.openings_per_row(stride)?;
        let (few, many) = (rows_per_opening / ROWS_HELD_FEW, rows_per_opening / ROWS_HELD_MANY);
        Ok(if rows_per_opening <= ROWS_HELD { few } else { many }.ceil() as usize)
    }

    /// The tightest budget that `n_rows` calibration rows can honestly hold, when this one is tighter.
    ///
    /// # Errors
    /// When the budget counts time and the rows have no stride.
    pub fn honest(&self, stride: Option<Stride>, n_rows: usize) -> Result<HonestBudget, BudgetError> {
        let asked = self.openings_per_row(stride)?;
        let tightest = 1.0 / rows_per_opening_max(n_rows);
        if asked >= tightest {
            return Ok(HonestBudget { openings_per_row: asked, explanation: None });
        }
        let held = match self.period.ms() {
            Some(ms) => {
                let rows = stride.map_or(1.0, |stride| ms / stride.as_ms() as f64);
                format!("{} per {}", three_digits(tightest * rows), self.period.name())
            }
            None => format!("1 per {:.0} windows", 1.0 / tightest),
        };
        let explanation = format!(
            "asked for {self}, runs at {held}: {n_rows} calibration rows cannot honestly hold less; \
             more clean rows can"
        );
        Ok(HonestBudget { openings_per_row: tightest, explanation: Some(explanation) })
    }
}

/// A positive number with three significant digits: more would promise what no calibration knows.
fn three_digits(number: f64) -> String {
    let n_digits = 2 - number.log10().floor() as i32;
    format!("{number:.*}", n_digits.clamp(0, 9) as usize)
}

/// The budget a series really runs at.
#[derive(Debug, Clone, PartialEq)]
pub struct HonestBudget {
    /// Accepted openings per row.
    pub openings_per_row: f64,
    /// One sentence in the user's own unit when it is looser than asked.
    pub explanation: Option<String>,
}

/// Rows per false opening that 500 to 4000 calibration rows hold.
const ROWS_HELD: f64 = 10_000.0;
/// The same for each calibration row, of fewer and of more.
const ROWS_HELD_FEW: f64 = 20.0;
const ROWS_HELD_MANY: f64 = 2.5;

/// Rows per false opening that a calibration can hold at most: 20 a row up to 500 rows, so that 500 rows hold 10,000;
/// 10,000 up to 4000 rows; beyond that 2.5 a row: block maxima say nothing about what is rarer than themselves.
pub(super) fn rows_per_opening_max(n_rows: usize) -> f64 {
    let n = n_rows.max(1) as f64;
    if n < ROWS_HELD / ROWS_HELD_FEW { ROWS_HELD_FEW * n } else { (ROWS_HELD_MANY * n).max(ROWS_HELD) }
}

fn period_named(word: &str) -> Option<BudgetPeriod> {
    match word {
        "hour" => Some(BudgetPeriod::Hour),
        "day" => Some(BudgetPeriod::Day),
        "week" => Some(BudgetPeriod::Week),
        "month" => Some(BudgetPeriod::Month),
        _ => None,
    }
}

impl fmt::Display for AlarmBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.period {
            BudgetPeriod::Windows(n) => write!(f, "{} per {n} windows", self.count),
            period => write!(f, "{} per {}", self.count, period.name()),
        }
    }
}

impl FromStr for AlarmBudget {
    type Err = BudgetError;
    fn from_str(text: &str) -> Result<Self, BudgetError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AlarmBudget {
    type Error = BudgetError;
    fn try_from(text: String) -> Result<Self, BudgetError> {
        Self::parse(&text)
    }
}

impl From<AlarmBudget> for String {
    fn from(budget: AlarmBudget) -> String {
        budget.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_become_openings_per_row() {
        let second = Some(Stride::SECOND);
        for (text, stride, expected) in [
            ("1 per hour", second, 1.0 / 3600.0),
            ("2 per day", second, 2.0 / 86400.0),
            ("1 per week", second, 1.0 / 604_800.0),
            ("0.5 per month", second, 0.5 / 2_592_000.0),
            ("1 per 5000 windows", None, 1.0 / 5000.0),
        ] {
            let budget = AlarmBudget::parse(text).unwrap();
            let found = budget.openings_per_row(stride).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-12, "{text}");
            assert_eq!(budget.to_string(), text);
        }
        assert!(AlarmBudget::parse("1 per week").unwrap().openings_per_row(None).is_err());
        for text in ["", "one per week", "1 per fortnight", "-1 per day", "0 per day", "1 per 0 windows", "1 week"] {
            assert!(AlarmBudget::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_rows_wanted_for_a_budget_hold_it_and_fewer_do_not() {
        for rows in [300.0, 9_999.0, 10_001.0, 604_800.0] {
            let budget = AlarmBudget { count: 1.0, period: BudgetPeriod::Windows(rows) };
            let wanted = budget.rows_wanted(None).unwrap();
            assert_eq!(budget.honest(None, wanted).unwrap().explanation, None, "{rows}");
            assert!(budget.honest(None, wanted - 1).unwrap().explanation.is_some(), "{rows}");
        }
        // A week of seconds: 604,800 / 2.5
        let week = AlarmBudget::parse("1 per week").unwrap();
        assert_eq!(week.rows_wanted(Some(Stride::SECOND)), Ok(241_920));
    }

    #[test]
    fn a_budget_too_tight_runs_at_the_tightest_honest_one_and_says_so() {
        let budget = AlarmBudget::parse("1 per week").unwrap();
        let held = budget.honest(Some(Stride::SECOND), 1000).unwrap();
        assert!((held.openings_per_row - 1.0 / 10_000.0).abs() < 1e-15);
        // 604,800 rows a week / 10,000
        assert!(held.explanation.unwrap().contains("60.5 per week"));
        let minutes = Stride::from_ms(600_000).unwrap();
        assert_eq!(budget.honest(Some(minutes), 1000).unwrap().explanation, None);
    }
}
