//! What people decide about recommendations and say about anomalies: one versioned document each, with what the finding said at that time.

use grid_finance::relation::Relation;
use grid_findings::decision::{Answer, DECISION_KIND, Decision, FEEDBACK_KIND, NOTE_BYTES_MAX, Promised, Said, Verb};
use grid_model::Timestamp;
use grid_model::time::DAY_NS;
use grid_store::{DocumentError, DocumentKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::list::{decisions, one};
use crate::error::ApiError;
use crate::finance::Desk;
use crate::route::parse_time;
use crate::statement::text;

/// Recommendations of one decision.
pub const BULK_MAX: usize = 500;
/// How long a snooze lasts if nobody says.
const SNOOZE_NS: i64 = 30 * DAY_NS;

/// A decision as it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// Why. A dismissal needs a reason: it is what the next reader wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "kept for the audit in January")]
    pub reason: Option<String>,
    /// Until when it is snoozed, RFC 3339; 30 days if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Whether the recommendation was of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub useful: Option<bool>,
}

/// Feedback on an anomaly as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackBody {
    /// `yes`: it was worth telling; `no`: it was not; `planned`: it was meant to be.
    #[schema(example = "planned")]
    pub answer: String,
    /// Until when what is planned goes on, RFC 3339; a day if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Reads the verb of a path: `accept`, `dismiss`, `snooze`, `reopen`.
pub fn verb(text: &str) -> Option<Verb> {
    match text {
        "accept" => Some(Verb::Accepted),
        "dismiss" => Some(Verb::Dismissed),
        "snooze" => Some(Verb::Snoozed),
        "reopen" => Some(Verb::Open),
        _ => None,
    }
}

fn time(name: &str, text: &Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let bad = || ApiError::Parameter(format!("{name} is {text:?}, it must be a time such as 2026-12-24T00:00:00Z"));
    parse_time(text).map(Some).ok_or_else(bad)
}

fn short(name: &str, text: &Option<String>) -> Result<(), ApiError> {
    match text {
        Some(t) if t.len() > NOTE_BYTES_MAX => {
            Err(ApiError::Parameter(format!("{name} has {} bytes, at most {NOTE_BYTES_MAX} can be", t.len())))
        }
        _ => Ok(()),
    }
}

/// Decides about one recommendation; answers it as it is then.
pub async fn decide(
    desk: &Desk<'_>,
    id: &str,
    verb: Verb,
    body: &DecisionBody,
    author: &str,
) -> Result<Value, ApiError> {
    short("reason", &body.reason)?;
    if verb == Verb::Dismissed && body.reason.as_deref().is_none_or(|r| r.trim().is_empty()) {
        return Err(ApiError::Parameter("a dismissal needs a reason".to_owned()));
    }
    let now = desk.store.now();
    let until = time("until", &body.until)?;
    if until.is_some_and(|t| t <= now) {
        return Err(ApiError::Parameter("until lies in the past".to_owned()));
    }
    let item = one(desk, Relation::Recommendations, id).await?;
    let snooze = until.unwrap_or_else(|| now.saturating_add(SNOOZE_NS));
    let decision = Decision {
        verb,
        reason: body.reason.clone(),
        at: now.0,
        until: (verb == Verb::Snoozed).then_some(snooze.0),
        useful: body.useful,
        promised: promised(&item),
    };
    keep(desk, id, &decision, author).await?;
    one(desk, Relation::Recommendations, id).await
}

/// Accepts a recommendation in the name of a policy, if it holds and nobody has decided about it; whether it is accepted by this author, now or before.
pub async fn accept_if_open(desk: &Desk<'_>, id: &str, author: &str, why: &str) -> Result<bool, ApiError> {
    let key = DocumentKey { tenant: desk.tenant.clone(), kind: DECISION_KIND, name: id.to_owned() };
    let known = desk.store.catalog().document(&key).await?;
    let now = desk.store.now();
    let before = known.as_ref().and_then(|d| serde_json::from_str::<Decision>(&d.body).ok());
    match before.as_ref().map_or(Verb::Open, |d| d.state(now)) {
        Verb::Open => {}
        Verb::Accepted => return Ok(known.is_some_and(|d| d.author == author)),
        Verb::Dismissed | Verb::Snoozed => return Ok(false),
    }
    let item = one(desk, Relation::Recommendations, id).await?;
    if text(&item, "state") != Verb::Open.name() {
        return Ok(false);
    }
    let decision = Decision {
        verb: Verb::Accepted,
        reason: Some(why.chars().take(NOTE_BYTES_MAX / 4).collect()),
        at: now.0,
        until: None,
        useful: before.and_then(|d| d.useful),
        promised: promised(&item),
    };
    let body = serde_json::to_string(&decision).map_err(|e| ApiError::Internal(format!("write the decision: {e}")))?;
    // Against the version that was read: whoever decides meanwhile wins.
    let seen = known.map_or(0, |d| d.version);
    match desk.store.catalog().put_document(&key, &body, author, Some(seen), now).await {
        Ok(_) => Ok(true),
        Err(DocumentError::Conflict { .. }) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Says whether a recommendation was of use; what was decided about it stays.
pub async fn rate(desk: &Desk<'_>, id: &str, body: &DecisionBody, author: &str) -> Result<Value, ApiError> {
    short("reason", &body.reason)?;
    let Some(useful) = body.useful else {
        return Err(ApiError::Parameter("useful must be true or false".to_owned()));
    };
    let item = one(desk, Relation::Recommendations, id).await?;
    let before = decisions(desk).await?.remove(id);
    let decision = match before {
        Some(before) => {
            Decision { useful: Some(useful), reason: body.reason.clone().or(before.reason.clone()), ..before }
        }
        None => Decision {
            verb: Verb::Open,
            reason: body.reason.clone(),
            at: desk.store.now().0,
            until: None,
            useful: Some(useful),
            promised: promised(&item),
        },
    };
    keep(desk, id, &decision, author).await?;
    one(desk, Relation::Recommendations, id).await
}

async fn keep(desk: &Desk<'_>, id: &str, decision: &Decision, author: &str) -> Result<(), ApiError> {
    let key = DocumentKey { tenant: desk.tenant.clone(), kind: DECISION_KIND, name: id.to_owned() };
    let body = serde_json::to_string(decision).map_err(|e| ApiError::Internal(format!("write the decision: {e}")))?;
    desk.store.catalog().put_document(&key, &body, author, None, desk.store.now()).await?;
    Ok(())
}

fn promised(item: &Value) -> Promised {
    let of = |name: &str| text(item, name).to_owned();
    Promised {
        resource_id: of("resource_id"),
        action: of("action"),
        proposed: of("proposed"),
        currency: of("currency"),
        monthly_cost: of("monthly_cost"),
        saving: [of("saving_low"), of("saving"), of("saving_high")],
    }
}

/// What was decided about a recommendation, newest first.
pub async fn history(desk: &Desk<'_>, id: &str) -> Result<Vec<Value>, ApiError> {
    let key = DocumentKey { tenant: desk.tenant.clone(), kind: DECISION_KIND, name: id.to_owned() };
    let all = desk.store.catalog().document_history(&key).await?;
    let shown = all.into_iter().filter_map(|d| {
        let decision: Decision = serde_json::from_str(&d.body).ok()?;
        Some(json!({
            "version": d.version,
            "by": d.author,
            "at": crate::route::rfc3339(d.created),
            "state": decision.verb.name(),
            "reason": decision.reason,
            "useful": decision.useful,
        }))
    });
    Ok(shown.collect())
}

/// Keeps what somebody says about an anomaly; jobs obey it from their next run on.
pub async fn say(desk: &Desk<'_>, id: &str, body: &FeedbackBody, author: &str) -> Result<Value, ApiError> {
    short("note", &body.note)?;
    let answer = match body.answer.as_str() {
        "yes" => Answer::Yes,
        "no" => Answer::No,
        "planned" => Answer::Planned,
        other => return Err(ApiError::Parameter(format!("answer is {other:?}, it must be yes, no or planned"))),
    };
    let until = time("until", &body.until)?;
    let mut item = one(desk, Relation::Anomalies, id).await?;
    let start = parse_time(text(&item, "start_time")).unwrap_or_default();
    let said = Said {
        answer,
        kind: text(&item, "kind").to_owned(),
        subject: text(&item, "subject").to_owned(),
        start: start.0,
        at: desk.store.now().0,
        until: until.filter(|_| answer == Answer::Planned).map(|t| t.0),
        note: body.note.clone(),
    };
    let key = DocumentKey { tenant: desk.tenant.clone(), kind: FEEDBACK_KIND, name: id.to_owned() };
    let body = serde_json::to_string(&said).map_err(|e| ApiError::Internal(format!("write the feedback: {e}")))?;
    desk.store.catalog().put_document(&key, &body, author, None, desk.store.now()).await?;
    // The row says so from the next run of its job on.
    item["state"] = json!(answer.state());
    Ok(item)
}
