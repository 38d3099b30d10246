//! Asks SQL and reads the rows of the answer, column by column.

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit, TimestampNanosecondType};
use grid_analytics::{Engine, QueryError, SqlRequest};
use grid_finance::calendar::{Day, Period};
use grid_finance::filter::Filter;
use grid_finance::relation::Relation;
use grid_model::table::charges::decimal_type;
use grid_model::{Amount, TenantId, Timestamp};
use grid_store::Store;

use crate::error::ApiError;

/// Where costs are read, and for whom.
pub struct Desk<'a> {
    /// Answers SQL.
    pub engine: &'a Engine,
    /// Keeps budgets.
    pub store: &'a Store,
    /// Whose costs.
    pub tenant: TenantId,
    /// Who asks, for the list of queries.
    pub client: String,
    /// Bills as they were known at this time; as they are known now, if absent.
    pub as_of: Option<Timestamp>,
}

impl Desk<'_> {
    /// Asks one statement.
    pub async fn ask(&self, sql: &str) -> Result<Rows, ApiError> {
        let mut request = SqlRequest::new(self.tenant.clone(), sql);
        request.client = Some(self.client.clone());
        request.bills_as_of = self.as_of;
        let answer = self.engine.sql(request).await?;
        let schema = answer.schema.clone();
        let batches = answer.collect().await?;
        let batch = concat_batches(&schema, &batches).map_err(internal)?;
        Ok(Rows { batch })
    }

    /// Which days the charges (or allocations) of a filter lie on, from the first to the last; `None` if there are none. A period that begins
    /// after today (a prepayment) does not stretch it.
    pub async fn known(&self, relation: Relation, filter: Option<&Filter>) -> Result<Option<Period>, ApiError> {
        if relation == Relation::Allocations && self.as_of.is_some() {
            let message = "as_of: allocations are of the bills as they are known now; ask charges for an earlier state";
            return Err(ApiError::Parameter(message.to_owned()));
        }
        let (table, time, condition) = (relation.table(), relation.time(), condition(filter));
        let sql = format!(
            "SELECT CAST(min({time}) AS BIGINT) AS first, CAST(max({time}) AS BIGINT) AS last FROM {table} WHERE {condition}"
        );
        let rows = self.ask(&sql).await?;
        let time = |name| rows.counts(name).map(|column| column.first().copied().flatten().map(Timestamp));
        let (Some(first), Some(last)) = (time("first")?, time("last")?) else { return Ok(None) };
        let (first, last) = (Day::of(first), Day::of(last.min(self.store.now())));
        Ok((first <= last).then(|| Period { start: first, end: last.plus(1) }))
    }
}

/// A filter as a condition that stands beside others.
pub(crate) fn condition(filter: Option<&Filter>) -> String {
    filter.map_or_else(|| "true".to_owned(), |f| format!("({})", f.sql()))
}

/// That a charge arose within a period.
pub(crate) fn within(period: Period) -> String {
    within_of(Relation::Charges, period)
}

/// That a cost arose within a period.
pub(crate) fn within_of(relation: Relation, period: Period) -> String {
    let time = relation.time();
    format!("{time} >= '{}T00:00:00Z' AND {time} < '{}T00:00:00Z'", period.start, period.end)
}

fn internal(e: impl std::fmt::Display) -> ApiError {
    ApiError::Query(QueryError::Internal(format!("read the answer: {e}")))
}

/// The rows of an answer.
pub struct Rows {
    batch: RecordBatch,
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn column(&self, name: &str, kind: &DataType) -> Result<ArrayRef, ApiError> {
        let column = self.batch.column_by_name(name).ok_or_else(|| internal(format!("there is no column {name}")))?;
        cast(column, kind).map_err(internal)
    }

    /// A column of texts.
    pub fn texts(&self, name: &str) -> Result<Vec<Option<String>>, ApiError> {
        let column = self.column(name, &DataType::Utf8)?;
        Ok(column.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect())
    }

    /// A column of texts without nulls; a null is empty.
    pub fn words(&self, name: &str) -> Result<Vec<String>, ApiError> {
        Ok(self.texts(name)?.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// A column of decimals.
    pub fn amounts(&self, name: &str) -> Result<Vec<Option<Amount>>, ApiError> {
        let column = self.column(name, &decimal_type())?;
        let column = column.as_primitive::<Decimal128Type>();
        Ok(column.iter().map(|v| v.map(Amount)).collect())
    }

    /// A column of costs; a sum of nothing is nothing.
    pub fn costs(&self, name: &str) -> Result<Vec<Amount>, ApiError> {
        Ok(self.amounts(name)?.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// A column of whole numbers.
    pub fn counts(&self, name: &str) -> Result<Vec<Option<i64>>, ApiError> {
        let column = self.column(name, &DataType::Int64)?;
        Ok(column.as_primitive::<Int64Type>().iter().collect())
    }

    /// A column of truths.
    pub fn truths(&self, name: &str) -> Result<Vec<bool>, ApiError> {
        let column = self.column(name, &DataType::Boolean)?;
        Ok(column.as_boolean().iter().map(|v| v == Some(true)).collect())
    }

    /// A column of times, as days.
    pub fn days(&self, name: &str) -> Result<Vec<Day>, ApiError> {
        let utc = Some("UTC".into());
        let column = self.column(name, &DataType::Timestamp(TimeUnit::Nanosecond, utc))?;
        let column = column.as_primitive::<TimestampNanosecondType>();
        if column.null_count() > 0 {
            return Err(internal(format!("{name} is null")));
        }
        Ok(column.values().iter().map(|ns| Day::of(Timestamp(*ns))).collect())
    }
}
