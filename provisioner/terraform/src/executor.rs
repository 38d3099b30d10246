//! A step of Grid's plan as a plan of Terraform: made, read back, checked, applied.

use std::collections::BTreeSet;

use async_trait::async_trait;
use grid_act::executor::{Call, CloudError, Executor, Token};
use grid_plan::plan::{Action, Step};
use grid_plan::state::Observed;
use grid_plan::{Address, Fields};
use grid_types::Rendered;
use serde_json::Value;

use crate::DRIVER;
use crate::blocks::{blocks, changed, of};
use crate::change::{Change, beyond, told};
use crate::module::{Module, main_block, marked, refused};
use crate::record::{Kept, Record};

/// The token of what was taken over.
const TAKEN_OVER: &str = "import";

/// What a step does to the module.
struct Turn {
    before: Rendered,
    after: Rendered,
    /// Blocks that are otherwise afterwards, and all of the resource.
    blocks: BTreeSet<String>,
    /// Blocks that are resources, there before and after: none of them is made anew.
    stays: BTreeSet<String>,
}

impl Module {
    fn turn(&self, address: &Address, from: &Record, to: &Record) -> Result<Turn, CloudError> {
        let (before, after) = (self.rendered(from)?, self.rendered(to)?);
        let (old, new) = (blocks(&before), blocks(&after));
        let mut all = changed(&old, &new);
        let text = address.to_string();
        all.extend(of(&old, &text));
        all.extend(of(&new, &text));
        let both = from.resources.keys().filter(|a| to.resources.contains_key(*a));
        let stays = both.filter_map(|a| main_block(&after, a)).filter(|m| old.contains_key(m)).collect();
        Ok(Turn { before, after, blocks: all, stays })
    }

    /// Takes the module from one record to the next, if Terraform does what this step means and nothing else.
    async fn go(&self, address: &Address, from: &Record, to: &Record) -> Result<(), CloudError> {
        let turn = self.turn(address, from, to)?;
        let done = self.checked(&turn).await;
        self.forget();
        if matches!(done, Err(CloudError::Refused(_))) {
            self.put_back(&turn.before);
        }
        done?;
        to.write(&self.folder).map_err(refused)
    }

    async fn checked(&self, turn: &Turn) -> Result<(), CloudError> {
        self.lay_out(&turn.after, None).await?;
        if turn.blocks.is_empty() {
            return Ok(());
        }
        let changes = self.planned(&turn.blocks).await?;
        if let Some(why) = beyond(&changes, &turn.blocks, &turn.stays) {
            return Err(refused(why));
        }
        self.applied().await
    }

    /// What Terraform would do, without doing it.
    async fn would(&self, address: &Address, from: &Record, to: &Record) -> Result<Vec<Change>, CloudError> {
        let turn = self.turn(address, from, to)?;
        let applied = self.rendered(&self.record()?)?;
        let changes = async {
            self.lay_out(&turn.after, None).await?;
            if turn.blocks.is_empty() { Ok(Vec::new()) } else { self.planned(&turn.blocks).await }
        };
        let changes = changes.await;
        self.forget();
        self.put_back(&applied);
        // What earlier steps would make is no part of this one.
        Ok(changes?.into_iter().filter(|c| turn.blocks.contains(&c.block)).collect())
    }
}

fn set(record: &Record, address: &Address, fields: &Fields, token: &str) -> Record {
    let mut next = record.clone();
    next.resources.insert(address.clone(), Kept { fields: fields.clone(), token: token.to_owned() });
    next
}

fn without(record: &Record, address: &Address) -> Record {
    let mut next = record.clone();
    next.resources.remove(address);
    next
}

/// Fields as they are: where an attribute has moved that one field alone says, the field has what is there.
fn drifted(fields: &Fields, changes: &[Change]) -> Fields {
    let mut now = fields.clone();
    for (_, is, wanted) in changes.iter().flat_map(Change::attributes) {
        let mut saying = fields.iter().filter(|(_, value)| same(value, wanted));
        if let (Some((path, value)), None) = (saying.next(), saying.next())
            && !same(is, wanted)
            && let Some(is) = like(value, is)
        {
            now.set(path, &is);
        }
    }
    now
}

/// A plain value as a field writes it that now has another one; `None` if it cannot be written so.
fn like(field: &Value, is: &Value) -> Option<Value> {
    match (field, is) {
        (Value::Number(_), Value::String(text)) => Some(text.parse::<i64>().ok()?.into()),
        (Value::Bool(_), Value::String(text)) => Some(text.parse::<bool>().ok()?.into()),
        (Value::String(_), Value::Number(n)) => Some(n.to_string().into()),
        (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::String(_), Value::String(_)) => Some(is.clone()),
        _ => None,
    }
}

/// Whether two plain values say the same: providers tell some numbers as texts.
fn same(a: &Value, b: &Value) -> bool {
    let text = |v: &Value| match v {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        _ => None,
    };
    text(a).is_some() && text(a) == text(b)
}

#[async_trait]
impl Executor for Module {
    fn name(&self) -> &'static str {
        DRIVER
    }

    async fn read(&self, address: &Address, _: &str) -> Result<Option<Observed>, CloudError> {
        let _held = self.lock.lock().await;
        let record = self.record()?;
        let Some(kept) = record.resources.get(address) else { return Ok(None) };
        let rendered = self.rendered(&record)?;
        self.lay_out(&rendered, None).await?;
        let own = of(&blocks(&rendered), &address.to_string());
        let changes = if own.is_empty() { Ok(Vec::new()) } else { self.planned(&own).await };
        self.forget();
        let changes: Vec<Change> = changes?.into_iter().filter(|c| own.contains(&c.block)).collect();
        let main = main_block(&rendered, address);
        if changes.iter().any(|c| Some(&c.block) == main.as_ref() && c.actions == ["create"]) {
            return Ok(None);
        }
        self.known(address, drifted(&kept.fields, &changes)).await.map(Some)
    }

    async fn find(&self, address: &Address, token: &Token) -> Result<Option<Observed>, CloudError> {
        let _held = self.lock.lock().await;
        match self.record()?.resources.get(address) {
            Some(kept) if kept.token == token.text() => self.known(address, kept.fields.clone()).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn diff(&self, step: &Step) -> Result<String, CloudError> {
        let _held = self.lock.lock().await;
        let record = self.record()?;
        // What was shown before something was applied is no longer what would be there.
        let shown = self.shown.lock().clone().filter(|(base, _)| *base == record);
        let from = shown.map_or_else(|| record.clone(), |(_, shown)| shown);
        let address = &step.address;
        let fields = || -> Result<Fields, CloudError> {
            let mut fields = step.after.clone().unwrap_or_default();
            let unknown: Fields = step.unknown.iter().cloned().collect();
            marked(&unknown)?.iter().for_each(|(path, value)| fields.set(path, value));
            Ok(fields)
        };
        let (changes, to) = match step.action {
            Action::Delete => {
                let to = without(&from, address);
                (self.would(address, &from, &to).await?, to)
            }
            Action::Replace => {
                let gone = without(&from, address);
                // Others may need it: then only what is made can be shown.
                let mut changes = self.would(address, &from, &gone).await.unwrap_or_default();
                let to = set(&from, address, &fields()?, "");
                changes.extend(self.would(address, &gone, &to).await?);
                (changes, to)
            }
            _ => {
                let to = set(&from, address, &fields()?, "");
                (self.would(address, &from, &to).await?, to)
            }
        };
        *self.shown.lock() = Some((record, to));
        Ok(match changes.is_empty() {
            true => format!("{DRIVER}: nothing changes"),
            false => format!("{DRIVER}: {}", told(&changes)),
        })
    }

    async fn apply(&self, call: &Call<'_>) -> Result<Observed, CloudError> {
        let _held = self.lock.lock().await;
        let record = self.record()?;
        if call.before.is_some() && !record.resources.contains_key(call.address) {
            return Err(refused(format!(
                "Terraform does not know {}, and would make a second one: take it over first",
                call.address
            )));
        }
        let next = set(&record, call.address, call.fields, call.token.text());
        self.go(call.address, &record, &next).await?;
        self.known(call.address, call.fields.clone()).await
    }

    async fn destroy(&self, address: &Address, _: &str, _: &Token) -> Result<(), CloudError> {
        let _held = self.lock.lock().await;
        let record = self.record()?;
        if !record.resources.contains_key(address) {
            return Ok(());
        }
        self.go(address, &record, &without(&record, address)).await
    }

    async fn import(&self, address: &Address, id: &str) -> Result<Observed, CloudError> {
        let _held = self.lock.lock().await;
        let Some(wanted) = self.place.wanted.get(address) else {
            return Err(refused(format!("{address} is not in the blueprint: what is taken over is compared with it")));
        };
        let (record, fields) = (self.record()?, marked(wanted)?);
        let next = set(&record, address, &fields, TAKEN_OVER);
        let turn = self.turn(address, &record, &next)?;
        let Some(main) = main_block(&turn.after, address) else {
            return Err(refused(format!("{address} has no block that an id belongs to")));
        };
        let quoted = id.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
        let block = format!("import {{\n  to = {main}\n  id = \"{quoted}\"\n}}\n");
        let done = async {
            self.lay_out(&turn.after, Some(&block)).await?;
            let changes = self.planned(&BTreeSet::from([main.clone()])).await?;
            let moves: Vec<&Change> = changes.iter().filter(|c| !c.is_import || c.actions != ["no-op"]).collect();
            if !moves.is_empty() {
                let why = "what is there is not what the blueprint says; write it there first, or take what it needs over before it";
                return Err(refused(format!("{why}: {}", told(moves))));
            }
            self.applied().await
        }
        .await;
        self.forget();
        // The block of the import goes in any case.
        self.put_back(if done.is_ok() { &turn.after } else { &turn.before });
        done?;
        next.write(&self.folder).map_err(refused)?;
        self.known(address, fields).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn what_moved_is_told_where_one_field_says_it() {
        let fields = Fields::of_json(&json!({"disk_gib": 20, "min": 2, "desired": 2, "machine": {"aws": "m5.large"}}));
        let change = |before: Value, after: Value| Change {
            block: "a.b".to_owned(),
            instance: "a.b".to_owned(),
            actions: vec!["update".to_owned()],
            is_import: false,
            before,
            after,
        };
        for (before, after, expected) in [
            (json!({"size": "30"}), json!({"size": "20"}), json!({"disk_gib": 30})),
            (
                json!({"instance_type": "m5.xlarge"}),
                json!({"instance_type": "m5.large"}),
                json!({"machine": {"aws": "m5.xlarge"}}),
            ),
            // Two fields say 2: it is not known which of them moved.
            (json!({"n": 5}), json!({"n": 2}), json!({})),
            (json!({"tags": {"a": "b"}}), json!({"tags": {}}), json!({})),
            (json!({"size": null}), json!({"size": 20}), json!({})),
        ] {
            let now = drifted(&fields, &[change(before.clone(), after)]);
            let mut wanted = fields.clone();
            let moved: BTreeMap<_, _> =
                Fields::of_json(&expected).iter().map(|(p, v)| (p.clone(), v.clone())).collect();
            moved.iter().for_each(|(p, v)| wanted.set(p, v));
            assert_eq!(now, wanted, "{before}");
        }
    }
}
