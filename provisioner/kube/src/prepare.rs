//! What has to be applied, deleted and said, found out of what is there and what is wanted. Nothing here calls anybody.

use grid_act::executor::{CloudError, Owned};
use grid_plan::field::same_set;
use grid_plan::plan::Action;
use grid_plan::state::Observed;
use grid_plan::{Address, Fields, Path};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::lever::{Does, levers_of};
use crate::native::{Edit, Native};
use crate::object::{Id, MANAGER, RESOURCE_ANNOTATION, Sort, TAKE_OVER_ANNOTATION, TOKEN_LABEL};
use crate::place::{Place, cut, get, is_ours, managers, ours, put};
use crate::seen::{Seen, TAKE_OVER, Want, mark, uid};

/// What is wanted of one resource.
pub(crate) struct Wish<'a> {
    pub(crate) address: &'a Address,
    pub(crate) token: &'a str,
    pub(crate) action: Action,
    pub(crate) before: Option<&'a Observed>,
    pub(crate) fields: &'a Fields,
}

/// One object that is to be applied.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    pub(crate) id: Id,
    pub(crate) body: Value,
    /// What of it changes, for the names of fields that others own.
    edits: Vec<Edit>,
    /// Whether fields are taken over that the plan says are to be.
    pub(crate) forces: bool,
}

/// What is to be done.
pub(crate) enum Prepared {
    /// Nothing: it was done.
    Done(Box<Seen>),
    /// These objects, the one that the resource is last.
    Todo {
        jobs: Vec<Job>,
        /// Objects that go, with their uids.
        drops: Vec<(Id, String)>,
        /// What is there.
        seen: Option<Box<Seen>>,
        /// What must be so at the end.
        asked: Fields,
        /// What is done, in words.
        lines: Vec<String>,
    },
}

impl Job {
    /// Of a body, marked as Grid's, and bound to the object that was read, if one was.
    fn new(id: &Id, mut body: Value, address: &Address, there: Option<&Value>, edits: Vec<Edit>) -> Self {
        let mut set = |place: Place, value: Value| put(&mut body, &place, value);
        set(Place::of("apiVersion"), Value::from(id.sort.api_version()));
        set(Place::of("kind"), Value::from(id.sort.kind));
        set(Place::of("metadata.name"), Value::from(id.name.as_str()));
        if id.sort.is_namespaced {
            set(Place::of("metadata.namespace"), Value::from(id.namespace.as_str()));
        }
        set(Place::of("metadata.annotations").key(RESOURCE_ANNOTATION), Value::from(address.to_string()));
        if let Some(object) = there {
            // One that was made anew since is another one, and is left alone.
            set(Place::of("metadata.uid"), Value::from(uid(object)));
        }
        Self { id: id.clone(), body, edits, forces: false }
    }

    /// Marks it as the one that the token is on.
    fn with_token(mut self, token: &str) -> Self {
        put(&mut self.body, &Place::of("metadata.labels").key(TOKEN_LABEL), Value::from(token));
        self
    }

    /// Whether what others own is named to be taken over; an error that names the fields and them if not.
    pub(crate) fn take_over(&mut self, failure: &Failure, want: &Want<'_>) -> Result<(), Failure> {
        let named: Vec<Path> = want.texts(TAKE_OVER).iter().filter_map(|t| Path::parse(t).ok()).collect();
        let field = |place: &str| {
            let is_it = |e: &&Edit| {
                let of = e.place.to_string();
                place.starts_with(&of) || of.starts_with(place)
            };
            self.edits.iter().find(is_it).map_or_else(|| place.to_owned(), |e| e.field.clone())
        };
        let all = failure.owned.iter().map(|(place, by)| Owned { field: field(place), by: by.clone() });
        let is_named = |o: &Owned| Path::parse(&o.field).is_ok_and(|path| named.iter().any(|n| n.holds(&path)));
        let open: Vec<Owned> = all.filter(|o| !is_named(o)).collect();
        if open.is_empty() {
            self.forces = true;
            return Ok(());
        }
        Err(owned(&self.id, open))
    }
}

/// An error that says who sets what, and what to do.
fn owned(id: &Id, owned: Vec<Owned>) -> Failure {
    let mut fields: Vec<String> = owned.iter().map(|o| format!("{:?}", o.field)).collect();
    fields.dedup();
    let advice = format!(
        "change it there, or take {id} over from them with {TAKE_OVER} = [{}] (docs/kubernetes.md)",
        fields.join(", ")
    );
    Failure { code: 409, error: CloudError::Owned { owned, advice }, owned: Vec::new() }
}

/// Refuses what no lever of the kind knows: it must not be dropped in silence.
pub(crate) fn known(want: &Want<'_>) -> Result<(), Failure> {
    for (path, _) in want.fields.iter() {
        if !levers_of(want.kind).any(|l| l.holds(path)) {
            let why = format!("{}: {path} is not set in Kubernetes by Grid: leave it out", want.kind);
            return Err(Failure::refused(why));
        }
    }
    Ok(())
}

/// Every field that is wanted otherwise than it is: where, what is there, what is wanted.
pub(crate) fn differs(seen: &Seen, want: &Want<'_>) -> Vec<(Path, Value, Value)> {
    let is_nothing = |v: &Value| v.as_array().is_some_and(Vec::is_empty) || v.as_object().is_some_and(|m| m.is_empty());
    let mut found = Vec::new();
    for (path, value) in want.fields.iter() {
        let is = seen.fields.get(path);
        let is_same = match is {
            Some(is) => same_set(is, value),
            None => is_nothing(value),
        };
        if !is_same {
            found.push((path.clone(), is.cloned().unwrap_or_default(), value.clone()));
        }
    }
    found
}

/// A new resource.
pub(crate) fn on_creation(
    wish: &Wish<'_>,
    id: Id,
    bodies: Vec<(Id, Value)>,
    there: &[(Id, Value)],
    asked: Fields,
) -> Result<Prepared, Failure> {
    let address = wish.address;
    // Left over by a try that was cut short they are ours; else they are somebody's.
    let text = address.to_string();
    for (id, object) in there {
        if mark(object, "annotations", RESOURCE_ANNOTATION) != Some(&text) {
            return Err(Failure::refused(format!("{id} is there already: delete it, or name {address} otherwise")));
        }
    }
    let lines = bodies.iter().map(|(id, _)| format!("  apply {id}")).collect();
    let mut jobs: Vec<Job> =
        bodies.into_iter().map(|(id, body)| Job::new(&id, body, address, None, Vec::new())).collect();
    if let Some(last) = jobs.pop().filter(|job| job.id == id) {
        let mut last = last.with_token(wish.token);
        let list = Want { kind: address.kind(), fields: wish.fields }.texts(TAKE_OVER);
        if !list.is_empty() {
            let place = Place::of("metadata.annotations").key(TAKE_OVER_ANNOTATION);
            put(&mut last.body, &place, Value::from(list.join(",")));
        }
        jobs.push(last);
    }
    Ok(Prepared::Todo { jobs, drops: Vec::new(), seen: None, asked, lines })
}

/// A resource that is there.
pub(crate) fn on_update(
    driver: &dyn Native,
    wish: &Wish<'_>,
    seen: Seen,
    before: &Observed,
) -> Result<Prepared, Failure> {
    let (address, kind) = (wish.address, wish.address.kind());
    let want = Want { kind, fields: wish.fields };
    let changed = differs(&seen, &want);
    let removed = removed(&seen, &want, before);
    if changed.is_empty() && removed.is_empty() && seen.token() == Some(wish.token) {
        return Ok(Prepared::Done(Box::new(seen)));
    }
    let asked = asked(&seen, &want, before);
    let really = Want { kind, fields: &asked };
    if !changed.is_empty() {
        driver.check(Some(&seen), &really)?;
    }
    let (mut edits, mut lines) = (Vec::new(), Vec::new());
    for (path, is, value) in &changed {
        changes_by(kind, path)?;
        lines.push(format!("  apply {}: {path} {is} -> {value}", seen.id));
        edits.extend(edits_of(driver, &seen, path, Some(value))?);
    }
    for path in &removed {
        lines.push(format!("  apply {}: {path} goes", seen.id));
        edits.extend(edits_of(driver, &seen, path, None)?);
    }
    let dropped = driver.drops(&seen, &really, &removed);
    edits.retain(|e| !dropped.contains(&e.sort));
    removable(&seen, &edits)?;
    let mut jobs = Vec::new();
    let mut sorts: Vec<&'static Sort> = edits.iter().map(|e| e.sort).filter(|s| *s != seen.id.sort).collect();
    sorts.dedup();
    let mut whole = None;
    for sort in sorts {
        let own: Vec<Edit> = edits.iter().filter(|e| e.sort == sort).cloned().collect();
        if let Some(object) = seen.part(sort) {
            jobs.push(Job::new(&Id::of(sort, object), edited(object, &own), address, Some(object), own));
            continue;
        }
        // It is not there yet: it is made as a new one would be, from all that is known.
        if whole.is_none() {
            let mut fields = seen.fields.clone();
            wish.fields.iter().for_each(|(path, value)| fields.set(path, value));
            whole = Some(driver.make(&seen.id, &Want { kind, fields: &fields })?);
        }
        let new = whole.iter().flatten().find(|(id, _)| id.sort == sort);
        jobs.extend(new.map(|(id, body)| Job::new(id, body.clone(), address, None, own)));
    }
    let own: Vec<Edit> = edits.into_iter().filter(|e| e.sort == seen.id.sort).collect();
    let main = Job::new(&seen.id, edited(&seen.main, &own), address, Some(&seen.main), own);
    jobs.push(main.with_token(wish.token));
    let gone = |sort: &&'static Sort| seen.part(sort).map(|o| (Id::of(sort, o), uid(o).to_owned()));
    let drops: Vec<(Id, String)> = dropped.iter().filter_map(gone).collect();
    lines.extend(drops.iter().map(|(id, _)| format!("  delete {id}")));
    Ok(Prepared::Todo { jobs, drops, seen: Some(Box::new(seen)), asked, lines })
}

/// Where a change of a field goes.
fn edits_of(driver: &dyn Native, seen: &Seen, path: &Path, value: Option<&Value>) -> Result<Vec<Edit>, Failure> {
    let field = path.to_string();
    if field == TAKE_OVER {
        let list = value.map(|v| Want { kind: "", fields: &Fields::of_json(&json!({"a": v})) }.texts("a").join(","));
        let place = Place::of("metadata.annotations").key(TAKE_OVER_ANNOTATION);
        return Ok(vec![Edit { field, sort: seen.id.sort, place, value: list.map(Value::from) }]);
    }
    driver.edits(seen, path, value)
}

/// What Grid applies of an object already, with these changes.
fn edited(object: &Value, edits: &[Edit]) -> Value {
    let mut body = ours(object);
    for edit in edits {
        match &edit.value {
            Some(value) => put(&mut body, &edit.place, value.clone()),
            None => cut(&mut body, &edit.place),
        }
    }
    body
}

/// What others have set cannot be taken away by leaving it out.
fn removable(seen: &Seen, edits: &[Edit]) -> Result<(), Failure> {
    let mut open = Vec::new();
    for edit in edits.iter().filter(|e| e.value.is_none()) {
        let Some(object) = seen.part(edit.sort).filter(|o| get(o, &edit.place).is_some()) else { continue };
        let others: Vec<&str> = managers(object, &edit.place).into_iter().filter(|by| *by != MANAGER).collect();
        if !is_ours(object, &edit.place) || !others.is_empty() {
            let by = if others.is_empty() { "the cluster".to_owned() } else { others.join(", ") };
            open.push(Owned { field: edit.field.clone(), by });
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let advice = format!("Grid can take away from {} only what it has set alone: remove it there", seen.id);
    Err(Failure { code: 409, error: CloudError::Owned { owned: open, advice }, owned: Vec::new() })
}

/// What is asked for: a plan tells fields that nobody mentions as they are, and those are whoever's they were.
fn asked(seen: &Seen, want: &Want<'_>, before: &Observed) -> Fields {
    let is_left_alone = |path: &Path, value: &Value| {
        let is_same = seen.fields.get(path).is_some_and(|is| same_set(is, value));
        is_same && !before.managed.iter().any(|m| m.holds(path))
    };
    let all = want.fields.iter().filter(|(path, value)| !is_left_alone(path, value));
    all.map(|(path, value)| (path.clone(), value.clone())).collect()
}

/// Fields that Grid has set and nobody wants any more.
fn removed(seen: &Seen, want: &Want<'_>, before: &Observed) -> Vec<Path> {
    let is_lever = |path: &Path| levers_of(want.kind).any(|l| matches!(l.does, Does::Change(_)) && l.holds(path));
    let was_wanted = |path: &Path| before.managed.iter().any(|m| m.holds(path));
    let all = seen.fields.iter().map(|(path, _)| path);
    all.filter(|path| want.fields.get(path).is_none() && was_wanted(path) && is_lever(path)).cloned().collect()
}

/// Refuses what can only be set when a resource is made.
fn changes_by(kind: &str, path: &Path) -> Result<(), Failure> {
    match levers_of(kind).find(|l| l.holds(path)).map(|l| l.does) {
        Some(Does::Change(_)) => Ok(()),
        _ => Err(Failure::refused(format!("{kind}: {path} can only be set when it is made"))),
    }
}
