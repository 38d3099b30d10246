//! What is known, read back.

use std::collections::BTreeSet;
use std::sync::Arc;

use grid_model::{TenantId, Timestamp};
use grid_notify_policy::log::{GroupId, LogEntry, LogKey};
use grid_notify_policy::matcher::Op;
use grid_notify_policy::queue::Queued;
use grid_notify_policy::{Fingerprint, Held, LabelSet, Matcher, Silence};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Delivery, DeliveryState, DeliveryWanted, Keep, Loaded};
use crate::error::NotifyError;

fn corrupt(what: &str, detail: impl std::fmt::Display) -> NotifyError {
    NotifyError::Corrupt(format!("{what}: {detail}"))
}

fn tenant(text: &str) -> Result<TenantId, NotifyError> {
    TenantId::parse(text).map_err(|e| corrupt("a tenant", e))
}

fn labels(text: &str) -> Result<LabelSet, NotifyError> {
    serde_json::from_str(text).map_err(|e| corrupt("labels", e))
}

fn fingerprints(text: &str) -> Result<BTreeSet<Fingerprint>, NotifyError> {
    let read = |word| Fingerprint::parse(word).ok_or_else(|| corrupt("a fingerprint", word));
    text.split_ascii_whitespace().map(read).collect()
}

fn matchers(text: &str) -> Result<Vec<Matcher>, NotifyError> {
    let parts: Vec<[String; 3]> = serde_json::from_str(text).map_err(|e| corrupt("matchers", e))?;
    let read = |[name, op, value]: [String; 3]| {
        let ops = [Op::Equal, Op::NotEqual, Op::Match, Op::NotMatch];
        let op = ops.into_iter().find(|o| o.as_str() == op).ok_or_else(|| corrupt("an operator", op))?;
        Matcher::new(&name, op, &value).map_err(|e| corrupt("a matcher", e))
    };
    parts.into_iter().map(read).collect()
}

impl Keep {
    /// All that a start needs to know.
    pub(crate) async fn load(&self) -> Result<Loaded, NotifyError> {
        let mut loaded = Loaded::default();
        let failed = || NotifyError::database("read");
        for row in sqlx::query("SELECT * FROM alerts").fetch_all(&self.pool).await.map_err(failed())? {
            let (tenant, held) = alert(&row)?;
            loaded.desks.entry(tenant).or_default().alerts.insert(held.fingerprint(), held);
        }
        for row in sqlx::query("SELECT * FROM notification_log").fetch_all(&self.pool).await.map_err(failed())? {
            let text = |name| row.try_get::<&str, _>(name).map_err(failed());
            let group = GroupId { route: Arc::from(text("route")?), labels: labels(text("labels")?)? };
            let entry = LogEntry {
                firing: fingerprints(text("firing")?)?,
                resolved: fingerprints(text("resolved")?)?,
                at: Timestamp(row.try_get("at").map_err(failed())?),
            };
            let key = LogKey { group, target: text("target")?.to_owned() };
            loaded.desks.entry(tenant(text("tenant")?)?).or_default().log.insert(key, entry);
        }
        for row in sqlx::query("SELECT * FROM silences").fetch_all(&self.pool).await.map_err(failed())? {
            let text = |name| row.try_get::<String, _>(name).map_err(failed());
            let time = |name| row.try_get(name).map(Timestamp).map_err(failed());
            let silence = Silence {
                id: text("id")?,
                matchers: matchers(&text("matchers")?)?,
                starts_at: time("starts_at")?,
                ends_at: time("ends_at")?,
                created_by: text("created_by")?,
                comment: text("comment")?,
                updated_at: time("updated_at")?,
            };
            let desk = loaded.desks.entry(tenant(&text("tenant")?)?).or_default();
            desk.silences.insert(silence.id.clone(), silence);
        }
        let webhooks: Vec<(String, String, String)> =
            sqlx::query_as("SELECT tenant, id, body FROM webhooks").fetch_all(&self.pool).await.map_err(failed())?;
        for (of, id, body) in webhooks {
            let webhook = serde_json::from_str(&body).map_err(|e| corrupt("a webhook", e))?;
            loaded.webhooks.entry(tenant(&of)?).or_default().insert(id, webhook);
        }
        type Waiting = (i64, String, String, String, i64, i64, Option<i64>);
        let waiting: Vec<Waiting> = sqlx::query_as(
            "SELECT id, tenant, target, grp, queued, attempts, next_at FROM deliveries WHERE state = 'queued' ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed())?;
        for (id, of, target, group, queued, attempts, next) in waiting {
            let (created, next) = (Timestamp(queued), Timestamp(next.unwrap_or(queued)));
            let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
            loaded.queued.push((tenant(&of)?, target, group, Queued { id, created, attempts, next }));
        }
        let (listened,): (i64,) =
            sqlx::query_as("SELECT listened FROM state WHERE id = 1").fetch_one(&self.pool).await.map_err(failed())?;
        loaded.listened = Timestamp(listened);
        let last: Option<(i64,)> = sqlx::query_as("SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'")
            .fetch_optional(&self.pool)
            .await
            .map_err(failed())?;
        loaded.last_id = last.map_or(0, |(id,)| id);
        Ok(loaded)
    }

    /// Deliveries of a tenant, the newest first.
    pub(crate) async fn deliveries(
        &self,
        of: &TenantId,
        wanted: &DeliveryWanted,
        limit: usize,
    ) -> Result<Vec<Delivery>, NotifyError> {
        let rows = sqlx::query(
            "SELECT * FROM deliveries WHERE tenant = ?1 AND (?2 IS NULL OR target = ?2) AND (?3 IS NULL OR state = ?3)
             AND (?4 IS NULL OR id < ?4) ORDER BY id DESC LIMIT ?5",
        )
        .bind(of.as_str())
        .bind(&wanted.target)
        .bind(wanted.state.map(DeliveryState::as_str))
        .bind(wanted.before)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(NotifyError::database("read"))?;
        rows.iter().map(delivery).collect()
    }

    /// One delivery; of a tenant, or of any.
    pub(crate) async fn delivery(&self, of: Option<&TenantId>, id: i64) -> Result<Option<Delivery>, NotifyError> {
        let row = sqlx::query("SELECT * FROM deliveries WHERE id = ?1 AND (?2 IS NULL OR tenant = ?2)")
            .bind(id)
            .bind(of.map(TenantId::as_str))
            .fetch_optional(&self.pool)
            .await
            .map_err(NotifyError::database("read"))?;
        row.as_ref().map(delivery).transpose()
    }

    /// How many dead letters there are, by target.
    pub(crate) async fn dead_by_target(&self, of: &TenantId) -> Result<Vec<(String, i64)>, NotifyError> {
        sqlx::query_as("SELECT target, count(*) FROM deliveries WHERE tenant = ? AND state = 'dead' GROUP BY target")
            .bind(of.as_str())
            .fetch_all(&self.pool)
            .await
            .map_err(NotifyError::database("read"))
    }
}

fn alert(row: &SqliteRow) -> Result<(TenantId, Held), NotifyError> {
    let failed = || NotifyError::database("read");
    let text = |name| row.try_get::<&str, _>(name).map_err(failed());
    let time = |name| row.try_get(name).map(Timestamp).map_err(failed());
    let held = Held {
        labels: labels(text("labels")?)?,
        annotations: labels(text("annotations")?)?,
        generator_url: text("generator_url")?.to_owned(),
        starts_at: time("starts_at")?,
        ends_at: time("ends_at")?,
        timeout: row.try_get("timeout").map_err(failed())?,
        updated_at: time("updated_at")?,
        settled: row.try_get("settled").map_err(failed())?,
    };
    Ok((tenant(text("tenant")?)?, held))
}

fn delivery(row: &SqliteRow) -> Result<Delivery, NotifyError> {
    let failed = || NotifyError::database("read");
    let text = |name| row.try_get::<String, _>(name).map_err(failed());
    let time = |name| row.try_get::<Option<i64>, _>(name).map(|t| t.map(Timestamp)).map_err(failed());
    let state = text("state")?;
    Ok(Delivery {
        id: row.try_get("id").map_err(failed())?,
        message_id: text("message_id")?,
        target: text("target")?,
        group: text("grp")?,
        message: text("message")?,
        created: time("created")?.unwrap_or_default(),
        state: DeliveryState::parse(&state).ok_or_else(|| corrupt("a delivery's state", state))?,
        attempts: row.try_get::<i64, _>("attempts").map_err(failed())?.try_into().unwrap_or(u32::MAX),
        next: time("next_at")?,
        ended: time("ended")?,
        status: row.try_get::<Option<i64>, _>("status").map_err(failed())?.and_then(|s| u16::try_from(s).ok()),
        error: row.try_get("error").map_err(failed())?,
    })
}
