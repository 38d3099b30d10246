//! A security report in SARIF 2.1.0 (OASIS): findings are counted by severity and compared with what is borne.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Answer, Verdict};
use crate::limits::SARIF_RESULTS_MAX;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `note`, or a score below 4.
    Low,
    /// `warning`, or a score below 7.
    Medium,
    /// `error`, or a score below 9.
    High,
    /// A score of 9 and more.
    Critical,
}

/// How many are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Borne {
    /// Critical ones.
    pub critical: usize,
    /// High ones.
    pub high: usize,
    /// Medium ones; `None` for any number.
    pub medium: Option<usize>,
}

/// Counts and compares. A report that cannot be read, that is of no run, or of a run that says it failed, holds.
pub fn security(report: &Answer<String>, borne: &Borne) -> Verdict {
    let text = match report {
        Answer::Here(text) => text,
        Answer::Missing(why) => return Verdict::Hold(format!("there is no report: {why}")),
    };
    let counts = match counts(text) {
        Ok(counts) => counts,
        Err(why) => return Verdict::Hold(format!("the report cannot be read: {why}")),
    };
    let of = |severity| counts.get(&severity).copied().unwrap_or(0);
    let (critical, high, medium) = (of(Severity::Critical), of(Severity::High), of(Severity::Medium));
    let text = format!("{critical} critical, {high} high, {medium} medium, {} low", of(Severity::Low));
    let is_over = critical > borne.critical || high > borne.high || borne.medium.is_some_and(|borne| medium > borne);
    if is_over { Verdict::Fail(text) } else { Verdict::Pass(text) }
}

/// Findings by severity: those that are suppressed, passed or not applicable do not count. The severity is the score `security-severity` of the result or its
/// rule (0 to 10, as code scanning reads it), or else the level; SARIF 3.27.10 says that a level that is absent is the rule's, or `warning`.
pub fn counts(text: &str) -> Result<BTreeMap<Severity, usize>, String> {
    let json: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match json["version"].as_str() {
        Some(version) if version.starts_with("2.1") => {}
        version => return Err(format!("version {version:?} is not 2.1")),
    }
    let runs = json["runs"].as_array().filter(|runs| !runs.is_empty()).ok_or("it has no runs")?;
    let mut counts = BTreeMap::new();
    let mut all = 0;
    for run in runs {
        for invocation in run["invocations"].as_array().into_iter().flatten() {
            if invocation["executionSuccessful"] == Value::Bool(false) {
                return Err("a run says that it was not successful".to_owned());
            }
        }
        // 3.14.23: absent or null results mean that the scan was not done or failed; an empty list that it found nothing.
        let results = run["results"].as_array().ok_or("a run has no list of results")?;
        all += results.len();
        if all > SARIF_RESULTS_MAX {
            return Err(format!("it has more than {SARIF_RESULTS_MAX} results"));
        }
        for result in results {
            if !is_open(result)? {
                continue;
            }
            *counts.entry(severity(result, run)?).or_insert(0) += 1;
        }
    }
    Ok(counts)
}

fn is_open(result: &Value) -> Result<bool, String> {
    if !result.is_object() {
        return Err("a result is no object".to_owned());
    }
    let is_finding = match result.get("kind").and_then(Value::as_str) {
        None | Some("fail" | "open" | "review") => true,
        Some("pass" | "notApplicable" | "informational") => false,
        Some(other) => return Err(format!("a result has an unheard-of kind, {other:?}")),
    };
    let is_accepted = |s: &Value| matches!(s["status"].as_str(), None | Some("accepted"));
    let is_suppressed = result["suppressions"].as_array().is_some_and(|all| all.iter().any(is_accepted));
    Ok(is_finding && !is_suppressed)
}

fn severity(result: &Value, run: &Value) -> Result<Severity, String> {
    let rule = rule(result, run);
    let scored = [Some(result), rule].into_iter().flatten().find_map(|v| v["properties"].get("security-severity"));
    if let Some(score) = scored {
        let score = score.as_f64().or_else(|| score.as_str().and_then(|s| s.trim().parse().ok()));
        return match score.filter(|s: &f64| (0.0..=10.0).contains(s)) {
            Some(s) if s >= 9.0 => Ok(Severity::Critical),
            Some(s) if s >= 7.0 => Ok(Severity::High),
            Some(s) if s >= 4.0 => Ok(Severity::Medium),
            Some(_) => Ok(Severity::Low),
            None => Err("a security-severity is no score from 0 to 10".to_owned()),
        };
    }
    let level = result["level"].as_str().or_else(|| rule.and_then(|r| r["defaultConfiguration"]["level"].as_str()));
    match level.unwrap_or("warning") {
        "error" => Ok(Severity::High),
        "warning" => Ok(Severity::Medium),
        "note" | "none" => Ok(Severity::Low),
        other => Err(format!("a result has an unheard-of level, {other:?}")),
    }
}

fn rule<'a>(result: &Value, run: &'a Value) -> Option<&'a Value> {
    let rules = run["tool"]["driver"]["rules"].as_array()?;
    if let Some(index) = result["ruleIndex"].as_u64() {
        return rules.get(usize::try_from(index).ok()?);
    }
    let id = result["ruleId"].as_str()?;
    rules.iter().find(|r| r["id"].as_str() == Some(id))
}
