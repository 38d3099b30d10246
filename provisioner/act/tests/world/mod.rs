//! What the suites of all drivers do, each against its own cloud: an environment that is planned and run, a recommendation all the way to the ledger,
//! and lives that end anywhere. It is no crate: each suite takes it in by its path.
#![allow(dead_code, reason = "no suite needs all of it")]

use std::collections::BTreeMap;

use grid_act::acting::{Accepted, Acting, Do, Event, LedgerEntry, Stage};
use grid_act::executor::Executor;
use grid_act::journal::MemoryJournal;
use grid_act::retry::Rate;
use grid_act::run::{Go, Outcome, Report, Runner};
use grid_act::simulated::SimulatedTime;
use grid_act::{Approval, Journal, Mode};
use grid_model::time::HOUR_NS;
use grid_model::{Amount, Currency, Timestamp};
use grid_plan::cost::{NoPrices, Range};
use grid_plan::environment::{Blueprint, Environment, Override, Provenance, Resource, Writer};
use grid_plan::gate::Verdict;
use grid_plan::kinds::Kinds;
use grid_plan::plan::{Goal, Inputs, Plan, plan};
use grid_plan::state::State;
use grid_plan::{Address, Fields, Path};
use parking_lot::Mutex;
use serde_json::Value;

pub(crate) mod kill;
pub(crate) mod mortal;

/// What is wanted and what is known of one environment.
pub(crate) struct World {
    pub(crate) kinds: Kinds,
    pub(crate) blueprint: Blueprint,
    pub(crate) environment: Environment,
    pub(crate) state: State,
}

impl World {
    pub(crate) fn new(kinds: Kinds) -> Self {
        Self {
            kinds,
            blueprint: Blueprint { name: "shop".to_owned(), revision: "1".to_owned(), resources: BTreeMap::new() },
            environment: Environment { name: "prod".to_owned(), ..Environment::default() },
            state: State { environment: "prod".to_owned(), ..State::default() },
        }
    }

    /// Wants a resource.
    pub(crate) fn want(&mut self, address: &Address, fields: &Value) {
        let resource = Resource { fields: Fields::of_json(fields), ..Resource::default() };
        self.blueprint.resources.insert(address.clone(), resource);
    }

    pub(crate) fn with<T>(&self, use_them: impl FnOnce(&Inputs<'_>) -> T) -> T {
        let goal = Goal::Blueprint { blueprint: &self.blueprint, environment: &self.environment, decisions: &[] };
        let prices = NoPrices(Currency("EUR".to_owned()));
        use_them(&Inputs { goal, state: &self.state, kinds: &self.kinds, prices: &prices, scope: None })
    }

    pub(crate) fn plan(&self) -> Plan {
        self.with(|inputs| plan(inputs).unwrap())
    }

    /// Runs a plan against a cloud, and keeps what has become of it.
    pub(crate) async fn run(&mut self, of: &Plan, cloud: &dyn Executor, journal: &dyn Journal) -> Report {
        let time = SimulatedTime::at(Timestamp(1));
        let runner =
            Runner { executor: cloud, journal, time: &time, seed: 1, rate: Mutex::new(Rate::new(1000.0, 100)) };
        let current = self.with(|inputs| of.current(inputs).unwrap());
        let report = runner.run(current, &self.state, &allowed(of), &|_| Go::On).await.unwrap();
        report.commit("test", &mut self.state).unwrap();
        report
    }

    /// Says what a plan would do.
    pub(crate) async fn dry(&self, of: &Plan, cloud: &dyn Executor) -> Report {
        let (time, journal) = (SimulatedTime::at(Timestamp(1)), MemoryJournal::default());
        let rate = Mutex::new(Rate::new(1000.0, 100));
        let runner = Runner { executor: cloud, journal: &journal, time: &time, seed: 1, rate };
        let current = self.with(|inputs| of.current(inputs).unwrap());
        let report = runner.run(current, &self.state, &Mode::DryRun, &|_| Go::On).await.unwrap();
        assert!(journal.all().is_empty(), "a dry run means nothing");
        report
    }

    /// Plans and runs until nothing is left to do; what was not done, if something was not.
    pub(crate) async fn settle(&mut self, cloud: &dyn Executor) -> Result<(), String> {
        let of = self.plan();
        let report = self.run(&of, cloud, &MemoryJournal::default()).await;
        if !report.is_complete() {
            return Err(format!("{:?}", report.outcomes));
        }
        let left = self.plan();
        if left.is_empty() { Ok(()) } else { Err(format!("left to do: {:?}", left.steps[0].changes)) }
    }
}

pub(crate) fn allowed(of: &Plan) -> Mode {
    Mode::Apply(Approval { plan: of.id, by: "ada".to_owned(), from: Timestamp(0), until: Timestamp::MAX })
}

/// A recommendation to set one field.
pub(crate) fn advice(target: &Address, path: &str, to: &Value) -> Override {
    let by = Provenance {
        writer: Writer::Recommendation(format!("r-{path}")),
        who: "ada".to_owned(),
        why: "a third of it was used".to_owned(),
        at: Timestamp(0),
        evidence: Some("/api/v1/recommendations/r-1".to_owned()),
    };
    Override { target: target.clone(), path: Path::parse(path).unwrap(), to: Some(to.clone()), by }
}

/// Takes a recommendation all the way: accepted, written down as an override, planned, told by a dry run that changes nothing, applied, read back,
/// verified, kept, and in the ledger. `Err` is what the cloud said when it would not do it; then everything is as before.
pub(crate) async fn act(world: &mut World, cloud: &dyn Executor, change: Override) -> Result<LedgerEntry, String> {
    let (at, whole) = (|minutes: i64| Timestamp(minutes * HOUR_NS / 60), |n: i128| Amount(n * 10_i128.pow(18)));
    let (target, path, wanted) = (change.target.clone(), change.path.clone(), change.to.clone().unwrap());
    let mut acting = Acting::new(Accepted {
        recommendation: "r-1".to_owned(),
        change,
        predicted: Range { low: whole(90), likely: whole(100), high: whole(110) },
        by: "ada".to_owned(),
        at: at(0),
        verify_ns: HOUR_NS,
    });
    let Do::WriteOverride(written) = acting.next() else { panic!("{:?}", acting.next()) };
    world.environment.write(*written).unwrap();
    acting.happened(Event::Overridden, at(1)).unwrap();
    let of = world.plan();
    assert_eq!(of.steps.len(), 1, "one resource changes: {:?}", of.steps);
    assert_eq!(of.steps[0].action.name(), "update", "{target}.{path}");
    acting.happened(Event::Planned(of.id), at(2)).unwrap();

    let id = world.state.resources[&target].id.clone();
    let before = cloud.read(&target, &id).await.unwrap().unwrap();
    let dry = world.dry(&of, cloud).await;
    let foretold = match &dry.outcomes[0].1 {
        Outcome::WouldDo(text) if text.contains("->") => None,
        Outcome::Failed(why) => Some(why.clone()),
        _ => panic!("{:?}", dry.outcomes),
    };
    assert_eq!(cloud.read(&target, &id).await.unwrap().unwrap().fields, before.fields, "a dry run changes nothing");

    acting.happened(Event::Queued, at(3)).unwrap();
    acting.happened(Event::Began, at(4)).unwrap();
    let report = world.run(&of, cloud, &MemoryJournal::default()).await;
    if let Some((_, Outcome::Failed(why))) = report.outcomes.first() {
        acting.happened(Event::Failed(why.clone()), at(5)).unwrap();
        let Do::TakeBack(_, written) = acting.next() else { panic!("{:?}", acting.next()) };
        assert!(world.environment.take_back(&written.target, &written.path, &written.by.writer));
        assert!(world.plan().is_empty(), "it was not done, so nothing has to be taken back");
        acting.happened(Event::TakenBack, at(6)).unwrap();
        assert!(matches!(acting.stage, Stage::Undone(_)));
        return Err(why.clone());
    }
    assert!(report.is_complete() && foretold.is_none(), "{foretold:?} {:?}", report.outcomes);
    acting.happened(Event::Applied, at(6)).unwrap();

    // Verified by reading, with nothing of what was said before.
    let now = cloud.read(&target, &id).await.unwrap().unwrap();
    let is_there = now.fields.get(&path).is_some_and(|is| grid_plan::field::same_set(is, &wanted));
    assert!(is_there, "{target}.{path}: {:?} is not {wanted}", now.fields.get(&path));
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
    acting.happened(Event::Looked(Verdict::Pass("it is there".to_owned())), at(70)).unwrap();
    assert!(matches!(acting.stage, Stage::Kept { .. }));
    Ok(acting.ledger(Some((whole(200), whole(100)))))
}
