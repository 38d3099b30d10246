//! Which files of a table can hold rows that a condition lets through, by what the catalog knows of each.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::{Expr, Operator};
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use grid_model::table::charges;
use grid_model::table::column::UTC;
use grid_model::{Table, TimeRange};
use grid_store::FileEntry;

/// The conditions that `schema` can evaluate, as one physical expression; `None` if there are none.
pub(crate) fn predicate(
    state: &dyn Session,
    filters: &[Expr],
    schema: &Schema,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let df_schema = DFSchema::try_from(schema.clone())?;
    let usable = filters.iter().filter(|f| f.column_refs().iter().all(|c| schema.index_of(&c.name).is_ok()));
    let exprs =
        usable.map(|f| state.create_physical_expr(unqualified(f.clone())?, &df_schema)).collect::<Result<Vec<_>>>()?;
    Ok((!exprs.is_empty()).then(|| conjunction(exprs)))
}

/// Column references without their table's name.
pub(crate) fn unqualified(expr: Expr) -> Result<Expr> {
    use datafusion::common::tree_node::Transformed;
    let strip = |e: Expr| {
        Ok(match e {
            Expr::Column(c) if c.relation.is_some() => Transformed::yes(Expr::Column(Column::new_unqualified(c.name))),
            other => Transformed::no(other),
        })
    };
    Ok(expr.transform(strip)?.data)
}

/// The files that may hold rows within `range` that pass `predicate`.
pub(crate) fn files(
    table: Table,
    all: &[Arc<FileEntry>],
    range: TimeRange,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
) -> Result<Vec<Arc<FileEntry>>> {
    let in_range: Vec<_> =
        all.iter().filter(|f| f.rows > 0 && range.overlaps(f.min_time, f.max_time)).cloned().collect();
    let Some(predicate) = predicate else { return Ok(in_range) };
    let pruner = PruningPredicateBuilder::new().with_file_schema(schema).try_build(Arc::clone(predicate))?;
    if pruner.always_true() {
        return Ok(in_range);
    }
    let may_hold = pruner.prune(&Facts { time: table.time_column(), files: &in_range })?;
    Ok(in_range.into_iter().zip(may_hold).filter(|(_, keep)| *keep).map(|(f, _)| f).collect())
}

/// What the catalog knows of files, in the form that pruning asks for.
struct Facts<'a> {
    time: &'static str,
    files: &'a [Arc<FileEntry>],
}

impl Facts<'_> {
    fn times(&self, of: impl Fn(&FileEntry) -> i64) -> ArrayRef {
        Arc::new(self.files.iter().map(|f| Some(of(f))).collect::<TimestampNanosecondArray>().with_timezone(UTC))
    }

    fn imports(&self) -> ArrayRef {
        Arc::new(self.files.iter().map(|f| f.import_id.as_deref()).collect::<StringArray>())
    }
}

impl PruningStatistics for Facts<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        match column.name.as_str() {
            name if name == self.time => Some(self.times(|f| f.min_time.0)),
            charges::IMPORT_ID => Some(self.imports()),
            _ => None,
        }
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        match column.name.as_str() {
            name if name == self.time => Some(self.times(|f| f.max_time.0)),
            charges::IMPORT_ID => Some(self.imports()),
            _ => None,
        }
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.files.iter().map(|f| Some(f.rows)).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// Whether the reader should decode the columns of the conditions first and the others only for rows that pass.
///
/// Not on by default in DataFusion, because it costs where most rows pass: so only if few plain columns are asked about by
/// equality or search, and much else is to be read.
pub(crate) fn late_materialisation(filters: &[Expr], schema: &Schema, projection: &[usize], time: &str) -> bool {
    let asked: HashSet<String> = filters.iter().flat_map(|f| f.column_refs()).map(|c| c.name.clone()).collect();
    let plain = |name: &String| schema.field_with_name(name).is_ok_and(|f| !f.data_type().is_nested());
    let others = projection.iter().map(|i| schema.field(*i)).filter(|f| !asked.contains(f.name()));
    let weight: usize = others.map(|f| if f.data_type().is_nested() { 3 } else { 1 }).sum();
    !asked.is_empty()
        && asked.len() <= 3
        && asked.iter().all(plain)
        && weight >= 4
        && filters.iter().any(|f| is_selective(f, time))
}

fn is_selective(filter: &Expr, time: &str) -> bool {
    let mut found = false;
    let _ = filter.apply(|e| {
        let about_time = |e: &Expr| e.column_refs().iter().any(|c| c.name == time);
        found |= match e {
            Expr::BinaryExpr(b) => b.op == Operator::Eq && !about_time(e),
            Expr::InList(l) => !l.negated && !about_time(e),
            Expr::Like(l) => !l.negated,
            Expr::ScalarFunction(f) => f.name() == "match",
            _ => false,
        };
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}
