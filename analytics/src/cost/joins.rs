//! Which resources of the bills and which of the telemetry are the same, and the money behind what does not join.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};
use grid_cost::alias::Aliases;
use grid_model::resource::{ResourceKey, identify, identify_attributes};
use grid_model::table::charges::decimal_type;
use grid_model::{Amount, Scope, TenantId, TimeRange, Timestamp};
use grid_store::DocumentKey;

use super::{ALIASES_KIND, ALIASES_NAME, CostError, read_all, sql_time};
use crate::engine::Engine;

/// Resources of each list that are named; the rest are counted.
pub const LISTED_MAX: usize = 1_000;
/// Resources that are compared at most.
const RESOURCES_MAX: usize = 5_000_000;

/// A resource of the bills with its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledResource {
    /// As the bill spells it.
    pub resource: String,
    /// The service that costs most of it.
    pub service: String,
    /// The currency.
    pub currency: String,
    /// What it costs, effective.
    pub cost: Amount,
    /// The key by which it joined, or would.
    pub key: String,
}

/// Money by how it joins, of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JoinedMoney {
    /// Of resources that telemetry names.
    pub joined: Amount,
    /// Of resources that no telemetry names.
    pub unseen: Amount,
    /// Of charges that name no resource.
    pub nameless: Amount,
}

/// What joined and what did not.
#[derive(Debug, Clone, Default)]
pub struct Joins {
    /// By currency.
    pub money: BTreeMap<String, JoinedMoney>,
    /// Resources that joined.
    pub joined: usize,
    /// Billed resources without telemetry, dearest first, at most [`LISTED_MAX`].
    pub unseen: Vec<BilledResource>,
    /// How many there are.
    pub unseen_count: usize,
    /// Keys of telemetry without a bill, at most [`LISTED_MAX`].
    pub unbilled: Vec<String>,
    /// How many there are.
    pub unbilled_count: usize,
    /// Aliases that were used.
    pub aliases_used: usize,
}

/// The document that holds a tenant's aliases.
pub fn aliases_key(tenant: &TenantId) -> DocumentKey {
    DocumentKey { tenant: tenant.clone(), kind: ALIASES_KIND, name: ALIASES_NAME.to_owned() }
}

impl Engine {
    /// Other names of resources, as the tenant wrote them.
    pub async fn resource_aliases(&self, tenant: &TenantId) -> Result<Aliases, CostError> {
        let document = self.shared.store.catalog().document(&aliases_key(tenant)).await?;
        Aliases::parse(document.as_ref().map_or("", |d| d.body.as_str())).map_err(CostError::Document)
    }

    /// Compares the resources of the bills of a range with those of all series.
    pub async fn cost_joins(&self, tenant: &TenantId, range: TimeRange) -> Result<Joins, CostError> {
        let aliases = self.resource_aliases(tenant).await?;
        let source = self.shared.source(&Scope::all(tenant.clone()));
        let mut joins = Joins::default();
        // Keys of telemetry, each by its own name and by what the aliases say of it at the end of the range.
        let mut seen: BTreeSet<ResourceKey> = BTreeSet::new();
        self.shared.store.snapshot(tenant).series().for_each(|_, def| {
            let labels: Vec<(&str, &str)> = def.labels.iter().collect();
            let of_resource = def.otlp.as_ref().and_then(|otlp| identify_attributes(&otlp.resource));
            let named = of_resource.or_else(|| identify(&labels));
            if let Some(key) = named.filter(|_| seen.len() < RESOURCES_MAX) {
                let (resolved, used) = aliases.resolve(&key, range.end);
                joins.aliases_used += usize::from(used);
                seen.insert(resolved);
            }
        });
        let mut within = vec!["true".to_owned()];
        if range.start != Timestamp::MIN {
            within.push(format!("charge_period_start >= {}", sql_time(range.start)));
        }
        if range.end != Timestamp::MAX {
            within.push(format!("charge_period_start < {}", sql_time(range.end)));
        }
        let sql = format!(
            "SELECT coalesce(resource_id, '') AS r, first_value(service_name ORDER BY effective_cost DESC) AS s, \
             billing_currency AS c, sum(effective_cost) AS cost FROM charges WHERE {} GROUP BY 1, 3",
            within.join(" AND ")
        );
        let parents: BTreeSet<ResourceKey> = seen.iter().filter_map(ResourceKey::parent).collect();
        let mut billed: BTreeSet<ResourceKey> = BTreeSet::new();
        for batch in read_all(&self.shared, &source, &sql).await? {
            let text = |i: usize| {
                cast(batch.column(i), &DataType::Utf8).map_err(|e| crate::QueryError::Internal(e.to_string()))
            };
            let (resources, services, currencies) = (text(0)?, text(1)?, text(2)?);
            let costs =
                cast(batch.column(3), &decimal_type()).map_err(|e| crate::QueryError::Internal(e.to_string()))?;
            let costs = costs.as_primitive::<Decimal128Type>();
            for row in 0..batch.num_rows() {
                let value = |column: &arrow::array::ArrayRef| {
                    let column = column.as_string::<i32>();
                    if column.is_null(row) { String::new() } else { column.value(row).to_owned() }
                };
                let (resource, currency, cost) = (value(&resources), value(&currencies), Amount(costs.value(row)));
                let money = joins.money.entry(currency.clone()).or_default();
                let Some(key) = ResourceKey::of_id(&resource) else {
                    add(&mut money.nameless, cost)?;
                    continue;
                };
                let (key, used) = aliases.resolve(&key, range.end);
                joins.aliases_used += usize::from(used);
                let is_seen = seen.contains(&key) || parents.contains(&key);
                if is_seen {
                    add(&mut money.joined, cost)?;
                    joins.joined += 1;
                } else {
                    add(&mut money.unseen, cost)?;
                    let service = value(&services);
                    let key = key.to_string();
                    joins.unseen.push(BilledResource { resource, service, currency, cost, key });
                }
                billed.insert(key);
            }
        }
        joins.unseen_count = joins.unseen.len();
        joins.unseen.sort_by(|a, b| b.cost.cmp(&a.cost).then_with(|| a.resource.cmp(&b.resource)));
        joins.unseen.truncate(LISTED_MAX);
        let unbilled = seen.iter().filter(|k| !billed.contains(k) && k.parent().is_none_or(|p| !billed.contains(&p)));
        joins.unbilled = unbilled.clone().take(LISTED_MAX).map(ToString::to_string).collect();
        joins.unbilled_count = unbilled.count();
        Ok(joins)
    }
}

fn add(sum: &mut Amount, cost: Amount) -> Result<(), CostError> {
    let overflow = || CostError::Document("a sum of costs has more than 38 digits".to_owned());
    *sum = sum.checked_add(cost).ok_or_else(overflow)?;
    Ok(())
}
