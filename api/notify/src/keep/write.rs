//! Changes, written all together or not at all.

use std::collections::BTreeSet;

use grid_model::Timestamp;
use grid_notify_policy::{Fingerprint, LabelSet, Silence};
use sqlx::SqliteConnection;

use super::{Change, Keep, NewDelivery};
use crate::error::NotifyError;
use crate::limits::{DELIVERED_KEPT_NS, RECORDS_PER_TENANT_MAX};

impl Keep {
    /// Makes all changes durable. On a task of its own: nobody may leave a transaction half way.
    pub(crate) async fn write(&self, changes: Vec<Change>) -> Result<(), NotifyError> {
        if changes.is_empty() {
            return Ok(());
        }
        let pool = self.pool.clone();
        let task = tokio::spawn(async move {
            let mut connection = pool.acquire().await.map_err(NotifyError::database("write"))?;
            // Begun and ended by SQL of our own: sqlx's count of nested transactions goes wrong once a COMMIT fails, see
            // `grid_store`'s catalog.
            if sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.is_err() {
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
                sqlx::raw_sql("BEGIN IMMEDIATE")
                    .execute(&mut *connection)
                    .await
                    .map_err(NotifyError::database("write"))?;
            }
            let mut done = Ok(());
            for change in changes {
                done = make(&mut connection, change).await;
                if done.is_err() {
                    break;
                }
            }
            let done = match done {
                Ok(()) => sqlx::raw_sql("COMMIT").execute(&mut *connection).await.map(drop),
                Err(e) => Err(e),
            };
            if done.is_err() {
                // SQLite may have rolled back by itself; then this fails, which is no news.
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
            }
            done.map_err(NotifyError::database("write"))
        });
        task.await.map_err(|_| NotifyError::Closed)?
    }
}

/// A set of labels as it rests: JSON in order of name.
pub(super) fn labels_text(labels: &LabelSet) -> String {
    // Texts always have a JSON.
    serde_json::to_string(labels).unwrap_or_default()
}

fn fingerprints_text(set: &BTreeSet<Fingerprint>) -> String {
    set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn matchers_text(silence: &Silence) -> String {
    let parts: Vec<[&str; 3]> = silence.matchers.iter().map(|m| [m.name(), m.op().as_str(), m.value()]).collect();
    serde_json::to_string(&parts).unwrap_or_default()
}

async fn make(c: &mut SqliteConnection, change: Change) -> Result<(), sqlx::Error> {
    match change {
        Change::Alert(tenant, a) => {
            sqlx::query("INSERT OR REPLACE INTO alerts (tenant, fingerprint, labels, annotations, generator_url, starts_at, ends_at, timeout, updated_at, settled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(tenant.as_str()).bind(a.fingerprint().to_string())
                .bind(labels_text(&a.labels)).bind(labels_text(&a.annotations)).bind(&a.generator_url)
                .bind(a.starts_at.0).bind(a.ends_at.0).bind(a.timeout).bind(a.updated_at.0).bind(a.settled)
                .execute(c).await?;
        }
        Change::Settle(tenant, id) => {
            sqlx::query("UPDATE alerts SET settled = 1 WHERE tenant = ? AND fingerprint = ?")
                .bind(tenant.as_str())
                .bind(id.to_string())
                .execute(c)
                .await?;
        }
        Change::ForgetAlert(tenant, id) => {
            sqlx::query("DELETE FROM alerts WHERE tenant = ? AND fingerprint = ?")
                .bind(tenant.as_str())
                .bind(id.to_string())
                .execute(c)
                .await?;
        }
        Change::Log(tenant, entry) => {
            let (key, entry) = *entry;
            sqlx::query("INSERT OR REPLACE INTO notification_log (tenant, route, labels, target, firing, resolved, at) VALUES (?, ?, ?, ?, ?, ?, ?)")
                .bind(tenant.as_str()).bind(&*key.group.route).bind(labels_text(&key.group.labels)).bind(&key.target)
                .bind(fingerprints_text(&entry.firing)).bind(fingerprints_text(&entry.resolved)).bind(entry.at.0)
                .execute(c).await?;
        }
        Change::ForgetLog(tenant, key) => {
            sqlx::query("DELETE FROM notification_log WHERE tenant = ? AND route = ? AND labels = ? AND target = ?")
                .bind(tenant.as_str())
                .bind(&*key.group.route)
                .bind(labels_text(&key.group.labels))
                .bind(&key.target)
                .execute(c)
                .await?;
        }
        Change::Silence(tenant, s) => {
            sqlx::query("INSERT OR REPLACE INTO silences (tenant, id, matchers, starts_at, ends_at, created_by, comment, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(tenant.as_str()).bind(&s.id).bind(matchers_text(&s)).bind(s.starts_at.0).bind(s.ends_at.0)
                .bind(&s.created_by).bind(&s.comment).bind(s.updated_at.0)
                .execute(c).await?;
        }
        Change::ForgetSilence(tenant, id) => {
            sqlx::query("DELETE FROM silences WHERE tenant = ? AND id = ?")
                .bind(tenant.as_str())
                .bind(id)
                .execute(c)
                .await?;
        }
        Change::Webhook(tenant, webhook) => {
            let body = serde_json::to_string(&*webhook).unwrap_or_default();
            sqlx::query("INSERT OR REPLACE INTO webhooks (tenant, id, body) VALUES (?, ?, ?)")
                .bind(tenant.as_str())
                .bind(&webhook.id)
                .bind(body)
                .execute(c)
                .await?;
        }
        Change::ForgetWebhook(tenant, id) => {
            sqlx::query("DELETE FROM webhooks WHERE tenant = ? AND id = ?")
                .bind(tenant.as_str())
                .bind(id)
                .execute(c)
                .await?;
        }
        Change::Queue(new) => queue(c, &new).await?,
        Change::Again { id, attempts, next, answer } => {
            sqlx::query("UPDATE deliveries SET attempts = ?, next_at = ?, status = ?, error = ? WHERE id = ?")
                .bind(attempts)
                .bind(next.0)
                .bind(answer.status)
                .bind(answer.error)
                .bind(id)
                .execute(c)
                .await?;
        }
        Change::Delivered { id, attempts, at, answer } => end(c, "delivered", id, attempts, at, answer).await?,
        Change::Dead { id, attempts, at, answer } => end(c, "dead", id, attempts, at, answer).await?,
        Change::Replay { id, now } => {
            sqlx::query("UPDATE deliveries SET state = 'queued', queued = ?, attempts = 0, next_at = ?, ended = NULL WHERE id = ? AND state = 'dead'")
                .bind(now.0).bind(now.0).bind(id).execute(c).await?;
        }
        Change::Listened(at) => {
            sqlx::query("UPDATE state SET listened = ? WHERE id = 1").bind(at.0).execute(c).await?;
        }
        Change::Trim(now) => trim(c, now).await?,
    }
    Ok(())
}

async fn queue(c: &mut SqliteConnection, new: &NewDelivery) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO deliveries (id, tenant, target, grp, message_id, message, created, queued, state, attempts, next_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0, ?)")
        .bind(new.id).bind(new.tenant.as_str()).bind(&new.target).bind(&new.group).bind(&new.message_id).bind(&new.message)
        .bind(new.created.0).bind(new.created.0).bind(new.created.0)
        .execute(c).await.map(drop)
}

async fn end(
    c: &mut SqliteConnection,
    state: &str,
    id: i64,
    attempts: u32,
    at: Timestamp,
    answer: super::Answer,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE deliveries SET state = ?, attempts = ?, next_at = NULL, ended = ?, status = ?, error = ? WHERE id = ?",
    )
    .bind(state)
    .bind(attempts)
    .bind(at.0)
    .bind(answer.status)
    .bind(answer.error)
    .bind(id)
    .execute(c)
    .await
    .map(drop)
}

/// Keeps the newest of what is over.
async fn trim(c: &mut SqliteConnection, now: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM deliveries WHERE state = 'delivered' AND ended < ?")
        .bind(now.0.saturating_sub(DELIVERED_KEPT_NS))
        .execute(&mut *c)
        .await?;
    sqlx::query(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM
            (SELECT id, row_number() OVER (PARTITION BY tenant, state ORDER BY id DESC) AS place
             FROM deliveries WHERE state <> 'queued') WHERE place > ?)",
    )
    .bind(RECORDS_PER_TENANT_MAX)
    .execute(c)
    .await
    .map(drop)
}
