//! Releases and the queues that they wait in.

use std::convert::Infallible;

use axum::Json as Reply;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, BoxStream, StreamExt as _};
use grid_desk::{Desk, Progress, Submission};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::{Actor, Items, OfEnvironment, Said, page};
use crate::error::ApiError;
use crate::extract::{Json, Params, Segment, from_json};

/// Releases, the youngest first.
#[utoipa::path(get, path = "/api/v1/releases", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "A page of releases.", body = Items)))]
pub(crate) async fn list(actor: Actor, Params(params): Params<OfEnvironment>) -> Result<Reply<Items>, ApiError> {
    page(actor.desk.releases(actor.tenant(), params.environment.as_deref()).await?, &params, "id")
}

/// Submits a release: `environment`, and if wanted `plan` (else one is made), `only`, `kind` (full, selective, plan-only, hotfix), `priority` (low, normal,
/// high, emergency), `note`, `lane`, `gates` of its own.
#[utoipa::path(post, path = "/api/v1/releases", tag = "provisioning", request_body = Object,
    responses((status = 200, description = "The release.", body = Object), (status = 409, description = "The plan is stale, or there is nothing to do.")))]
pub(crate) async fn post(actor: Actor, Json(body): Json<Value>) -> Result<Reply<Value>, ApiError> {
    let submission: Submission = from_json(body.to_string().as_bytes())?;
    let work = actor.desk.submit(actor.tenant(), &actor.by, submission);
    actor.once(&format!("POST releases {body}"), work).await
}

/// One release: where it is, why it waits, what its gates say, what has happened.
#[utoipa::path(get, path = "/api/v1/releases/{id}", tag = "provisioning", params(("id" = String, Path, description = "Its name: the environment's and its number, `prod-12`.")),
    responses((status = 200, description = "The release.", body = Object), (status = 404, description = "There is none of this name.")))]
pub(crate) async fn get(actor: Actor, Segment(id): Segment) -> Result<Reply<Value>, ApiError> {
    Ok(Reply(actor.desk.release(actor.tenant(), &id).await?))
}

/// A vote.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoteBody {
    /// What is said with it.
    #[serde(default)]
    note: String,
    /// The plan that is meant, or the beginning of its id: refused if the release has another by now.
    #[serde(default)]
    plan: Option<String>,
}

/// Approves the plan that a release has now.
#[utoipa::path(post, path = "/api/v1/releases/{id}/approve", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = VoteBody,
    responses((status = 200, description = "The release.", body = Object), (status = 409, description = "It has another plan, or asks for no approval.")))]
pub(crate) async fn approve(
    actor: Actor,
    Segment(id): Segment,
    Json(vote): Json<VoteBody>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.vote(actor.tenant(), &id, &actor.by, true, &vote.note, vote.plan.as_deref());
    actor.once(&format!("approve {id} {:?}", vote.plan), work).await
}

/// Votes against a release.
#[utoipa::path(post, path = "/api/v1/releases/{id}/reject", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = VoteBody,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn reject(
    actor: Actor,
    Segment(id): Segment,
    Json(vote): Json<VoteBody>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.vote(actor.tenant(), &id, &actor.by, false, &vote.note, vote.plan.as_deref());
    actor.once(&format!("reject {id} {:?}", vote.plan), work).await
}

/// Hands in a security report (SARIF 2.1.0, the body) for the gates that ask for one.
#[utoipa::path(post, path = "/api/v1/releases/{id}/report", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Object,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn report(
    actor: Actor,
    Segment(id): Segment,
    Json(sarif): Json<Value>,
) -> Result<Reply<Value>, ApiError> {
    let text = sarif.to_string();
    let work = actor.desk.report(actor.tenant(), &id, &actor.by, &text);
    actor.once(&format!("report {id} {text}"), work).await
}

/// Cancels a release: what waits ends at once, what runs at its next safe point.
#[utoipa::path(post, path = "/api/v1/releases/{id}/cancel", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Said,
    responses((status = 200, description = "The release.", body = Object)))]
pub(crate) async fn cancel(
    actor: Actor,
    Segment(id): Segment,
    Json(said): Json<Said>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.cancel(actor.tenant(), &id, &actor.by, &said.why);
    actor.once(&format!("cancel {id}"), work).await
}

/// Submits a release that takes this one back, as far as it was applied.
#[utoipa::path(post, path = "/api/v1/releases/{id}/rollback", tag = "provisioning", params(("id" = String, Path, description = "Its name.")), request_body = Said,
    responses((status = 200, description = "The new release.", body = Object)))]
pub(crate) async fn rollback(
    actor: Actor,
    Segment(id): Segment,
    Json(said): Json<Said>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.rollback(actor.tenant(), &id, &actor.by, &said.why);
    actor.once(&format!("rollback {id}"), work).await
}

/// Bytes of a message that a listener may send.
const MESSAGE_BYTES_MAX: usize = 4096;

/// What happens to a release, as server-sent events, or as messages of a WebSocket for whoever asks to upgrade: first what has happened so far, then
/// live until it ends.
#[utoipa::path(get, path = "/api/v1/releases/{id}/events", tag = "provisioning", params(("id" = String, Path, description = "Its name.")),
    responses((status = 200, description = "Events; the data of each is JSON with `release`, `what`, `text`, `at`.", content_type = "text/event-stream")))]
pub(crate) async fn events(
    actor: Actor,
    Segment(id): Segment,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    // Listening begins before reading, so that nothing falls between.
    let live = actor.desk.listen();
    let release = actor.desk.release(actor.tenant(), &id).await?;
    let past: Vec<Value> = release["events"].as_array().cloned().unwrap_or_default();
    let is_over = !release["ended"].is_null();
    let told: Vec<Value> =
        past.iter().map(|e| json!({ "release": id, "what": e["what"], "text": e["text"], "at": e["at"] })).collect();
    let follow = Follow {
        desk: actor.desk.clone(),
        live: (!is_over).then_some(live),
        id,
        tenant: actor.tenant().clone(),
        told: told.clone(),
    };
    let live = stream::unfold(follow, |mut follow| async move { Some((follow.next().await?, follow)) });
    let all = stream::iter(told).chain(live).boxed();
    if let Ok(upgrade) = upgrade {
        return Ok(upgrade.max_message_size(MESSAGE_BYTES_MAX).on_upgrade(move |socket| tell(socket, all)));
    }
    let events = all.map(|value| Ok::<_, Infallible>(event(&value)));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Sends every value as a message, and closes after the last. Whoever listens has nothing to say: what comes is read only to see that it is gone.
async fn tell(mut socket: WebSocket, mut values: BoxStream<'static, Value>) {
    loop {
        tokio::select! {
            value = values.next() => {
                let Some(value) = value else { break };
                if socket.send(Message::text(value.to_string())).await.is_err() {
                    return;
                }
            }
            said = socket.recv() => match said {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
                Some(Ok(_)) => {}
            },
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

fn event(value: &Value) -> Event {
    Event::default().event(value["what"].as_str().unwrap_or("event")).data(value.to_string())
}

/// The rest of a release's events.
struct Follow {
    desk: Desk,
    live: Option<Receiver<Progress>>,
    id: String,
    tenant: grid_model::TenantId,
    /// What was told from the past: it may come again.
    told: Vec<Value>,
}

impl Follow {
    async fn next(&mut self) -> Option<Value> {
        loop {
            let progress = match self.live.as_mut()?.recv().await {
                Ok(progress) => progress,
                // Whoever is too slow misses some; the release itself has them all, and says whether more will come.
                Err(RecvError::Lagged(_)) => {
                    let release = self.desk.release(&self.tenant, &self.id).await.ok()?;
                    if release["ended"].is_null() {
                        continue;
                    }
                    return None;
                }
                Err(RecvError::Closed) => return None,
            };
            if progress.tenant != self.tenant || progress.release != self.id {
                continue;
            }
            let value = json!(progress);
            if self.told.contains(&value) {
                continue;
            }
            if progress.is_last {
                self.live = None;
            }
            return Some(value);
        }
    }
}

/// Every queue: what runs, what waits in which order and why, and whether it is paused.
#[utoipa::path(get, path = "/api/v1/queues", tag = "provisioning", params(OfEnvironment),
    responses((status = 200, description = "The queues.", body = Items)))]
pub(crate) async fn queues(actor: Actor, Params(params): Params<OfEnvironment>) -> Result<Reply<Items>, ApiError> {
    page(actor.desk.queues(actor.tenant(), params.environment.as_deref()).await?, &params, "environment")
}

/// A pause.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseBody {
    /// Why.
    #[serde(default)]
    why: String,
    /// Whether emergencies wait too.
    #[serde(default)]
    holds_emergencies: bool,
}

/// Pauses a queue: nothing starts any more, what runs goes on.
#[utoipa::path(post, path = "/api/v1/queues/{id}/pause", tag = "provisioning", params(("id" = String, Path, description = "The environment.")), request_body = PauseBody,
    responses((status = 200, description = "The queue.", body = Object)))]
pub(crate) async fn pause(
    actor: Actor,
    Segment(id): Segment,
    Json(body): Json<PauseBody>,
) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.pause(actor.tenant(), &id, &actor.by, Some((body.why, body.holds_emergencies)));
    actor.once(&format!("pause {id}"), work).await
}

/// Lets a queue go on.
#[utoipa::path(post, path = "/api/v1/queues/{id}/resume", tag = "provisioning", params(("id" = String, Path, description = "The environment.")), request_body = Said,
    responses((status = 200, description = "The queue.", body = Object)))]
pub(crate) async fn resume(actor: Actor, Segment(id): Segment, Json(_): Json<Said>) -> Result<Reply<Value>, ApiError> {
    let work = actor.desk.pause(actor.tenant(), &id, &actor.by, None);
    actor.once(&format!("resume {id}"), work).await
}
