//! How a plan is made: each resource's action by walking from what is needed to what needs it, then the order of all actions.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::{Digests, Goal, Inputs};
use super::resolve::resolve;
use super::{Action, Blast, Plan, PlanError, Step, Undo, undo};
use crate::address::Address;
use crate::cost::Total;
use crate::diff::{After, FieldChange, Resolved, diff};
use crate::environment::{Effective, Source, Wanted, effective};
use crate::field::{Fields, Path};
use crate::graph::Graph;
use crate::kinds::Kind;
use crate::limits::{BLAST_LISTED_MAX, RESOURCES_MAX};
use crate::state::{Observed, State};

/// Makes a plan. The same inputs make the same plan, and its id is that of its inputs.
pub fn plan(inputs: &Inputs<'_>) -> Result<Plan, PlanError> {
    let digests = Digests::of(inputs);
    let state = inputs.state;
    let (environment, blueprint, parent, wanted) = match inputs.goal {
        Goal::Blueprint { blueprint, environment, decisions } => (
            environment.name.clone(),
            format!("{}@{}", blueprint.name, blueprint.revision),
            None,
            effective(blueprint, environment, decisions, inputs.kinds).map_err(PlanError::Effective)?,
        ),
        Goal::Undo(plan) => {
            (plan.environment.clone(), plan.blueprint.clone(), Some(plan.id), undo::before(plan, state, inputs.kinds))
        }
        Goal::Destroy { environment, confirmed } => {
            let name = environment.name.clone();
            if environment.is_protected {
                return Err(PlanError::Protected(name));
            }
            if confirmed != name {
                return Err(PlanError::Unconfirmed { wanted: name, typed: confirmed.chars().take(100).collect() });
            }
            (name, "nothing".to_owned(), None, Effective::default())
        }
    };
    if state.environment != environment {
        return Err(PlanError::OtherEnvironment { of: state.environment.clone(), wanted: environment });
    }
    let count = wanted.0.len().max(state.resources.len());
    if count > RESOURCES_MAX {
        return Err(PlanError::TooMany(count));
    }
    let needs = needs(&wanted)?;
    let order = needs.order().map_err(PlanError::Cycle)?;
    // A plan that takes another back concerns what that one has touched, and nothing else.
    let touched = match inputs.goal {
        Goal::Undo(plan) => Some(plan.touched()),
        Goal::Blueprint { .. } | Goal::Destroy { .. } => None,
    };
    let scope = match inputs.scope.or(touched.as_ref()) {
        Some(scope) => Some(closed(scope, &wanted, state, parent.is_some())?),
        None => None,
    };
    let is_in_scope = |a: &Address| scope.as_ref().is_none_or(|s| s.contains(a));
    let why = Why { inputs, wanted: &wanted, state, blueprint: &blueprint };

    let none = Kind::default();
    let mut actions: BTreeMap<Address, Action> = BTreeMap::new();
    let mut steps = Vec::new();
    let mut unchanged = BTreeMap::new();
    let mut monthly = Total::default();
    for address in &order {
        let observed = state.resources.get(address);
        let of = &wanted.0[address];
        if !is_in_scope(address) {
            if let Some(observed) = observed {
                monthly.add(address, &inputs.prices.monthly(address, &observed.fields));
                unchanged.insert(address.clone(), observed.fields.clone());
            }
            continue;
        }
        let kind = inputs.kinds.get(address.kind()).unwrap_or(&none);
        let resolved = resolve(of, state, &actions);
        let changes = diff(of, &resolved, observed, kind);
        let after = after(&resolved, observed, of, kind, &changes);
        monthly.add(address, &inputs.prices.monthly(address, &after));
        let action = match observed {
            None => Action::Create,
            Some(_) if changes.is_empty() => {
                unchanged.insert(address.clone(), after);
                continue;
            }
            Some(_) if changes.iter().any(|c| c.replaces) => Action::Replace,
            Some(_) => Action::Update,
        };
        actions.insert(address.clone(), action);
        steps.push(why.step(address, action, changes, after, &resolved));
    }
    for (address, observed) in &state.resources {
        if wanted.0.contains_key(address) {
            continue;
        }
        if is_in_scope(address) {
            actions.insert(address.clone(), Action::Delete);
            steps.push(why.deletion(address, observed));
        } else {
            monthly.add(address, &inputs.prices.monthly(address, &observed.fields));
            unchanged.insert(address.clone(), observed.fields.clone());
        }
    }
    let mut notes = Vec::new();
    let mut delta = Total::default();
    put_in_order(&mut steps, &actions, &wanted, state, &mut notes)?;
    let touching = Touching::new(&wanted, state);
    for step in &mut steps {
        step.blast = touching.blast(&step.address);
        delta.add(&step.address, &step.cost);
    }
    let unheard: BTreeSet<&str> =
        steps.iter().map(|s| s.address.kind()).filter(|k| inputs.kinds.get(k).is_none()).collect();
    notes.extend(
        unheard.into_iter().map(|k| format!("nothing is known of kind {k}: no change of it counts as replacement")),
    );
    Ok(Plan {
        id: digests.id(),
        parent,
        environment,
        blueprint,
        serial: state.serial,
        scope,
        currency: inputs.prices.currency(),
        steps,
        unchanged,
        delta,
        monthly,
        notes,
        inputs: digests,
    })
}

/// Who needs whom, of all that is wanted.
fn needs(wanted: &Effective) -> Result<Graph<Address>, PlanError> {
    let mut graph = Graph::default();
    for (address, of) in &wanted.0 {
        graph.add(address.clone());
        for to in &of.needs {
            if !wanted.0.contains_key(to) {
                return Err(PlanError::Missing { from: address.clone(), to: to.clone() });
            }
            graph.need(address.clone(), to.clone());
        }
    }
    Ok(graph)
}

/// The scope, with all that has to be made first.
fn closed(
    scope: &BTreeSet<Address>,
    wanted: &Effective,
    state: &State,
    is_undo: bool,
) -> Result<BTreeSet<Address>, PlanError> {
    let mut all = BTreeSet::new();
    let mut open: Vec<&Address> = scope.iter().collect();
    while let Some(at) = open.pop() {
        if !wanted.0.contains_key(at) && !state.resources.contains_key(at) {
            // What a plan was to make and has not made needs no way back.
            if is_undo {
                continue;
            }
            return Err(PlanError::NotInScope(at.clone()));
        }
        if all.insert(at.clone()) {
            let needs = wanted.0.get(at).into_iter().flat_map(|w| &w.needs);
            open.extend(needs.filter(|n| !state.resources.contains_key(n)));
        }
    }
    Ok(all)
}

/// All fields afterwards: those that are wanted, and those that nobody mentions and that stay.
fn after(
    resolved: &Resolved,
    observed: Option<&Observed>,
    wanted: &Wanted,
    kind: &Kind,
    changes: &[FieldChange],
) -> Fields {
    let mut after = match observed {
        Some(observed) if !changes.iter().any(|c| c.replaces) => observed.fields.clone(),
        // What the cloud fills in is not carried over to another resource.
        _ => Fields::default(),
    };
    if after.is_empty() {
        after = resolved.known.clone();
        let computed: Vec<_> = after.iter().map(|(p, _)| p.clone()).filter(|p| kind.is_computed(p)).collect();
        computed.iter().for_each(|p| after.remove(p));
        // What a policy owns stays at what it is, even in a new resource.
        for (path, value) in observed.into_iter().flat_map(|o| o.fields.iter()) {
            if wanted.left_alone.keys().any(|p| p.holds(path)) {
                after.set(path, value);
            }
        }
        return after;
    }
    // First what goes, then what comes: a value may take the place of what lay below it.
    for change in changes {
        if !matches!(change.after, After::Known(_)) {
            after.remove(&change.path);
        }
    }
    for change in changes {
        if let After::Known(value) = &change.after {
            after.set(&change.path, value);
        }
    }
    after
}

/// What all steps are made with.
struct Why<'a> {
    inputs: &'a Inputs<'a>,
    wanted: &'a Effective,
    state: &'a State,
    blueprint: &'a str,
}

impl Why<'_> {
    /// The fields that are Grid's own after a step. Taking a plan back wants all that is there, which is not to own it: then Grid's own is what was
    /// before that plan.
    fn manages(&self, address: &Address) -> BTreeSet<Path> {
        let own = match self.inputs.goal {
            Goal::Undo(plan) => {
                let before = plan.steps.iter().find(|s| s.address == *address).and_then(|s| s.before.as_ref());
                before.or_else(|| self.state.resources.get(address)).map(|o| &o.managed)
            }
            Goal::Blueprint { .. } | Goal::Destroy { .. } => None,
        };
        let is_own = |path: &Path| own.is_none_or(|own| own.iter().any(|m| m.holds(path)));
        let is_computed = |path: &Path| self.inputs.kinds.get(address.kind()).is_some_and(|k| k.is_computed(path));
        let wanted = self.wanted.0[address].fields.iter().map(|(path, _)| path);
        wanted.filter(|path| !is_computed(path) && is_own(path)).cloned().collect()
    }

    fn step(
        &self,
        address: &Address,
        action: Action,
        changes: Vec<FieldChange>,
        after: Fields,
        resolved: &Resolved,
    ) -> Step {
        let of = &self.wanted.0[address];
        let before = self.state.resources.get(address);
        let (reasons, evidence) = self.reasons(address, action, &changes);
        let is_stateful = self.inputs.kinds.role(address.kind()).is_stateful();
        Step {
            address: address.clone(),
            action,
            reasons,
            evidence,
            cost: self.inputs.prices.delta(address, before.map(|b| &b.fields), Some(&after)),
            before: before.cloned(),
            after: Some(after),
            unknown: resolved.unknown.clone(),
            manages: self.manages(address),
            wants: of.needs.clone(),
            after_steps: BTreeSet::new(),
            wave: 0,
            blast: Blast::default(),
            undo: match action {
                Action::Create => Undo::Delete,
                Action::Update => Undo::Restore,
                _ if is_stateful => Undo::RecreateEmpty,
                _ => Undo::Recreate,
            },
            is_protected: of.is_protected,
            changes,
        }
    }

    fn deletion(&self, address: &Address, observed: &Observed) -> Step {
        let left_out = self.left_out(address);
        let is_protected = match self.inputs.goal {
            Goal::Blueprint { blueprint, .. } => blueprint.resources.get(address).is_some_and(|r| r.is_protected),
            Goal::Undo(_) | Goal::Destroy { .. } => false,
        };
        Step {
            address: address.clone(),
            action: Action::Delete,
            changes: Vec::new(),
            reasons: vec![left_out],
            evidence: Vec::new(),
            cost: self.inputs.prices.delta(address, Some(&observed.fields), None),
            before: Some(observed.clone()),
            after: None,
            unknown: Vec::new(),
            manages: BTreeSet::new(),
            wants: BTreeSet::new(),
            after_steps: BTreeSet::new(),
            wave: 0,
            blast: Blast::default(),
            undo: match self.inputs.kinds.role(address.kind()).is_stateful() {
                true => Undo::RecreateEmpty,
                false => Undo::Recreate,
            },
            is_protected,
        }
    }

    /// Why a resource is not wanted.
    fn left_out(&self, address: &Address) -> String {
        match self.inputs.goal {
            Goal::Undo(plan) => format!("plan {} made it, and is taken back", plan.id),
            Goal::Destroy { environment, .. } => format!("environment {} is destroyed", environment.name),
            Goal::Blueprint { environment, decisions, .. } => environment
                .overrides
                .iter()
                .chain(decisions)
                .find(|o| o.target == *address && o.path.is_root())
                .map_or_else(
                    || format!("{} does not have it", self.blueprint),
                    |o| format!("left out by {} of {}: {}", o.by.writer, o.by.who, o.by.why),
                ),
        }
    }

    /// One sentence per cause, and the links that causes carry.
    fn reasons(&self, address: &Address, action: Action, changes: &[FieldChange]) -> (Vec<String>, Vec<String>) {
        let mut causes: Vec<(String, Vec<String>)> = Vec::new();
        let mut evidence = BTreeSet::new();
        for change in changes {
            let cause = match (&change.by, &self.inputs.goal) {
                (_, Goal::Undo(plan)) => format!("plan {} is taken back", plan.id),
                (None, _) => format!("{} says so", self.blueprint),
                (Some(Source::Written(by)), _) => {
                    evidence.extend(by.evidence.clone());
                    format!("{} of {}: {}", by.writer, by.who, by.why)
                }
                (Some(Source::Asleep(sleep)), _) => format!("asleep by {}: {}", sleep.who, sleep.why),
            };
            let path = change.path.to_string();
            match causes.iter_mut().find(|(c, _)| *c == cause) {
                Some((_, paths)) => paths.push(path),
                None => causes.push((cause, vec![path])),
            }
        }
        let mut reasons: Vec<String> = match action {
            Action::Create => vec![format!("{} has it and the environment does not", self.blueprint)],
            _ => Vec::new(),
        };
        let is_told = |cause: &str| action == Action::Create && cause.ends_with("says so");
        reasons.extend(
            causes.into_iter().filter(|(c, _)| !is_told(c)).map(|(c, paths)| format!("{}: {c}", paths.join(", "))),
        );
        let forcing: Vec<String> = changes.iter().filter(|c| c.replaces).map(|c| c.path.to_string()).collect();
        if action == Action::Replace {
            let kind = address.kind();
            reasons.push(format!("{} cannot be changed in place, so the {kind} is made anew", forcing.join(", ")));
        }
        (reasons, evidence.into_iter().collect())
    }
}

/// Gives steps their order and waves. What is made or changed comes after what it needs; what is deleted comes after what has needed it.
fn put_in_order(
    steps: &mut [Step],
    actions: &BTreeMap<Address, Action>,
    wanted: &Effective,
    state: &State,
    notes: &mut Vec<String>,
) -> Result<(), PlanError> {
    let mut graph = Graph::default();
    let mut wishes: Vec<(Address, Address)> = Vec::new();
    for (address, action) in actions {
        graph.add(address.clone());
        if *action != Action::Delete {
            for to in wanted.0[address].needs.iter().filter(|to| actions.contains_key(to)) {
                graph.need(address.clone(), to.clone());
            }
        }
        // `address` was there and has needed these: they go after it has gone or has let go.
        for to in state.resources.get(address).into_iter().flat_map(|o| &o.needs) {
            match (actions.get(to), action) {
                (Some(Action::Delete), _) => graph.need(to.clone(), address.clone()),
                (Some(Action::Replace), Action::Delete) => wishes.push((to.clone(), address.clone())),
                _ => {}
            }
        }
    }
    // What is made anew should wait until what hung on it is gone. That may be impossible; then it is told and not done.
    let firm = graph.clone();
    wishes.iter().for_each(|(node, other)| graph.need(node.clone(), other.clone()));
    let waves = match graph.waves() {
        Ok(waves) => waves,
        Err(_) if !wishes.is_empty() => {
            graph = firm;
            notes.push(
                "something is made anew before all that hung on it is deleted: the order allows no other way"
                    .to_owned(),
            );
            graph.waves().map_err(PlanError::Cycle)?
        }
        Err(cycle) => return Err(PlanError::Cycle(cycle)),
    };
    let place: BTreeMap<Address, (usize, usize)> = waves
        .into_iter()
        .enumerate()
        .flat_map(|(wave, nodes)| nodes.into_iter().map(move |n| (wave, n)))
        .enumerate()
        .map(|(place, (wave, node))| (node, (place, wave)))
        .collect();
    for step in steps.iter_mut() {
        step.wave = place[&step.address].1;
        step.after_steps = graph.needs(&step.address).cloned().collect();
    }
    steps.sort_by_key(|s| place[&s.address].0);
    Ok(())
}

/// Who depends on whom, now and afterwards, by number: it is asked once per step.
struct Touching<'a> {
    addresses: Vec<&'a Address>,
    needed_by: Vec<Vec<u32>>,
}

impl<'a> Touching<'a> {
    fn new(wanted: &'a Effective, state: &'a State) -> Self {
        let all: BTreeSet<&Address> = wanted.0.keys().chain(state.resources.keys()).collect();
        let addresses: Vec<&Address> = all.into_iter().collect();
        let mut needed_by = vec![Vec::new(); addresses.len()];
        let find = |a: &Address| addresses.binary_search(&a).ok();
        let edges =
            wanted.0.iter().map(|(a, w)| (a, &w.needs)).chain(state.resources.iter().map(|(a, o)| (a, &o.needs)));
        for (from, needs) in edges {
            for to in needs {
                if let (Some(from), Some(to)) = (find(from), find(to)) {
                    needed_by[to].push(from as u32);
                }
            }
        }
        needed_by.iter_mut().for_each(|list: &mut Vec<u32>| {
            list.sort_unstable();
            list.dedup();
        });
        Self { addresses, needed_by }
    }

    fn blast(&self, address: &Address) -> Blast {
        let Ok(start) = self.addresses.binary_search(&address) else { return Blast::default() };
        let mut is_seen = vec![false; self.addresses.len()];
        is_seen[start] = true;
        let mut open = vec![start as u32];
        let mut found = Vec::new();
        while let Some(at) = open.pop() {
            for &next in &self.needed_by[at as usize] {
                if !is_seen[next as usize] {
                    is_seen[next as usize] = true;
                    found.push(next);
                    open.push(next);
                }
            }
        }
        found.sort_unstable();
        let listed = found.iter().take(BLAST_LISTED_MAX).map(|n| self.addresses[*n as usize].clone()).collect();
        Blast { count: found.len(), listed }
    }
}
