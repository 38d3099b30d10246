//! Environments: made of a spec, cloned, compared, promoted, overridden, sent to sleep, protected, destroyed.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::TenantId;
use grid_plan::cost::Prices as _;
use grid_plan::environment::clone::{Wish, clone};
use grid_plan::environment::compare::compare;
use grid_plan::environment::promote::{Promotion, promote};
use grid_plan::environment::{Effective, Environment, Override, Provenance, Writer, effective, life};
use grid_plan::state::{Observed, State};
use grid_plan::{Address, Path};
use grid_types::{Cloud, Format};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{By, Desk};
use crate::error::{DeskError, kept_back};
use crate::heals::Healing;
use crate::keep::{Batch, Kind};
use crate::limits::{ENVIRONMENTS_MAX, NOTE_BYTES_MAX};
use crate::room::{About, QueueOf, Room, Settings};
use crate::{show, spec};

/// A new environment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// Its name.
    pub name: String,
    /// The text of a spec.
    pub spec: String,
    /// `toml`, `yaml` or `json`.
    #[serde(default)]
    pub format: Option<String>,
    /// What the blueprint is called; the environment's name if absent.
    #[serde(default)]
    pub blueprint: Option<String>,
    /// `aws`, `azure` or `google`.
    pub cloud: String,
    /// Where; a region that has all types if absent.
    #[serde(default)]
    pub region: Option<String>,
    /// The beginning of names in the cloud; the blueprint's name if absent.
    #[serde(default)]
    pub system: Option<String>,
    /// `USD` if absent.
    #[serde(default)]
    pub currency: Option<String>,
    /// Which driver; `dry-run` if absent.
    #[serde(default)]
    pub driver: Option<String>,
    /// What is there already: the cloud's ids by address. They are taken over as they are wanted.
    #[serde(default)]
    pub existing: BTreeMap<String, String>,
    /// More that is set.
    #[serde(default)]
    pub settings: Settings,
}

/// A clone that is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneWish {
    /// The new one's name.
    pub name: String,
    /// What is to differ.
    #[serde(default)]
    pub overrides: Vec<Written>,
    /// What it may cost a month.
    #[serde(default)]
    pub budget: Option<String>,
    /// From when on it is to be destroyed, RFC 3339.
    #[serde(default)]
    pub expires: Option<String>,
    /// Whether recommendations' and scaling policies' values come along.
    #[serde(default)]
    pub with_tuning: bool,
}

/// A promotion that is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromoteWish {
    /// The environment that is changed.
    pub to: String,
    /// Only these resources.
    #[serde(default)]
    pub only: Vec<String>,
    /// Fields that never travel.
    #[serde(default)]
    pub stay: Vec<String>,
    /// Whether what people set there may be overruled.
    #[serde(default)]
    pub overrules: bool,
    /// Whether it is only told what would be written.
    #[serde(default)]
    pub dry_run: bool,
}

/// An override that is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The resource.
    pub target: String,
    /// The field; absent for the resource as a whole.
    #[serde(default)]
    pub path: String,
    /// What it is instead; absent leaves it out.
    #[serde(default)]
    pub to: Option<Value>,
    /// Whether an override of people is taken back instead.
    #[serde(default)]
    pub take_back: bool,
    /// Why.
    #[serde(default)]
    pub why: String,
}

fn address(text: &str) -> Result<Address, DeskError> {
    Address::parse(text).map_err(|e| DeskError::bad(&e))
}

impl Written {
    fn read(&self, who: &str, desk: &Desk) -> Result<Override, DeskError> {
        if self.why.len() > NOTE_BYTES_MAX {
            return Err(DeskError::Bad(format!("a reason has at most {NOTE_BYTES_MAX} bytes")));
        }
        Ok(Override {
            target: address(&self.target)?,
            path: Path::parse(&self.path).map_err(|e| DeskError::bad(&e))?,
            to: self.to.clone(),
            by: Provenance {
                writer: Writer::People,
                who: who.to_owned(),
                why: self.why.clone(),
                at: desk.now(),
                evidence: None,
            },
        })
    }
}

fn is_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 32 && text.bytes().all(good)
}

impl Desk {
    /// What is wanted of an environment, checked as a spec would be.
    pub(crate) fn wanted(&self, room: &Room) -> Result<Effective, DeskError> {
        let wanted =
            effective(&room.blueprint, &room.environment, &[], &self.0.kinds).map_err(|e| DeskError::bad(&e))?;
        spec::check(&wanted)?;
        Ok(wanted)
    }

    /// Makes an environment.
    pub async fn create(&self, tenant: &TenantId, by: &By, new: New) -> Result<Value, DeskError> {
        if !is_name(&new.name) {
            let name: String = new.name.chars().take(50).collect();
            let rule = "lower-case letters, digits and `-`, at most 32, beginning with a letter";
            return Err(DeskError::Bad(format!("{name:?} is no name of an environment: {rule}")));
        }
        let cloud = Cloud::parse(&new.cloud).filter(|c| Cloud::HCL.contains(c));
        let cloud = cloud.ok_or_else(|| DeskError::Bad(format!("{:?} is none of aws, azure, google", new.cloud)))?;
        let format = new.format.as_deref().unwrap_or("yaml");
        let format = Format::of(&format!(".{format}"))
            .ok_or_else(|| DeskError::Bad(format!("{format:?} is none of toml, yaml, json")))?;
        let title = new.blueprint.clone().unwrap_or_else(|| new.name.clone());
        let blueprint = spec::blueprint(&title, &new.spec, format)?;
        let region = new.region.clone().unwrap_or_else(|| cloud.example_region().to_owned());
        let currency = new.currency.clone().unwrap_or_else(|| "USD".to_owned());
        let system = new.system.clone().unwrap_or(title);
        let mut about = About::new(&system, cloud, &region, &currency, &by.who, self.now());
        if let Some(driver) = &new.driver {
            if !self.drivers().contains(driver) {
                return Err(DeskError::Bad(format!(
                    "there is no driver {driver:?}, only {}",
                    self.drivers().join(", ")
                )));
            }
            about.driver.clone_from(driver);
        }
        let mut room = Room {
            about,
            environment: Environment { name: new.name.clone(), ..Environment::default() },
            blueprint,
            state: State { environment: new.name.clone(), ..State::default() },
            queue: QueueOf::default(),
            healing: Healing::default(),
        };
        room.set(new.settings, &self.0.kinds, self.now())?;
        let wanted = self.wanted(&room)?;
        // Whether there is one for such an environment is told now, not at its first release.
        self.driver(tenant, &room)?;
        if !new.existing.is_empty() && self.keeps_environments(&room.about.driver) {
            let driver = &room.about.driver;
            return Err(DeskError::Bad(format!(
                "the driver {driver} must know what exists itself: make the environment without it, and take it over then (`grid plan import`)"
            )));
        }
        let _held = self.0.lock.lock().await;
        let names = self.0.keep.names(tenant, Kind::Environment, "").await?;
        if names.contains(&new.name) {
            return Err(DeskError::Conflict(format!("there is an environment {} already", new.name)));
        }
        if names.len() >= ENVIRONMENTS_MAX {
            return Err(DeskError::TooMany { what: "environments", max: ENVIRONMENTS_MAX });
        }
        let mut found: BTreeMap<Address, Observed> = BTreeMap::new();
        for (name, id) in &new.existing {
            let address = address(name)?;
            let of = wanted.0.get(&address);
            let of =
                of.ok_or_else(|| DeskError::Bad(format!("{address} exists, and the spec has no such resource")))?;
            let managed = of.fields.iter().map(|(p, _)| p.clone()).collect();
            let outputs = BTreeMap::from([("id".to_owned(), json!(id))]);
            let observed =
                Observed { id: id.clone(), fields: of.fields.clone(), managed, outputs, needs: of.needs.clone() };
            found.insert(address, observed);
        }
        self.look_up_references(&mut found);
        if room.about.driver == crate::DRY_RUN {
            let driver = self.dry_run(tenant, &new.name);
            for (address, observed) in &found {
                driver.place(address, observed, "").await?;
            }
        }
        room.state.serial = u64::from(!found.is_empty());
        room.state.resources = found;
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &room)?;
        let detail = format!("{} resources of {}", room.blueprint.resources.len(), room.blueprint.revision);
        self.deed(&mut batch, by, "environment.create", &new.name, &detail);
        self.0.keep.write(batch).await?;
        if !new.existing.is_empty() {
            self.survey_dry_run(tenant).await?;
        }
        Ok(show::environment_whole(&room))
    }

    /// References in what exists already stand for what they name, as they would after a run.
    fn look_up_references(&self, found: &mut BTreeMap<Address, Observed>) {
        let there = found.clone();
        for observed in found.values_mut() {
            let looked = observed.fields.iter().map(|(path, value)| {
                let value = grid_plan::plan::looked_up(value, &there).unwrap_or_else(|| value.clone());
                (path.clone(), value)
            });
            observed.fields = looked.collect();
        }
    }

    /// All environments.
    pub async fn environments(&self, tenant: &TenantId) -> Result<Vec<Value>, DeskError> {
        let mut shown = Vec::new();
        for name in self.0.keep.names(tenant, Kind::Environment, "").await? {
            shown.push(show::environment(&self.room(tenant, &name).await?));
        }
        Ok(shown)
    }

    /// The names of all environments.
    pub async fn environment_names(&self, tenant: &TenantId) -> Result<Vec<String>, DeskError> {
        self.0.keep.names(tenant, Kind::Environment, "").await
    }

    /// One, with all that is known of it.
    pub async fn environment(&self, tenant: &TenantId, name: &str) -> Result<Value, DeskError> {
        let room = self.room(tenant, name).await?;
        let mut shown = show::environment_whole(&room);
        let bench = self.bench(tenant, &room, &[]).await?;
        let mut monthly = grid_plan::cost::Total::default();
        for (address, observed) in &room.state.resources {
            monthly.add(address, &bench.prices.monthly(address, &observed.fields));
        }
        shown["monthly"] = show::total(&monthly);
        shown["held_recommendations"] = self.held(tenant, name).await?.iter().map(show::held).collect();
        Ok(shown)
    }

    /// Changes an environment under the lock, writes it down and shows it. Refused while a release is at work, so that a run that is cut short can go on.
    async fn change(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &By,
        what: &'static str,
        change: impl FnOnce(&mut Room) -> Result<String, DeskError> + Send,
    ) -> Result<Room, DeskError> {
        let _held = self.0.lock.lock().await;
        let mut room = self.room(tenant, name).await?;
        room.free()?;
        let detail = change(&mut room)?;
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &room)?;
        self.deed(&mut batch, by, what, name, &detail);
        self.0.keep.write(batch).await?;
        Ok(room)
    }

    /// Sets gates, freezes, policy, budget and the like.
    pub async fn set(&self, tenant: &TenantId, name: &str, by: &By, settings: Settings) -> Result<Value, DeskError> {
        let detail = serde_json::to_string(&settings).unwrap_or_default();
        let now = self.now();
        let change = |room: &mut Room| room.set(settings, &self.0.kinds, now).map(|()| detail);
        // What is held may fit now.
        self.0.advised_at.lock().remove(&(tenant.clone(), name.to_owned()));
        let room = self.change(tenant, name, by, "environment.set", change).await?;
        self.go_on(tenant, name).await?;
        Ok(show::environment_whole(&room))
    }

    /// Takes another spec as the blueprint.
    pub async fn describe(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &By,
        text: &str,
        format: &str,
    ) -> Result<Value, DeskError> {
        let format = Format::of(&format!(".{format}"))
            .ok_or_else(|| DeskError::Bad(format!("{format:?} is none of toml, yaml, json")))?;
        let change = |room: &mut Room| {
            room.blueprint = spec::blueprint(&room.blueprint.name, text, format)?;
            self.wanted(room)?;
            Ok(format!("revision {}", room.blueprint.revision))
        };
        let room = self.change(tenant, name, by, "environment.describe", change).await?;
        Ok(show::environment_whole(&room))
    }

    /// Writes an override of people, or takes one back.
    pub async fn write(&self, tenant: &TenantId, name: &str, by: &By, written: Written) -> Result<Value, DeskError> {
        let one = written.read(&by.who, self)?;
        let change = |room: &mut Room| {
            let what = format!(
                "{} {} = {}",
                one.target,
                one.path,
                one.to.as_ref().map_or("left out".to_owned(), Value::to_string)
            );
            if written.take_back {
                if !room.environment.take_back(&one.target, &one.path, &Writer::People) {
                    return Err(DeskError::none("override", &format!("{} {}", one.target, one.path)));
                }
                return Ok(format!("took back {} {}", one.target, one.path));
            }
            room.environment.write(one).map_err(|e| DeskError::Conflict(crate::error::chain(&e)))?;
            self.wanted(room)?;
            Ok(what)
        };
        let room = self.change(tenant, name, by, "environment.override", change).await?;
        Ok(show::environment_whole(&room))
    }

    /// Protects an environment from being destroyed, or no longer.
    pub async fn protect(&self, tenant: &TenantId, name: &str, by: &By, on: bool) -> Result<Value, DeskError> {
        let change = |room: &mut Room| {
            room.environment.is_protected = on;
            Ok(if on { "on" } else { "off" }.to_owned())
        };
        let room = self.change(tenant, name, by, "environment.protect", change).await?;
        Ok(show::environment_whole(&room))
    }

    /// Sends an environment to sleep, or wakes it: a release does the rest.
    pub async fn sleep(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &By,
        asleep: bool,
        why: &str,
    ) -> Result<Value, DeskError> {
        let now = self.now();
        let change = |room: &mut Room| {
            life::set_asleep(&mut room.environment, asleep, &by.who, why, now);
            Ok(why.to_owned())
        };
        let what = if asleep { "environment.hibernate" } else { "environment.wake" };
        self.change(tenant, name, by, what, change).await?;
        let submission = super::Submission {
            environment: name.to_owned(),
            note: format!("{}: {why}", if asleep { "hibernate" } else { "wake" }),
            ..super::Submission::default()
        };
        self.submit(tenant, by, submission).await
    }

    /// How two environments differ.
    pub async fn compare(&self, tenant: &TenantId, first: &str, second: &str) -> Result<Vec<Value>, DeskError> {
        let (a, b) = (self.room(tenant, first).await?, self.room(tenant, second).await?);
        Ok(compare(&self.wanted(&a)?, &self.wanted(&b)?).iter().map(show::difference).collect())
    }

    /// Makes a second environment like one.
    pub async fn clone_of(&self, tenant: &TenantId, from: &str, by: &By, wish: CloneWish) -> Result<Value, DeskError> {
        let _held = self.0.lock.lock().await;
        let room = self.room(tenant, from).await?;
        let names: BTreeSet<String> = self.0.keep.names(tenant, Kind::Environment, "").await?.into_iter().collect();
        if names.len() >= ENVIRONMENTS_MAX {
            return Err(DeskError::TooMany { what: "environments", max: ENVIRONMENTS_MAX });
        }
        let mut wished = Wish {
            name: wish.name.clone(),
            with_tuning: wish.with_tuning,
            who: by.who.clone(),
            at: self.now(),
            ..Wish::default()
        };
        for one in &wish.overrides {
            wished.overrides.push(one.read(&by.who, self)?);
        }
        let cloned = clone(&room.blueprint, &room.environment, &wished, &names, &BTreeSet::new(), &self.0.kinds);
        let cloned = cloned.map_err(|e| DeskError::Conflict(crate::error::chain(&e)))?;
        let now = self.now();
        let mut new = Room {
            about: About { created: now.0, created_by: by.who.clone(), expiry: None, owed: None, ..room.about.clone() },
            environment: cloned.environment,
            blueprint: room.blueprint.clone(),
            state: State { environment: wish.name.clone(), ..State::default() },
            queue: QueueOf::default(),
            healing: Healing::default(),
        };
        new.set(Settings { budget: wish.budget, expires: wish.expires, ..Settings::default() }, &self.0.kinds, now)?;
        self.wanted(&new)?;
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &new)?;
        self.deed(&mut batch, by, "environment.clone", &wish.name, &format!("of {from}"));
        self.0.keep.write(batch).await?;
        let mut shown = show::environment_whole(&new);
        let names = cloned.names.iter();
        shown["names"] =
            names.map(|(a, p, old, new)| json!({ "address": a, "path": p, "old": old, "new": new })).collect();
        Ok(shown)
    }

    /// Takes overrides over into another environment.
    pub async fn promote(&self, tenant: &TenantId, from: &str, by: &By, wish: PromoteWish) -> Result<Value, DeskError> {
        let _held = self.0.lock.lock().await;
        let (source, mut target) = (self.room(tenant, from).await?, self.room(tenant, &wish.to).await?);
        target.free()?;
        if source.blueprint.name != target.blueprint.name {
            let (a, b) = (&source.blueprint.name, &target.blueprint.name);
            return Err(DeskError::Conflict(format!("{from} is of blueprint {a}, {} of {b}", wish.to)));
        }
        let asked = Promotion {
            only: wish.only.iter().map(|a| address(a)).collect::<Result<_, _>>()?,
            stay: wish.stay.iter().map(|p| Path::parse(p).map_err(|e| DeskError::bad(&e))).collect::<Result<_, _>>()?,
            overrules: wish.overrules,
            who: by.who.clone(),
            at: self.now(),
        };
        let promoted = promote(&source.environment, &target.environment, &asked);
        let is_new_revision = source.blueprint.revision != target.blueprint.revision;
        let answer = json!({
            "to": wish.to,
            "revision": is_new_revision.then(|| source.blueprint.revision.clone()),
            "writes": promoted.writes.iter().map(show::one_override).collect::<Vec<_>>(),
            "overruled": promoted.overruled.iter().map(show::one_override).collect::<Vec<_>>(),
            "kept_back": promoted.kept_back.iter().map(|(o, why)| {
                let mut one = show::one_override(o);
                one["kept_back"] = json!(kept_back(*why));
                one
            }).collect::<Vec<_>>(),
            "written": !wish.dry_run,
        });
        if wish.dry_run {
            return Ok(answer);
        }
        target.blueprint = source.blueprint.clone();
        for one in &promoted.writes {
            for old in promoted.overruled.iter().filter(|o| o.target == one.target && o.path.overlaps(&one.path)) {
                target.environment.take_back(&old.target, &old.path, &old.by.writer);
            }
            target.environment.write(one.clone()).map_err(|e| DeskError::Conflict(crate::error::chain(&e)))?;
        }
        self.wanted(&target)?;
        let mut batch = Batch::of(tenant);
        self.save(&mut batch, &target)?;
        let detail = format!("{} overrides of {from}", promoted.writes.len());
        self.deed(&mut batch, by, "environment.promote", &wish.to, &detail);
        self.0.keep.write(batch).await?;
        Ok(answer)
    }

    /// Forgets an environment that has nothing left in its cloud.
    pub async fn forget(&self, tenant: &TenantId, name: &str, by: &By) -> Result<bool, DeskError> {
        let _held = self.0.lock.lock().await;
        let room = self.room(tenant, name).await?;
        if !room.state.resources.is_empty() || room.environment.is_protected || !room.queue.0.open().is_empty() {
            return Ok(false);
        }
        let mut batch = Batch::of(tenant);
        for kind in [Kind::Environment, Kind::State, Kind::Queue] {
            batch.delete(kind, "", name);
        }
        for kind in [Kind::Plan, Kind::Release, Kind::Action, Kind::Policy, Kind::Held] {
            for one in self.0.keep.names(tenant, kind, name).await? {
                batch.delete(kind, name, &one);
            }
        }
        self.deed(&mut batch, by, "environment.forget", name, "nothing was left of it");
        self.0.keep.write(batch).await?;
        Ok(true)
    }
}
