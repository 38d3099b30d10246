//! Recommendations as JSON: money and shares as strings.

use grid_ml::commit::ladder::Tranche;
use grid_ml::commit::recommend::Window;
use grid_ml::commit::risk::Risk;
use grid_ml::commit::{Advice, Candidate, Recommendation};
use grid_model::Amount;
use serde_json::{Value, json};

use super::offers::Scope;
use crate::route::rfc3339;

/// Candidates of a scope that are shown.
pub(super) const CANDIDATES_MAX: usize = 8;

pub(super) fn group(scope: &Scope, found: &Recommendation) -> Value {
    let (advice, buy) = match found.advice {
        Advice::Buy(at) => ("buy", Some(&found.candidates[at])),
        Advice::NothingToCover => ("nothing to cover", None),
        Advice::NothingSaves => ("nothing saves", None),
        Advice::TooLittleForTerm => ("too little data for three years", None),
    };
    json!({
        "scope": scope.name,
        "kind": scope.kind.name(),
        "advice": advice,
        "buy": buy.map(candidate),
        "candidates": scope.shown(found).iter().map(candidate).collect::<Vec<_>>(),
        "evidence": scope.evidence,
    })
}

fn candidate(c: &Candidate) -> Value {
    let last = c.longest().map(|w| w.replay).unwrap_or_default();
    json!({
        "offer": c.offer.name,
        "program": c.offer.program.name(),
        "term": c.offer.term.name(),
        "payment": c.offer.payment.name(),
        "hourly_commitment": money(c.hourly),
        "upfront": money(c.upfront),
        "monthly": money(c.monthly),
        "monthly_saving": money(c.monthly_saving),
        "break_even_months": c.break_even_months.map(money),
        "utilisation": last.utilisation().map(money),
        "coverage": last.coverage().map(money),
        "coverage_of_all_usage": last.coverage_of_all().map(money),
        "guaranteed_hourly_commitment": money(c.guaranteed_hourly),
        "windows": c.windows.iter().map(window).collect::<Vec<_>>(),
        "risk": risk(&c.risk),
        "ladder": c.ladder.iter().map(tranche).collect::<Vec<_>>(),
    })
}

fn window(w: &Window) -> Value {
    json!({
        "days": w.days,
        "on_demand_cost": money(w.replay.eligible),
        "cost": money(w.replay.cost()),
        "saving": money(w.replay.saving()),
        "best_hourly_commitment": money(w.best),
        "best_cost": money(w.best_cost),
        "regret": money(w.regret()),
        "utilisation": w.replay.utilisation().map(money),
        "coverage": w.replay.coverage().map(money),
        "unused": money(w.replay.unused()),
        "overage": money(w.replay.overage()),
    })
}

fn risk(r: &Risk) -> Value {
    json!({
        "if_demand_falls": r.falls.iter().map(|f| json!({ "percent": f.percent, "saving": money(f.saving) })).collect::<Vec<_>>(),
        "break_even_fall_percent": r.break_even_fall,
        "bootstrap": r.bootstrap.map(|b| json!({
            "paths": b.paths, "seed": b.seed, "losing": b.losing, "saving_p5": money(b.saving_p5),
            "saving_p50": money(b.saving_p50), "saving_p95": money(b.saving_p95),
        })),
        "most_that_can_be_lost": money(r.worst),
    })
}

fn tranche(t: &Tranche) -> Value {
    json!({ "buy": rfc3339(t.buy), "hourly_commitment": money(t.hourly), "ends": rfc3339(t.ends) })
}

fn money(a: Amount) -> String {
    a.to_string()
}
