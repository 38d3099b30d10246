//! Reports of several parts as one: files of one import whose headers differ.

use crate::limits::EXAMPLES_MAX;
use crate::report::{Report, RuleResult, Status};

impl Report {
    /// Adds the report of a further part, of the same version. Rules across rows do not see both parts as one.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        for more in other.rules {
            match self.rules.iter_mut().find(|r| r.rule.id == more.rule.id) {
                Some(own) => merge(own, more),
                None => self.rules.push(more),
            }
        }
    }
}

fn merge(own: &mut RuleResult, more: RuleResult) {
    // Statuses are ordered: what failed anywhere failed, what was run anywhere was run.
    if more.status < own.status {
        (own.status, own.note) = (more.status, more.note);
    }
    own.checked += more.checked;
    own.violations += more.violations;
    own.examples.extend(more.examples);
    own.examples.truncate(EXAMPLES_MAX);
}

const _: () = assert!((Status::Failed as u8) < Status::Passed as u8 && (Status::Passed as u8) < Status::Skipped as u8);
