//! Prices as lists: statements over `prices` and `effective_prices`, each row with its age.

use serde_json::Value;

use super::own;
use crate::Statement;

/// Which prices; what is not given does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceFilter {
    /// Columns and the values that they must have.
    pub equal: Vec<(&'static str, String)>,
    /// Days beyond which a price is stale.
    pub max_age_days: i64,
    /// Rows of the answer.
    pub limit: usize,
    /// Rows before them.
    pub offset: usize,
}

/// Listed prices.
pub fn list(filter: &PriceFilter) -> Statement {
    let age = "(to_unixtime(now()) - to_unixtime(as_of)) / 86400";
    statement(
        "prices",
        age,
        "provider, service, region, resource_type, purchase_option, term, payment, price, book",
        filter,
    )
}

/// Prices learnt from bills.
pub fn effective(filter: &PriceFilter) -> Statement {
    let age = "(to_unixtime(now()) - to_unixtime(last_time)) / 86400";
    let order =
        "provider, service_name, region_id, sku_id, sku_meter, resource_type, pricing_category, pricing_unit, currency";
    statement(own::VIEW, age, order, filter)
}

fn statement(table: &str, age: &str, order: &str, filter: &PriceFilter) -> Statement {
    let mut params = Vec::new();
    let mut conditions = Vec::new();
    for (column, value) in &filter.equal {
        params.push(Value::from(value.as_str()));
        conditions.push(format!("lower({column}) = lower(${})", params.len()));
    }
    let filtered = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let sql = format!(
        "SELECT *, {age} AS age_days, coalesce({age} > {days}, true) AS stale FROM {table}{filtered} ORDER BY {order} LIMIT {limit} OFFSET {offset}",
        days = filter.max_age_days,
        limit = filter.limit,
        offset = filter.offset,
    );
    Statement { sql, params }
}
