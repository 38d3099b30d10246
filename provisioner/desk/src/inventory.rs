//! What an account has, whoever made it: found by a driver's surveyor now and then, kept in the desk's database, and joined with what environments know.

use std::collections::BTreeMap;

use async_trait::async_trait;
use grid_model::{TenantId, Timestamp};
use grid_plan::Address;
use grid_plan::inventory::{Inventory, Row};
use grid_plan::state::Observed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::DeskError;
use crate::keep::{Keep, Kind};
use crate::limits::INVENTORY_MAX;

/// One resource, as it was last seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// Grid's kind, such as `vm`, or where there is none the service and its type, such as `ec2:snapshot`.
    pub kind: String,
    /// The cloud's id.
    pub id: String,
    /// Its full name; empty where the cloud has none.
    pub arn: String,
    /// Where it is; empty if it is nowhere in particular.
    pub region: String,
    /// What people call it; empty if they do not.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it is, in the names of its type: a JSON object.
    pub fields: Value,
    /// When it was seen, in nanoseconds.
    pub at: i64,
}

/// Something that could not be listed: what was known of it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// The kind; `tags` for all that is found by its tags alone.
    pub what: String,
    /// What the cloud said.
    pub why: String,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    /// What is there.
    pub rows: Vec<Sighting>,
    /// What could not be listed.
    pub failed: Vec<Unlisted>,
    /// Resources that were left out because there are too many.
    pub left_out: usize,
}

impl From<Inventory> for Survey {
    fn from(found: Inventory) -> Self {
        let sighting = |row: Row| Sighting {
            kind: row.kind,
            id: row.id,
            arn: row.full_name,
            region: row.region,
            name: row.name,
            tags: row.tags,
            fields: row.fields.to_json(),
            at: row.observed_at.0,
        };
        Self {
            rows: found.rows.into_iter().map(sighting).collect(),
            failed: found.failed.into_iter().map(|f| Unlisted { what: f.what, why: f.why }).collect(),
            left_out: found.left_out,
        }
    }
}

/// Looks at what an account has. Reads, and changes nothing.
#[async_trait]
pub trait Surveyor: Send + Sync {
    /// Looks. What cannot be listed is named in the answer.
    async fn survey(&self, now: Timestamp) -> Survey;
}

/// A resource of an account: driver, kind, id.
pub(crate) type Place = (String, String, String);

/// Which environment has a resource, and under which address.
#[derive(Default)]
pub(crate) struct Owners(BTreeMap<Place, (String, Address)>);

impl Owners {
    pub(crate) fn of(&self, place: &Place) -> Option<&(String, Address)> {
        self.0.get(place)
    }
}

impl Keep {
    /// What drivers have found, by driver, kind and id.
    pub(crate) async fn inventory(&self, tenant: &TenantId) -> Result<Vec<(String, Sighting)>, DeskError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT driver, body FROM inventory WHERE tenant = ? ORDER BY driver, kind, id LIMIT ?")
                .bind(tenant.as_str())
                .bind(INVENTORY_MAX as i64)
                .fetch_all(&self.pool)
                .await
                .map_err(DeskError::database("read"))?;
        let damaged = |e: serde_json::Error| DeskError::Damaged(format!("the inventory: {e}"));
        rows.into_iter().map(|(driver, body)| Ok((driver, serde_json::from_str(&body).map_err(damaged)?))).collect()
    }

    /// What the dry-run driver has of a tenant: environment and what is there.
    pub(crate) async fn driven(&self, tenant: &TenantId) -> Result<Vec<(String, String, Observed)>, DeskError> {
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT environment, address, body FROM driven WHERE tenant = ? ORDER BY id LIMIT ?")
                .bind(tenant.as_str())
                .bind(INVENTORY_MAX as i64)
                .fetch_all(&self.pool)
                .await
                .map_err(DeskError::database("read"))?;
        rows.into_iter()
            .map(|(environment, address, body)| {
                let observed = serde_json::from_str(&body);
                let observed = observed.map_err(|e| DeskError::Damaged(format!("{environment} {address}: {e}")))?;
                Ok((environment, address, observed))
            })
            .collect()
    }

    /// What the environments of a tenant own.
    pub(crate) async fn owners(&self, tenant: &TenantId) -> Result<Owners, DeskError> {
        let mut owners = BTreeMap::new();
        for name in self.names(tenant, Kind::Environment, "").await? {
            let room = self.room(tenant, &name).await?;
            for (address, observed) in room.state.resources.iter().filter(|(_, o)| !o.id.is_empty()) {
                let key = (room.about.driver.clone(), address.kind().to_owned(), observed.id.clone());
                owners.insert(key, (name.clone(), address.clone()));
            }
        }
        Ok(Owners(owners))
    }
}
