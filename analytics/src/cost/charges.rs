//! Charges in groups that no rule tells apart: the query, and its batches as the allocation sees them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement;
use futures::StreamExt as _;
use grid_cost::rules::{Action, By, Field};
use grid_cost::{Charge, Rules};
use grid_model::table::allocations::Origin;
use grid_model::table::charges::{TAGS, X_COLUMNS, decimal_type};
use grid_model::{Amount, Timestamp};
use tokio_util::sync::CancellationToken;

use super::part::Part;
use super::{read_all, sql_text, sql_time};
use crate::catalog::TenantCatalog;
use crate::engine::Shared;
use crate::error::QueryError;
use crate::table::Source;

/// What charges are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// To learn what owners cost themselves: only what rules look at matters.
    Direct,
    /// To write rows.
    Rows,
}

/// What the bill itself calls bought and not used. FOCUS says so by a status; a CUR's purchases carry only what was not used as effective cost.
const UNUSED: &str = "(coalesce(commitment_discount_status, '') = 'Unused' OR coalesce(capacity_reservation_status, '') = 'Unused' \
     OR (charge_category = 'Purchase' AND commitment_discount_id IS NOT NULL))";

/// Texts of a group beside the fields, in the order of the query.
const TEXTS: usize = 8;

/// The expression of a field.
fn field_sql(field: &Field) -> String {
    match field {
        Field::Column(column) => format!("coalesce({}, '')", column.name()),
        Field::Tag(key) => format!("coalesce({TAGS}[{}], '')", sql_text(key)),
        Field::Extra(key) => format!("coalesce({X_COLUMNS}[{}], '')", sql_text(key)),
        Field::Account => "coalesce(sub_account_id, billing_account_id)".to_owned(),
        Field::Provider => "coalesce(service_provider_name, provider_name, '')".to_owned(),
    }
}

fn condition(part: &Part) -> String {
    let imports: Vec<String> = part.imports.iter().map(|i| sql_text(i)).collect();
    format!("billing_period_start = {} AND import_id IN ({})", sql_time(part.period), imports.join(", "))
}

/// The query of a part's groups.
fn groups_sql(rules: &Rules, part: &Part, pass: Pass) -> String {
    let measures = rules.rules.iter().any(|r| matches!(&r.action, Action::Split(s) if matches!(s.by, By::Metric(_))));
    let timed = rules.rules.iter().any(|r| r.from.is_some() || r.until.is_some());
    let fine = pass == Pass::Rows;
    let bucket =
        format!("time_bucket('{}', charge_period_start)", if rules.window.name() == "day" { "1d" } else { "1h" });
    let mut keys: Vec<String> = Vec::new();
    let mut select: Vec<String> = Vec::new();
    let mut column = |key: String, wanted: bool, otherwise: &str| {
        select.push(if wanted { key.clone() } else { otherwise.to_owned() });
        if wanted {
            keys.push(key);
        }
    };
    column(bucket, fine || measures || timed, "min(charge_period_start)");
    column("charge_period_end".to_owned(), fine || measures, "max(charge_period_end)");
    column("billing_currency".to_owned(), true, "");
    column("coalesce(resource_id, '')".to_owned(), fine || measures, "''");
    column("coalesce(service_name, '')".to_owned(), fine, "''");
    column("coalesce(sub_account_id, '')".to_owned(), fine, "''");
    column("coalesce(region_id, '')".to_owned(), fine, "''");
    column("coalesce(service_provider_name, provider_name, '')".to_owned(), fine, "''");
    column("charge_category".to_owned(), fine, "''");
    column("import_id".to_owned(), fine, "''");
    column(UNUSED.to_owned(), true, "");
    for field in &rules.fields {
        column(field_sql(field), true, "");
    }
    let named: Vec<String> = select.iter().enumerate().map(|(i, c)| format!("{c} AS c{i}")).collect();
    // What a rule looks at may be a column of the table too.
    let mut seen = std::collections::BTreeSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    format!(
        "SELECT {}, sum(effective_cost) AS cost, count(*) AS charges FROM charges WHERE {} GROUP BY {}",
        named.join(", "),
        condition(part),
        keys.join(", ")
    )
}

/// Start of a part's first charge and end of its last; `None` if it has none.
pub(super) async fn range(
    shared: &Shared,
    source: &Arc<Source>,
    part: &Part,
) -> Result<Option<(Timestamp, Timestamp)>, QueryError> {
    let sql = format!(
        "SELECT min(charge_period_start), max(greatest(charge_period_start, charge_period_end)) FROM charges WHERE {}",
        condition(part)
    );
    let batches = read_all(shared, source, &sql).await?;
    let Some(batch) = batches.first().filter(|b| b.num_rows() > 0) else { return Ok(None) };
    let instant = |i: usize| -> Result<Option<Timestamp>, QueryError> {
        let nanos = numbers(batch.column(i))?;
        Ok((!nanos.is_null(0)).then(|| Timestamp(nanos.value(0))))
    };
    Ok(instant(0)?.zip(instant(1)?))
}

/// Runs a statement of our own over a snapshot that is held, without the bounds of what users ask, but within the memory of one query.
pub(super) async fn execute(
    shared: &Shared,
    source: &Arc<Source>,
    sql: &str,
) -> Result<SendableRecordBatchStream, QueryError> {
    let from = |e| QueryError::from_datafusion(&e);
    let catalog = Arc::new(TenantCatalog::new(Arc::clone(source)));
    let state = shared.sessions.open(catalog, shared.store.now(), CancellationToken::new()).map_err(from)?;
    let statement = Statement::Statement(Box::new(grid_sql_guard::parse(sql, &[])?));
    let plan = state.statement_to_plan(statement).await.map_err(from)?;
    let physical = state.create_physical_plan(&plan).await.map_err(from)?;
    execute_stream(physical, state.task_ctx()).map_err(from)
}

/// The groups of a part, batch by batch.
pub(super) struct Groups {
    stream: SendableRecordBatchStream,
    fields: usize,
}

impl Groups {
    pub(super) async fn open(
        shared: &Shared,
        source: &Arc<Source>,
        rules: &Rules,
        part: &Part,
        pass: Pass,
    ) -> Result<Self, QueryError> {
        let stream = execute(shared, source, &groups_sql(rules, part, pass)).await?;
        Ok(Self { stream, fields: rules.fields.len() })
    }

    pub(super) async fn next(&mut self) -> Result<Option<GroupBatch>, QueryError> {
        match self.stream.next().await {
            None => Ok(None),
            Some(batch) => GroupBatch::new(&batch.map_err(|e| QueryError::from_datafusion(&e))?, self.fields).map(Some),
        }
    }
}

/// A batch of groups.
pub(super) struct GroupBatch {
    start: Int64Array,
    end: Int64Array,
    /// Currency, resource, service, account, region, provider, category, import.
    texts: Vec<StringArray>,
    unused: BooleanArray,
    fields: Vec<StringArray>,
    cost: Decimal128Array,
    charges: Int64Array,
}

fn numbers(column: &ArrayRef) -> Result<Int64Array, QueryError> {
    let internal = |e: arrow::error::ArrowError| QueryError::Internal(e.to_string());
    Ok(cast(column, &DataType::Int64).map_err(internal)?.as_primitive::<Int64Type>().clone())
}

impl GroupBatch {
    fn new(batch: &RecordBatch, fields: usize) -> Result<Self, QueryError> {
        let internal = |e: arrow::error::ArrowError| QueryError::Internal(e.to_string());
        let text = |i: usize| -> Result<StringArray, QueryError> {
            Ok(cast(batch.column(i), &DataType::Utf8).map_err(internal)?.as_string::<i32>().clone())
        };
        let first_field = 2 + TEXTS + 1;
        let cost = cast(batch.column(first_field + fields), &decimal_type()).map_err(internal)?;
        Ok(Self {
            start: numbers(batch.column(0))?,
            end: numbers(batch.column(1))?,
            texts: (2..2 + TEXTS).map(text).collect::<Result<_, _>>()?,
            unused: batch.column(2 + TEXTS).as_boolean().clone(),
            fields: (first_field..first_field + fields).map(text).collect::<Result<_, _>>()?,
            cost: cost.as_primitive::<Decimal128Type>().clone(),
            charges: numbers(batch.column(first_field + fields + 1))?,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.cost.len()
    }

    /// The values of a group's fields, for [`GroupBatch::charge`] to borrow.
    pub(super) fn fields(&self, row: usize) -> Vec<&str> {
        self.fields.iter().map(|column| column.value(row)).collect()
    }

    pub(super) fn charge<'a>(&'a self, row: usize, fields: &'a [&'a str]) -> Charge<'a> {
        Charge {
            start: Timestamp(self.start.value(row)),
            end: Timestamp(self.end.value(row)),
            currency: self.texts[0].value(row),
            cost: Amount(self.cost.value(row)),
            resource: self.texts[1].value(row),
            fields,
            unused: self.unused.value(row),
        }
    }

    /// What rows of `allocations` say of a group.
    pub(super) fn origin(&self, row: usize, period: Timestamp) -> Origin<'_> {
        let text = |i: usize| self.texts[i].value(row);
        Origin {
            window_start: Timestamp(self.start.value(row)),
            window_end: Timestamp(self.end.value(row)),
            currency: text(0),
            resource: text(1),
            service: text(2),
            account: text(3),
            region: text(4),
            provider: text(5),
            category: text(6),
            billing_period: period,
            import_id: text(7),
            charges: self.charges.value(row).unsigned_abs(),
        }
    }
}
