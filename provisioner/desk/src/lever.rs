//! What a recommendation changes: which field of which resource, and to what.

use grid_model::Timestamp;
use grid_plan::environment::{Override, Provenance, Writer};
use grid_plan::{Address, Path};
use serde_json::{Value, json};

use crate::outside::Recommended;
use crate::room::Room;

/// The resource of an environment that a bill calls so: by its id, or by the end of a longer name.
pub(crate) fn find(room: &Room, resource_id: &str) -> Option<Address> {
    let tail = |id: &str| id.rsplit(['/', ':']).next().unwrap_or(id).to_owned();
    let exact = room.state.resources.iter().find(|(_, o)| o.id == resource_id);
    let found = exact.or_else(|| {
        let wanted = tail(resource_id);
        let mut same = room.state.resources.iter().filter(|(_, o)| !o.id.is_empty() && tail(&o.id) == wanted);
        // Two of one name are none.
        same.next().filter(|_| same.next().is_none())
    });
    found.map(|(address, _)| address.clone())
}

/// The override that a recommendation asks for; why there is none if not.
pub(crate) fn change(of: &Recommended, target: &Address, room: &Room, now: Timestamp) -> Result<Override, String> {
    let has = |field: &str| grid_types::find(target.kind()).is_some_and(|t| t.fields.iter().any(|f| f.name == field));
    let cannot = || Err(format!("no field of a {} does what {:?} asks for", target.kind(), of.action));
    let (path, to): (Path, Option<Value>) = match of.action.as_str() {
        "rightsize" if has("machine_type") && !of.proposed.is_empty() => {
            (Path::of(["machine_type", room.about.cloud.as_str()]), Some(json!(of.proposed)))
        }
        "stop" if has("running") => (Path::of(["running"]), Some(json!(false))),
        "delete" | "release" | "snapshot_delete" => (Path::root(), None),
        _ => return cannot(),
    };
    Ok(Override {
        target: target.clone(),
        path,
        to,
        by: Provenance {
            writer: Writer::Recommendation(of.id.clone()),
            who: String::new(),
            why: of.title.clone(),
            at: now,
            evidence: Some(format!("/api/v1/recommendations/{}", of.id)),
        },
    })
}
