//! `GET /opencost/allocation/compute`: OpenCost's allocation API (opencost.io/docs/integrations/api), for its clients. Values are numbers here,
//! because its clients read numbers; the sums behind them are exact, and the parts of a node's hour are what its bill says.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use grid_analytics::cost::node_cost::{Costs, HourCost};
use grid_cost::split::split_by_amounts;
use grid_guard::Caller;
use grid_model::time::{DAY_NS, HOUR_NS};
use grid_model::{Amount, Timestamp};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::Params;
use crate::route::{parse_time, rfc3339};
use crate::state::ApiState;

/// Steps of one answer.
const STEPS_MAX: i64 = 10_000;
/// The name of what nobody holds.
const IDLE: &str = "__idle__";
/// The name of what has no such property.
const UNALLOCATED: &str = "__unallocated__";

/// OpenCost's parameters.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ComputeParams {
    /// `today`, `yesterday`, `week`, `lastweek`, `month`, `lastmonth`, a duration such as `7d`, or two times separated by a comma.
    #[param(example = "7d")]
    window: Option<String>,
    /// What to sum by, separated by commas: cluster, node, namespace, controllerKind, controller, pod, container. Absent: every container.
    aggregate: Option<String>,
    /// The length of each set of the answer; the window if absent.
    step: Option<String>,
    /// Taken and not used: measurements are read every five minutes, costs are of hours.
    resolution: Option<String>,
    /// Whether what nobody holds is an allocation of its own.
    include_idle: Option<bool>,
    /// Whether what nobody holds of a node is shared by those who hold the rest of it.
    share_idle: Option<bool>,
    /// Whether all steps are added up.
    accumulate: Option<String>,
    /// The currency, if nodes are billed in several; else that in which most is billed.
    currency: Option<String>,
}

/// Costs of containers as OpenCost answers them.
#[utoipa::path(get, path = "/opencost/allocation/compute", tag = "costs", params(ComputeParams),
    responses((status = 200, description = "`{\"code\": 200, \"data\": [{NAME: allocation}]}`, one set per step. Costs are numbers. The header X-Grid-Currency names the currency.", content_type = "application/json"),
        (status = 400, description = "`{\"code\": 400, \"message\": ...}`.")))]
pub(crate) async fn compute(
    State(state): State<ApiState>,
    caller: Caller,
    Params(params): Params<ComputeParams>,
) -> Response {
    match answer(&state, &caller, &params).await {
        Ok((currency, body)) => {
            let header = http::HeaderValue::from_str(&currency).unwrap_or_else(|_| http::HeaderValue::from_static(""));
            ([("x-grid-currency", header)], axum::Json(body)).into_response()
        }
        Err(e) => {
            let problem = e.problem();
            let status = if problem.status.is_success() { StatusCode::INTERNAL_SERVER_ERROR } else { problem.status };
            (status, axum::Json(json!({ "code": status.as_u16(), "message": e.to_string() }))).into_response()
        }
    }
}

async fn answer(state: &ApiState, caller: &Caller, params: &ComputeParams) -> Result<(String, Value), ApiError> {
    let now = (state.clock)();
    let window = params.window.as_deref().ok_or_else(|| ApiError::Parameter("window is missing".to_owned()))?;
    let (from, until) = window_of(window, now)?;
    let properties = properties(params.aggregate.as_deref())?;
    if let Some(text) = params.resolution.as_deref().filter(|t| crate::duration::parse(t).is_none()) {
        return Err(ApiError::Parameter(format!("resolution is {text:?}, it must be a duration such as 1m")));
    }
    let step = match params.step.as_deref() {
        None => until.0 - from.0,
        Some(text) => crate::duration::parse(text).filter(|ns| ns % HOUR_NS == 0).ok_or_else(|| {
            ApiError::Parameter(format!("step is {text:?}, it must be a number of hours such as 1h or 1d"))
        })?,
    };
    if (until.0 - from.0) / step > STEPS_MAX {
        return Err(ApiError::Parameter(format!("the window has more than {STEPS_MAX} steps")));
    }
    let mut costs = state.engine.cluster_costs(&caller.tenant, from, until, params.currency.as_deref()).await?;
    if params.share_idle == Some(true) {
        share_idle(&mut costs.hours).ok_or_else(too_large)?;
    }
    let include_idle = params.include_idle == Some(true) || params.share_idle == Some(true);
    let accumulate = matches!(params.accumulate.as_deref(), Some("true" | "all"));
    let mut sets: BTreeMap<i64, BTreeMap<String, Sum>> = BTreeMap::new();
    if !accumulate {
        sets.extend((0..(until.0 - from.0 + step - 1) / step).map(|n| (n, BTreeMap::new())));
    }
    for hour in costs.hours.iter().filter(|h| h.container.is_some() || include_idle) {
        if hour.container.is_none() && hour.costs == Costs::default() {
            continue;
        }
        let n = if accumulate { 0 } else { (hour.hour.0.max(from.0) - from.0) / step };
        let sum = sets.entry(n).or_default().entry(name(hour, &properties)).or_default();
        sum.add(hour, &properties).ok_or_else(too_large)?;
    }
    let data = sets.into_iter().map(|(n, set)| {
        let (start, end) = if accumulate {
            (from, until)
        } else {
            (from.saturating_add(n * step), until.min(from.saturating_add((n + 1) * step)))
        };
        let set = set.into_iter().map(|(name, sum)| (name.clone(), sum.json(&name, start, end)));
        Value::Object(set.collect::<Map<_, _>>())
    });
    let body = json!({ "code": 200, "data": data.collect::<Vec<_>>() });
    Ok((costs.currency, body))
}

fn too_large() -> ApiError {
    ApiError::Parameter("a sum of costs has more than 38 digits: ask for less".to_owned())
}

/// OpenCost's windows, cut to whole hours.
fn window_of(text: &str, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let bad = || {
        ApiError::Parameter(format!(
            "window is {text:?}, it must be such as 7d, today, lastweek, or two times with a comma between"
        ))
    };
    let today = now.0.div_euclid(DAY_NS) * DAY_NS;
    // 1970-01-04 was a Sunday.
    let week = today - (today.div_euclid(DAY_NS) - 3).rem_euclid(7) * DAY_NS;
    let month = |at: i64| grid_cost::fiscal::Calendar::Months { first: 1 }.period(Timestamp(at)).start.0;
    let (from, until) = match text {
        "today" => (today, now.0),
        "yesterday" => (today - DAY_NS, today),
        "week" => (week, now.0),
        "lastweek" => (week - 7 * DAY_NS, week),
        "month" => (month(today), now.0),
        "lastmonth" => (month(month(today) - DAY_NS), month(today)),
        _ => match text.split_once(',') {
            Some((from, until)) => {
                (parse_time(from.trim()).ok_or_else(bad)?.0, parse_time(until.trim()).ok_or_else(bad)?.0)
            }
            None => (now.0 - crate::duration::parse(text).ok_or_else(bad)?, now.0),
        },
    };
    let from = from.div_euclid(HOUR_NS) * HOUR_NS;
    let until = -(-until).div_euclid(HOUR_NS) * HOUR_NS;
    if until <= from { Err(bad()) } else { Ok((Timestamp(from), Timestamp(until))) }
}

/// What allocations are summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Property {
    Cluster,
    Node,
    Namespace,
    ControllerKind,
    Controller,
    Pod,
    Container,
}

fn properties(list: Option<&str>) -> Result<Vec<Property>, ApiError> {
    let all = [Property::Cluster, Property::Node, Property::Namespace, Property::Pod, Property::Container];
    let Some(list) = list.filter(|l| !l.trim().is_empty()) else { return Ok(all.to_vec()) };
    let one = |word: &str| match word.trim().to_ascii_lowercase().as_str() {
        "cluster" => Ok(Property::Cluster),
        "node" => Ok(Property::Node),
        "namespace" => Ok(Property::Namespace),
        "controllerkind" => Ok(Property::ControllerKind),
        "controller" => Ok(Property::Controller),
        "pod" => Ok(Property::Pod),
        "container" => Ok(Property::Container),
        _ => Err(ApiError::Parameter(format!(
            "aggregate has {word:?}; it may have cluster, node, namespace, controllerKind, controller, pod, container"
        ))),
    };
    list.split(',').map(one).collect()
}

impl Property {
    fn of(self, hour: &HourCost) -> &str {
        let container = hour.container.as_ref();
        match self {
            Self::Cluster => &hour.cluster,
            Self::Node => &hour.node,
            Self::Namespace => container.map_or("", |c| &c.namespace),
            Self::ControllerKind => &hour.controller_kind,
            Self::Controller => &hour.controller,
            Self::Pod => container.map_or("", |c| &c.pod),
            Self::Container => container.map_or("", |c| &c.container),
        }
    }

    fn json_name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::Namespace => "namespace",
            Self::ControllerKind => "controllerKind",
            Self::Controller => "controller",
            Self::Pod => "pod",
            Self::Container => "container",
        }
    }
}

fn name(hour: &HourCost, properties: &[Property]) -> String {
    if hour.container.is_none() {
        return IDLE.to_owned();
    }
    // A cluster without a name is the only one.
    let cluster = |p: &Property| *p == Property::Cluster && hour.cluster.is_empty() && properties.len() > 1;
    let part = |p: &Property| match p.of(hour) {
        "" => UNALLOCATED.to_owned(),
        text => text.to_owned(),
    };
    let parts: Vec<String> = properties.iter().filter(|p| !cluster(p)).map(part).collect();
    parts.join("/")
}

/// Gives what is idle of each node and hour to those who hold the rest of it, each kind by its own costs. What nobody holds stays idle.
fn share_idle(hours: &mut [HourCost]) -> Option<()> {
    let mut from = 0;
    while from < hours.len() {
        let first = (hours[from].hour, hours[from].cluster.clone(), hours[from].node.clone());
        let length =
            hours[from..].iter().take_while(|h| (h.hour, &h.cluster, &h.node) == (first.0, &first.1, &first.2)).count();
        let group = &mut hours[from..from + length];
        from += length;
        let Some(idle_at) = group.iter().position(|h| h.container.is_none()) else { continue };
        let kinds: [fn(&mut Costs) -> &mut Amount; 4] =
            [|c| &mut c.cpu, |c| &mut c.ram, |c| &mut c.gpu, |c| &mut c.network];
        for kind in kinds {
            let idle = *kind(&mut group[idle_at].costs);
            let mut weights: Vec<Amount> = group.iter_mut().map(|h| *kind(&mut h.costs)).collect();
            weights[idle_at] = Amount::ZERO;
            let Some(parts) = split_by_amounts(idle, &weights) else { continue };
            *kind(&mut group[idle_at].costs) = Amount::ZERO;
            for (hour, part) in group.iter_mut().zip(parts) {
                let cost = kind(&mut hour.costs);
                *cost = cost.checked_add(part)?;
            }
        }
    }
    Some(())
}

/// One allocation under construction.
#[derive(Debug, Default)]
struct Sum {
    /// Values of all properties that its hours agree on.
    properties: BTreeMap<&'static str, Option<String>>,
    provider_id: Option<String>,
    costs: Costs,
    hours: std::collections::BTreeSet<Timestamp>,
    cpu_hours: f64,
    cpu_request: f64,
    cpu_usage: f64,
    ram_hours: f64,
    ram_request: f64,
    ram_usage: f64,
    gpu_hours: f64,
}

impl Sum {
    fn add(&mut self, hour: &HourCost, properties: &[Property]) -> Option<()> {
        self.costs.add(&hour.costs)?;
        self.hours.insert(hour.hour);
        let finite = |v: f64| if v.is_finite() { v } else { 0.0 };
        self.cpu_hours += finite(hour.uses.cpu());
        self.cpu_request += finite(hour.uses.cpu_request);
        self.cpu_usage += finite(hour.uses.cpu_usage);
        self.ram_hours += finite(hour.uses.ram());
        self.ram_request += finite(hour.uses.ram_request);
        self.ram_usage += finite(hour.uses.ram_usage);
        self.gpu_hours += finite(hour.uses.gpus);
        if hour.container.is_none() {
            return Some(());
        }
        let all = [
            Property::Cluster,
            Property::Node,
            Property::Namespace,
            Property::ControllerKind,
            Property::Controller,
            Property::Pod,
            Property::Container,
        ];
        for property in all {
            let value = property.of(hour);
            let known = self.properties.entry(property.json_name()).or_insert_with(|| Some(value.to_owned()));
            // Of several pods, the pod is none of them.
            if known.as_deref() != Some(value) && !properties.contains(&property) {
                *known = None;
            }
        }
        let id = Some(hour.provider_id.clone());
        if self.provider_id.is_none() {
            self.provider_id = id;
        } else if self.provider_id != id {
            self.provider_id = Some(String::new());
        }
        Some(())
    }

    fn json(&self, name: &str, start: Timestamp, end: Timestamp) -> Value {
        let hours = self.hours.len().max(1) as f64;
        let first = self.hours.first().map_or(start, |h| (*h).max(start));
        let last = self.hours.last().map_or(end, |h| h.saturating_add(HOUR_NS).min(end));
        let minutes = (last.0 - first.0) as f64 / 60e9;
        let (cpu, ram) = (number(self.costs.cpu), number(self.costs.ram));
        let efficiency = |usage: f64, request: f64, cost: f64| match request > 0.0 {
            true => usage / request,
            false if usage > 0.0 && cost > 0.0 => 1.0,
            false => 0.0,
        };
        let cpu_efficiency = efficiency(self.cpu_usage, self.cpu_request, cpu);
        let ram_efficiency = efficiency(self.ram_usage, self.ram_request, ram);
        let total_efficiency =
            if cpu + ram > 0.0 { (cpu * cpu_efficiency + ram * ram_efficiency) / (cpu + ram) } else { 0.0 };
        let mut properties: Map<String, Value> = self
            .properties
            .iter()
            .filter_map(|(k, v)| Some(((*k).to_owned(), json!(v.as_deref().filter(|v| !v.is_empty())?))))
            .collect();
        if let Some(id) = self.provider_id.as_deref().filter(|id| !id.is_empty()) {
            properties.insert("providerID".to_owned(), json!(id));
        }
        json!({
            "name": name,
            "properties": properties,
            "window": { "start": rfc3339(start), "end": rfc3339(end) },
            "start": rfc3339(first),
            "end": rfc3339(last),
            "minutes": minutes,
            "cpuCores": self.cpu_hours / hours,
            "cpuCoreRequestAverage": self.cpu_request / hours,
            "cpuCoreUsageAverage": self.cpu_usage / hours,
            "cpuCoreHours": self.cpu_hours,
            "cpuCost": cpu,
            "cpuCostAdjustment": 0.0,
            "cpuEfficiency": cpu_efficiency,
            "gpuCount": self.gpu_hours / hours,
            "gpuHours": self.gpu_hours,
            "gpuCost": number(self.costs.gpu),
            "gpuCostAdjustment": 0.0,
            "networkCost": number(self.costs.network),
            "networkCostAdjustment": 0.0,
            "loadBalancerCost": number(self.costs.load_balancer),
            "loadBalancerCostAdjustment": 0.0,
            "pvCost": number(self.costs.volume),
            "pvCostAdjustment": 0.0,
            "ramBytes": self.ram_hours / hours,
            "ramByteRequestAverage": self.ram_request / hours,
            "ramByteUsageAverage": self.ram_usage / hours,
            "ramByteHours": self.ram_hours,
            "ramCost": ram,
            "ramCostAdjustment": 0.0,
            "ramEfficiency": ram_efficiency,
            "externalCost": 0.0,
            "sharedCost": number(self.costs.shared),
            "totalCost": self.costs.total().map_or(0.0, number),
            "totalEfficiency": total_efficiency,
        })
    }
}

/// The nearest float, by way of the text.
fn number(amount: Amount) -> f64 {
    amount.to_string().parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_opencost_reads_them() {
        // 2026-10-28 was a Wednesday.
        let now = parse_time("2026-10-28T10:30:00Z").unwrap();
        for (text, from, until) in [
            ("today", "2026-10-28T00:00:00Z", "2026-10-28T11:00:00Z"),
            ("yesterday", "2026-10-27T00:00:00Z", "2026-10-28T00:00:00Z"),
            ("week", "2026-10-25T00:00:00Z", "2026-10-28T11:00:00Z"),
            ("lastweek", "2026-10-18T00:00:00Z", "2026-10-25T00:00:00Z"),
            ("lastmonth", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2d", "2026-10-26T10:00:00Z", "2026-10-28T11:00:00Z"),
            ("2026-10-01T00:00:00Z,2026-10-02T00:00:00Z", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"),
            ("1790812800,1790899200", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"),
        ] {
            let (a, b) = window_of(text, now).unwrap();
            assert_eq!((rfc3339(a).as_str(), rfc3339(b).as_str()), (from, until), "{text}");
        }
        for bad in ["", "x", "2026-10-02T00:00:00Z,2026-10-01T00:00:00Z"] {
            assert!(window_of(bad, now).is_err(), "{bad}");
        }
        assert!(properties(Some("namespace,size")).is_err());
    }
}
