//! `node_pool`: Karpenter's NodePool. Pools of a cloud's own (EKS, GKE, AKS) are changed by that cloud's driver or recipe, not here.

use grid_plan::Path;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::native::{Edit, Native};
use crate::object::{Id, NODE_POOL, Sort};
use crate::place::{Place, get, put};
use crate::quantity::{mib, milli, of_milli, ones};
use crate::seen::{Seen, Want, text_of};

pub(crate) struct Pool;

const CAPACITY: &str = "karpenter.sh/capacity-type";

/// Fields that are one quantity: name, place, how it is read, how it is written.
type Quantity = (&'static str, &'static str, fn(&str) -> Option<i64>, fn(i64) -> Value);
const QUANTITIES: [Quantity; 4] = [
    ("desired", "spec.replicas", ones, |n| Value::from(n)),
    ("max", "spec.limits.nodes", ones, |n| Value::from(n.to_string())),
    ("kubernetes.cpu_limit_milli", "spec.limits.cpu", milli, |n| Value::from(of_milli(n))),
    ("kubernetes.memory_limit_mib", "spec.limits.memory", mib, |n| Value::from(format!("{n}Mi"))),
];

impl Native for Pool {
    fn sorts(&self) -> &'static [&'static Sort] {
        const SORTS: [&Sort; 1] = [&NODE_POOL];
        &SORTS
    }

    fn tell(&self, seen: &mut Seen) {
        let main = seen.main.clone();
        for (name, place, read, _) in QUANTITIES {
            let text = get(&main, &Place::of(place)).map(text_of);
            seen.tell(name, text.and_then(|t| read(&t)).map(Value::from));
        }
        let wanted = main.pointer("/spec/template/spec/requirements").and_then(Value::as_array);
        let capacity = wanted.and_then(|all| all.iter().find(|r| r.get("key").is_some_and(|k| k == CAPACITY)));
        let values = capacity.and_then(|r| r.get("values")?.as_array());
        seen.tell("spot", Some(Value::from(values.is_some_and(|all| all.iter().any(|v| v == "spot")))));
        let class = main.pointer("/spec/template/spec/nodeClassRef");
        let parts = class.map(|c| ["group", "kind", "name"].map(|key| c.get(key).map(text_of).unwrap_or_default()));
        seen.tell("kubernetes.node_class", parts.map(|p| Value::from(p.join("/"))));
        seen.outputs.extend(main.pointer("/status/resources/nodes").map(|v| ("nodes".to_owned(), v.clone())));
    }

    fn sort(&self, _: &Want<'_>) -> Result<&'static Sort, Failure> {
        Ok(&NODE_POOL)
    }

    fn make(&self, id: &Id, want: &Want<'_>) -> Result<Vec<(Id, Value)>, Failure> {
        let class = want.must("kubernetes.node_class")?;
        let [group, kind, name] = class.split('/').collect::<Vec<_>>()[..] else {
            return Err(Failure::refused(format!("kubernetes.node_class is {class:?}: it is GROUP/KIND/NAME")));
        };
        let is_spot = want.get("spot").and_then(Value::as_bool).unwrap_or(false);
        let capacity = if is_spot { "spot" } else { "on-demand" };
        let mut main = json!({"spec": {"template": {"spec": {
            "nodeClassRef": {"group": group, "kind": kind, "name": name},
            "requirements": [{"key": CAPACITY, "operator": "In", "values": [capacity]}],
        }}}});
        for (name, place, _, write) in QUANTITIES {
            if let Some(number) = want.int(name) {
                put(&mut main, &Place::of(place), write(number));
            }
        }
        Ok(vec![(id.clone(), main)])
    }

    fn edits(&self, _: &Seen, path: &Path, value: Option<&Value>) -> Result<Vec<Edit>, Failure> {
        let field = path.to_string();
        let found = QUANTITIES.iter().find(|(of, ..)| *of == field);
        Ok(found
            .map(|(_, place, _, write)| {
                let value = value.and_then(Value::as_i64).map(write);
                Edit { field: field.clone(), sort: &NODE_POOL, place: Place::of(place), value }
            })
            .into_iter()
            .collect())
    }
}
