//! A cloud that is none: the driver of dry demonstrations and the double of tests. It keeps resources in memory, answers at once, and can be told to
//! be as bad as real ones: to lose answers, to be busy, to ignore idempotency tokens. Nothing it says is evidence about a real cloud.

use std::collections::BTreeMap;

use async_trait::async_trait;
use grid_model::Timestamp;
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use parking_lot::Mutex;
use serde_json::Value;

use crate::executor::{Call, CloudError, Executor, Time, Token};
use crate::retry::mixed;

/// How bad it is. Shares are per thousand calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manners {
    /// Whether it creates a second resource when it is called twice with one token.
    pub ignores_tokens: bool,
    /// Calls that are refused because it is busy.
    pub busy: u16,
    /// Calls that are not done, and whose answer is lost.
    pub lost_before: u16,
    /// Calls that are done, and whose answer is lost.
    pub lost_after: u16,
    /// What that is drawn by.
    pub seed: u64,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// To what.
    pub address: Address,
    /// What.
    pub action: Action,
    /// By which call.
    pub token: Token,
    /// The cloud's id.
    pub id: String,
}

#[derive(Debug, Default)]
struct World {
    resources: BTreeMap<String, (Address, Observed, Token)>,
    did: Vec<Did>,
    made: u64,
    drawn: u64,
}

/// The cloud.
#[derive(Debug, Default)]
pub struct SimulatedCloud {
    manners: Manners,
    world: Mutex<World>,
}

impl SimulatedCloud {
    /// An empty one.
    pub fn new(manners: Manners) -> Self {
        Self { manners, world: Mutex::new(World { drawn: manners.seed, ..World::default() }) }
    }

    /// One in which resources are already there.
    pub fn with(manners: Manners, resources: &BTreeMap<Address, Observed>) -> Self {
        let cloud = Self::new(manners);
        let none = Token::of_text("");
        let all = resources.iter().map(|(a, o)| (o.id.clone(), (a.clone(), o.clone(), none.clone())));
        cloud.world.lock().resources.extend(all);
        cloud
    }

    /// All that was done, in order.
    pub fn did(&self) -> Vec<Did> {
        self.world.lock().did.clone()
    }

    /// What is there.
    pub fn resources(&self) -> Vec<(Address, Observed)> {
        self.world.lock().resources.values().map(|(a, o, _)| (a.clone(), o.clone())).collect()
    }

    /// Changes a field behind everybody's back.
    pub fn meddle(&self, id: &str, change: impl FnOnce(&mut Fields)) {
        if let Some((_, observed, _)) = self.world.lock().resources.get_mut(id) {
            change(&mut observed.fields);
        }
    }

    /// Whether a call goes through, and whether its answer does.
    fn fate(&self, world: &mut World) -> Result<bool, CloudError> {
        world.drawn = mixed(world.drawn);
        let drawn = (world.drawn % 1000) as u16;
        let Manners { busy, lost_before, lost_after, .. } = self.manners;
        if drawn < busy {
            return Err(CloudError::Again { after_ns: None, why: "busy".to_owned() });
        }
        if drawn < busy + lost_before {
            return Err(CloudError::Lost("before".to_owned()));
        }
        Ok(drawn >= busy + lost_before + lost_after)
    }
}

#[async_trait]
impl Executor for SimulatedCloud {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn read(&self, _: &Address, id: &str) -> Result<Option<Observed>, CloudError> {
        let mut world = self.world.lock();
        self.fate(&mut world)?;
        Ok(world.resources.get(id).map(|(_, o, _)| o.clone()))
    }

    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        let mut world = self.world.lock();
        self.fate(&mut world)?;
        Ok(world.resources.values().find(|(a, _, t)| a == address && t == token).map(|(_, o, _)| o.clone()))
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        Ok(format!("{} {} ({} fields)", step.action, step.address, step.changes.len()))
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        let mut world = self.world.lock();
        let is_heard = self.fate(&mut world)?;
        let known = world.resources.values().find(|(a, _, t)| a == call.address && t == call.token);
        if let Some((_, observed, _)) = known.filter(|_| !self.manners.ignores_tokens) {
            return Ok(observed.clone());
        }
        let id = match (call.action, call.before) {
            (Action::Create, _) => {
                world.made += 1;
                format!("sim-{}", world.made)
            }
            (_, Some(before)) if world.resources.contains_key(&before.id) => before.id.clone(),
            _ => return Err(CloudError::Refused("there is nothing to change".to_owned())),
        };
        let outputs = BTreeMap::from([("ip".to_owned(), Value::String(format!("ip of {id}")))]);
        let observed = Observed { id: id.clone(), fields: call.fields.clone(), outputs, ..Observed::default() };
        let (address, token) = (call.address.clone(), call.token.clone());
        world.resources.insert(id.clone(), (address.clone(), observed.clone(), token.clone()));
        world.did.push(Did { address, action: call.action, token, id });
        if is_heard { Ok(observed) } else { Err(CloudError::Lost("after".to_owned())) }
    }

    async fn destroy(&self, address: &Address, id: &str, token: &Token) -> Result<(), CloudError> {
        let mut world = self.world.lock();
        let is_heard = self.fate(&mut world)?;
        if world.resources.remove(id).is_some() {
            let (address, token, id) = (address.clone(), token.clone(), id.to_owned());
            world.did.push(Did { address, action: Action::Delete, token, id });
        }
        if is_heard { Ok(()) } else { Err(CloudError::Lost("after".to_owned())) }
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        let there = self.read(address, id).await?;
        there.ok_or_else(|| CloudError::Refused(format!("there is no {id}")))
    }
}

/// Time that passes only when somebody waits.
#[derive(Debug, Default)]
pub struct SimulatedTime(Mutex<Timestamp>);

impl SimulatedTime {
    /// Begins at a time.
    pub fn at(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }
}

#[async_trait]
impl Time for SimulatedTime {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }

    async fn wait(&self, ns: i64) {
        let mut now = self.0.lock();
        *now = now.saturating_add(ns);
    }
}
