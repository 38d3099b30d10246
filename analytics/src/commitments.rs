//! Commitments as bills show them, as statements over `charges`. Each report is one statement that anyone can run again.
//!
//! In FOCUS' words: a commitment is *purchased* (`ChargeCategory` Purchase) and then *used* by usage that it covers, or *unused*.
//! `EffectiveCost` spreads its price over both, so per commitment, where a bill holds both, the effective cost of all its rows is the
//! billed cost of its purchases. AWS' reports keep what is unused on the fee's own row; FOCUS keeps it on rows of status Unused:
//! both are counted.

use grid_model::Timestamp;
use serde_json::Value;

use crate::Statement;
use crate::price::own::{PROVIDER, RESOURCE_TYPE};

/// By what a report is split over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Period {
    /// One row per commitment.
    #[default]
    Whole,
    /// Per month of the charge.
    Month,
    /// Per day of the charge.
    Day,
}

impl Period {
    /// From the word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "all" => Some(Self::Whole),
            "month" => Some(Self::Month),
            "day" => Some(Self::Day),
            _ => None,
        }
    }

    fn of(self) -> &'static str {
        match self {
            Self::Whole => "min(charge_period_start)",
            Self::Month => "date_trunc('month', charge_period_start)",
            Self::Day => "date_trunc('day', charge_period_start)",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Month => ", date_trunc('month', charge_period_start)",
            Self::Day => ", date_trunc('day', charge_period_start)",
        }
    }
}

/// The charges of a time: those whose period begins in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

impl Range {
    fn params(self) -> Vec<Value> {
        vec![Value::from(self.start.to_string()), Value::from(self.end.to_string())]
    }
}

const IN_RANGE: &str = "charge_period_start >= $1 AND charge_period_start < $2";

/// Charges with a word on whether their service is one in which this tenant has commitments.
const CHARGES: &str = "(SELECT c.*, s.committed_service IS NOT NULL AS in_program FROM charges AS c
    LEFT JOIN (SELECT DISTINCT service_name AS committed_service FROM charges
      WHERE charge_category = 'Usage' AND commitment_discount_id IS NOT NULL) AS s ON s.committed_service = c.service_name) AS charges";

/// Usage that a commitment covers.
const USED: &str = "charge_category = 'Usage' AND commitment_discount_id IS NOT NULL \
     AND coalesce(commitment_discount_status, 'Used') = 'Used'";
/// What a commitment costs beyond the usage that it covers.
const UNUSED: &str = "commitment_discount_id IS NOT NULL \
     AND (charge_category = 'Purchase' OR commitment_discount_status = 'Unused')";

/// Usage that some program covers: metered by time, not spot, of a service in which this tenant has commitments or whose category is
/// compute, and no gateway, balancer or control plane, which no program covers; or what FOCUS 1.4's own column says is eligible.
const ELIGIBLE: &str = "charge_category = 'Usage' \
     AND coalesce(commitment_discount_status, 'Used') = 'Used' \
     AND coalesce(pricing_category, 'Standard') IN ('Standard', 'Committed') \
     AND (commitment_discount_id IS NOT NULL \
       OR commitment_program_eligibility_details IS NOT NULL AND commitment_program_eligibility_details NOT IN ('', '{}', '[]') \
       OR commitment_program_eligibility_details IS NULL \
         AND (service_category = 'Compute' OR in_program) \
         AND NOT regexp_like(coalesce(sku_meter, ''), 'NatGateway|LoadBalancer|LCUUsage|perCluster|VPN|Vpn') \
         AND (lower(pricing_unit) LIKE '%hour%' OR lower(pricing_unit) LIKE 'hr%' OR lower(pricing_unit) LIKE '%second%'))";

/// Per commitment and period: what it cost, what of it was used, what that spared, and whether the bill adds up.
///
/// `utilisation` = used / committed by effective cost; `saving` = what the covered usage would have cost without the commitment, minus all
/// that the commitment cost; `difference` = effective cost of all its rows minus billed cost of its purchases, and `check` says what that
/// means: `equal`, `no purchase in range` (nothing to compare with), `prepaid` (a fee paid once is still being spread over its term) or
/// `differs`.
pub fn report(range: Range, period: Period) -> Statement {
    let (time, group) = (period.of(), period.group());
    let sql = format!(
        "SELECT *, used_cost + unused_cost AS committed_cost,
  CASE WHEN used_cost + unused_cost > 0 THEN used_cost / (used_cost + unused_cost) END AS utilisation,
  covered_cost - used_cost - unused_cost AS saving,
  used_cost + unused_cost - purchased_cost AS difference,
  CASE WHEN purchases = 0 THEN 'no purchase in range'
       WHEN used_cost + unused_cost = purchased_cost THEN 'equal'
       WHEN one_time > 0 THEN 'prepaid' ELSE 'differs' END AS \"check\"
FROM (SELECT commitment_discount_id AS commitment_id, max(commitment_discount_name) AS name,
    max(commitment_discount_category) AS category, max(commitment_discount_type) AS type,
    max({PROVIDER}) AS provider, billing_currency AS currency, {time} AS period_start,
    coalesce(sum(effective_cost) FILTER (WHERE {USED}), 0) AS used_cost,
    coalesce(sum(effective_cost) FILTER (WHERE {UNUSED}), 0) AS unused_cost,
    coalesce(sum(contracted_cost) FILTER (WHERE {USED}), 0) AS covered_cost,
    coalesce(sum(billed_cost) FILTER (WHERE charge_category = 'Purchase'), 0) AS purchased_cost,
    coalesce(sum(commitment_discount_quantity) FILTER (WHERE {USED}), 0) AS used_quantity,
    coalesce(sum(commitment_discount_quantity) FILTER (WHERE commitment_discount_status = 'Unused'), 0) AS unused_quantity,
    max(commitment_discount_unit) AS quantity_unit,
    count(*) FILTER (WHERE charge_category = 'Purchase') AS purchases,
    count(*) FILTER (WHERE charge_category = 'Purchase' AND charge_frequency = 'One-Time') AS one_time,
    count(*) AS rows
  FROM charges WHERE commitment_discount_id IS NOT NULL AND {IN_RANGE}
  GROUP BY commitment_discount_id, billing_currency{group}) AS c
ORDER BY period_start, currency, commitment_id"
    );
    Statement { sql, params: range.params() }
}

/// Per currency and period: how much of usage commitments cover, of all usage and of what could be covered, at prices without
/// commitments; and what of the latter was paid on demand (`overage_cost`).
pub fn coverage(range: Range, period: Period) -> Statement {
    let (time, group) = (period.of(), period.group());
    let sql = format!(
        "SELECT *, CASE WHEN usage_cost > 0 THEN covered_cost / usage_cost END AS coverage,
  CASE WHEN eligible_cost > 0 THEN covered_cost / eligible_cost END AS coverage_of_eligible
FROM (SELECT billing_currency AS currency, {time} AS period_start,
    coalesce(sum(contracted_cost) FILTER (WHERE {USED}), 0) AS covered_cost,
    coalesce(sum(contracted_cost) FILTER (WHERE {ELIGIBLE}), 0) AS eligible_cost,
    coalesce(sum(contracted_cost) FILTER (WHERE charge_category = 'Usage'), 0) AS usage_cost,
    coalesce(sum(effective_cost) FILTER (WHERE {ELIGIBLE} AND commitment_discount_id IS NULL), 0) AS overage_cost,
    coalesce(sum(effective_cost) FILTER (WHERE {UNUSED}), 0) AS unused_cost,
    coalesce(sum(effective_cost), 0) AS effective_cost, count(*) AS rows
  FROM {CHARGES} WHERE {IN_RANGE} GROUP BY billing_currency{group}) AS c
ORDER BY period_start, currency"
    );
    Statement { sql, params: range.params() }
}

/// When each commitment ends, as far as bills say it: AWS' columns, else the end of a purchase whose period is a term. `hourly_cost` is what
/// it costs per hour of the charges that it has.
pub fn calendar() -> Statement {
    let ends = |name: &str| {
        let snake = name
            .replace("savingsPlan/EndTime", "savings_plan_end_time")
            .replace("reservation/EndTime", "reservation_end_time");
        format!(
            "try_cast(nullif(x_columns['{name}'], '') AS TIMESTAMP), try_cast(nullif(x_columns['{snake}'], '') AS TIMESTAMP)"
        )
    };
    let (plan, reservation) = (ends("savingsPlan/EndTime"), ends("reservation/EndTime"));
    let sql = format!(
        "SELECT commitment_discount_id AS commitment_id, max(commitment_discount_name) AS name,
  max(commitment_discount_type) AS type, max({PROVIDER}) AS provider, billing_currency AS currency,
  min(charge_period_start) AS first_charge, max(charge_period_end) AS last_charge,
  max(coalesce({plan}, {reservation},
    CASE WHEN charge_category = 'Purchase' AND charge_period_end >= charge_period_start + INTERVAL '32 days'
         THEN charge_period_end END)) AS ends,
  sum(effective_cost) AS effective_cost, count(*) AS rows
FROM charges WHERE commitment_discount_id IS NOT NULL
GROUP BY commitment_discount_id, billing_currency
ORDER BY ends, commitment_id"
    );
    Statement { sql, params: Vec::new() }
}

/// Usage that could be committed, per charge period and kind of usage, at prices without commitments: the demand of a recommendation.
/// Usage that commitments cover today is in it, with what they made of it, so that discounts can be learnt. `currency` restricts it.
pub fn demand(range: Range, currency: &str) -> Statement {
    let sql = format!(
        "SELECT charge_period_start, charge_period_end, {PROVIDER} AS provider, service_name, region_id,
  {RESOURCE_TYPE} AS resource_type, sku_meter, sku_id, commitment_discount_id,
  sum(contracted_cost) AS cost, sum(effective_cost) AS effective_cost, sum(pricing_quantity) AS quantity, count(*) AS rows
FROM {CHARGES}
WHERE {IN_RANGE} AND billing_currency = $3 AND {ELIGIBLE} AND charge_class IS NULL AND contracted_cost > 0
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
ORDER BY 1"
    );
    let mut params = range.params();
    params.push(Value::from(currency));
    Statement { sql, params }
}

/// Currencies of usage, and from when to when there are charges.
pub fn extent() -> Statement {
    let sql = "SELECT billing_currency AS currency, min(charge_period_start) AS first_time, max(charge_period_end) AS last_time,
  sum(effective_cost) AS effective_cost FROM charges WHERE charge_category = 'Usage' GROUP BY billing_currency
ORDER BY effective_cost DESC, currency";
    Statement { sql: sql.to_owned(), params: Vec::new() }
}

/// The whole of what is known.
pub const ALL_TIME: Range = Range { start: Timestamp(0), end: Timestamp(i64::MAX) };
