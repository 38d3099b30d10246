//! Plans that are run by lives which end anywhere, until they are done: every action is done once.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use grid_act::executor::Executor;
use grid_act::journal::MemoryJournal;
use grid_act::retry::Rate;
use grid_act::run::{Go, Runner};
use grid_act::simulated::SimulatedTime;
use grid_model::Timestamp;
use grid_plan::Address;
use parking_lot::Mutex;
use serde_json::Value;

use super::mortal::{Life, MortalJournal, mixed};
use super::{World, allowed};

/// Runs a plan that changes and deletes again and again, killed after so many things as are drawn, until it ends; how often it was killed.
pub(crate) async fn killed(
    world: &mut World,
    cloud: &dyn Executor,
    life: &Life,
    seed: u64,
    longest: u64,
) -> anyhow::Result<usize> {
    let mut drawn = mixed(seed);
    let mut draw = |below: u64| {
        drawn = mixed(drawn);
        drawn % below
    };
    let plan = world.plan();
    let (journal, time) = (MemoryJournal::default(), SimulatedTime::at(Timestamp(1)));
    let mut kills = 0;
    for attempt in 0..200 {
        life.0.store(draw(longest) as u32 + attempt / 3, Ordering::SeqCst);
        let journal = MortalJournal(&journal, life.clone());
        let rate = Mutex::new(Rate::new(1000.0, 100));
        let runner = Runner { executor: cloud, journal: &journal, time: &time, seed: draw(1000), rate };
        let current = world.with(|inputs| plan.current(inputs).unwrap());
        let mode = allowed(&plan);
        let run = runner.run(current, &world.state, &mode, &|_| Go::On);
        match AssertUnwindSafe(run).catch_unwind().await {
            Err(_) => kills += 1,
            Ok(answer) => {
                let answer = answer?;
                assert!(answer.is_complete(), "seed {seed}: {:?}", answer.outcomes);
                answer.commit("test", &mut world.state)?;
                life.0.store(u32::MAX, Ordering::SeqCst);
                assert!(world.plan().is_empty(), "seed {seed}: {:?}", world.plan().steps);
                return Ok(kills);
            }
        }
    }
    anyhow::bail!("seed {seed} never ended")
}

/// A kind, what is wanted of it, and another value of one of its fields.
pub(crate) type Wish = (&'static str, Value, (&'static str, Value));

/// The address of the `n`th of a seed's resources, and what is wished for it: three kinds after each other, whichever the seed begins with.
pub(crate) fn drawn(wishes: &[Wish], seed: u64, n: usize) -> (Address, &Wish) {
    let first = (mixed(seed) % wishes.len() as u64) as usize;
    let wish = &wishes[(first + n) % wishes.len()];
    (Address::new(wish.0, &format!("s{seed}-{n}")).unwrap(), wish)
}

/// One resource that is there and changes, one that is there and goes, one that comes, in a plan that is killed until it ends: what went is gone, what is
/// there is as it is known, and what changed was not made anew. Answers how often it was killed. `mortal` is `cloud` with the clock of `life`.
pub(crate) async fn turned(
    world: &mut World,
    cloud: &dyn Executor,
    (mortal, life): (&dyn Executor, &Life),
    wishes: &[Wish],
    (seed, longest): (u64, u64),
) -> anyhow::Result<usize> {
    let of = |n: usize| drawn(wishes, seed, n);
    for (address, wish) in [of(0), of(1)] {
        world.want(&address, &wish.1);
    }
    world.settle(cloud).await.map_err(anyhow::Error::msg)?;
    let ((changes, wish), (goes, _), (comes, new)) = (of(0), of(1), of(2));
    world.blueprint.resources.remove(&goes);
    let mut changed = wish.1.clone();
    changed[wish.2.0] = wish.2.1.clone();
    world.want(&changes, &changed);
    world.want(&comes, &new.1);
    assert_eq!(world.plan().steps.len(), 3);
    let before: BTreeMap<Address, String> =
        world.state.resources.iter().map(|(a, o)| (a.clone(), o.id.clone())).collect();

    let kills = killed(world, mortal, life, seed, longest).await?;
    assert_eq!(cloud.read(&goes, &before[&goes]).await?, None, "seed {seed}: lost");
    for address in [&changes, &comes] {
        let known = &world.state.resources[address];
        let now = cloud.read(address, &known.id).await?.unwrap();
        assert_eq!(now.fields, known.fields, "seed {seed}: lost");
    }
    assert_eq!(world.state.resources[&changes].id, before[&changes], "seed {seed}: made anew");
    Ok(kills)
}
