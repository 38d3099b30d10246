//! The driver that touches no cloud: what it makes is a row in the desk's database, so it is still there after a restart. Nothing that it says is evidence
//! about a real cloud.

use std::collections::BTreeMap;

use async_trait::async_trait;
use grid_act::executor::{Call, CloudError, Executor, Token};
use grid_model::TenantId;
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use serde_json::Value;

use crate::error::DeskError;
use crate::keep::Keep;

/// Its name.
pub const DRY_RUN: &str = "dry-run";

/// Of one environment.
pub(crate) struct DryRun {
    pub(crate) keep: Keep,
    pub(crate) tenant: TenantId,
    pub(crate) environment: String,
}

fn lost(error: sqlx::Error) -> CloudError {
    CloudError::Lost(error.to_string())
}

impl DryRun {
    /// Puts something there, as if it had always been there.
    pub(crate) async fn place(&self, address: &Address, observed: &Observed, token: &str) -> Result<(), DeskError> {
        let body = serde_json::to_string(observed).map_err(|e| DeskError::Damaged(format!("{address}: {e}")))?;
        sqlx::query(
            "INSERT OR REPLACE INTO driven (tenant, environment, id, address, token, body) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(self.tenant.as_str())
        .bind(&self.environment)
        .bind(&observed.id)
        .bind(address.to_string())
        .bind(token)
        .bind(body)
        .execute(&self.keep.pool)
        .await
        .map(drop)
        .map_err(DeskError::database("write"))
    }

    async fn one(&self, column: &'static str, value: &str) -> Result<Option<Observed>, CloudError> {
        let sql = match column {
            "token" => "SELECT body FROM driven WHERE tenant = ? AND environment = ? AND token = ?",
            _ => "SELECT body FROM driven WHERE tenant = ? AND environment = ? AND id = ?",
        };
        let body: Option<String> = sqlx::query_scalar(sql)
            .bind(self.tenant.as_str())
            .bind(&self.environment)
            .bind(value)
            .fetch_optional(&self.keep.pool)
            .await
            .map_err(lost)?;
        body.map(|b| serde_json::from_str(&b).map_err(|e| CloudError::Refused(e.to_string()))).transpose()
    }
}

/// What others may refer to: a stand-in for each output of the type.
fn outputs(address: &Address, id: &str) -> BTreeMap<String, Value> {
    let outputs = grid_types::find(address.kind()).map(|t| t.outputs.as_slice()).unwrap_or_default();
    outputs
        .iter()
        .map(|o| {
            let value = if o.name == "id" { id.to_owned() } else { format!("{}.{}.dry-run", o.name, address.name()) };
            (o.name.clone(), Value::String(value))
        })
        .collect()
}

#[async_trait]
impl Executor for DryRun {
    fn name(&self) -> &'static str {
        DRY_RUN
    }

    async fn read(&self, _: &Address, id: &str) -> Result<Option<Observed>, CloudError> {
        self.one("id", id).await
    }

    async fn find(&self, _: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        self.one("token", token.text()).await
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        Ok(format!("would {} {} ({} fields)", step.action, step.address, step.changes.len()))
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        if let Some(done) = self.one("token", call.token.text()).await? {
            return Ok(done);
        }
        let id = match (call.action, call.before) {
            // The token makes the id: the same call makes the same thing.
            (Action::Create, _) => format!("dry-{}", &call.token.text()[5..17]),
            (_, Some(before)) => before.id.clone(),
            _ => return Err(CloudError::Refused("there is nothing to change".to_owned())),
        };
        if call.action != Action::Create && self.one("id", &id).await?.is_none() {
            return Err(CloudError::Refused(format!("there is no {id}")));
        }
        let fields: Fields = call.fields.clone();
        let observed = Observed { outputs: outputs(call.address, &id), id, fields, ..Observed::default() };
        let placed = self.place(call.address, &observed, call.token.text()).await;
        placed.map_err(|e| CloudError::Lost(e.to_string()))?;
        Ok(observed)
    }

    async fn destroy(&self, _: &Address, id: &str, _: &Token) -> Result<(), CloudError> {
        sqlx::query("DELETE FROM driven WHERE tenant = ? AND environment = ? AND id = ?")
            .bind(self.tenant.as_str())
            .bind(&self.environment)
            .bind(id)
            .execute(&self.keep.pool)
            .await
            .map(drop)
            .map_err(lost)
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        let there = self.read(address, id).await?;
        there.ok_or_else(|| CloudError::Refused(format!("there is no {id}")))
    }
}
