//! Killed wherever it may be, the runner does every action once.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures::executor::block_on;
use grid_model::{Currency, Timestamp};
use grid_plan::cost::NoPrices;
use grid_plan::environment::{Blueprint, Environment, Resource};
use grid_plan::kinds::Kinds;
use grid_plan::plan::{Goal, Inputs, Plan, plan};
use grid_plan::{Path, PlanId};
use serde_json::json;

use super::*;
use crate::journal::{FileJournal, MemoryJournal};
use crate::mode::Approval;
use crate::simulated::{Manners, SimulatedCloud, SimulatedTime};

/// A process that dies when it has done so many things.
struct Mortal<'a, T: ?Sized> {
    inner: &'a T,
    left: &'a AtomicU32,
}

impl<T: ?Sized> Mortal<'_, T> {
    /// Dies, or lives on. Unwinding without a message: nothing that runs afterwards may have an effect.
    fn live(&self) {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            resume_unwind(Box::new("killed"));
        }
        self.left.store(left - 1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Journal for Mortal<'_, dyn Journal> {
    async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        self.live();
        let answer = self.inner.append(entry).await;
        self.live();
        answer
    }

    async fn entries(&self, plan: PlanId) -> Result<Vec<Entry>, JournalError> {
        self.inner.entries(plan).await
    }
}

#[async_trait]
impl Executor for Mortal<'_, SimulatedCloud> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn read(&self, address: &Address, id: &str) -> Result<Option<Observed>, CloudError> {
        self.live();
        self.inner.read(address, id).await
    }

    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        self.live();
        self.inner.find(address, token).await
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        self.inner.diff(step).await
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        self.live();
        let answer = self.inner.apply(call).await;
        self.live();
        answer
    }

    async fn destroy(&self, address: &Address, id: &str, token: &Token) -> Result<(), CloudError> {
        self.live();
        let answer = self.inner.destroy(address, id, token).await;
        self.live();
        answer
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        self.inner.import(address, id).await
    }
}

struct World {
    blueprint: Blueprint,
    environment: Environment,
    state: State,
    kinds: Kinds,
}

const PRICES: fn() -> NoPrices = || NoPrices(Currency("EUR".to_owned()));

impl World {
    /// Up to nine machines and networks, some there, some wanted, some tied to others.
    fn of(seed: u64) -> Self {
        let mut state = State { environment: "prod".to_owned(), serial: 3, ..State::default() };
        let mut blueprint = Blueprint { name: "b".to_owned(), revision: "1".to_owned(), ..Blueprint::default() };
        let mut drawn = mixed(seed);
        let mut draw = |below: u64| {
            drawn = mixed(drawn);
            drawn % below
        };
        let address =
            |n: u64| Address::new(if n.is_multiple_of(2) { "network" } else { "vm" }, &format!("r{n}")).unwrap();
        for n in 0..9 {
            let (is_there, is_wanted) = (draw(3) > 0, draw(4) > 0);
            let mut fields = json!({"a": draw(2), "b": draw(3)});
            if is_there {
                let fields = Fields::of_json(&json!({"a": draw(2), "b": draw(3)}));
                let managed = fields.iter().map(|(p, _)| p.clone()).collect();
                let outputs = BTreeMap::from([("ip".to_owned(), json!(format!("ip of old-{n}")))]);
                let observed = Observed { id: format!("old-{n}"), fields, outputs, managed, ..Observed::default() };
                state.resources.insert(address(n), observed);
            }
            let to = draw(n + 1);
            if to < n && blueprint.resources.contains_key(&address(to)) {
                fields["tie"] = json!(format!("at ${{{}.out.ip}}", address(to)));
            }
            if is_wanted {
                let fields = Fields::of_json(&fields);
                blueprint.resources.insert(address(n), Resource { fields, ..Resource::default() });
            }
        }
        let mut kinds = Kinds::roles();
        kinds.0.get_mut("vm").unwrap().replace_on.insert(Path::of(["a"]));
        let environment = Environment { name: "prod".to_owned(), ..Environment::default() };
        Self { blueprint, environment, state, kinds }
    }

    fn with<T>(&self, use_them: impl FnOnce(&Inputs<'_>) -> T) -> T {
        let goal = Goal::Blueprint { blueprint: &self.blueprint, environment: &self.environment, decisions: &[] };
        use_them(&Inputs { goal, state: &self.state, kinds: &self.kinds, prices: &PRICES(), scope: None })
    }

    fn plan(&self) -> Plan {
        self.with(|inputs| plan(inputs).unwrap())
    }
}

fn allowed(plan: &Plan) -> Mode {
    Mode::Apply(Approval { plan: plan.id, by: "ada".to_owned(), from: Timestamp(0), until: Timestamp::MAX })
}

fn rate() -> Mutex<Rate> {
    Mutex::new(Rate::new(1000.0, 100))
}

/// The bar: 500 seeds, killed again and again between any two of: before and after each entry of the journal, before and after each call.
#[test]
fn killed_anywhere_no_action_is_doubled_or_lost() {
    let (mut kills, mut actions) = (0, 0);
    for seed in 0..500 {
        let mut world = World::of(seed);
        let plan = world.plan();
        let manners = Manners { ignores_tokens: seed % 2 == 0, busy: 50, lost_before: 50, lost_after: 100, seed };
        let cloud = SimulatedCloud::with(manners, &world.state.resources);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let memory = MemoryJournal::default();
        let mode = allowed(&plan);
        let time = SimulatedTime::at(Timestamp(1));
        let mut drawn = seed ^ 0x5eed;
        let mut report = None;
        for attempt in 0..500 {
            // A file that is opened anew after each death, for some; memory that outlives the runner for the rest.
            let file = (seed % 50 == 0).then(|| FileJournal::open(&path).unwrap());
            let journal: &(dyn Journal + 'static) = match &file {
                Some(file) => file,
                None => &memory,
            };
            drawn = mixed(drawn);
            let left = AtomicU32::new((drawn % 12) as u32 + attempt / 20);
            let (executor, journal) = (Mortal { inner: &cloud, left: &left }, Mortal { inner: journal, left: &left });
            let runner = Runner { executor: &executor, journal: &journal, time: &time, seed: drawn, rate: rate() };
            let current = world.with(|inputs| plan.current(inputs).unwrap());
            let run = || block_on(runner.run(current, &world.state, &mode, &|_| Go::On));
            match catch_unwind(AssertUnwindSafe(run)) {
                Err(_) => kills += 1,
                Ok(answer) => {
                    let answer = answer.unwrap();
                    if answer.is_complete() {
                        report = Some(answer);
                        break;
                    }
                }
            }
        }
        let report = report.unwrap_or_else(|| panic!("seed {seed} never ended"));
        let did = cloud.did();
        let mut once: BTreeMap<&Token, usize> = BTreeMap::new();
        did.iter().for_each(|d| *once.entry(&d.token).or_default() += 1);
        assert!(once.values().all(|n| *n == 1), "seed {seed}: doubled: {did:?}");
        let meant: usize = plan.steps.iter().map(|s| if s.action == Action::Replace { 2 } else { 1 }).sum();
        assert_eq!(did.len(), meant, "seed {seed}: lost: {did:?}");
        actions += meant;
        // The cloud, the state and the wishes are one.
        report.commit("ada", &mut world.state).unwrap();
        let there: BTreeMap<Address, Fields> = cloud.resources().into_iter().map(|(a, o)| (a, o.fields)).collect();
        assert_eq!(cloud.resources().len(), there.len(), "seed {seed}");
        let known: BTreeMap<Address, Fields> =
            world.state.resources.iter().map(|(a, o)| (a.clone(), o.fields.clone())).collect();
        assert_eq!(there, known, "seed {seed}");
        assert!(world.plan().is_empty(), "seed {seed}: {:?}", world.plan().steps);
    }
    println!("500 seeds, {kills} kills, {actions} actions: 0 doubled, 0 lost");
    assert!(kills > 500, "{kills} kills are too few to say anything");
    figure("act_kill", &format!("500 seeds, {kills} kills, {actions} actions: 0 doubled, 0 lost"));
}

/// Notes the figure of a bar where the scorecard collects them.
fn figure(bar: &str, measured: &str) {
    use std::io::Write as _;
    let Some(path) = std::env::var_os("GRID_FIGURES") else { return };
    let line = serde_json::json!({ "bar": bar, "measured": measured, "pass": true });
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

#[test]
fn a_dry_run_changes_nothing_and_an_approval_ends() {
    let world = World::of(3);
    let plan = world.plan();
    let cloud = SimulatedCloud::with(Manners::default(), &world.state.resources);
    let (journal, time) = (MemoryJournal::default(), SimulatedTime::at(Timestamp(50)));
    let runner = Runner { executor: &cloud, journal: &journal, time: &time, seed: 1, rate: rate() };
    let run = |mode: &Mode, go: Go| {
        let current = world.with(|inputs| plan.current(inputs).unwrap());
        block_on(runner.run(current, &world.state, mode, &|_| go)).unwrap()
    };
    let dry = run(&Mode::default(), Go::On);
    assert!(dry.outcomes.iter().all(|(_, o)| matches!(o, Outcome::WouldDo(_))) && dry.changes.is_empty());
    let approval = Approval { plan: plan.id, by: "ada".to_owned(), from: Timestamp(0), until: Timestamp(50) };
    let late = run(&Mode::Apply(approval.clone()), Go::On);
    assert!(late.outcomes.iter().all(|(_, o)| matches!(o, Outcome::NotBegun(_))));
    let other = Approval { plan: PlanId::of_digest([9; 32]), ..approval.clone() };
    assert!(run(&Mode::Apply(other), Go::On).changes.is_empty());
    let stopped = run(&Mode::Apply(Approval { until: Timestamp::MAX, ..approval }), Go::Stop);
    assert!(stopped.changes.is_empty() && !stopped.is_complete());
    assert!(cloud.did().is_empty() && journal.all().is_empty(), "nothing was done and nothing was meant");
}

#[test]
fn a_refused_step_holds_what_comes_after_it_and_nothing_else() {
    // Everything there is taken away behind its back, so that updates are refused.
    let (mut partial, mut gone_on) = (0, 0);
    for seed in 0..40 {
        let world = World::of(seed);
        let plan = world.plan();
        let cloud = SimulatedCloud::new(Manners::default());
        let (journal, time) = (MemoryJournal::default(), SimulatedTime::at(Timestamp(1)));
        let runner = Runner { executor: &cloud, journal: &journal, time: &time, seed, rate: rate() };
        let current = world.with(|inputs| plan.current(inputs).unwrap());
        let report = block_on(runner.run(current, &world.state, &allowed(&plan), &|_| Go::On)).unwrap();
        let failed: Vec<&Address> =
            report.outcomes.iter().filter(|(_, o)| !matches!(o, Outcome::Done(_))).map(|(a, _)| a).collect();
        for (address, outcome) in &report.outcomes {
            let step = plan.step(address).unwrap();
            let is_blocked = step.after_steps.iter().any(|a| failed.contains(&a));
            assert_eq!(is_blocked, matches!(outcome, Outcome::NotBegun(_)), "{address} {outcome:?}");
        }
        partial += usize::from(!failed.is_empty());
        gone_on +=
            usize::from(!failed.is_empty() && report.outcomes.iter().any(|(_, o)| matches!(o, Outcome::Done(_))));
    }
    assert!(partial > 10 && gone_on > 10, "{partial} {gone_on}");
}
