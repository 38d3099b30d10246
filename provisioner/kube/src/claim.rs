//! `block_disk` and `file_store`: claims of storage, for one node or for many at once.

use grid_plan::Path;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::native::{Edit, Native};
use crate::object::{CLAIM, Id, Sort};
use crate::place::Place;
use crate::quantity::gib;
use crate::seen::{Seen, Want, object, text_of};

pub(crate) struct Claim {
    is_shared: bool,
}

impl Claim {
    pub(crate) const ONE: Self = Self { is_shared: false };
    pub(crate) const MANY: Self = Self { is_shared: true };

    fn mode(&self) -> &'static str {
        if self.is_shared { "ReadWriteMany" } else { "ReadWriteOnce" }
    }
}

const SIZE: &str = "spec.resources.requests.storage";

impl Native for Claim {
    fn sorts(&self) -> &'static [&'static Sort] {
        const SORTS: [&Sort; 1] = [&CLAIM];
        &SORTS
    }

    fn is(&self, object: &Value) -> bool {
        let modes = object.pointer("/spec/accessModes").and_then(Value::as_array);
        let is_shared = modes.is_some_and(|all| all.iter().any(|m| m == Self::MANY.mode()));
        is_shared == self.is_shared
    }

    fn tell(&self, seen: &mut Seen) {
        let main = seen.main.clone();
        let size = main.pointer("/spec/resources/requests/storage").map(text_of);
        seen.tell("size_gib", size.and_then(|t| gib(&t)).map(Value::from));
        seen.tell("kubernetes.storage_class", main.pointer("/spec/storageClassName").cloned());
        for (name, pointer) in [("volume", "/spec/volumeName"), ("phase", "/status/phase")] {
            seen.outputs.extend(main.pointer(pointer).map(|v| (name.to_owned(), v.clone())));
        }
    }

    fn sort(&self, _: &Want<'_>) -> Result<&'static Sort, Failure> {
        Ok(&CLAIM)
    }

    fn make(&self, id: &Id, want: &Want<'_>) -> Result<Vec<(Id, Value)>, Failure> {
        let size = want.int("size_gib").map(|n| format!("{n}Gi"));
        let spec = json!({
            "accessModes": [self.mode()],
            "storageClassName": want.text("kubernetes.storage_class"),
            "resources": {"requests": {"storage": size}},
        });
        Ok(vec![(id.clone(), object(json!({ "spec": spec })))])
    }

    fn edits(&self, _: &Seen, path: &Path, value: Option<&Value>) -> Result<Vec<Edit>, Failure> {
        let field = path.to_string();
        if field != "size_gib" {
            return Ok(Vec::new());
        }
        let value = value.and_then(Value::as_i64).map(|n| Value::from(format!("{n}Gi")));
        Ok(vec![Edit { field, sort: &CLAIM, place: Place::of(SIZE), value }])
    }
}
