//! Literals are typed by their neighbours. `0.1` in a statement is read as an exact decimal; beside a decimal it stays one,
//! anywhere else it becomes a float, as in every other engine. So `billed_cost > 0.1` compares exactly, `value > 0.1`
//! compares floats, and no float ever meets money by accident.
//!
//! DataFusion alone would either read all such literals as floats (and compare money by way of them), or all as decimals
//! (and cast float columns to decimals, which fails on NaN).

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::function::decimal::DecimalOp;

/// Functions whose arguments are alternatives of one type, so that a literal among them has the type of the others.
const ALTERNATIVES: [&str; 8] =
    ["coalesce", "nullif", "greatest", "least", "nvl", "ifnull", "decimal_multiply", "decimal_divide"];

/// See the module.
#[derive(Debug)]
pub(crate) struct ExactDecimals {
    multiply: Arc<ScalarUDF>,
    divide: Arc<ScalarUDF>,
}

impl Default for ExactDecimals {
    fn default() -> Self {
        Self { multiply: Arc::new(DecimalOp::multiply().into()), divide: Arc::new(DecimalOp::divide().into()) }
    }
}

impl AnalyzerRule for ExactDecimals {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(|node| self.node(node))?.data)
    }

    fn name(&self) -> &str {
        "exact_decimals"
    }
}

impl ExactDecimals {
    fn node(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        // The schema of VALUES is fixed when it is read; its decimals stay decimals.
        if matches!(plan, LogicalPlan::Values(_)) {
            return Ok(Transformed::no(plan));
        }
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
        }
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let before = expr.clone();
            let after = self.expr(expr, &schema, false)?;
            Ok(if after == before { Transformed::no(after) } else { Transformed::yes(name.restore(after)) })
        })?;
        // An input's types may have changed too, so every node is computed again.
        rewritten.map_data(LogicalPlan::recompute_schema)
    }

    /// `exact`: a decimal stands beside this expression.
    pub(crate) fn expr(&self, expr: Expr, schema: &DFSchema, exact: bool) -> Result<Expr> {
        if is_constant(&expr) {
            return if exact { Ok(expr) } else { to_floats(expr) };
        }
        let beside_decimal = match &expr {
            Expr::Cast(_) | Expr::TryCast(_) => true,
            Expr::AggregateFunction(_) | Expr::WindowFunction(_) => false,
            Expr::ScalarFunction(f) if !ALTERNATIVES.contains(&f.name()) => false,
            Expr::Alias(_) | Expr::Negative(_) => exact,
            _ => {
                let mut found = false;
                expr.apply_children(|child| {
                    found |= !is_constant(child) && is_decimal(child, schema);
                    Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
                })?;
                found
            }
        };
        let expr = expr.map_children(|child| Ok(Transformed::yes(self.expr(child, schema, beside_decimal)?)))?.data;
        Ok(match expr {
            Expr::BinaryExpr(binary) => self.binary(binary, schema),
            other => other,
        })
    }

    fn binary(&self, BinaryExpr { left, op, right }: BinaryExpr, schema: &DFSchema) -> Expr {
        let type_of = |e: &Expr| e.get_type(schema).ok();
        let (Some(l), Some(r)) = (type_of(&left), type_of(&right)) else {
            return Expr::BinaryExpr(BinaryExpr { left, op, right });
        };
        let decimal = |t: &DataType| matches!(t, DataType::Decimal128(..));
        let exact = |t: &DataType| decimal(t) || t.is_integer();
        if (decimal(&l) || decimal(&r)) && exact(&l) && exact(&r) {
            match op {
                Operator::Multiply => return self.multiply.call(vec![*left, *right]),
                Operator::Divide => return self.divide.call(vec![*left, *right]),
                _ => {}
            }
        }
        // Compared as decimals a NaN would fail; who compares money with a measurement wants floats.
        let (mut left, mut right) = (left, right);
        if op.supports_propagation() || op == Operator::NotEq {
            if decimal(&l) && r.is_floating() {
                left = Box::new(cast(*left, DataType::Float64));
            } else if l.is_floating() && decimal(&r) {
                right = Box::new(cast(*right, DataType::Float64));
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right })
    }
}

fn is_decimal(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|t| matches!(t, DataType::Decimal128(..) | DataType::Decimal256(..)))
}

/// A number, or arithmetic of numbers only.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.data_type().is_numeric(),
        Expr::Negative(inner) => is_constant(inner),
        Expr::BinaryExpr(b) => {
            use Operator::{Divide, Minus, Modulo, Multiply, Plus};
            matches!(b.op, Plus | Minus | Multiply | Divide | Modulo) && is_constant(&b.left) && is_constant(&b.right)
        }
        _ => false,
    }
}

fn to_floats(expr: Expr) -> Result<Expr> {
    let float = |e: Expr| {
        Ok(match e {
            Expr::Literal(value @ (ScalarValue::Decimal128(..) | ScalarValue::Decimal256(..)), meta) => {
                Transformed::yes(Expr::Literal(float_of(&value), meta))
            }
            other => Transformed::no(other),
        })
    };
    Ok(expr.transform(float)?.data)
}

/// The nearest float, by way of the text: a quotient of two floats would be off by a bit for long decimals.
fn float_of(value: &ScalarValue) -> ScalarValue {
    let text = match value {
        ScalarValue::Decimal128(Some(v), _, scale) => with_point(&v.to_string(), *scale),
        ScalarValue::Decimal256(Some(v), _, scale) => with_point(&v.to_string(), *scale),
        _ => return ScalarValue::Float64(None),
    };
    ScalarValue::Float64(text.parse().ok())
}

fn with_point(digits: &str, scale: i8) -> String {
    format!("{digits}e{}", -i32::from(scale))
}
