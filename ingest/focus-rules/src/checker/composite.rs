//! Rules made of other rules: what they pass down (conditions, what the provider must support), and what comes up (verdicts).

use std::borrow::Cow;
use std::collections::HashMap;

use crate::criterion::Criterion;
use crate::report::{RuleResult, Status};
use crate::rule::{Check, Keyword, Rule, When};

/// What the rules that a rule is part of demand of its rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Above {
    pub(super) when: Vec<When>,
    pub(super) needs: Vec<Criterion>,
}

/// For each rule, the conditions of all rules that it is part of, directly or not.
pub(super) fn inherited(rules: &[&'static Rule]) -> Vec<Above> {
    let index: HashMap<&str, usize> = rules.iter().enumerate().map(|(i, r)| (r.id, i)).collect();
    let mut above = vec![Above::default(); rules.len()];
    fn pass(at: usize, rules: &[&'static Rule], index: &HashMap<&str, usize>, from: &Above, above: &mut [Above]) {
        for part in rules[at].parts() {
            let Some(&part) = index.get(part.as_str()) else { continue };
            let mut down = from.clone();
            if rules[at].when != When::Always {
                down.when.push(rules[at].when);
            }
            down.needs.extend(rules[at].needs);
            for when in &down.when {
                if !above[part].when.contains(when) {
                    above[part].when.push(*when);
                }
            }
            for need in &down.needs {
                if !above[part].needs.contains(need) {
                    above[part].needs.push(*need);
                }
            }
            pass(part, rules, index, &down, above);
        }
    }
    for at in 0..rules.len() {
        if !rules[at].parts().is_empty() {
            pass(at, rules, &index, &Above::default(), &mut above);
        }
    }
    above
}

/// Gives each rule made of others the verdict of its parts. A duty is not violated by advice that was not taken.
pub(super) fn conclude(results: &mut [RuleResult]) {
    let index: HashMap<&str, usize> = results.iter().enumerate().map(|(i, r)| (r.rule.id, i)).collect();
    let mut done = vec![false; results.len()];
    for at in 0..results.len() {
        conclude_one(at, results, &index, &mut done);
    }
}

fn conclude_one(at: usize, results: &mut [RuleResult], index: &HashMap<&str, usize>, done: &mut [bool]) {
    if done[at] || !matches!(results[at].rule.check, Check::All(_)) {
        return;
    }
    done[at] = true;
    if matches!(results[at].status, Status::NotApplicable) {
        return;
    }
    let parts: Vec<usize> = results[at].rule.parts().iter().filter_map(|p| index.get(p.as_str()).copied()).collect();
    for part in &parts {
        conclude_one(*part, results, index, done);
    }
    let binds = results[at].rule.keyword.binds();
    let is = |part: &usize, status| results[*part].status == status;
    let counts = |part: &&usize| {
        let keyword = results[**part].rule.keyword;
        keyword != Keyword::May && (keyword.binds() || !binds)
    };
    let failed: Vec<usize> = parts.iter().copied().filter(|p| is(p, Status::Failed)).collect();
    let failing: Vec<&str> = failed.iter().filter(counts).map(|p| results[*p].rule.id).collect();
    let run = parts.iter().filter(|p| is(p, Status::Passed) || is(p, Status::Failed)).count() as u64;
    let (violations, note) =
        (failing.len() as u64, (!failing.is_empty()).then(|| format!("by {}", failing.join(", "))));
    let all = |status| parts.iter().all(|p| is(p, status));
    let status = match (violations, run) {
        (1.., _) => Status::Failed,
        (0, 1..) => Status::Passed,
        (0, 0) if all(Status::NotComputed) => Status::NotComputed,
        (0, 0) if parts.iter().any(|p| is(p, Status::Skipped)) => Status::Skipped,
        (0, 0) => Status::NotApplicable,
    };
    let out = &mut results[at];
    (out.status, out.checked, out.violations) = (status, run, violations);
    out.note = match note {
        Some(note) => Some(note.into()),
        None if run == 0 => Some(Cow::Borrowed("none of its rules was run")),
        None => out.note.take(),
    };
}
