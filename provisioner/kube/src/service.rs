//! `container_service`: a Deployment or a StatefulSet, with its Service and its HorizontalPodAutoscaler. Its fields are those of one container: the one
//! that the pods name as their default, or the first.

use grid_plan::Path;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::native::{Edit, Native};
use crate::object::{AUTOSCALER, DEPLOYMENT, Id, NAME_LABEL, RESOURCE_ANNOTATION, SERVICE, STATEFUL_SET, Sort};
use crate::place::{Place, get};
use crate::quantity::{mib, milli, of_milli};
use crate::seen::{Seen, Want, mark, object, text_of};

pub(crate) struct Service;

/// The annotation by which pods name the container that they are about.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// The load of processors that the number of pods is to hold, in percent of what they request, where nobody says.
const TARGET_CPU_PERCENT: i64 = 70;

/// The fields of a container that are one quantity: name, place below the container, how it is read, how it is written.
type Quantity = (&'static str, &'static str, fn(&str) -> Option<i64>, fn(i64) -> String);
const QUANTITIES: [Quantity; 4] = [
    ("cpu_milli", "resources.requests.cpu", milli, of_milli),
    ("memory_mib", "resources.requests.memory", mib, of_mib),
    ("kubernetes.cpu_limit_milli", "resources.limits.cpu", milli, of_milli),
    ("kubernetes.memory_limit_mib", "resources.limits.memory", mib, of_mib),
];

fn of_mib(mib: i64) -> String {
    format!("{mib}Mi")
}

/// The name of the container that the fields are about.
fn container(main: &Value) -> &str {
    let named = main.pointer("/spec/template/metadata/annotations").and_then(|a| a.get(DEFAULT_CONTAINER));
    let first = || main.pointer("/spec/template/spec/containers/0/name");
    named.or_else(first).and_then(Value::as_str).unwrap_or_default()
}

fn in_container(main: &Value) -> Place {
    Place::of("spec.template.spec.containers").named(container(main))
}

fn below(mut place: Place, text: &str) -> Place {
    place.0.extend(Place::of(text).0);
    place
}

fn port_place(place: Place, of: &[(&'static str, Value)]) -> Place {
    place.item(of.to_vec())
}

/// What tells one port of a container from another.
fn container_port(port: &Value) -> Vec<(&'static str, Value)> {
    vec![("containerPort", port.clone()), ("protocol", json!("TCP"))]
}

/// What tells one port of a Service from another.
fn service_port(port: &Value) -> Vec<(&'static str, Value)> {
    vec![("port", port.clone()), ("protocol", json!("TCP"))]
}

fn cpu_metric(percent: &Value) -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}})
}

fn is_cpu(metric: &Value) -> bool {
    metric.pointer("/resource/name").and_then(Value::as_str) == Some("cpu")
        && metric.pointer("/resource/target/type").and_then(Value::as_str) == Some("Utilization")
}

/// The metrics of an autoscaler with another load of processors; what else it looks at stays.
fn metrics(scaler: Option<&Value>, percent: &Value) -> Value {
    let there = scaler.and_then(|s| s.pointer("/spec/metrics")).and_then(Value::as_array);
    let others = there.into_iter().flatten().filter(|m| !is_cpu(m)).cloned();
    Value::Array(others.chain([cpu_metric(percent)]).collect())
}

fn scaler(id: &Id, min: Option<&Value>, max: &Value, percent: &Value) -> (Id, Value) {
    let target = json!({"apiVersion": id.sort.api_version(), "kind": id.sort.kind, "name": id.name});
    let spec =
        json!({"scaleTargetRef": target, "minReplicas": min, "maxReplicas": max, "metrics": metrics(None, percent)});
    (id.beside(&AUTOSCALER), object(json!({ "spec": spec })))
}

impl Native for Service {
    fn sorts(&self) -> &'static [&'static Sort] {
        const SORTS: [&Sort; 2] = [&DEPLOYMENT, &STATEFUL_SET];
        &SORTS
    }

    fn around(&self) -> &'static [&'static Sort] {
        const SORTS: [&Sort; 2] = [&AUTOSCALER, &SERVICE];
        &SORTS
    }

    fn belongs(&self, main: &Id, address: Option<&str>, sort: &Sort, object: &Value) -> bool {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if text("/metadata/namespace") != main.namespace {
            return false;
        }
        if *sort == AUTOSCALER {
            return text("/spec/scaleTargetRef/kind") == main.sort.kind
                && text("/spec/scaleTargetRef/name") == main.name;
        }
        // A Service of others is found by nobody's name but theirs.
        text("/metadata/name") == main.name
            && address.is_some()
            && mark(object, "annotations", RESOURCE_ANNOTATION) == address
    }

    fn tell(&self, seen: &mut Seen) {
        let (main, at) = (seen.main.clone(), in_container(&seen.main));
        for (name, place, read, _) in QUANTITIES {
            let text = get(&main, &below(at.clone(), place)).map(text_of);
            seen.tell(name, text.and_then(|t| read(&t)).map(Value::from));
        }
        seen.tell("image", get(&main, &at.clone().key("image")).cloned());
        seen.tell("port", get(&main, &at.clone().key("ports")).and_then(|p| p.get(0)?.get("containerPort").cloned()));
        let variables = get(&main, &at.key("env")).and_then(Value::as_array).into_iter().flatten();
        // What is looked up elsewhere (a secret, a field of the pod) is not told, and stays.
        let plain = variables.filter(|v| v.get("valueFrom").is_none());
        for variable in plain {
            let (name, value) = (variable.get("name").map(text_of), variable.get("value").map(text_of));
            if let Some(name) = name {
                seen.fields.set(&Path::of(["env", name.as_str()]), &Value::from(value.unwrap_or_default()));
            }
        }
        seen.tell("kubernetes.workload", Some(Value::from(seen.id.sort.kind)));
        let replicas = main.pointer("/spec/replicas").cloned();
        match seen.part(&AUTOSCALER).cloned() {
            Some(scaler) => {
                let at = |pointer| scaler.pointer(pointer).cloned();
                seen.tell("min", at("/spec/minReplicas").or(Some(json!(1))));
                seen.tell("max", at("/spec/maxReplicas"));
                let all = scaler.pointer("/spec/metrics").and_then(Value::as_array);
                let cpu = all.and_then(|all| all.iter().find(|m| is_cpu(m)));
                let percent = cpu.and_then(|m| m.pointer("/resource/target/averageUtilization"));
                seen.tell("kubernetes.target_cpu_percent", percent.cloned());
            }
            None => seen.tell("desired", replicas.clone()),
        }
        let mut put = |name: &str, value: Option<Value>| seen.outputs.extend(value.map(|v| (name.to_owned(), v)));
        put("desired", replicas);
        put("ready", main.pointer("/status/readyReplicas").cloned());
        put("namespace", Some(Value::from(seen.id.namespace.as_str())));
    }

    fn sort(&self, want: &Want<'_>) -> Result<&'static Sort, Failure> {
        let named = want.text("kubernetes.workload").unwrap_or(DEPLOYMENT.kind);
        let found = self.sorts().iter().find(|s| s.kind == named).copied();
        found.ok_or_else(|| {
            Failure::refused(format!("kubernetes.workload is {named:?}: it is Deployment or StatefulSet"))
        })
    }

    fn make(&self, id: &Id, want: &Want<'_>) -> Result<Vec<(Id, Value)>, Failure> {
        let port = want.get("port").cloned().unwrap_or(json!(8080));
        let labels = json!({NAME_LABEL: id.name});
        let mut main =
            json!({"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}});
        let at = Place::of("spec.template.spec.containers").named(&id.name);
        let mut put = |place: Place, value: Value| crate::place::put(&mut main, &place, value);
        put(at.clone().key("image"), Value::from(want.must("image")?));
        let ports = container_port(&port).into_iter().map(|(key, v)| (key.to_owned(), v)).collect::<Map<_, _>>();
        put(at.clone().key("ports"), json!([ports]));
        for (name, place, _, write) in QUANTITIES {
            if let Some(number) = want.int(name) {
                put(below(at.clone(), place), Value::from(write(number)));
            }
        }
        for (name, value) in want.map("env") {
            put(at.clone().key("env").named(&name).key("value"), Value::from(value));
        }
        if let Some(desired) = want.get("desired") {
            put(Place::of("spec.replicas"), desired.clone());
        }
        if *id.sort == STATEFUL_SET {
            put(Place::of("spec.serviceName"), Value::from(id.name.as_str()));
        }
        let service_ports = json!([{"name": "main", "port": port, "protocol": "TCP", "targetPort": port}]);
        let service = json!({"spec": {"type": "ClusterIP", "selector": labels, "ports": service_ports}});
        let mut all = vec![(id.beside(&SERVICE), service)];
        if let Some(max) = want.get("max") {
            let percent = want.get("kubernetes.target_cpu_percent").cloned().unwrap_or(json!(TARGET_CPU_PERCENT));
            all.push(scaler(id, want.get("min"), max, &percent));
        }
        all.push((id.clone(), main));
        Ok(all)
    }

    fn edits(&self, seen: &Seen, path: &Path, value: Option<&Value>) -> Result<Vec<Edit>, Failure> {
        let (main, at, name) = (seen.id.sort, in_container(&seen.main), path.to_string());
        let edit = |sort, place, value| Edit { field: name.clone(), sort, place, value };
        if let Some((_, place, _, write)) = QUANTITIES.iter().find(|(of, ..)| *of == name) {
            let text = value.and_then(Value::as_i64).map(|n| Value::from(write(n)));
            return Ok(vec![edit(main, below(at, place), text)]);
        }
        if path.keys().next() == Some("env") {
            let key = path.keys().nth(1).unwrap_or_default();
            let place = at.key("env").named(key);
            return Ok(vec![match value {
                Some(value) => edit(main, place.key("value"), Some(Value::from(text_of(value)))),
                None => edit(main, place, None),
            }]);
        }
        Ok(match name.as_str() {
            // Whoever moves the number next takes it from what it is.
            "desired" if value.is_none() => Vec::new(),
            "desired" => vec![edit(main, Place::of("spec.replicas"), value.cloned())],
            "image" => vec![edit(main, at.key("image"), value.cloned())],
            "min" => vec![edit(&AUTOSCALER, Place::of("spec.minReplicas"), value.cloned())],
            "max" => vec![edit(&AUTOSCALER, Place::of("spec.maxReplicas"), value.cloned())],
            "kubernetes.target_cpu_percent" => {
                let of = value.map(|percent| metrics(seen.part(&AUTOSCALER), percent));
                vec![edit(&AUTOSCALER, Place::of("spec.metrics"), of)]
            }
            "port" => {
                let mut all = Vec::new();
                let old =
                    get(&seen.main, &at.clone().key("ports")).and_then(|p| p.get(0)?.get("containerPort").cloned());
                let ports = at.key("ports");
                all.extend(old.iter().map(|old| edit(main, port_place(ports.clone(), &container_port(old)), None)));
                let new = value.map(|port| (port, port_place(ports, &container_port(port))));
                all.extend(new.map(|(port, place)| edit(main, place.key("containerPort"), Some(port.clone()))));
                if let (Some(service), Some(port)) = (seen.part(&SERVICE), value) {
                    let ports = Place::of("spec.ports");
                    let there = service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
                    let old = there.filter_map(|p| p.get("port"));
                    all.extend(old.map(|old| edit(&SERVICE, port_place(ports.clone(), &service_port(old)), None)));
                    let new = port_place(ports, &service_port(port));
                    all.push(edit(&SERVICE, new.clone().key("name"), Some(json!("main"))));
                    all.push(edit(&SERVICE, new.key("targetPort"), Some(port.clone())));
                }
                all
            }
            _ => Vec::new(),
        })
    }

    fn check(&self, seen: Option<&Seen>, want: &Want<'_>) -> Result<(), Failure> {
        let (desired, max) = (want.get("desired"), want.get("max"));
        let is_bound = want.get("min").or(max).is_some();
        if desired.is_some() && is_bound {
            return Err(Failure::refused(
                "desired and min or max say how many there are, and both would write it: leave one of them out",
            ));
        }
        let there = seen.and_then(|s| s.part(&AUTOSCALER)).filter(|_| desired.is_some());
        // One that goes with this change moves nothing any more.
        let stays = there.filter(|_| seen.is_some_and(|s| !s.has_made(&AUTOSCALER)));
        if let Some(scaler) = stays {
            let name = Id::of(&AUTOSCALER, scaler);
            return Err(Failure::refused(format!("{name} moves how many there are: change min and max, or delete it")));
        }
        let makes = is_bound && seen.is_none_or(|s| s.part(&AUTOSCALER).is_none());
        if makes && max.is_none() {
            return Err(Failure::refused("min without max bounds nothing: say max too"));
        }
        Ok(())
    }

    fn drops(&self, seen: &Seen, asked: &Want<'_>, removed: &[Path]) -> Vec<&'static Sort> {
        let is_bound = asked.get("min").or(asked.get("max")).is_some();
        let is_fixed = asked.get("desired").is_some() && !is_bound;
        let is_dropped = is_fixed || removed.iter().any(|p| p.to_string() == "max");
        if is_dropped && seen.has_made(&AUTOSCALER) { vec![&AUTOSCALER] } else { Vec::new() }
    }
}
