//! Binary operators of two samples, and of a vector and a scalar (Prometheus, `promql/engine.go`: `vectorElemBinop`).

use std::sync::Arc;

use grid_promql_syntax::ast::{BinaryOp, Span};

use super::{Context, Overlap, Parts};
use crate::error::Error;
use crate::histogram::{FloatHistogram, ResetHint};
use crate::plan::{Binary, Node};
use crate::points::{Grid, Point, Series};

/// What an operator makes of two samples.
#[derive(Debug, Clone)]
pub(super) enum Made {
    /// They do not go together, or a comparison is false (`None`) or true: the left sample stays.
    Nothing,
    /// A comparison's answer; true keeps the left sample.
    Compared(bool),
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

/// Of two scalars; comparisons yield 0 or 1.
pub(super) fn of_scalars(op: BinaryOp, l: f64, r: f64) -> f64 {
    match arithmetic(op, l, r) {
        Some(v) => v,
        None => f64::from(u8::from(compare(op, l, r))),
    }
}

#[inline]
pub(super) fn arithmetic(op: BinaryOp, l: f64, r: f64) -> Option<f64> {
    Some(match op {
        BinaryOp::Add => l + r,
        BinaryOp::Sub => l - r,
        BinaryOp::Mul => l * r,
        BinaryOp::Div => l / r,
        BinaryOp::Mod => l % r,
        BinaryOp::Pow => l.powf(r),
        BinaryOp::Atan2 => l.atan2(r),
        _ => return None,
    })
}

#[inline]
fn compare(op: BinaryOp, l: f64, r: f64) -> bool {
    match op {
        BinaryOp::Eq => l == r,
        BinaryOp::Ne => l != r,
        BinaryOp::Lt => l < r,
        BinaryOp::Gt => l > r,
        BinaryOp::Le => l <= r,
        BinaryOp::Ge => l >= r,
        _ => false,
    }
}

/// Whether the result is no longer the metric that the left side is.
pub(super) fn drops_name(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod | BinaryOp::Pow | BinaryOp::Atan2
    )
}

/// Applies an operator to two samples; notes at `span` what does not go together.
pub(super) fn apply(context: &Context<'_>, span: Span, op: BinaryOp, l: Point<'_>, r: Point<'_>) -> Made {
    let unfit = |left: &str, right: &str| {
        let op = op.as_str();
        let text = format!("incompatible sample types encountered for binary operator {op:?}: {left} {op} {right}");
        context.annotations.info(span, text);
        Made::Nothing
    };
    match (l, r) {
        (Point::Float(l), Point::Float(r)) => match arithmetic(op, l, r) {
            Some(v) => Made::Float(v),
            None if op.is_comparison() => Made::Compared(compare(op, l, r)),
            None => unfit("float", "float"),
        },
        (Point::Float(l), Point::Histogram(r)) => match op {
            BinaryOp::Mul => scaled(r, |h| h.mul(l)),
            _ => unfit("float", "histogram"),
        },
        (Point::Histogram(l), Point::Float(r)) => match op {
            BinaryOp::Mul => scaled(l, |h| h.mul(r)),
            BinaryOp::Div => scaled(l, |h| h.div(r)),
            BinaryOp::TrimUpper => Made::Histogram(Arc::new(l.trim_upper(r))),
            BinaryOp::TrimLower => Made::Histogram(Arc::new(l.trim_lower(r))),
            _ => unfit("histogram", "float"),
        },
        (Point::Histogram(l), Point::Histogram(r)) => match op {
            BinaryOp::Add | BinaryOp::Sub => combined(context, span, op, l, r),
            BinaryOp::Eq => Made::Compared(l == r),
            BinaryOp::Ne => Made::Compared(l != r),
            _ => unfit("histogram", "histogram"),
        },
    }
}

fn scaled(h: &FloatHistogram, scale: impl FnOnce(&mut FloatHistogram) -> &mut FloatHistogram) -> Made {
    let mut out = h.clone();
    scale(&mut out).compact(0);
    Made::Histogram(Arc::new(out))
}

fn combined(context: &Context<'_>, span: Span, op: BinaryOp, l: &FloatHistogram, r: &FloatHistogram) -> Made {
    let mut out = l.clone();
    let (name, flags) = if op == BinaryOp::Add { ("addition", out.add(r)) } else { ("subtraction", out.sub(r)) };
    let Ok(flags) = flags else {
        let text = format!("incompatible bucket layout encountered for binary operator {}", op.as_str());
        context.annotations.warn(span, text);
        return Made::Nothing;
    };
    if flags.counter_reset_collision {
        context.annotations.warn(span, format!("conflicting counter resets during histogram {name}"));
    }
    if flags.bounds_reconciled {
        context.annotations.info(span, format!("mismatched custom buckets were reconciled during {name}"));
    }
    if op == BinaryOp::Sub {
        out.reset_hint = ResetHint::Gauge;
    }
    out.compact(0);
    Made::Histogram(Arc::new(out))
}

/// A vector and a scalar, on either side.
pub(super) fn with_scalar<'a>(
    context: &'a Context<'a>,
    node: &'a Node,
    binary: &'a Binary,
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let scalar_left = binary.scalars.0;
    let (vector, scalar) = if scalar_left { (&binary.rhs, &binary.lhs) } else { (&binary.lhs, &binary.rhs) };
    let scalar = context.scalar(scalar, grid)?;
    let (op, span) = (binary.op, node.span);
    let parts = context.map(context.stream(vector, grid)?, move |series: &mut Series| {
        let points = &mut series.points;
        if !points.has_histograms() && drops_name(op) {
            for (v, s) in points.values.iter_mut().zip(&scalar) {
                let made = if scalar_left { arithmetic(op, *s, *v) } else { arithmetic(op, *v, *s) };
                *v = made.unwrap_or(f64::NAN);
            }
        } else {
            for (step, s) in scalar.iter().enumerate() {
                let Some(point) = points.get(step) else { continue };
                let s = Point::Float(*s);
                let made =
                    if scalar_left { apply(context, span, op, s, point) } else { apply(context, span, op, point, s) };
                match made {
                    Made::Nothing => points.unset(step),
                    Made::Compared(is) if binary.return_bool => points.set(step, f64::from(u8::from(is))),
                    // The vector's sample stays, on whichever side it stands.
                    Made::Compared(true) => {}
                    Made::Compared(false) => points.unset(step),
                    Made::Float(v) => points.set(step, v),
                    Made::Histogram(h) => points.set_histogram(step, h),
                }
            }
        }
        if drops_name(op) || binary.return_bool {
            context.drop_name(series);
        }
        Ok(!series.points.is_empty())
    });
    let renamed = drops_name(op) || binary.return_bool;
    Ok(if renamed { context.distinct(vector, parts, Overlap::Refused) } else { parts })
}
