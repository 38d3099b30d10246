//! `vm`: machines of EC2. Their type can only be changed while they stand; a machine that ran before runs again afterwards.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeValue, Filter, Instance, InstanceStateName, InstanceType, ResourceType};
use serde_json::{Value, json};

use super::{filter, name, specification, tag, tags};
use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{BEGUN_TAG, Seen, Want, fields, or_null};

pub(crate) struct Vm;

/// Says that a machine was stopped for a change and is to run again, even if whoever stopped it was killed since.
const RESTART_TAG: &str = "grid:restart";

fn seen(instance: &Instance) -> Option<Seen> {
    let state = instance.state().and_then(|s| s.name()).cloned()?;
    let is_running = match state {
        InstanceStateName::Terminated | InstanceStateName::ShuttingDown => return None,
        InstanceStateName::Stopped | InstanceStateName::Stopping => false,
        _ => true,
    };
    let tags = tags(instance.tags());
    let groups: Vec<&str> = instance.security_groups().iter().filter_map(|g| g.group_id()).collect();
    let restarts = tags.get(RESTART_TAG).is_some_and(|v| v == "yes");
    Some(Seen {
        id: instance.instance_id()?.to_owned(),
        name: name(&tags),
        machine: instance.instance_type().map(|t| t.as_str().to_owned()),
        fields: fields(json!({
            "network": or_null(instance.subnet_id()),
            "firewall": or_null(groups.first().copied()),
            "running": is_running || restarts,
            "aws": {"image": or_null(instance.image_id())},
        })),
        outputs: [
            ("private_ip".to_owned(), json!(instance.private_ip_address())),
            ("zone".to_owned(), json!(instance.placement().and_then(|p| p.availability_zone()))),
            ("state".to_owned(), json!(state.as_str())),
        ]
        .into_iter()
        .filter(|(_, v): &(String, Value)| !v.is_null())
        .collect(),
        handles: [("state", state.as_str().to_owned())].into(),
        is_unfinished: restarts,
        tags,
        ..Seen::default()
    })
}

async fn describe(aws: &Aws, filter: Option<Filter>) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeInstances"));
    loop {
        let call = aws.ec2.describe_instances().set_filters(filter.clone().map(|f| vec![f])).set_next_token(pages.at());
        let page = aws.call("DescribeInstances", call.send()).await?;
        all.extend(page.reservations().iter().flat_map(|r| r.instances()).filter_map(seen));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

/// The state, asked anew.
async fn state(aws: &Aws, id: &str) -> Result<String, Failure> {
    let now = Vm.read(aws, id).await?;
    now.map(|s| s.handle("state").to_owned()).ok_or_else(|| Failure::refused("", format!("{id} is gone")))
}

async fn stop(aws: &Aws, id: &str) -> Result<(), Failure> {
    if state(aws, id).await? == "stopped" {
        return Ok(());
    }
    aws.call("StopInstances", aws.ec2.stop_instances().instance_ids(id).send()).await?;
    match state(aws, id).await?.as_str() {
        "stopped" => Ok(()),
        state => Err(Failure::unsettled(format!("{id} is {state}"))),
    }
}

#[async_trait]
impl Native for Vm {
    fn family(&self) -> Option<&'static str> {
        Some("vm")
    }

    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        describe(aws, None).await
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        match aws.call("DescribeInstances", aws.ec2.describe_instances().instance_ids(id).send()).await {
            Ok(answer) => Ok(answer.reservations().iter().flat_map(|r| r.instances()).find_map(seen)),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn tagged(&self, aws: &Aws, key: &str, value: &str) -> Result<Option<Seen>, Failure> {
        Ok(describe(aws, Some(filter(format!("tag:{key}"), value))).await?.into_iter().next())
    }

    async fn begun(&self, aws: &Aws, new: &New<'_>) -> Result<Option<Seen>, Failure> {
        self.tagged(aws, BEGUN_TAG, new.token).await
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let mut tags = new.tags.clone();
        tags.insert("Name".to_owned(), new.name.clone());
        let call = aws
            .ec2
            .run_instances()
            .min_count(1)
            .max_count(1)
            .image_id(want.must("aws.image")?)
            .instance_type(InstanceType::from(want.machine()?.as_str()))
            .set_subnet_id(want.texts("network").into_iter().next())
            .set_security_group_ids(want.text("firewall").map(|g| vec![g]))
            .client_token(new.token)
            .tag_specifications(specification(ResourceType::Instance, &tags));
        let made = aws.call("RunInstances", call.send()).await?;
        let id = made.instances().first().and_then(|i| i.instance_id());
        id.map(str::to_owned).ok_or_else(|| Failure::odd("RunInstances", "instance"))
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let id = seen.id.as_str();
        let wants_running = want.bool("running").unwrap_or(seen.fields.get("running") == Some(&json!(true)));
        let restarts = |says: &str| BTreeMap::from([(RESTART_TAG.to_owned(), says.to_owned())]);
        if changed.contains("firewall") {
            let group = want.must("firewall")?;
            let call = aws.ec2.modify_instance_attribute().instance_id(id).groups(group);
            aws.call("ModifyInstanceAttribute", call.send()).await?;
        }
        if changed.contains("machine") {
            if wants_running && seen.handle("state") != "stopped" {
                tag(aws, id, &restarts("yes")).await?;
            }
            stop(aws, id).await?;
            let to = AttributeValue::builder().value(want.machine()?).build();
            let call = aws.ec2.modify_instance_attribute().instance_id(id).instance_type(to);
            aws.call("ModifyInstanceAttribute", call.send()).await?;
        }
        if !wants_running {
            if seen.is_unfinished {
                tag(aws, id, &restarts("no")).await?;
            }
            return stop(aws, id).await;
        }
        match state(aws, id).await?.as_str() {
            "running" | "pending" => {}
            "stopped" => {
                aws.call("StartInstances", aws.ec2.start_instances().instance_ids(id).send()).await?;
            }
            state => return Err(Failure::unsettled(format!("{id} is {state}"))),
        }
        if seen.is_unfinished || changed.contains("machine") {
            tag(aws, id, &restarts("no")).await?;
        }
        Ok(())
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        tag(aws, &seen.id, tags).await
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        aws.call("TerminateInstances", aws.ec2.terminate_instances().instance_ids(&seen.id).send()).await.map(drop)
    }
}
