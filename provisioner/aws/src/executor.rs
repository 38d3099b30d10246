//! What is the same for all kinds: look what is there, make or change only what differs, and put the token on it last, so that what carries the
//! token is done and what does not is done again.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use grid_act::Executor;
use grid_act::executor::{Call, CloudError, TOKEN_TAG, Token};
use grid_plan::field::same_set;
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Path};
use serde_json::Value;

use crate::client::Aws;
use crate::failure::Failure;
use crate::lever::{Does, levers_of};
use crate::limits::TAG_BYTES_MAX;
use crate::native::{Native, New, native};
use crate::seen::{BEGUN_TAG, DESIRED_TAG, KEPT, RESOURCE_TAG, SIZE_TAG, Seen, Want, with_defaults};

/// The name in records.
const NAME: &str = "aws";

#[async_trait]
impl Executor for Aws {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn read(&self, address: &Address, id: &str) -> Result<Option<Observed>, CloudError> {
        let driver = driver(address, "read")?;
        Ok(driver.read(self, id).await?.map(|seen| seen.observed(driver.family())))
    }

    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        let driver = driver(address, "find")?;
        let found = driver.tagged(self, TOKEN_TAG, token.text()).await?;
        Ok(found.map(|seen| seen.observed(driver.family())))
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        let address = &step.address;
        let driver = driver(address, step.action.name())?;
        let mut lines = vec![format!("{} {address}", step.action)];
        let now = match &step.before {
            Some(before) => driver.read(self, &before.id).await?,
            None => None,
        };
        match (&step.before, &now, step.action) {
            (Some(before), None, Action::Update | Action::Replace) => {
                return Err(CloudError::Refused(format!("{} is gone", before.id)));
            }
            (Some(before), None, _) => lines.push(format!("{} is gone already", before.id)),
            _ => {}
        }
        let does = |wanted: Does| levers_of(address.kind()).find(|l| l.does == wanted).map_or("", |l| l.call);
        if matches!(step.action, Action::Delete | Action::Replace) {
            lines.push(format!("  {}", does(Does::Destroy)));
        }
        if matches!(step.action, Action::Create | Action::Replace) {
            lines.push(format!("  {}", does(Does::Create)));
        }
        if let (Action::Update, Some(seen), Some(after)) = (step.action, &now, &step.after) {
            let want = Want::new(address.kind(), after, driver.family());
            for (name, from, to) in differs(driver, seen, &want)? {
                let call = changes_by(address.kind(), &name)?;
                lines.push(format!("  {call}: {name} {from} -> {to}"));
            }
        }
        Ok(lines.join("\n"))
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        let driver = driver(call.address, call.action.name())?;
        Ok(converge(self, driver, call).await?.observed(driver.family()))
    }

    async fn destroy(&self, address: &Address, id: &str, token: &Token) -> Result<(), CloudError> {
        let driver = driver(address, "delete")?;
        let Some(seen) = driver.read(self, id).await? else { return Ok(()) };
        match driver.destroy(self, &seen, token.text()).await {
            Err(failure) if failure.is_gone() => Ok(()),
            answer => Ok(answer?),
        }
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        let there = self.read(address, id).await?;
        there.ok_or_else(|| {
            CloudError::Refused(format!("there is no {} {id} in {}", address.kind(), self.settings.region))
        })
    }
}

fn driver(address: &Address, action: &'static str) -> Result<&'static dyn Native, CloudError> {
    let unsupported = || CloudError::Unsupported { driver: NAME, action, kind: address.kind().to_owned() };
    native(address.kind()).ok_or_else(unsupported)
}

/// Makes what is there into what is wanted. Whatever an earlier try has done is found done.
async fn converge(aws: &Aws, driver: &dyn Native, call: &Call<'_>) -> Result<Seen, Failure> {
    let (address, kind, token) = (call.address, call.address.kind(), call.token.text());
    let made = (call.action == Action::Create)
        .then(|| with_defaults(kind, call.fields, |path| levers_of(kind).any(|l| l.holds(path))));
    let fields = made.as_ref().unwrap_or(call.fields);
    let want = || Want::new(kind, fields, driver.family());
    known(kind, &want())?;
    let mut tags = BTreeMap::from([(RESOURCE_TAG.to_owned(), address.to_string())]);
    if driver.family().is_some() && want().says_machine() {
        tags.insert(SIZE_TAG.to_owned(), want().size_tag());
    }
    if levers_of(kind).any(|l| l.does == Does::Change("desired")) {
        let is_kept = want().int("desired").is_some();
        tags.insert(DESIRED_TAG.to_owned(), if is_kept { KEPT } else { "free" }.to_owned());
    }
    let seen = match (call.action, call.before) {
        (Action::Create, _) => {
            let mut begun = tags.clone();
            begun.insert(BEGUN_TAG.to_owned(), token.to_owned());
            let new = New { name: aws.settings.name(address, token), token, want: want(), tags: begun };
            match driver.begun(aws, &new).await? {
                Some(seen) => seen,
                None => {
                    let answer = driver.create(aws, &new).await;
                    match answer {
                        // Its name holds the token, so an earlier try, or its answer, was slower than a look.
                        Err(failure) if failure.is_taken() => match driver.begun(aws, &new).await? {
                            Some(seen) => seen,
                            None => return Err(failure),
                        },
                        answer => there(aws, driver, &answer?).await?,
                    }
                }
            }
        }
        (_, Some(before)) => {
            let read = driver.read(aws, &before.id).await?;
            read.ok_or_else(|| Failure::refused("", format!("there is no {} {} any more", kind, before.id)))?
        }
        (_, None) => return Err(Failure::refused("", "there is nothing to change")),
    };
    let changed: BTreeSet<String> = differs(driver, &seen, &want())?.into_iter().map(|(name, ..)| name).collect();
    for name in &changed {
        changes_by(kind, name)?;
    }
    if !changed.is_empty() || seen.is_unfinished {
        driver.change(aws, &seen, &want(), &changed, token).await?;
    }
    tags.insert(TOKEN_TAG.to_owned(), token.to_owned());
    if let Some((key, value)) = tags.iter().find(|(_, value)| value.len() > TAG_BYTES_MAX) {
        return Err(Failure::refused("", format!("tag {key} of {} bytes is longer than {TAG_BYTES_MAX}", value.len())));
    }
    driver.tag(aws, &seen, &tags).await?;
    let now = there(aws, driver, &seen.id).await?;
    let open: Vec<String> = differs(driver, &now, &want())?.into_iter().map(|(name, ..)| name).collect();
    if open.is_empty() {
        return Ok(now);
    }
    // The cloud has said yes and does not show it yet.
    Err(Failure::unsettled(format!("{} does not show {} yet", seen.id, open.join(", "))))
}

async fn there(aws: &Aws, driver: &dyn Native, id: &str) -> Result<Seen, Failure> {
    driver.read(aws, id).await?.ok_or_else(|| Failure::unsettled(format!("{id} is not to be seen yet")))
}

/// Every field that is wanted otherwise than it is: its name (`machine` for all ways to say it), what is there, what is wanted.
fn differs(driver: &dyn Native, seen: &Seen, want: &Want<'_>) -> Result<Vec<(String, Value, Value)>, Failure> {
    let now = seen.fields(driver.family());
    let mut found = Vec::new();
    if want.says_machine() {
        let machine = want.machine()?;
        if seen.machine.as_deref() != Some(machine.as_str()) {
            found.push(("machine".to_owned(), seen.machine.clone().into(), machine.into()));
        }
    }
    for (path, value) in want.iter().filter(|(path, _)| !says_machine(driver, path)) {
        let desired = seen.desired.map(Value::from).filter(|_| *path == Path::of(["desired"]));
        let is = desired.as_ref().or(now.get(path));
        if !is.is_some_and(|is| same_set(is, value)) {
            found.push((path.to_string(), is.cloned().unwrap_or_default(), value.clone()));
        }
    }
    Ok(found)
}

fn says_machine(driver: &dyn Native, path: &Path) -> bool {
    let first = path.keys().next().unwrap_or_default();
    match driver.family() {
        Some("cache") => ["memory_gib", "machine_type", "size"].contains(&first),
        Some(_) => ["size", "machine_type"].contains(&first),
        None => false,
    }
}

/// Refuses what no lever of the kind knows: it must not be dropped in silence.
fn known(kind: &str, want: &Want<'_>) -> Result<(), Failure> {
    for (path, _) in want.iter() {
        let first = path.keys().next().unwrap_or_default();
        if levers_of(kind).any(|l| l.holds(path)) || ["size", "machine_type"].contains(&first) {
            continue;
        }
        let why = format!(
            "{kind}: {path} is not set through AWS' API by Grid: leave it to the recipe (Terraform), or leave it out"
        );
        return Err(Failure::refused("", why));
    }
    Ok(())
}

/// The call by which a field is changed where it is.
fn changes_by(kind: &str, name: &str) -> Result<&'static str, Failure> {
    let path = Path::parse(name).unwrap_or_default();
    let lever = levers_of(kind).find(|l| l.holds(&path));
    match lever.map(|l| (l.does, l.call)) {
        Some((Does::Change(_), call)) => Ok(call),
        Some(_) => Err(Failure::refused("", format!("{kind}: {name} can only be set when it is made"))),
        None => Err(Failure::refused("", format!("{kind}: {name} is not changed through AWS' API by Grid"))),
    }
}
