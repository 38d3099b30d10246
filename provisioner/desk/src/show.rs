//! How what is kept is shown: the JSON of the API. Times are RFC 3339, money is text, what is unknown is null.

use grid_act::acting::Stage as ActingStage;
use grid_model::{Amount, Timestamp};
use grid_plan::cost::{Cost, Range, Total};
use grid_plan::drift::{Drift, Moved};
use grid_plan::environment::compare::{Difference, Side};
use grid_plan::environment::{Override, Source};
use grid_plan::gate::Verdict;
use grid_plan::plan::{Action, Plan};
use grid_plan::queue::{End, Entry, Hold, Priority, Stage};
use serde_json::{Value, json};

use crate::desk::HeldRow;
use crate::room::{ActionRow, PlanRow, ReleaseRow, Room};

/// A time: RFC 3339.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    text.strip_suffix(".000000000Z").map_or_else(|| text.clone(), |whole| format!("{whole}Z"))
}

pub(crate) fn range(range: Range) -> Value {
    json!({ "low": range.low.to_string(), "likely": range.likely.to_string(), "high": range.high.to_string() })
}

pub(crate) fn total(total: &Total) -> Value {
    json!({
        "range": total.certain().map(range),
        "known": range(total.known),
        "unknown": total.unknown.iter().map(|(a, why)| json!({ "address": a.to_string(), "why": why })).collect::<Vec<_>>(),
    })
}

fn amount(amount: Option<Amount>) -> Value {
    amount.map_or(Value::Null, |a| json!(a.to_string()))
}

/// An environment in a list.
pub(crate) fn environment(room: &Room) -> Value {
    let environment = &room.environment;
    json!({
        "name": environment.name,
        "blueprint": room.blueprint.name,
        "revision": room.blueprint.revision,
        "system": room.about.system,
        "cloud": room.about.cloud,
        "region": room.about.region,
        "currency": room.about.currency,
        "driver": room.about.driver,
        "created": time(Timestamp(room.about.created)),
        "created_by": room.about.created_by,
        "resources_wanted": room.blueprint.resources.len(),
        "resources_there": room.state.resources.len(),
        "serial": room.state.serial,
        "held_by": room.state.lock.as_ref().map(|l| l.by.clone()),
        "overrides": environment.overrides.len(),
        "budget": amount(environment.budget),
        "expires": environment.expires.map(time),
        "is_protected": environment.is_protected,
        "asleep": environment.sleep.as_ref().map(|s| json!({ "who": s.who, "why": s.why, "since": time(s.since) })),
        "autonomy": room.about.policy.autonomy,
        "open_releases": room.queue.0.open().len(),
    })
}

/// All of one environment.
pub(crate) fn environment_whole(room: &Room) -> Value {
    let mut shown = environment(room);
    shown["overrides"] = Value::Array(room.environment.overrides.iter().map(one_override).collect());
    shown["gates"] = json!(room.about.gates);
    shown["freezes"] = json!(room.about.freezes);
    shown["checks"] = json!(room.about.checks);
    shown["policy"] = json!(room.about.policy);
    shown["rest"] = json!(room.about.rest);
    shown["accepts"] = json!(room.about.accepts);
    shown["heals"] = json!(room.about.heals);
    shown["healing"] = crate::desk::heal::shown(room);
    let expiry = room.about.expiry.as_ref().filter(|e| room.environment.expires.is_some_and(|at| at.0 == e.at));
    shown["expiry"] = json!(expiry.map(|e| {
        json!({
            "is_warning": e.is_warning,
            "says": e.says,
            "release": e.release.map(|n| release_name(room.name(), n)),
        })
    }));
    shown["verify_hours"] = json!(room.about.verify_ns as f64 / grid_model::time::HOUR_NS as f64);
    let owned = room.environment.owned.iter();
    shown["owned"] = owned.map(|((a, p), by)| json!({ "address": a, "path": p, "policy": by })).collect();
    shown["resources"] = resources(room);
    shown
}

/// A recommendation that Grid has not accepted by itself, with the reasons.
pub(crate) fn held(row: &HeldRow) -> Value {
    json!({
        "id": row.of.id,
        "title": row.of.title,
        "resource_id": row.of.resource_id,
        "saving": row.of.saving.likely.to_string(),
        "currency": row.of.currency,
        "risk": row.of.risk,
        "why": row.why,
        "since": time(Timestamp(row.since)),
    })
}

/// What is there.
pub(crate) fn resources(room: &Room) -> Value {
    let of = |(address, observed): (&grid_plan::Address, &grid_plan::state::Observed)| {
        json!({
            "environment": room.name(),
            "address": address,
            "kind": address.kind(),
            "id": observed.id,
            "fields": observed.fields.to_json(),
            "outputs": observed.outputs,
            "needs": observed.needs,
        })
    };
    room.state.resources.iter().map(of).collect()
}

pub(crate) fn one_override(one: &Override) -> Value {
    json!({
        "target": one.target,
        "path": one.path,
        "to": one.to,
        "leaves_out": one.to.is_none(),
        "writer": one.by.writer.to_string(),
        "who": one.by.who,
        "why": one.by.why,
        "at": time(one.by.at),
        "evidence": one.by.evidence,
    })
}

pub(crate) fn difference(of: &Difference) -> Value {
    let side = |side: &Side| {
        let by = side.by.as_ref().map(|by| match by {
            Source::Written(by) => format!("{} ({}): {}", by.writer, by.who, by.why),
            Source::Asleep(sleep) => format!("asleep ({}): {}", sleep.who, sleep.why),
        });
        json!({ "value": side.value, "by": by })
    };
    json!({ "address": of.address, "path": of.path, "first": side(&of.first), "second": side(&of.second) })
}

pub(crate) fn drift(of: &Drift) -> Value {
    let (moved, fields) = match &of.moved {
        Moved::Changed(fields) => {
            ("changed", fields.iter().map(|(p, was, is)| json!({ "path": p, "was": was, "is": is })).collect())
        }
        Moved::Gone => ("gone", Vec::new()),
        Moved::Orphan => ("orphan", Vec::new()),
    };
    json!({
        "address": of.address,
        "moved": moved,
        "fields": fields,
        "risk": of.risk.name(),
        "why": of.why,
        "cost_monthly": match &of.cost { Cost::Known(r) => range(*r), Cost::Unknown(_) => Value::Null },
        "cost_unknown": match &of.cost { Cost::Known(_) => Value::Null, Cost::Unknown(why) => json!(why) },
    })
}

/// A plan in a list.
pub(crate) fn plan(row: &PlanRow, current: Option<bool>) -> Value {
    let of = &row.plan;
    json!({
        "id": of.id.to_string(),
        "environment": of.environment,
        "blueprint": of.blueprint,
        "parent": of.parent.map(|p| p.to_string()),
        "serial": of.serial,
        "made": time(Timestamp(row.made)),
        "by": row.by,
        "steps": of.steps.len(),
        "creates": of.count(Action::Create),
        "updates": of.count(Action::Update),
        "replaces": of.count(Action::Replace),
        "deletes": of.count(Action::Delete),
        "unchanged": of.unchanged.len(),
        "currency": of.currency.0,
        "delta_monthly": total(&of.delta),
        "monthly": total(&of.monthly),
        "findings": row.findings,
        "summary": summary(of),
        "is_current": current,
    })
}

/// A plan in a sentence.
pub(crate) fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "nothing to do".to_owned();
    }
    let all = [Action::Create, Action::Update, Action::Replace, Action::Delete].into_iter();
    let counts = all.filter(|a| plan.count(*a) > 0).map(|a| format!("{} to {a}", plan.count(a)));
    let money = match plan.delta.certain() {
        Some(r) if r.low == r.high => format!("{} {} a month", signed(r.likely), plan.currency.0),
        Some(r) => format!("{} to {} {} a month", signed(r.low), signed(r.high), plan.currency.0),
        None => format!(
            "{} {} a month and {} of unknown cost",
            signed(plan.delta.known.likely),
            plan.currency.0,
            plan.delta.unknown.len()
        ),
    };
    format!("{}; {money}", counts.collect::<Vec<_>>().join(", "))
}

/// Money to the cent, with its sign.
pub(crate) fn signed(amount: Amount) -> String {
    let cents = 10_i128.pow(grid_model::money::SCALE - 2);
    let rounded = (amount.0 + amount.0.signum() * cents / 2) / cents * cents;
    let text = Amount(rounded).to_string();
    if rounded > 0 { format!("+{text}") } else { text }
}

pub(crate) fn stage(entry: &Entry) -> (&'static str, String) {
    match &entry.stage {
        Stage::Waiting => ("waiting", String::new()),
        Stage::Running { .. } => ("running", String::new()),
        Stage::Yielded => ("yielded", "stopped at a safe point for an emergency".to_owned()),
        Stage::Checking => ("checking", String::new()),
        Stage::Undoing { why } => ("undoing", why.clone()),
        Stage::Ended(End::Done) => ("done", String::new()),
        Stage::Ended(End::Failed(why)) => ("failed", why.clone()),
        Stage::Ended(End::Undone(why)) => ("undone", why.clone()),
        Stage::Ended(End::UndoFailed(why)) => ("undo failed", why.clone()),
        Stage::Ended(End::Cancelled(by)) => ("cancelled", by.clone()),
        Stage::Ended(End::Superseded(by)) => ("superseded", by.to_string()),
    }
}

/// How much a release presses, in a word.
pub(crate) fn priority(of: Priority) -> &'static str {
    match of {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Emergency => "emergency",
    }
}

/// What kind of work a release is.
pub(crate) fn stage_class(kind: grid_plan::queue::Kind) -> &'static str {
    kind.name()
}

/// The name of a release beyond its environment.
pub(crate) fn release_name(environment: &str, id: u64) -> String {
    format!("{environment}-{id}")
}

/// A release; `entry` is where it is, `holds` why it does not start.
pub(crate) fn release(
    row: &ReleaseRow,
    entry: &Entry,
    holds: &[Hold],
    position: Option<usize>,
    eta: Option<(Timestamp, Timestamp)>,
    summary: Option<String>,
) -> Value {
    let (word, why) = stage(entry);
    let verdict = |name: &str| entry.verdicts.get(name).or_else(|| row.after.get(name));
    let gates = row.gates.iter().map(|g| {
        let said = verdict(&g.name);
        json!({
            "name": g.name,
            "kind": g.ask.kind(),
            "when": g.when,
            "verdict": said.map_or("not asked yet", Verdict::name),
            "reason": said.map(Verdict::reason),
        })
    });
    json!({
        "id": release_name(&row.environment, row.id),
        "number": row.id,
        "environment": row.environment,
        "kind": entry.release.kind,
        "priority": entry.release.priority,
        "plan": row.plan.to_string(),
        "summary": summary,
        "by": entry.release.by,
        "note": row.note,
        "state": word,
        "why": why,
        "submitted": time(entry.submitted),
        "started": entry.started.map(time),
        "ended": entry.ended.map(time),
        "holds": holds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "position": position,
        "eta_p50": eta.map(|(p50, _)| time(p50)),
        "eta_p90": eta.map(|(_, p90)| time(p90)),
        "gates": gates.collect::<Vec<_>>(),
        "votes": row.votes.iter().map(|v| json!({ "who": v.who, "plan": v.plan.to_string(), "yes": v.is_yes, "at": time(v.at), "note": v.note })).collect::<Vec<_>>(),
        "approved_by": row.approved_by,
        "action": row.action,
        "undo_plan": row.undo.map(|p| p.to_string()),
        "events": row.events.iter().map(|e| json!({ "at": time(Timestamp(e.at)), "what": e.what, "text": e.text })).collect::<Vec<_>>(),
    })
}

pub(crate) fn acting_stage(stage: &ActingStage) -> (&'static str, String) {
    match stage {
        ActingStage::Accepted => ("accepted", String::new()),
        ActingStage::Overridden => ("overridden", String::new()),
        ActingStage::Planned(_) => ("planned", String::new()),
        ActingStage::Queued(_) => ("queued", String::new()),
        ActingStage::Applying(_) => ("applying", String::new()),
        ActingStage::Verifying { until, last, .. } => {
            let last = last.as_ref().map(|v| format!("; last look: {v}")).unwrap_or_default();
            ("verifying", format!("until {}{last}", time(*until)))
        }
        ActingStage::Undoing { why, .. } => ("undoing", why.clone()),
        ActingStage::Kept { .. } => ("kept", String::new()),
        ActingStage::Undone(why) => ("undone", why.clone()),
        ActingStage::Dropped(why) => ("dropped", why.clone()),
        ActingStage::Stuck(why) => ("stuck", why.clone()),
    }
}

/// An accepted recommendation on its way.
pub(crate) fn action(row: &ActionRow) -> Value {
    let (word, why) = acting_stage(&row.acting.stage);
    let accepted = &row.acting.accepted;
    json!({
        "id": accepted.recommendation,
        "environment": row.environment,
        "title": row.title,
        "resource_id": row.resource_id,
        "target": accepted.change.target,
        "path": accepted.change.path,
        "to": accepted.change.to,
        "accepted_by": accepted.by,
        "accepted": time(accepted.at),
        "state": word,
        "why": why,
        "note": row.note,
        "release": row.release.map(|n| release_name(&row.environment, n)),
        "undo_release": row.undo.map(|n| release_name(&row.environment, n)),
        "currency": row.currency,
        "risk": row.risk,
        "predicted": range(accepted.predicted),
        "read_back": row.read_back,
        "priced_before": row.priced.as_ref().map(|(before, _)| before),
        "priced_after": row.priced.as_ref().map(|(_, after)| after),
        "ledger": row.ledger.as_ref().map(|l| json!({
            "predicted": range(l.predicted),
            "realised": l.realised,
            "is_as_predicted": l.is_as_predicted(),
        })),
        "history": row.acting.history.iter().map(|(at, stage)| json!({ "until": time(*at), "state": acting_stage(stage).0 })).collect::<Vec<_>>(),
    })
}
