//! What is the same for all kinds: look what is there, ask the cluster dry for everything that differs, then change it, the object with the token last.

use async_trait::async_trait;
use grid_act::Executor;
use grid_act::executor::{Call, CloudError, Token};
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use serde_json::Value;

use crate::client::{How, Kube};
use crate::failure::Failure;
use crate::native::{Native, native};
use crate::object::{Id, Sort, TOKEN_LABEL, name_of};
use crate::prepare::{Job, Prepared, Wish, differs, known, on_creation, on_update};
use crate::seen::{Seen, Want, is_going, uid, with_defaults};

/// The name in records.
const NAME: &str = "kubernetes";
/// The token of what is only asked dry.
const DRY_TOKEN: &str = "grid-dry-run";

#[async_trait]
impl Executor for Kube {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn read(&self, address: &Address, id: &str) -> Result<Option<Observed>, CloudError> {
        let driver = driver(address, "read")?;
        Ok(read(self, driver, &parsed(driver, address, id)?).await?.map(Seen::observed))
    }

    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        let driver = driver(address, "find")?;
        let label = format!("{TOKEN_LABEL}={}", token.text());
        for sort in driver.sorts() {
            let found = match self.list(sort, self.settings.namespace.as_deref(), Some(&label)).await {
                // Nobody has such objects here.
                Err(failure) if failure.is_gone() => Vec::new(),
                answer => answer?,
            };
            if let Some(object) = found.into_iter().find(|o| driver.is(o) && !is_going(o)) {
                return Ok(Some(whole(self, driver, Id::of(sort, &object), object).await?.observed()));
            }
        }
        Ok(None)
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        let address = &step.address;
        let driver = driver(address, step.action.name())?;
        let mut lines = vec![format!("{} {address}", step.action)];
        if matches!(step.action, Action::Delete | Action::Replace) {
            let id = step.before.as_ref().map(|b| parsed(driver, address, &b.id)).transpose()?;
            let seen = match &id {
                Some(id) => read(self, driver, id).await?,
                None => None,
            };
            let Some(seen) = seen else {
                lines.push("  it is gone already".to_owned());
                return Ok(lines.join("\n"));
            };
            for (id, uid) in to_delete(&seen) {
                self.delete(&id, &uid, How::Dry).await?;
                lines.push(format!("  delete {id}"));
            }
        }
        let Some(after) = &step.after else { return Ok(lines.join("\n")) };
        let wish = Wish {
            address,
            token: DRY_TOKEN,
            action: step.action,
            before: step.before.as_ref().filter(|_| step.action == Action::Update),
            fields: after,
        };
        if step.action == Action::Replace {
            // What stands in its place still stands: the cluster cannot be asked yet.
            lines.push("  create it anew".to_owned());
        } else {
            lines.extend(Box::pin(asked(self, driver, &wish)).await?);
        }
        Ok(lines.join("\n"))
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        let driver = driver(call.address, call.action.name())?;
        let (address, action, fields) = (call.address, call.action, call.fields);
        let wish = Wish { address, token: call.token.text(), action, before: call.before, fields };
        Ok(Box::pin(converge(self, driver, &wish)).await?.observed())
    }

    async fn destroy(&self, address: &Address, id: &str, _: &Token) -> Result<(), CloudError> {
        let driver = driver(address, "delete")?;
        let Some(seen) = read(self, driver, &parsed(driver, address, id)?).await? else { return Ok(()) };
        for (id, uid) in to_delete(&seen) {
            self.delete(&id, &uid, How::Real).await?;
        }
        Ok(())
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        let there = self.read(address, id).await?;
        there.ok_or_else(|| CloudError::Refused(format!("there is no {} {id} in {}", address.kind(), self.cluster)))
    }
}

fn driver(address: &Address, action: &'static str) -> Result<&'static dyn Native, CloudError> {
    let unsupported = || CloudError::Unsupported { driver: NAME, action, kind: address.kind().to_owned() };
    native(address.kind()).ok_or_else(unsupported)
}

fn parsed(driver: &dyn Native, address: &Address, id: &str) -> Result<Id, Failure> {
    let sorts = driver.sorts();
    let example = |s: &&'static Sort| Id::new(s, "NAMESPACE", "NAME").to_string();
    let forms = || sorts.iter().map(example).collect::<Vec<_>>().join(" or ");
    Id::parse(id, sorts)
        .ok_or_else(|| Failure::refused(format!("{id:?} is no id of a {}: it is {}", address.kind(), forms())))
}

/// A resource whose object was read, with what belongs to it.
async fn whole(kube: &Kube, driver: &dyn Native, id: Id, main: Value) -> Result<Seen, Failure> {
    let mut around = Vec::new();
    for sort in driver.around() {
        around.extend(kube.list(sort, Some(&id.namespace), None).await?.into_iter().map(|object| (*sort, object)));
    }
    Ok(gathered(driver, id, main, &around))
}

/// A resource out of objects that were read.
pub(crate) fn gathered(driver: &dyn Native, id: Id, main: Value, around: &[(&'static Sort, Value)]) -> Seen {
    let bare = Seen::new(id, main, Vec::new());
    let address = bare.annotation(crate::object::RESOURCE_ANNOTATION);
    let mut beside: Vec<(&'static Sort, Value)> = Vec::new();
    for (sort, object) in around.iter().filter(|(_, o)| !is_going(o)) {
        let is_first = !beside.iter().any(|(s, _)| s == sort);
        if is_first && driver.belongs(&bare.id, address, sort, object) {
            beside.push((*sort, object.clone()));
        }
    }
    let mut seen = Seen { beside, ..bare };
    driver.tell(&mut seen);
    seen
}

/// What is there; what is being deleted is not.
async fn read(kube: &Kube, driver: &dyn Native, id: &Id) -> Result<Option<Seen>, Failure> {
    match kube.get(id).await?.filter(|o| driver.is(o) && !is_going(o)) {
        Some(main) => whole(kube, driver, id.clone(), main).await.map(Some),
        None => Ok(None),
    }
}

/// The objects of a resource with their uids, in the order in which they go: itself last, so that what is left can be found by it.
fn to_delete(seen: &Seen) -> Vec<(Id, String)> {
    let beside = seen.beside.iter().map(|(sort, object)| (Id::of(sort, object), uid(object).to_owned()));
    beside.chain([(seen.id.clone(), uid(&seen.main).to_owned())]).collect()
}

/// What is to be done, found out by looking.
async fn prepare(kube: &Kube, driver: &dyn Native, wish: &Wish<'_>) -> Result<Prepared, Failure> {
    let kind = wish.address.kind();
    let want = Want { kind, fields: wish.fields };
    known(&want)?;
    match (wish.action, wish.before) {
        (Action::Update, Some(before)) => {
            let gone = || Failure::refused(format!("there is no {kind} {} any more", before.id));
            let id = parsed(driver, wish.address, &before.id)?;
            let seen = read(kube, driver, &id).await?.ok_or_else(gone)?;
            on_update(driver, wish, seen, before)
        }
        (Action::Update, None) => Err(Failure::refused("there is nothing to change")),
        _ => {
            let fields = with_defaults(kind, wish.fields);
            let want = Want { kind, fields: &fields };
            driver.check(None, &want)?;
            let id = Id::new(driver.sort(&want)?, namespace(kube, &want)?, &name_of(wish.address));
            if let Some(main) = kube.get(&id).await? {
                if is_going(&main) {
                    return Err(Failure::unsettled(format!("{id} is being deleted")));
                }
                let seen = whole(kube, driver, id, main).await?;
                return if seen.token() == Some(wish.token) {
                    Ok(Prepared::Done(Box::new(seen)))
                } else {
                    let why = format!("{} is there already: take it over (import), or delete it", seen.id);
                    Err(Failure::refused(why))
                };
            }
            let bodies = driver.make(&id, &want)?;
            let mut there = Vec::new();
            for (id, _) in bodies.iter().filter(|(of, _)| *of != id) {
                there.extend(kube.get(id).await?.map(|object| (id.clone(), object)));
            }
            on_creation(wish, id, bodies, &there, fields.clone())
        }
    }
}

/// Where something new is to be.
fn namespace<'a>(kube: &'a Kube, want: &'a Want<'_>) -> Result<&'a str, Failure> {
    match (want.text("network"), kube.settings.namespace.as_deref()) {
        (Some(wanted), Some(only)) if wanted != only => Err(Failure::refused(format!(
            "network is {wanted}, and Grid works in namespace {only} only (provision.kube_namespace)"
        ))),
        (Some(wanted), _) => Ok(wanted),
        (None, _) => Ok(kube.default_namespace()),
    }
}

/// What the cluster says that it would do.
async fn asked(kube: &Kube, driver: &dyn Native, wish: &Wish<'_>) -> Result<Vec<String>, Failure> {
    match prepare(kube, driver, wish).await? {
        Prepared::Done(_) => Ok(vec!["  it is so already".to_owned()]),
        Prepared::Todo { mut jobs, drops, seen, asked, mut lines } => {
            dry(kube, driver, wish, &asked, &mut jobs, &drops, seen.as_deref()).await?;
            lines.extend(jobs.iter().filter(|j| j.forces).map(|j| format!("  takes over fields of {}", j.id)));
            Ok(lines)
        }
    }
}

/// Asks for every change without making it. Finds out what has to be taken over, and that what would come out is what is wanted.
async fn dry(
    kube: &Kube,
    driver: &dyn Native,
    wish: &Wish<'_>,
    asked: &Fields,
    jobs: &mut [Job],
    drops: &[(Id, String)],
    seen: Option<&Seen>,
) -> Result<(), Failure> {
    for (id, uid) in drops {
        kube.delete(id, uid, How::Dry).await?;
    }
    let want = Want { kind: wish.address.kind(), fields: wish.fields };
    let mut would: Vec<(&'static Sort, Value)> = Vec::new();
    for job in jobs.iter_mut() {
        let answer = match kube.apply(&job.id, &job.body, How::Dry, false).await {
            Err(failure) if !failure.owned.is_empty() => {
                job.take_over(&failure, &want)?;
                kube.apply(&job.id, &job.body, How::Dry, true).await?
            }
            answer => answer?,
        };
        would.push((job.id.sort, answer));
    }
    let Some((_, main)) = would.pop() else { return Ok(()) };
    let is_new = |sort: &Sort| would.iter().any(|(s, _)| *s == sort) || drops.iter().any(|(id, _)| id.sort == sort);
    let kept = seen.map(|s| s.beside.iter().filter(|(s, _)| !is_new(s)).cloned().collect()).unwrap_or_default();
    let id = jobs.last().map_or_else(|| Id::of(driver.sorts()[0], &main), |j| j.id.clone());
    let around: Vec<_> = [would.clone(), kept].concat();
    let mut told = Seen::new(id, main, around);
    driver.tell(&mut told);
    let open: Vec<String> = differs(&told, &Want { kind: want.kind, fields: asked })
        .into_iter()
        .map(|(path, is, _)| format!("{path} {is}"))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    // A webhook, a policy, or a place that others fill too.
    Err(Failure::refused(format!("{}: the cluster would make it otherwise: {}", told.id, open.join(", "))))
}

/// Makes what is there into what is wanted. Whatever an earlier try has done is found done.
async fn converge(kube: &Kube, driver: &dyn Native, wish: &Wish<'_>) -> Result<Seen, Failure> {
    let (mut jobs, drops, seen, asked) = match prepare(kube, driver, wish).await? {
        Prepared::Done(seen) => return Ok(*seen),
        Prepared::Todo { jobs, drops, seen, asked, .. } => (jobs, drops, seen, asked),
    };
    dry(kube, driver, wish, &asked, &mut jobs, &drops, seen.as_deref()).await?;
    let Some((last, first)) = jobs.split_last() else { return Err(Failure::refused("there is nothing to change")) };
    for job in first {
        kube.apply(&job.id, &job.body, How::Real, job.forces).await?;
    }
    for (id, uid) in &drops {
        kube.delete(id, uid, How::Real).await?;
    }
    kube.apply(&last.id, &last.body, How::Real, last.forces).await?;
    let now = read(kube, driver, &last.id).await?;
    let now = now.ok_or_else(|| Failure::unsettled(format!("{} is not to be seen yet", last.id)))?;
    let want = Want { kind: wish.address.kind(), fields: &asked };
    let open: Vec<String> = differs(&now, &want).into_iter().map(|(path, ..)| path.to_string()).collect();
    if open.is_empty() {
        return Ok(now);
    }
    // The cluster has said yes and somebody changed it since.
    Err(Failure::unsettled(format!("{} does not show {} yet", now.id, open.join(", "))))
}
