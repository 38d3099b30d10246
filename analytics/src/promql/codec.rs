//! Plans of PromQL as bytes, for engines that run plans elsewhere: DataFusion's protobuf, with [`PromqlCodec`] for what is Grid's in it.
//!
//! A plan says all that it needs but two things: the files that it names, which never change, under the object store's URL
//! ([`FILES_URL`](crate::session::FILES_URL)); and a query's context, which each engine makes for itself. See ADR 0018.

use std::sync::Arc;
use std::time::Duration;

use datafusion::common::{DataFusionError, Result, not_impl_err, plan_datafusion_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::logical_expr::ScalarUDF;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use grid_model::{SeriesId, TenantId, TimeRange, Timestamp};
use grid_promql::Labels;
use grid_promql::plan::{Plan, STEPS_MAX};
use grid_promql::points::Grid;
use grid_promql::query::Options;
use grid_promql_syntax::Features;
use prost::Message as _;
use tokio::time::Instant;

use super::choose::Chosen;
use super::exec::{Origin, Planned, Query};
use super::merge::{Input, Run};
use super::node::{PromqlExec, external};
use super::pinned::PinnedExec;
use super::plan::{LeafScan, Part};
use super::{PromqlError, wire};
use crate::function::restore_value::restore_value_udf;

/// A plan as bytes.
pub(super) fn encode(plan: Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
    Ok(physical_plan_to_bytes_with_extension_codec(plan, &PromqlCodec)?.into())
}

/// A plan out of bytes, to be run in a context.
pub(super) fn decode(bytes: &[u8], context: &TaskContext) -> Result<Arc<dyn ExecutionPlan>> {
    physical_plan_from_bytes_with_extension_codec(bytes, context, &PromqlCodec)
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct PromqlCodec;

impl PhysicalExtensionCodec for PromqlCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let node = wire::Node::decode(buf).map_err(|e| plan_datafusion_err!("a node of a plan cannot be read: {e}"))?;
        match (node.of, inputs) {
            (Some(wire::Of::Promql(promql)), scans) => Ok(Arc::new(from_wire(promql, scans, context)?)),
            (Some(wire::Of::Pinned(pinned)), [scan]) => PinnedExec::from_wire(pinned, Arc::clone(scan)),
            (Some(wire::Of::Pinned(_)), other) => plan_err!("a pinned scan has one input, not {}", other.len()),
            (None, _) => plan_err!("a node of a plan is of a later version of Grid"),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let of = if let Some(promql) = node.downcast_ref::<PromqlExec>() {
            wire::Of::Promql(to_wire(promql))
        } else if let Some(pinned) = node.downcast_ref::<PinnedExec>() {
            wire::Of::Pinned(pinned.to_wire()?)
        } else {
            return not_impl_err!("{} has no codec", node.name());
        };
        wire::Node { of: Some(of) }.encode(buf).map_err(|e| DataFusionError::External(Box::new(e)))
    }

    fn try_decode_udf(&self, name: &str, _: &[u8]) -> Result<Arc<ScalarUDF>> {
        let own = restore_value_udf();
        if name == own.name() { Ok(own) } else { not_impl_err!("there is no function {name}") }
    }
}

fn to_wire(node: &PromqlExec) -> wire::Promql {
    let planned = node.planned();
    let Query { text, features, grid, options, .. } = planned.query.as_ref();
    wire::Promql {
        tenant: planned.origin.tenant.as_str().to_owned(),
        generation: planned.origin.generation,
        expression: text.clone(),
        features: Some(wire::Features {
            experimental_functions: features.experimental_functions,
            duration_expressions: features.duration_expressions,
            extended_range_selectors: features.extended_range_selectors,
            binop_fill_modifiers: features.binop_fill_modifiers,
            delayed_name_removal: options.delayed_name_removal,
            per_step_stats: features.per_step_stats,
            type_and_unit_labels: features.type_and_unit_labels,
            start_timestamps: options.start_timestamps,
        }),
        start: grid.start,
        end: grid.end,
        step: grid.step,
        lookback: options.lookback,
        subquery_step: options.subquery_step,
        memory_bytes: options.memory_bytes as u64,
        timeout: u64::try_from(node.deadline().saturating_duration_since(Instant::now()).as_millis())
            .unwrap_or(u64::MAX),
        leaves: planned.scans.iter().map(leaf_to_wire).collect(),
    }
}

fn leaf_to_wire(scan: &LeafScan) -> wire::Leaf {
    let runs = |input: &Input| wire::Runs {
        ranks: input.runs.iter().map(|run| run.rank).collect(),
        rows: input.runs.iter().map(|run| run.rows).collect(),
    };
    let part = |part: &Part| wire::Part {
        start: part.range.start.0,
        end: part.range.end.0,
        runs: part.inputs.iter().map(runs).collect(),
    };
    wire::Leaf {
        ids: scan.chosen.series.iter().map(|(id, _)| id.0).collect(),
        labels: scan.chosen.series.iter().map(|(_, labels)| bytes::Bytes::copy_from_slice(labels.key())).collect(),
        alike: scan.chosen.alike.clone(),
        parts: scan.parts.iter().map(part).collect(),
    }
}

fn from_wire(node: wire::Promql, scans: &[Arc<dyn ExecutionPlan>], context: &TaskContext) -> Result<PromqlExec> {
    let features = node.features.clone().unwrap_or_default();
    let features = Features {
        experimental_functions: features.experimental_functions,
        duration_expressions: features.duration_expressions,
        extended_range_selectors: features.extended_range_selectors,
        binop_fill_modifiers: features.binop_fill_modifiers,
        delayed_name_removal: features.delayed_name_removal,
        per_step_stats: features.per_step_stats,
        type_and_unit_labels: features.type_and_unit_labels,
        start_timestamps: features.start_timestamps,
    };
    let grid = grid_of(&node)?;
    let memory = match context.memory_pool().memory_limit() {
        MemoryLimit::Finite(limit) => limit as u64,
        _ => u64::MAX,
    };
    let options = Options {
        lookback: node.lookback,
        subquery_step: node.subquery_step,
        delayed_name_removal: features.delayed_name_removal,
        start_timestamps: features.start_timestamps,
        memory_bytes: usize::try_from(node.memory_bytes.min(memory)).unwrap_or(usize::MAX),
    };
    let tenant = TenantId::parse(&node.tenant).map_err(|e| plan_datafusion_err!("a plan without a tenant: {e}"))?;
    let expr = grid_promql_syntax::parse(&node.expression, &features).map_err(|e| external(PromqlError::Parse(e)))?;
    let plan = Plan::new(&expr, grid, &options).map_err(|e| external(e.into()))?;
    if plan.leaves.len() != node.leaves.len() {
        return plan_err!("{} has {} selectors, its plan {}", node.expression, plan.leaves.len(), node.leaves.len());
    }
    let mut scans = scans.iter();
    let leaves = node.leaves.into_iter().map(|leaf| leaf_from_wire(leaf, &mut scans)).collect::<Result<Vec<_>>>()?;
    if scans.next().is_some() {
        return plan_err!("{} has scans that no selector asks for", node.expression);
    }
    let planned = Planned {
        origin: Origin { tenant, generation: node.generation },
        query: Arc::new(Query { text: node.expression, features, expr, grid, options }),
        plan: Arc::new(plan),
        scans: leaves,
    };
    let now = Instant::now();
    // What is too far away to be a time is as good as never; the engine's own deadline ends it earlier.
    let deadline = now.checked_add(Duration::from_millis(node.timeout)).unwrap_or(now + Duration::from_secs(86_400));
    Ok(PromqlExec::new(planned, deadline))
}

fn grid_of(node: &wire::Promql) -> Result<Grid> {
    let span = i128::from(node.end) - i128::from(node.start);
    if span < 0 || node.step < 1 || span / i128::from(node.step.max(1)) >= STEPS_MAX as i128 {
        return plan_err!("from {} to {} by {} are no steps", node.start, node.end, node.step);
    }
    Ok(Grid { start: node.start, end: node.end, step: node.step })
}

fn leaf_from_wire(leaf: wire::Leaf, scans: &mut std::slice::Iter<'_, Arc<dyn ExecutionPlan>>) -> Result<LeafScan> {
    if leaf.ids.len() != leaf.labels.len() {
        return plan_err!("{} series have labels, {} have ids", leaf.labels.len(), leaf.ids.len());
    }
    let mut series = Vec::with_capacity(leaf.ids.len());
    for (id, labels) in leaf.ids.into_iter().zip(leaf.labels) {
        let labels = Labels::of_series_key(&labels).ok_or_else(|| plan_datafusion_err!("series {id} has no labels"))?;
        series.push((SeriesId(id), labels));
    }
    let mut parts = Vec::with_capacity(leaf.parts.len());
    for part in leaf.parts {
        let mut inputs = Vec::with_capacity(part.runs.len());
        for runs in part.runs {
            let Some(plan) = scans.next() else { return plan_err!("a selector lacks a scan") };
            if runs.ranks.len() != runs.rows.len() {
                return plan_err!("a scan does not say whose its rows are");
            }
            let runs = runs.ranks.into_iter().zip(runs.rows).map(|(rank, rows)| Run { rank, rows }).collect();
            inputs.push(Input { plan: Arc::clone(plan), runs });
        }
        let range = TimeRange { start: Timestamp(part.start), end: Timestamp(part.end) };
        parts.push(Part { inputs, range });
    }
    Ok(LeafScan { chosen: Arc::new(Chosen::shipped(series, leaf.alike)), parts })
}
