//! `and`, `or`, `unless`.

use std::collections::HashMap;

use grid_promql_syntax::ast::{BinaryOp, Matching};

use super::{Collected, Context, Parts, collect, held, side_by_side};
use crate::error::Error;
use crate::labels::Labels;
use crate::plan::{Binary, Node};
use crate::points::{Grid, Series};

pub(super) fn stream<'a>(
    context: &'a Context<'a>,
    _node: &'a Node,
    binary: &'a Binary,
    grid: Grid,
) -> Result<Parts<'a>, Error> {
    match binary.op {
        BinaryOp::Or => or(context, binary, grid),
        op => {
            let there = presence(context, context.stream(&binary.rhs, grid)?, &binary.matching)?;
            let wanted = op == BinaryOp::And;
            Ok(context.map(context.stream(&binary.lhs, grid)?, move |series: &mut Series| {
                let mut key = Vec::new();
                signature(&series.labels, &binary.matching, &mut key);
                match there.get(&key) {
                    None => return Ok(!wanted),
                    Some(there) => {
                        for (step, there) in there.iter().enumerate() {
                            if series.points.present[step] && *there != wanted {
                                series.points.unset(step);
                            }
                        }
                    }
                }
                Ok(!series.points.is_empty())
            }))
        }
    }
}

/// The labels by which two sides are matched.
pub(super) fn signature(labels: &Labels, matching: &Matching, out: &mut Vec<u8>) {
    labels.group_key(&matching.labels, !matching.on, out);
}

/// At which steps there is any series of a signature.
fn presence(
    context: &Context<'_>,
    parts: Parts<'_>,
    matching: &Matching,
) -> Result<HashMap<Vec<u8>, Vec<bool>>, Error> {
    let shares = side_by_side(parts, |part| {
        let mut there: HashMap<Vec<u8>, Vec<bool>> = HashMap::new();
        let (mut key, mut held) = (Vec::new(), context.memory.reserve());
        while let Some(series) = part.next()? {
            (context.interrupt)()?;
            signature(&series.labels, matching, &mut key);
            match there.get_mut(&key) {
                Some(steps) => steps.iter_mut().zip(&series.points.present).for_each(|(a, b)| *a |= *b),
                None => {
                    held.grow(key.len() + series.points.present.len() + 48)?;
                    there.insert(key.clone(), series.points.present);
                }
            }
        }
        Ok(there)
    })?;
    let mut all = HashMap::new();
    for share in shares {
        for (key, steps) in share {
            all.entry(key)
                .and_modify(|old: &mut Vec<bool>| old.iter_mut().zip(&steps).for_each(|(a, b)| *a |= *b))
                .or_insert(steps);
        }
    }
    Ok(all)
}

fn or<'a>(context: &'a Context<'a>, binary: &'a Binary, grid: Grid) -> Result<Parts<'a>, Error> {
    let mut lhs = collect(context, context.stream(&binary.lhs, grid)?)?;
    let mut there: HashMap<Vec<u8>, Vec<bool>> = HashMap::new();
    let mut by_labels: HashMap<(Labels, bool), usize> = HashMap::new();
    let mut key = Vec::new();
    for (i, series) in lhs.series.iter().enumerate() {
        signature(&series.labels, &binary.matching, &mut key);
        by_labels.insert((series.labels.clone(), series.drop_name), i);
        match there.get_mut(&key) {
            Some(steps) => steps.iter_mut().zip(&series.points.present).for_each(|(a, b)| *a |= *b),
            None => {
                there.insert(key.clone(), series.points.present.clone());
            }
        }
    }
    let Collected { series: rhs, held: reservation } = collect(context, context.stream(&binary.rhs, grid)?)?;
    lhs.held.absorb(reservation);
    for mut series in rhs {
        signature(&series.labels, &binary.matching, &mut key);
        if let Some(there) = there.get(&key) {
            for (step, there) in there.iter().enumerate() {
                if *there && series.points.present[step] {
                    series.points.unset(step);
                }
            }
        }
        if series.points.is_empty() {
            continue;
        }
        // What has the same labels on both sides is one series.
        match by_labels.get(&(series.labels.clone(), series.drop_name)) {
            Some(i) => {
                for (step, point) in series.points.iter() {
                    if !lhs.series[*i].points.present[step] {
                        lhs.series[*i].points.put(step, point);
                    }
                }
            }
            None => lhs.series.push(series),
        }
    }
    Ok(held(lhs))
}
