//! What leaves samples as they are and chooses or orders them: `topk`, `bottomk`, `limitk`, `limit_ratio`, `sort`.

use std::cmp::Ordering;
use std::collections::HashMap;

use grid_promql_syntax::ast::AggregateOp;
use grid_promql_syntax::function::Function;

use super::{Collected, Context, Parts, collect, held};
use crate::error::Error;
use crate::number;
use crate::plan::{Aggregation, Node};
use crate::points::{Grid, Point, Series};

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    aggregation: &'a Aggregation,
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let op = aggregation.op;
    let Some(param) = &aggregation.param else { return Err(Error::execution("a parameter is missing")) };
    let params = context.scalar(param, grid)?;
    let Collected { mut series, held: reservation } = collect(context, context.stream(&aggregation.expr, grid)?)?;
    // Which series `limitk` takes, and which of equals `topk`, must not depend on where they rest.
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    if op == AggregateOp::LimitRatio {
        limit_ratio(context, param, &params, &mut series)?;
        return Ok(held(Collected { series, held: reservation }));
    }
    let mut groups: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut key = Vec::new();
    for (i, s) in series.iter().enumerate() {
        s.labels.group_key(&aggregation.grouping, aggregation.without, &mut key);
        let at = *groups.entry(key.clone()).or_insert_with(|| {
            members.push(Vec::new());
            members.len() - 1
        });
        members[at].push(i);
    }
    let mut keep = vec![vec![false; grid.len()]; series.len()];
    let mut order: Vec<usize> = Vec::new();
    for (step, param) in params.iter().enumerate() {
        let k = how_many(*param, series.len())?;
        for group in &members {
            (context.interrupt)()?;
            for i in best(context, aggregation, &series, group, step, k) {
                keep[i][step] = true;
                if grid.len() == 1 {
                    order.push(i);
                }
            }
        }
    }
    for (s, keep) in series.iter_mut().zip(&keep) {
        for (step, keep) in keep.iter().enumerate() {
            if !keep {
                s.points.unset(step);
            }
        }
    }
    if grid.len() == 1 {
        // An instant answer stands in the order of its values.
        let mut chosen: Vec<Option<Series>> = series.into_iter().map(Some).collect();
        series = order.into_iter().filter_map(|i| chosen[i].take()).collect();
    } else {
        series.retain(|s| !s.points.is_empty());
    }
    Ok(held(Collected { series, held: reservation }))
}

fn how_many(param: f64, all: usize) -> Result<usize, Error> {
    if param.is_nan() {
        return Err(Error::execution("Parameter value is NaN"));
    }
    if param <= i64::MIN as f64 {
        return Err(Error::Execution(format!("Scalar value {} underflows int64", number::format(param))));
    }
    if param >= i64::MAX as f64 {
        return Err(Error::Execution(format!("Scalar value {} overflows int64", number::format(param))));
    }
    Ok(if param < 1.0 { 0 } else { (param as usize).min(all) })
}

/// The first `k` of a group at a step, best first.
fn best(
    context: &Context<'_>,
    aggregation: &Aggregation,
    series: &[Series],
    group: &[usize],
    step: usize,
    k: usize,
) -> Vec<usize> {
    if k == 0 {
        return Vec::new();
    }
    let present = group.iter().copied().filter(|i| series[*i].points.present[step]);
    if aggregation.op == AggregateOp::Limitk {
        return present.take(k).collect();
    }
    let mut all: Vec<(f64, usize)> = Vec::with_capacity(group.len());
    for i in present {
        match series[i].points.get(step) {
            Some(Point::Float(v)) => all.push((v, i)),
            Some(Point::Histogram(_)) => {
                let text = format!("ignored histogram in {} aggregation", aggregation.op.as_str());
                context.annotations.info(aggregation.expr.span, text);
            }
            None => {}
        }
    }
    let descending = aggregation.op == AggregateOp::Topk;
    let by_value = |a: &(f64, usize), b: &(f64, usize)| order(a.0, b.0, descending).then(a.1.cmp(&b.1));
    if k < all.len() {
        all.select_nth_unstable_by(k, by_value);
        all.truncate(k);
    }
    all.sort_unstable_by(by_value);
    all.into_iter().map(|(_, i)| i).collect()
}

/// By value, NaN last whichever the direction.
fn order(a: f64, b: f64, descending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if descending => b.total_cmp(&a),
        (false, false) => a.total_cmp(&b),
    }
}

/// `limit_ratio(r, v)`: of all series the share whose hash lies below `r`, or for negative `r` not below `1 + r`.
fn limit_ratio(context: &Context<'_>, param: &Node, ratios: &[f64], series: &mut Vec<Series>) -> Result<(), Error> {
    let mut capped = Vec::with_capacity(ratios.len());
    for ratio in ratios {
        if ratio.is_nan() {
            return Err(Error::execution("Ratio value is NaN"));
        }
        let within = ratio.clamp(-1.0, 1.0);
        if within != *ratio {
            let (got, to) = (number::format(*ratio), number::format(within));
            let text = format!("ratio value should be between -1 and 1, got {got}, capping to {to}");
            context.annotations.warn(param.span, text);
        }
        capped.push(within);
    }
    for s in series.iter_mut() {
        let place = s.labels.hash64() as f64 / u64::MAX as f64;
        for (step, ratio) in capped.iter().enumerate() {
            let chosen = if *ratio >= 0.0 { place < *ratio } else { place >= 1.0 + *ratio };
            // All are all, even where the quotient rounds up to one.
            if !chosen && *ratio != 1.0 {
                s.points.unset(step);
            }
        }
    }
    series.retain(|s| !s.points.is_empty());
    Ok(())
}

/// `sort` and its kin: of an instant query; over several steps there is no order.
pub(super) fn sort<'a>(
    context: &'a Context<'a>,
    function: Function,
    args: &'a [Node],
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    let mut names = Vec::with_capacity(args.len());
    for arg in &args[1..] {
        names.push(context.text(arg)?);
    }
    let mut all = collect(context, context.stream(&args[0], grid)?)?;
    if grid.len() == 1 {
        let value = |s: &Series| match s.points.get(0) {
            Some(Point::Float(v)) => v,
            _ => f64::NAN,
        };
        match function {
            Function::Sort | Function::SortDesc => {
                all.series.retain(|s| matches!(s.points.get(0), Some(Point::Float(_))));
                let descending = function == Function::SortDesc;
                all.series.sort_by(|a, b| order(value(a), value(b), descending).then_with(|| a.labels.cmp(&b.labels)));
            }
            _ => {
                let by_labels = |a: &Series, b: &Series| {
                    let named = names.iter().map(|n| natural(a.labels.get(n), b.labels.get(n)));
                    named.fold(Ordering::Equal, Ordering::then).then_with(|| a.labels.cmp(&b.labels))
                };
                all.series.sort_by(by_labels);
                if function == Function::SortByLabelDesc {
                    all.series.reverse();
                }
            }
        }
    }
    Ok(held(all))
}

/// Texts in which numbers are compared as numbers: `a2` before `a10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        let ((x, rest_a), (y, rest_b)) = if x.is_ascii_digit() && y.is_ascii_digit() {
            (run(a, true), run(b, true))
        } else {
            (run(a, false), run(b, false))
        };
        let (m, n) = (trim_zeros(x), trim_zeros(y));
        let ordering = if x.first().is_some_and(u8::is_ascii_digit) && y.first().is_some_and(u8::is_ascii_digit) {
            m.len().cmp(&n.len()).then_with(|| m.cmp(n)).then_with(|| x.len().cmp(&y.len()))
        } else {
            x.cmp(y)
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The leading digits, or what stands before the next digit; never empty.
fn run(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|c| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end.max(1).min(text.len()))
}

fn trim_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|d| **d == b'0').count();
    &digits[zeros.min(digits.len().saturating_sub(1))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_texts_count_as_numbers() {
        let sorted = ["", "4m5", "4m600", "4m1000", "a", "a2", "a10", "a10b"];
        for pair in sorted.windows(2) {
            assert_eq!(natural(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(natural(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(natural("a01", "a01"), Ordering::Equal);
    }
}
