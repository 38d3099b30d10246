//! What a kind must be able to do to be driven; everything that is the same for all kinds is in [`crate::executor`]. All of it is pure: objects come in,
//! bodies go out.

use grid_plan::Path;
use serde_json::Value;

use crate::failure::Failure;
use crate::object::{Id, Sort};
use crate::place::Place;
use crate::seen::{Seen, Want};

/// A change of one place of one object: a value, or nothing any more.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Edit {
    /// The field that it is about.
    pub(crate) field: String,
    /// In which of the resource's objects.
    pub(crate) sort: &'static Sort,
    /// Where.
    pub(crate) place: Place,
    /// What; `None` takes it away, as far as it is Grid's.
    pub(crate) value: Option<Value>,
}

/// A kind that Grid drives itself.
pub(crate) trait Native: Sync {
    /// What it may be; the first where an id does not say.
    fn sorts(&self) -> &'static [&'static Sort];

    /// What may belong to it beside.
    fn around(&self) -> &'static [&'static Sort] {
        &[]
    }

    /// Whether an object of its sorts is one of this kind.
    fn is(&self, _object: &Value) -> bool {
        true
    }

    /// Whether an object of a sort that may belong to it does.
    fn belongs(&self, _main: &Id, _address: Option<&str>, _sort: &Sort, _object: &Value) -> bool {
        false
    }

    /// Says what its fields are.
    fn tell(&self, seen: &mut Seen);

    /// What it is to be when it is made: the sort of its object.
    fn sort(&self, want: &Want<'_>) -> Result<&'static Sort, Failure>;

    /// All objects of a new one as they are to be, the one that it is last.
    fn make(&self, id: &Id, want: &Want<'_>) -> Result<Vec<(Id, Value)>, Failure>;

    /// Where a change of a field goes. `value` is `None` if nobody wants it any more.
    fn edits(&self, seen: &Seen, path: &Path, value: Option<&Value>) -> Result<Vec<Edit>, Failure>;

    /// Refuses what contradicts itself, or what is there.
    fn check(&self, _seen: Option<&Seen>, _want: &Want<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Objects that go because of what is asked for, or because nobody wants these fields any more.
    fn drops(&self, _seen: &Seen, _asked: &Want<'_>, _removed: &[Path]) -> Vec<&'static Sort> {
        Vec::new()
    }
}

/// The kinds that Grid drives itself in Kubernetes.
pub const KINDS: [&str; 4] = ["container_service", "block_disk", "file_store", "node_pool"];

/// The driver of a kind.
pub(crate) fn native(kind: &str) -> Option<&'static dyn Native> {
    use crate::{claim, pool, service};
    Some(match kind {
        "container_service" => &service::Service,
        "block_disk" => &claim::Claim::ONE,
        "file_store" => &claim::Claim::MANY,
        "node_pool" => &pool::Pool,
        _ => return None,
    })
}
