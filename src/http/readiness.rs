//! Whether the service does its work: one line per condition.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One condition of being ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// `broker`, `store`, `restored`, …
    pub name: String,
    /// True when it holds.
    pub is_ok: bool,
    /// One sentence for people: what holds, or what is missing.
    pub detail: String,
}

/// Ready when every condition holds. A `watch` channel carries it from the service to `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// The conditions, in the order in which they are usually met.
    pub checks: Vec<Check>,
}

impl Readiness {
    /// True when every condition holds; false when none is known yet.
    pub fn is_ready(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.is_ok)
    }

    /// Sets one condition, adding it when it is new.
    pub fn set(&mut self, name: &str, is_ok: bool, detail: impl Into<String>) {
        let check = Check { name: name.to_owned(), is_ok, detail: detail.into() };
        match self.checks.iter_mut().find(|known| known.name == name) {
            Some(known) => *known = check,
            None => self.checks.push(check),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_every_condition_holds_and_at_least_one_is_known() {
        let mut readiness = Readiness::default();
        assert!(!readiness.is_ready());
        readiness.set("store", true, "open");
        readiness.set("broker", false, "connecting to localhost:1883");
        assert!(!readiness.is_ready());
        readiness.set("broker", true, "connected to localhost:1883");
        assert!(readiness.is_ready());
        assert_eq!(readiness.checks.len(), 2);
    }
}
