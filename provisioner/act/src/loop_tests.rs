//! The whole loop with one lever: the size of an autoscaling group, from an accepted recommendation to the ledger.
#![allow(clippy::unwrap_used)]

use futures::executor::block_on;
use grid_model::time::{DAY_NS, HOUR_NS, MINUTE_NS};
use grid_model::{Amount, Currency, Timestamp};
use grid_plan::cost::{Cost, Prices, Range};
use grid_plan::environment::{Blueprint, Environment, Override, Provenance, Resource, Writer};
use grid_plan::gate::health::{Bound, health};
use grid_plan::gate::{Answer, Verdict, budget};
use grid_plan::kinds::Kinds;
use grid_plan::lint::{Bounds, lint};
use grid_plan::plan::{Goal, Inputs, Plan, plan};
use grid_plan::queue::{End, Footprint, Kind, Priority, Queue, Release, Settings, Stage as Queued};
use grid_plan::state::{Observed, State};
use grid_plan::{Address, Fields, Path};
use parking_lot::Mutex;
use serde_json::json;

use crate::acting::{Accepted, Acting, Do, Event, Realised, Stage};
use crate::journal::{MemoryJournal, What};
use crate::mode::{Approval, Mode};
use crate::policy::{Autonomy, Limits, Policy, Ruling};
use crate::retry::Rate;
use crate::run::{Go, Runner};
use crate::simulated::{Manners, SimulatedCloud, SimulatedTime};

/// 25 EUR a month for each machine that a group may have.
pub(crate) struct PerMachine;

impl Prices for PerMachine {
    fn book(&self) -> String {
        "per machine".to_owned()
    }

    fn currency(&self) -> Currency {
        Currency("EUR".to_owned())
    }

    fn monthly(&self, _: &Address, fields: &Fields) -> Cost {
        let max = fields.get(&field()).and_then(|v| v.as_i64()).unwrap_or(0);
        Cost::Known(Range::exact(Amount(i128::from(max) * 25 * 10_i128.pow(18))))
    }
}

/// One group of machines.
pub(crate) struct World {
    pub(crate) kinds: Kinds,
    blueprint: Blueprint,
    environment: Environment,
    state: State,
}

fn web() -> Address {
    Address::parse("autoscaling_group.web").unwrap()
}

fn field() -> Path {
    Path::parse("size.max").unwrap()
}

fn advice(max: i64) -> Override {
    let by = Provenance {
        writer: Writer::Recommendation("r-1".to_owned()),
        who: "ada".to_owned(),
        why: "a third of it was used".to_owned(),
        at: Timestamp(0),
        evidence: Some("/api/v1/recommendations/r-1".to_owned()),
    };
    Override { target: web(), path: field(), to: Some(json!(max)), by }
}

impl World {
    pub(crate) fn new(max: i64) -> Self {
        let fields = Fields::of_json(&json!({"size": {"min": 1, "max": max}, "image": "v1"}));
        let managed = fields.iter().map(|(p, _)| p.clone()).collect();
        let observed = Observed { id: "asg-1".to_owned(), fields: fields.clone(), managed, ..Observed::default() };
        let resources = [(web(), Resource { fields, ..Resource::default() })].into();
        Self {
            kinds: Kinds::roles(),
            blueprint: Blueprint { name: "shop".to_owned(), revision: "1".to_owned(), resources },
            environment: Environment { name: "prod".to_owned(), ..Environment::default() },
            state: State {
                environment: "prod".to_owned(),
                serial: 1,
                resources: [(web(), observed)].into(),
                lock: None,
            },
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        let goal = Goal::Blueprint { blueprint: &self.blueprint, environment: &self.environment, decisions: &[] };
        Inputs { goal, state: &self.state, kinds: &self.kinds, prices: &PerMachine, scope: None }
    }

    /// The plan if the group had another size.
    pub(crate) fn plan_of(&self, max: i64) -> Plan {
        let decisions = [advice(max)];
        let goal =
            Goal::Blueprint { blueprint: &self.blueprint, environment: &self.environment, decisions: &decisions };
        plan(&Inputs { goal, ..self.inputs() }).unwrap()
    }
}

fn policy() -> Policy {
    let whole = |n: i128| Amount(n * 10_i128.pow(18));
    let limits = Limits {
        adds_max: Amount::ZERO,
        saves_max: None,
        risk_max: 0.05,
        steps_max: 1,
        blast_max: 0,
        moved_max: whole(500),
    };
    Policy { autonomy: Autonomy::Automatic, limits, two_people_for_errors: true }
}

/// Goes the whole way; `healthy` is what the query says while it is verified. Gives where it ended, the size in the cloud, and the world.
fn go(healthy: f64) -> (Acting, i64, World) {
    let mut world = World::new(8);
    let cloud =
        SimulatedCloud::with(Manners { lost_after: 300, seed: 5, ..Manners::default() }, &world.state.resources);
    let (journal, time) = (MemoryJournal::default(), SimulatedTime::at(Timestamp(0)));
    let runner =
        Runner { executor: &cloud, journal: &journal, time: &time, seed: 1, rate: Mutex::new(Rate::new(10.0, 5)) };
    let mut queue = Queue::new(Settings::default());
    let at = |minutes: i64| Timestamp(minutes * MINUTE_NS);

    // Accepted, and written down as an override.
    let whole = |n: i128| Amount(n * 10_i128.pow(18));
    let predicted = Range { low: whole(90), likely: whole(100), high: whole(110) };
    let mut acting = Acting::new(Accepted {
        recommendation: "r-1".to_owned(),
        change: advice(4),
        predicted,
        by: "ada".to_owned(),
        at: at(0),
        verify_ns: HOUR_NS,
    });
    let Do::WriteOverride(change) = acting.next() else { panic!("{:?}", acting.next()) };
    world.environment.write(*change).unwrap();
    acting.happened(Event::Overridden, at(1)).unwrap();

    // Planned, and ruled on.
    assert_eq!(acting.next(), Do::Plan);
    let first = plan(&world.inputs()).unwrap();
    assert_eq!(first.delta.certain().unwrap().likely, whole(-100));
    assert_eq!(first.steps[0].evidence, ["/api/v1/recommendations/r-1"]);
    acting.happened(Event::Planned(first.id), at(2)).unwrap();
    let found = lint(&first, &world.kinds, &Bounds::default());
    assert_eq!(policy().ruling(&first, &found, Some(0.01), Amount::ZERO), Ruling::Approved);

    // Queued, held by its gate, let through.
    assert_eq!(acting.next(), Do::Submit(first.id));
    let release = Release {
        kind: Kind::Selective,
        priority: Priority::Normal,
        by: "ada".to_owned(),
        footprint: Footprint::of(&first, &world.state),
        lane: Some("autoscaling_group.web".to_owned()),
        gates: vec!["budget".to_owned()],
        class: "size".to_owned(),
    };
    let (id, _) = queue.submit(release, at(3)).unwrap();
    acting.happened(Event::Queued, at(3)).unwrap();
    assert!(queue.ready(at(3)).is_empty());
    assert_eq!(queue.holds(id, at(3))[0].to_string(), "gate budget: it has not been asked yet");
    queue.verdict(id, "budget", budget(&first, Some(whole(150)))).unwrap();
    assert_eq!(queue.ready(at(4)), [id]);
    acting.happened(Event::Began, at(4)).unwrap();

    // Applied: what was approved, and nothing else.
    let mode = |plan: &Plan| {
        Mode::Apply(Approval { plan: plan.id, by: "policy".to_owned(), from: at(0), until: Timestamp(10 * DAY_NS) })
    };
    let serial = world.state.serial;
    let current = first.current(&world.inputs()).unwrap();
    let report = block_on(runner.run(current, &world.state, &mode(&first), &|_| Go::On)).unwrap();
    assert!(report.is_complete(), "{report:?}");
    report.commit("release 1", &mut world.state).unwrap();
    assert_eq!(world.state.serial, serial + 1);
    assert!(first.current(&world.inputs()).is_err(), "once applied it is stale");
    queue.finished(id, None, true, at(6)).unwrap();
    acting.happened(Event::Applied, at(6)).unwrap();

    // Verified.
    let look = |value: f64| health(&Answer::Here(vec![("errors".to_owned(), value)]), Bound::AtMost(0.01));
    let thin = health(&Answer::Here(Vec::new()), Bound::AtMost(0.01));
    assert!(matches!(thin, Verdict::Hold(_)));
    queue.checked(id, &thin, at(7)).unwrap();
    acting.happened(Event::Looked(thin), at(7)).unwrap();
    let verdict = look(healthy);
    let ended = queue.checked(id, &verdict, at(70)).unwrap();
    acting.happened(Event::Looked(verdict), at(70)).unwrap();
    if let Do::TakeBack(of, change) = acting.next() {
        assert_eq!(of, first.id);
        assert!(world.environment.take_back(&change.target, &change.path, &change.by.writer));
        let back = plan(&Inputs { goal: Goal::Undo(&first), ..world.inputs() }).unwrap();
        let inputs = Inputs { goal: Goal::Undo(&first), ..world.inputs() };
        let current = back.current(&inputs).unwrap();
        let report = block_on(runner.run(current, &world.state, &mode(&back), &|_| Go::On)).unwrap();
        assert!(report.is_complete());
        report.commit("release 1", &mut world.state).unwrap();
        let ended = queue.undone(id, None, at(80)).unwrap();
        assert!(matches!(ended.stage, Queued::Ended(End::Undone(_))));
        acting.happened(Event::TakenBack, at(80)).unwrap();
    } else {
        assert_eq!(ended.unwrap().stage, Queued::Ended(End::Done));
    }
    assert_eq!(acting.next(), Do::Enter);
    // Whatever the way, environment and cloud agree in the end, and every call was meant before it was made.
    assert!(plan(&world.inputs()).unwrap().is_empty());
    let (all, size) = (journal.all(), cloud.resources()[0].1.fields.get(&field()).unwrap().as_i64().unwrap());
    let count = |test: fn(&What) -> bool| all.iter().filter(|e| test(&e.what)).count();
    assert_eq!(count(|w| matches!(w, What::Intent { .. })), count(|w| matches!(w, What::Done { .. })));
    assert_eq!(cloud.did().len(), count(|w| matches!(w, What::Done { .. })));
    (acting, size, world)
}

#[test]
fn a_recommendation_becomes_a_verified_saving() {
    let (acting, size, _) = go(0.002);
    assert!(matches!(acting.stage, Stage::Kept { .. }));
    assert_eq!(size, 4);
    let whole = |n: i128| Amount(n * 10_i128.pow(18));
    let entry = acting.ledger(Some((whole(200), whole(102))));
    assert_eq!(entry.realised, Realised::Saved(whole(98)));
    assert_eq!(entry.is_as_predicted(), Some(true));
}

#[test]
fn one_that_hurts_is_taken_back() {
    let (acting, size, world) = go(0.05);
    assert!(matches!(&acting.stage, Stage::Undone(why) if why.contains("errors is 0.05")));
    assert_eq!(size, 8);
    assert!(world.environment.overrides.is_empty());
}
