//! Which service is to blame: services call one another, one is seen to be slow or failing, and where the trouble starts is ranked.
//!
//! A service that is slow because what it calls is slow has little of its own: its deviation is less what the worst of its callees explains. Then
//! those come first that have much left and are near, along calls, to where the trouble was seen. This is the traversal of anomalous calls
//! (MonitorRank, Kim et al., SIGMETRICS 2013; CIRCA, Li et al., KDD 2022, on residuals given the parents) with deviations by medians, which did
//! as well as anything learnt on public incidents (PetShop, Hardt et al., CLeaR 2024).
//!
//! Reading order: [`rank`] -> [`deviation`].

/// Most services of one question.
pub const SERVICES_MAX: usize = 10_000;
/// A cause that is one call further away counts so much.
const PER_CALL: f64 = 0.9;
/// Share of the deviation that counts although callees explain it: they may deviate because of the caller.
const EXPLAINED: f64 = 0.15;
/// Deviations that are nothing, and the smallest change, per level, that counts as one deviation.
const NOTHING: f64 = 3.0;
const CHANGE_MIN: f64 = 0.02;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time to answer: more is worse. Passed on to callers.
    Latency,
    /// Share or number of failures: more is worse. Passed on to callers.
    Errors,
    /// Requests: both ways are signs. Passed on to callees, so it blames nobody by itself.
    Traffic,
    /// CPU, memory, queues: both ways are signs. The service's own.
    Resource,
}

/// One metric of a service, before the trouble and during it. What is not finite is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// What it measures.
    pub kind: Kind,
    /// As the user calls it.
    pub name: String,
    /// Usual values.
    pub before: Vec<f64>,
    /// Values while there was trouble.
    pub during: Vec<f64>,
}

/// A service with its metrics, and the services it calls by place in the list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Service {
    /// What is known of it.
    pub metrics: Vec<Metric>,
    /// Whom it calls; places outside of the list are ignored.
    pub calls: Vec<usize>,
}

/// A candidate, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// Place of the service.
    pub service: usize,
    /// From 0; only the order means something.
    pub score: f64,
    /// Place of the metric that deviates most, and by how many usual deviations.
    pub metric: Option<(usize, f64)>,
    /// Calls between the service where the trouble was seen and this one.
    pub distance: usize,
}

/// Ranks all services that `seen` reaches along calls, itself included; those that do not deviate are left out. Nothing for a place outside of
/// the list or more than [`SERVICES_MAX`] services.
pub fn rank(services: &[Service], seen: usize) -> Vec<Cause> {
    if seen >= services.len() || services.len() > SERVICES_MAX {
        return Vec::new();
    }
    let strange: Vec<Strange> = services.iter().map(Strange::of).collect();
    let mut causes: Vec<Cause> = distances(services, seen)
        .into_iter()
        .map(|(service, distance)| {
            let own = &strange[service];
            let callees = services[service].calls.iter().filter(|c| **c < services.len() && **c != service);
            let passed = callees.map(|c| strange[*c].passed_on).fold(0.0, f64::max);
            // What a service's resources say is its own.
            let left = (own.passed_on - passed).max(0.0) + EXPLAINED * own.passed_on.min(passed);
            Cause {
                service,
                score: left.max(own.resource) * PER_CALL.powi(i32::try_from(distance).unwrap_or(i32::MAX)),
                metric: own.metric,
                distance,
            }
        })
        .filter(|cause| cause.score > 0.0)
        .collect();
    causes
        .sort_by(|a, b| b.score.total_cmp(&a.score).then(a.distance.cmp(&b.distance)).then(a.service.cmp(&b.service)));
    causes
}

/// Services within reach and how many calls away each is, breadth first.
fn distances(services: &[Service], seen: usize) -> Vec<(usize, usize)> {
    let mut known = vec![false; services.len()];
    known[seen] = true;
    let mut out = vec![(seen, 0)];
    let mut at = 0;
    while let Some((service, distance)) = out.get(at).copied() {
        at += 1;
        for callee in &services[service].calls {
            if known.get(*callee) == Some(&false) {
                known[*callee] = true;
                out.push((*callee, distance + 1));
            }
        }
    }
    out
}

/// How strange a service is, as logarithms of deviations: a hundred deviations are not ten times as telling as ten.
struct Strange {
    passed_on: f64,
    resource: f64,
    metric: Option<(usize, f64)>,
}

impl Strange {
    fn of(service: &Service) -> Self {
        let mut out = Self { passed_on: 0.0, resource: 0.0, metric: None };
        let mut loudest = 0.0;
        for (place, metric) in service.metrics.iter().enumerate() {
            let away = deviation(metric);
            let bad = match metric.kind {
                Kind::Latency | Kind::Errors => away.max(0.0),
                Kind::Traffic | Kind::Resource => away.abs(),
            };
            let says = (bad / NOTHING).max(1.0).ln();
            match metric.kind {
                Kind::Latency | Kind::Errors => out.passed_on = out.passed_on.max(says),
                Kind::Resource => out.resource = out.resource.max(0.5 * says),
                Kind::Traffic => continue,
            }
            if says > loudest {
                loudest = says;
                out.metric = Some((place, away));
            }
        }
        out
    }
}

/// Median during the trouble less the usual median, in usual deviations (by the median absolute deviation); 0 where either is unknown.
pub fn deviation(metric: &Metric) -> f64 {
    let (Some(usual), Some(now)) = (median(&metric.before), median(&metric.during)) else { return 0.0 };
    let away: Vec<f64> = metric.before.iter().map(|v| (v - usual).abs()).collect();
    let deviation = 1.4826 * median(&away).unwrap_or(0.0);
    let least = (CHANGE_MIN * usual.abs()).max(1e-9);
    let answer = (now - usual) / deviation.max(least);
    if answer.is_finite() { answer } else { 0.0 }
}

/// Of the finite ones.
fn median(values: &[f64]) -> Option<f64> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let middle = finite.len() / 2;
    (!finite.is_empty()).then(|| *finite.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metric(kind: Kind, before: f64, during: f64) -> Metric {
        let around = |level: f64| (0..20).map(|i| level * (1.0 + 0.01 * f64::from(i % 5 - 2))).collect();
        Metric { kind, name: format!("{kind:?}"), before: around(before), during: around(during) }
    }

    fn service(latency: f64, calls: &[usize]) -> Service {
        let metrics = vec![metric(Kind::Latency, 10.0, latency), metric(Kind::Traffic, 100.0, 100.0)];
        Service { metrics, calls: calls.to_vec() }
    }

    fn order(services: &[Service], seen: usize) -> Vec<usize> {
        rank(services, seen).into_iter().map(|c| c.service).collect()
    }

    #[test]
    fn trouble_is_followed_to_where_it_starts() {
        // 0 calls 1 and 2, 1 calls 3.
        let slow_below = [service(40.0, &[1, 2]), service(42.0, &[3]), service(10.0, &[]), service(45.0, &[])];
        assert_eq!(order(&slow_below, 0)[0], 3);
        let slow_itself = [service(40.0, &[1, 2]), service(10.0, &[3]), service(10.0, &[]), service(10.0, &[])];
        assert_eq!(order(&slow_itself, 0), [0]);
        // A service that nobody asked is not to blame, however slow it is.
        let elsewhere = [service(40.0, &[1]), service(45.0, &[]), service(900.0, &[])];
        assert_eq!(order(&elsewhere, 0)[0], 1);
        let nothing = [service(10.0, &[1]), service(10.0, &[])];
        assert_eq!(order(&nothing, 0), [0; 0]);
        assert_eq!(order(&nothing, 7), [0; 0]);
    }

    #[test]
    fn resources_are_ones_own_and_speed_is_no_trouble() {
        let mut services = [service(40.0, &[1]), service(38.0, &[2]), service(41.0, &[])];
        services[2].metrics.push(metric(Kind::Resource, 0.3, 0.99));
        let causes = rank(&services, 0);
        assert_eq!((causes[0].service, causes[0].metric.map(|m| m.0), causes[0].distance), (2, Some(0), 2));
        let faster = [service(2.0, &[])];
        assert_eq!(order(&faster, 0), [0; 0]);
    }

    proptest! {
        /// Any graph, cycles and bad places too, gives finite scores in order, each service once.
        #[test]
        fn any_graph_is_ranked(
            graph in prop::collection::vec((0.0..1e3, prop::collection::vec(0_usize..12, 0..5)), 0..10),
            seen in 0_usize..12,
        ) {
            let services: Vec<Service> = graph.iter().map(|(latency, calls)| service(*latency, calls)).collect();
            let causes = rank(&services, seen);
            prop_assert!(causes.windows(2).all(|w| w[0].score >= w[1].score));
            prop_assert!(causes.iter().all(|c| c.score.is_finite() && c.score > 0.0 && c.service < services.len()));
            let mut once: Vec<usize> = causes.iter().map(|c| c.service).collect();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), causes.len());
        }
    }
}
