//! What Grid accepts by itself in an environment whose autonomy is `automatic`: bounds beside the limits of the policy, and why a recommendation is held.

use grid_model::{Amount, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::DeskError;
use crate::gates::FreezeForm;
use crate::limits::FREEZES_MAX;
use crate::outside::Recommended;

/// How much work a change is, as recommendations say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effort {
    /// A setting.
    VeryLow,
    /// A change of one resource.
    Low,
    /// Several resources, or a move of data.
    Medium,
    /// A migration.
    High,
    /// A redesign.
    VeryHigh,
}

impl Effort {
    /// Reads the word of a recommendation.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
    }
}

/// What Grid accepts by itself, as people write it. Money and risk are bounded by the policy's `limits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accepts {
    /// Most recommendations within 24 hours; 0 for none.
    pub per_day: usize,
    /// The least that one must save a month, most likely, in the environment's currency.
    #[serde(with = "grid_plan::kept::money")]
    pub saving_min: Amount,
    /// The most effort.
    pub effort_max: Effort,
    /// Whether what takes a restart is accepted.
    pub restarts: bool,
    /// Whether what cannot be undone is accepted.
    pub irreversible: bool,
    /// When; empty for any time. Written like freezes.
    pub windows: Vec<FreezeForm>,
}

impl Default for Accepts {
    fn default() -> Self {
        Self {
            per_day: 3,
            saving_min: Amount::ZERO,
            effort_max: Effort::Low,
            restarts: false,
            irreversible: false,
            windows: Vec::new(),
        }
    }
}

impl Accepts {
    /// Refuses what cannot be read.
    pub fn check(&self) -> Result<(), DeskError> {
        if self.windows.len() > FREEZES_MAX {
            return Err(DeskError::TooMany { what: "windows", max: FREEZES_MAX });
        }
        self.windows.iter().try_for_each(|w| w.read().map(drop))
    }

    /// Whether it is a time to accept anything; why not if not.
    fn is_time(&self, now: Timestamp) -> Result<bool, String> {
        if self.windows.is_empty() {
            return Ok(true);
        }
        for window in &self.windows {
            let window = window.read().map_err(|e| e.to_string())?.window;
            if grid_plan::gate::freeze::is_inside(&window, now)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every reason why one is not accepted; `today` is how many were within 24 hours.
    pub fn holds(&self, of: &Recommended, currency: &str, today: usize, now: Timestamp) -> Vec<String> {
        let mut holds = Vec::new();
        if today >= self.per_day {
            holds.push(format!("{today} were accepted within 24 hours, at most {} may be", self.per_day));
        }
        if of.currency != currency {
            holds.push(format!("its saving is in {}, the environment counts in {currency}", of.currency));
        } else if of.saving.likely < self.saving_min {
            let (saves, least) = (of.saving.likely, self.saving_min);
            holds.push(format!("it saves {saves} {currency} a month, less than {least}"));
        }
        match Effort::parse(&of.effort) {
            Some(effort) if effort <= self.effort_max => {}
            Some(effort) => holds.push(format!("its effort is {effort:?}, more than {:?}", self.effort_max)),
            None => holds.push("its effort is not known".to_owned()),
        }
        if of.restart_needed && !self.restarts {
            holds.push("it takes a restart".to_owned());
        }
        if !of.rollback_possible && !self.irreversible {
            holds.push("it cannot be undone".to_owned());
        }
        match self.is_time(now) {
            Ok(true) => {}
            Ok(false) => holds.push("now is none of the times at which it may be".to_owned()),
            Err(why) => holds.push(format!("its times cannot be read: {why}")),
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_plan::cost::Range;
    use serde_json::{Value, json};

    fn check(accepts: Value, change: impl FnOnce(&mut Recommended), today: usize, expected: &str) {
        let accepts: Accepts = serde_json::from_value(accepts).unwrap();
        accepts.check().unwrap();
        let mut of = Recommended {
            id: "r-1".to_owned(),
            action: "stop".to_owned(),
            resource_id: "i-1".to_owned(),
            present: String::new(),
            proposed: String::new(),
            saving: Range::exact(Amount(35 * 10_i128.pow(18))),
            currency: "USD".to_owned(),
            risk: 0.0,
            title: String::new(),
            effort: "Low".to_owned(),
            restart_needed: false,
            rollback_possible: true,
        };
        change(&mut of);
        // 2026-10-27T16:00:00Z, a Tuesday.
        let now = Timestamp(1_793_116_800_000_000_000);
        assert_eq!(accepts.holds(&of, "USD", today, now).join("; "), expected);
    }

    #[test]
    fn what_is_beyond_a_bound_is_held_with_the_reason() {
        let none = |_: &mut Recommended| {};
        check(json!({}), none, 0, "");
        check(json!({}), none, 3, "3 were accepted within 24 hours, at most 3 may be");
        check(json!({ "per_day": 0 }), none, 0, "0 were accepted within 24 hours, at most 0 may be");
        check(json!({ "saving_min": "36" }), none, 0, "it saves 35 USD a month, less than 36");
        check(json!({}), |of| of.currency = "EUR".to_owned(), 0, "its saving is in EUR, the environment counts in USD");
        check(json!({}), |of| of.effort = "Medium".to_owned(), 0, "its effort is Medium, more than Low");
        check(json!({ "effort_max": "High" }), |of| of.effort = "Medium".to_owned(), 0, "");
        check(json!({}), |of| of.effort = String::new(), 0, "its effort is not known");
        check(json!({}), |of| of.restart_needed = true, 0, "it takes a restart");
        check(json!({ "restarts": true }), |of| of.restart_needed = true, 0, "");
        check(json!({}), |of| of.rollback_possible = false, 0, "it cannot be undone");
        check(json!({ "irreversible": true }), |of| of.rollback_possible = false, 0, "");
        let days = |from: &str, until: &str| json!({ "windows": [{ "why": "quiet", "days": ["tue"], "from_time": from, "until_time": until, "zone": "Europe/Berlin" }] });
        check(days("16:00", "18:00"), none, 0, "");
        check(days("18:00", "20:00"), none, 0, "now is none of the times at which it may be");
    }

    #[test]
    fn what_is_written_wrongly_is_refused() {
        let wrong = Accepts { windows: vec![FreezeForm::default()], ..Accepts::default() };
        assert!(wrong.check().is_err());
        assert!(serde_json::from_value::<Accepts>(json!({ "effort_max": "Some" })).is_err());
        assert!(serde_json::from_value::<Accepts>(json!({ "perday": 1 })).is_err());
    }
}
