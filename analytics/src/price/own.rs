//! Prices learnt from the tenant's own bills: what was paid over what was used, per SKU, region and pricing category.
//!
//! A unit price is a quotient of two exact sums, rounded half to even at 18 decimals: times the quantity it gives the cost back to
//! within half a unit of the eighteenth decimal per unit used. Rows that cost nothing at any price (free tiers, the rows by which AWS
//! takes back what a savings plan covers) say nothing of a price and are left out, as are corrections of earlier periods.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type, TimestampNanosecondType};
use grid_model::table::prices::PriceRow;
use grid_model::{Amount, TenantId, Timestamp};
use serde_json::Value;

use super::{Basis, ON_DEMAND, PriceQuery, Quote, Tier};
use crate::engine::{Engine, SqlRequest};
use crate::error::QueryError;

/// The view's name in SQL.
pub(crate) const VIEW: &str = "effective_prices";

/// The type of machine that a charge is for, as far as bills say it: AWS' column, FOCUS' JSON, or what follows the colon of AWS' usage types.
pub(crate) const RESOURCE_TYPE: &str = "coalesce(
    nullif(x_columns['product/instanceType'], ''), nullif(x_columns['product_instance_type'], ''),
    CASE WHEN sku_price_details LIKE '%\"InstanceType\"%'
         THEN regexp_replace(sku_price_details, '.*\"InstanceType\"\\s*:\\s*\"([^\"]*)\".*', '\\1') END,
    CASE WHEN regexp_like(split_part(sku_meter, ':', 2), '^[a-z][a-z0-9-]*[.][a-z0-9.-]+$')
         THEN split_part(sku_meter, ':', 2) END)";

/// The provider by the name that price books use.
pub(crate) const PROVIDER: &str = "CASE
    WHEN lower(coalesce(service_provider_name, provider_name)) LIKE 'aws%'
      OR lower(coalesce(service_provider_name, provider_name)) LIKE 'amazon%' THEN 'aws'
    WHEN lower(coalesce(service_provider_name, provider_name)) LIKE 'microsoft%'
      OR lower(coalesce(service_provider_name, provider_name)) LIKE 'azure%' THEN 'azure'
    WHEN lower(coalesce(service_provider_name, provider_name)) LIKE 'google%' THEN 'gcp'
    ELSE lower(coalesce(service_provider_name, provider_name, invoice_issuer_name)) END";

/// What the view is. [`RESOURCE_TYPE`] and [`PROVIDER`] are spelled out in it; a test holds that they agree.
pub(crate) const SQL: &str = "\
SELECT provider, service_name, region_id, sku_id, sku_meter, resource_type, operating_system, engine,
    pricing_category, pricing_unit, billing_currency AS currency,
    sum(pricing_quantity) AS quantity, sum(effective_cost) AS effective_cost, sum(contracted_cost) AS contracted_cost,
    sum(list_cost) AS list_cost,
    sum(effective_cost) / sum(pricing_quantity) AS effective_unit_price,
    sum(contracted_cost) / sum(pricing_quantity) AS contracted_unit_price,
    sum(list_cost) / sum(pricing_quantity) AS list_unit_price,
    CASE WHEN sum(list_cost) > 0 THEN 1 - sum(effective_cost) / sum(list_cost) END AS discount,
    count(*) AS rows, min(charge_period_start) AS first_time, max(charge_period_end) AS last_time
FROM (SELECT service_name, region_id, sku_id, sku_meter, coalesce(pricing_category, 'Standard') AS pricing_category,
    pricing_unit, billing_currency, pricing_quantity, effective_cost, contracted_cost, list_cost, charge_period_start,
    charge_period_end,
    CASE
    WHEN lower(coalesce(service_provider_name, provider_name)) LIKE 'aws%'
      OR lower(coalesce(service_provider_name, provider_name)) LIKE 'amazon%' THEN 'aws'
    WHEN lower(coalesce(service_provider_name, provider_name)) LIKE 'microsoft%'
      OR lower(coalesce(service_provider_name, provider_name)) LIKE 'azure%' THEN 'azure'
    WHEN lower(coalesce(service_provider_name, provider_name)) LIKE 'google%' THEN 'gcp'
    ELSE lower(coalesce(service_provider_name, provider_name, invoice_issuer_name)) END AS provider,
    coalesce(
    nullif(x_columns['product/instanceType'], ''), nullif(x_columns['product_instance_type'], ''),
    CASE WHEN sku_price_details LIKE '%\"InstanceType\"%'
         THEN regexp_replace(sku_price_details, '.*\"InstanceType\"\\s*:\\s*\"([^\"]*)\".*', '\\1') END,
    CASE WHEN regexp_like(split_part(sku_meter, ':', 2), '^[a-z][a-z0-9-]*[.][a-z0-9.-]+$')
         THEN split_part(sku_meter, ':', 2) END) AS resource_type,
    lower(nullif(x_columns['product/operatingSystem'], '')) AS operating_system,
    lower(nullif(x_columns['product/databaseEngine'], '')) AS engine
  FROM charges
  WHERE charge_category = 'Usage' AND charge_class IS NULL AND pricing_quantity > 0
    AND NOT (effective_cost = 0 AND list_cost = 0)) AS usage
GROUP BY provider, service_name, region_id, sku_id, sku_meter, resource_type, operating_system, engine, pricing_category,
    pricing_unit, billing_currency";

/// On what a learnt price rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPrice {
    /// Charges.
    pub rows: u64,
    /// Units used.
    pub quantity: Amount,
    /// What they cost.
    pub cost: Amount,
    /// What a unit costs at the public price, by the bills themselves.
    pub list_price: Amount,
    /// Start of the first charge.
    pub first: Timestamp,
    /// End of the last charge.
    pub last: Timestamp,
}

impl Engine {
    /// The price that the tenant's bills show for ordinary usage, if exactly one SKU with usage fits the query.
    pub(super) async fn own_price(&self, tenant: &TenantId, query: &PriceQuery) -> Result<Option<Quote>, QueryError> {
        // Without a SKU or a type of machine a price would be one of some usage or other.
        if query.sku_id.is_none() && query.resource_type.is_none() {
            return Ok(None);
        }
        // What bills do not say cannot be compared: then the list answers.
        let comparable = ["operating_system", "engine"];
        if query.attributes.iter().any(|(name, _)| !comparable.contains(&name.as_str())) {
            return Ok(None);
        }
        let mut params = vec![Value::from(query.provider.to_ascii_lowercase())];
        let mut sql = format!("SELECT * FROM {VIEW} WHERE pricing_category = 'Standard' AND provider = $1");
        let mut and = |condition: &str, value: &str| {
            params.push(Value::from(value));
            sql.push_str(&format!(" AND {condition} = ${}", params.len()));
        };
        let texts = [("sku_id", &query.sku_id), ("region_id", &query.region), ("currency", &query.currency)];
        texts.into_iter().for_each(|(column, v)| v.iter().for_each(|v| and(column, v)));
        if let (None, Some(machine)) = (&query.sku_id, &query.resource_type) {
            and("lower(resource_type)", &machine.to_ascii_lowercase());
        }
        for (name, value) in &query.attributes {
            and(name, &value.to_ascii_lowercase());
        }
        sql.push_str(" LIMIT 2");
        let request = SqlRequest { params, ..SqlRequest::new(tenant.clone(), sql) };
        let mut found: Vec<Quote> = Vec::new();
        for batch in self.sql(request).await?.collect().await? {
            for at in 0..batch.num_rows() {
                let quote = read(&batch, at, query);
                found.push(quote.ok_or_else(|| QueryError::Internal(format!("{VIEW} lacks a column")))?);
            }
        }
        // Several SKUs of one machine (systems, engines) have prices of their own: which is meant, bills do not say.
        Ok(if found.len() == 1 { found.pop() } else { None })
    }
}

fn read(batch: &RecordBatch, at: usize, query: &PriceQuery) -> Option<Quote> {
    let text = |name: &str| -> Option<String> {
        let column = batch.column_by_name(name)?;
        if column.is_null(at) {
            return Some(String::new());
        }
        let plain = column.as_string_opt::<i32>().map(|a| a.value(at).to_owned());
        plain.or_else(|| column.as_string_view_opt().map(|a| a.value(at).to_owned()))
    };
    let amount = |name: &str| Some(Amount(batch.column_by_name(name)?.as_primitive_opt::<Decimal128Type>()?.value(at)));
    let time = |name: &str| {
        Some(Timestamp(batch.column_by_name(name)?.as_primitive_opt::<TimestampNanosecondType>()?.value(at)))
    };
    let rows = batch.column_by_name("rows")?.as_primitive_opt::<Int64Type>()?.value(at);
    let price = amount("effective_unit_price")?;
    let own = OwnPrice {
        rows: u64::try_from(rows).unwrap_or(0),
        quantity: amount("quantity")?,
        cost: amount("effective_cost")?,
        list_price: amount("list_unit_price")?,
        first: time("first_time")?,
        last: time("last_time")?,
    };
    let named = [("operating_system", text("operating_system")?), ("engine", text("engine")?)];
    let row = PriceRow {
        provider: text("provider")?,
        service: text("service_name")?,
        sku_id: text("sku_id")?,
        region: text("region_id")?,
        resource_type: text("resource_type")?,
        attributes: named.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.to_owned(), v)).collect(),
        purchase_option: ON_DEMAND.to_owned(),
        unit: unit(text("pricing_unit")?),
        price,
        currency: text("currency")?,
        valid_from: own.first,
        as_of: Some(own.last),
        source: VIEW.to_owned(),
        book: VIEW.to_owned(),
        ..PriceRow::default()
    };
    // A commitment has no price of its own here; the caller asks for ordinary usage only.
    debug_assert_eq!(query.purchase_option, ON_DEMAND);
    let tiers = vec![Tier { start: Amount::ZERO, end: None, price }];
    Some(Quote { row, tiers, basis: Basis::Bills(own), age_days: None, is_stale: true })
}

/// The unit as price books write it.
fn unit(text: String) -> String {
    match text.to_ascii_lowercase().as_str() {
        "hrs" | "hours" | "hour" | "1 hour" => "hour".to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_spells_provider_and_type_as_the_constants_do() {
        assert!(SQL.contains(PROVIDER));
        assert!(SQL.contains(RESOURCE_TYPE));
    }
}
