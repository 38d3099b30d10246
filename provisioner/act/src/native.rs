//! What drivers share that change what somebody else has made: look what is there, change only what differs, and put the token on it last, so that what
//! carries the token is done and what does not is looked at again. A cloud is an [`Account`]; whatever is one is an [`Executor`].
//!
//! Nothing is created here: an image, a network card, a login and a disk are a recipe's to say, and a machine that lacks one of them is none.
//!
//! Reading order: [`lever`] (what can be done, one table), [`seen`] (a resource and a wish in the fields of Grid's types), [`failure`], then this file.

pub mod lever;
pub mod seen;
pub mod failure;

use std::collections::BTreeSet;

use async_trait::async_trait;
use grid_model::Timestamp;
use grid_plan::field::same_set;
use grid_plan::inventory::{Failed, Inventory, Row};
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Fields, Path};
use serde_json::Value;

use crate::executor::{Call, CloudError, Executor, Token};
use crate::limits::ROWS_MAX;
use failure::Failure;
use lever::{Does, Lever};
use seen::{Marks, Seen, Want};

/// What a cloud must be able to do to be driven. All of it may be asked again at any time: what was done is found done.
#[async_trait]
pub trait Account: Send + Sync {
    /// The driver's name in records.
    fn driver(&self) -> &'static str;

    /// What this is an account of, for people: `subscription 0000`.
    fn place(&self) -> String;

    /// The key of this cloud's machines below `machine_type`.
    fn machines(&self) -> &'static str;

    /// The machine of a size such as `2x8`.
    fn machine_of(&self, size: &str) -> Option<&'static str>;

    /// All that can be done, kind by kind.
    fn levers(&self) -> &'static [Lever];

    /// All that there are of a kind.
    async fn all(&self, kind: &str) -> Result<Vec<Seen>, Failure>;

    /// What is there under an id; what is being deleted is not.
    async fn look(&self, kind: &str, id: &str) -> Result<Option<Seen>, Failure>;

    /// Changes these fields; `machine` stands for all ways to say it. Comes back when the cloud says that it is done.
    async fn change(
        &self,
        kind: &str,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        marks: &Marks,
    ) -> Result<(), Failure>;

    /// Puts Grid's marks on it, the token among them, and leaves others' words as they are.
    async fn mark(&self, kind: &str, seen: &Seen, marks: &Marks) -> Result<(), Failure>;

    /// Deletes it.
    async fn remove(&self, kind: &str, seen: &Seen) -> Result<(), Failure>;

    /// What the account has beside the kinds that can be driven: by kind, what was listed.
    async fn others(&self) -> Vec<(String, Result<Vec<Seen>, Failure>)> {
        Vec::new()
    }
}

#[async_trait]
impl<A: Account> Executor for A {
    fn name(&self) -> &'static str {
        self.driver()
    }

    fn creates(&self, _: &str) -> bool {
        false
    }

    async fn read(&self, address: &Address, id: &str) -> Result<Option<Observed>, CloudError> {
        let kind = known_kind(self, address, "read")?;
        Ok(self.look(kind, id).await?.map(|seen| seen.observed(self)))
    }

    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        let kind = known_kind(self, address, "find")?;
        let found = self.all(kind).await?.into_iter().find(|seen| seen.marks.token == token.text());
        Ok(found.map(|seen| seen.observed(self)))
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        let address = &step.address;
        let kind = known_kind(self, address, step.action.name())?;
        refuse_creation(self, address, step.action)?;
        let mut lines = vec![format!("{} {address}", step.action)];
        let now = match &step.before {
            Some(before) => self.look(kind, &before.id).await?,
            None => None,
        };
        if let Some(seen) = &now {
            is_its_own(seen)?;
        }
        match (step.action, &now, &step.before, &step.after) {
            (Action::Delete, Some(_), ..) => {
                let does = levers_of(self, kind).find(|l| l.does == Does::Destroy);
                lines.push(format!("  {}", does.map_or("", |l| l.call)));
            }
            (Action::Delete, None, Some(before), _) => lines.push(format!("{} is gone already", before.id)),
            (Action::Update, None, Some(before), _) => {
                return Err(CloudError::Refused(format!("{} is gone", before.id)));
            }
            (Action::Update, Some(seen), _, Some(after)) => {
                let want = Want::new(kind, after);
                known(self, &want)?;
                for (name, from, to) in differs(self, seen, &want)? {
                    let call = changes_by(self, kind, &name)?;
                    lines.push(format!("  {call}: {name} {from} -> {to}"));
                }
            }
            _ => {}
        }
        Ok(lines.join("\n"))
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        let kind = known_kind(self, call.address, call.action.name())?;
        refuse_creation(self, call.address, call.action)?;
        Ok(converge(self, kind, call).await?.observed(self))
    }

    async fn destroy(&self, address: &Address, id: &str, _: &Token) -> Result<(), CloudError> {
        let kind = known_kind(self, address, "delete")?;
        let Some(seen) = self.look(kind, id).await? else { return Ok(()) };
        is_its_own(&seen)?;
        match self.remove(kind, &seen).await {
            Err(failure) if failure.is_gone() => Ok(()),
            answer => Ok(answer?),
        }
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        let there = self.read(address, id).await?;
        there.ok_or_else(|| CloudError::Refused(format!("there is no {} {id} in {}", address.kind(), self.place())))
    }
}

/// Reads what an account has, and changes nothing. What one listing refuses is named, and the rest is kept.
pub async fn inventory<A: Account>(account: &A, now: Timestamp) -> Inventory {
    let mut all = Vec::new();
    for kind in lever::kinds_of(account.levers()) {
        all.push((kind.to_owned(), account.all(kind).await));
    }
    all.extend(account.others().await);
    let mut made = Inventory::default();
    for (kind, listed) in all {
        let listed = listed.unwrap_or_else(|failure| {
            made.failed.push(Failed { what: kind.clone(), why: failure.error.to_string() });
            Vec::new()
        });
        for seen in listed {
            if made.rows.len() >= ROWS_MAX {
                made.left_out += 1;
                continue;
            }
            let (full_name, region, name, tags) =
                (seen.full_name.clone(), seen.region.clone(), seen.name.clone(), seen.tags.clone());
            let Observed { id, fields, outputs, .. } = seen.observed(account);
            let kind = kind.clone();
            made.rows.push(Row { kind, id, full_name, region, name, tags, fields, outputs, observed_at: now });
        }
    }
    made.rows.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    made
}

fn known_kind<'a, A: Account>(account: &A, of: &'a Address, action: &'static str) -> Result<&'a str, CloudError> {
    match levers_of(account, of.kind()).next() {
        Some(_) => Ok(of.kind()),
        None => Err(unsupported(account, of, action)),
    }
}

fn unsupported<A: Account>(account: &A, of: &Address, action: &'static str) -> CloudError {
    CloudError::Unsupported { driver: account.driver(), action, kind: of.kind().to_owned() }
}

/// A replacement would delete what nobody makes again, so it is refused before anything is asked.
fn refuse_creation<A: Account>(account: &A, of: &Address, action: Action) -> Result<(), CloudError> {
    match action {
        Action::Create => Err(unsupported(account, of, "create")),
        Action::Replace => Err(unsupported(account, of, "replace")),
        Action::Update | Action::Delete => Ok(()),
    }
}

fn levers_of<A: Account>(account: &A, kind: &str) -> impl Iterator<Item = &'static Lever> {
    account.levers().iter().filter(move |l| l.kind == kind)
}

/// Makes what is there into what is wanted. Whatever an earlier try has done is found done.
async fn converge<A: Account>(account: &A, kind: &str, call: &Call<'_>) -> Result<Seen, Failure> {
    let want = Want::new(kind, call.fields);
    known(account, &want)?;
    let before = call.before.ok_or_else(|| Failure::refused("there is nothing to change"))?;
    let mut seen = settled(account, kind, &before.id).await?;
    let changed: BTreeSet<String> = differs(account, &seen, &want)?.into_iter().map(|(name, ..)| name).collect();
    for name in &changed {
        changes_by(account, kind, name)?;
    }
    let (size, machine) = want.asked(account.machines());
    // Who asks for no machine leaves what was asked before.
    let (size, machine) = match (&size, &machine) {
        (None, None) => (seen.marks.size.clone(), seen.marks.machine.clone()),
        _ => (size.unwrap_or_default(), machine.unwrap_or_default()),
    };
    let (token, resource) = (call.token.text().to_owned(), call.address.to_string());
    let marks = Marks { token, resource, size, machine };
    if !changed.is_empty() || seen.is_unfinished {
        account.change(kind, &seen, &want, &changed, &marks).await?;
        seen = settled(account, kind, &before.id).await?;
        let open: Vec<String> = differs(account, &seen, &want)?.into_iter().map(|(name, ..)| name).collect();
        if !open.is_empty() || seen.is_unfinished {
            // The cloud has said yes and does not show it yet.
            return Err(Failure::unsettled(format!("{} does not show {} yet", seen.id, open.join(", "))));
        }
    }
    if seen.marks != marks {
        account.mark(kind, &seen, &marks).await?;
        seen.marks = marks;
    }
    Ok(seen)
}

/// What is there, when it is on its way nowhere.
async fn settled<A: Account>(account: &A, kind: &str, id: &str) -> Result<Seen, Failure> {
    let there = account.look(kind, id).await?;
    let seen = there.ok_or_else(|| Failure::refused(format!("there is no {kind} {id} any more")))?;
    is_its_own(&seen)?;
    match &seen.busy {
        Some(state) => Err(Failure::unsettled(format!("{id} is {state}"))),
        None => Ok(seen),
    }
}

/// Refuses what is a group's: it would be set back, or made anew.
fn is_its_own(seen: &Seen) -> Result<(), Failure> {
    match &seen.owner {
        Some(group) => Err(Failure::refused(format!("{} is a machine of {group}: change that", seen.id))),
        None => Ok(()),
    }
}

/// Every field that is wanted otherwise than it is: its name (`machine` for all ways to say it), what is there, what is wanted.
fn differs<A: Account>(account: &A, seen: &Seen, want: &Want<'_>) -> Result<Vec<(String, Value, Value)>, Failure> {
    let now = seen.fields(account);
    let mut found = Vec::new();
    if let Some(machine) = want.machine(account)?
        && seen.machine.as_deref() != Some(machine.as_str())
    {
        found.push(("machine".to_owned(), seen.machine.clone().into(), machine.into()));
    }
    for (path, value) in want.iter().filter(|(path, _)| !lever::says_machine(path)) {
        let is = now.get(path);
        if !is.is_some_and(|is| same_set(is, value)) {
            found.push((path.to_string(), is.cloned().unwrap_or_default(), value.clone()));
        }
    }
    Ok(found)
}

/// Refuses what no lever of the kind knows: it must not be dropped in silence.
fn known<A: Account>(account: &A, want: &Want<'_>) -> Result<(), Failure> {
    let kind = want.kind();
    for (path, _) in want.iter() {
        if !levers_of(account, kind).any(|l| l.holds(path)) {
            let why = format!(
                "{kind}: {path} is not set through the API of {} by Grid: leave it to the recipe (Terraform), or leave it out",
                account.driver()
            );
            return Err(Failure::refused(why));
        }
    }
    Ok(())
}

/// The call by which a field is changed where it is.
fn changes_by<A: Account>(account: &A, kind: &str, name: &str) -> Result<&'static str, Failure> {
    let path = Path::parse(name).unwrap_or_default();
    match levers_of(account, kind).find(|l| l.holds(&path)).map(|l| (l.does, l.call)) {
        Some((Does::Change(_), call)) => Ok(call),
        _ => Err(Failure::refused(format!("{kind}: {name} can only be set when it is made"))),
    }
}

/// An object without members that are null, and without objects that are empty, as fields.
pub fn fields(value: Value) -> Fields {
    Fields::of_json(&full(value))
}

fn full(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let members = map.into_iter().map(|(key, v)| (key, full(v)));
    Value::Object(members.filter(|(_, v)| !v.is_null() && v.as_object().is_none_or(|m| !m.is_empty())).collect())
}

#[cfg(test)]
mod tests;
