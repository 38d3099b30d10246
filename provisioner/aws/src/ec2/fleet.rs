//! `spot_pool`: fleets of EC2 whose machines the cloud may take back.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    DefaultTargetCapacityType, Filter, FleetData, FleetLaunchTemplateConfigRequest,
    FleetLaunchTemplateOverridesRequest, FleetLaunchTemplateSpecificationRequest, FleetStateCode, FleetType,
    ResourceType, SpotAllocationStrategy, SpotInstanceInterruptionBehavior, SpotOptionsRequest, TagDescription,
    TargetCapacitySpecificationRequest,
};
use serde_json::json;

use super::template::{self, Template};
use super::{filter, name, specification, tag, tags};
use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{BEGUN_TAG, Seen, Want, fields, or_null};

pub(crate) struct Fleet;

fn seen(fleet: &FleetData) -> Option<Seen> {
    let here = [FleetStateCode::Active, FleetStateCode::Modifying, FleetStateCode::Submitted];
    if fleet.fleet_state().is_some_and(|s| !here.contains(s)) {
        return None;
    }
    let tags = tags(fleet.tags());
    let config = fleet.launch_template_configs().first();
    let networks: Vec<&str> =
        config.map(|c| c.overrides()).unwrap_or_default().iter().filter_map(|o| o.subnet_id()).collect();
    let of = config.and_then(|c| c.launch_template_specification());
    let stops = fleet.spot_options().and_then(|s| s.instance_interruption_behavior());
    let handles = [("template", of.and_then(|t| t.launch_template_id())), ("version", of.and_then(|t| t.version()))];
    Some(Seen {
        id: fleet.fleet_id()?.to_owned(),
        name: name(&tags),
        fields: fields(json!({
            "capacity": or_null(fleet.target_capacity_specification().and_then(|t| t.total_target_capacity())),
            "on_reclaim": if stops == Some(&SpotInstanceInterruptionBehavior::Stop) { "stop" } else { "delete" },
            "network": if networks.is_empty() { json!(null) } else { json!(networks) },
        })),
        outputs: [("fulfilled".to_owned(), json!(fleet.fulfilled_capacity()))].into(),
        handles: handles.into_iter().filter_map(|(key, v)| Some((key, v?.to_owned()))).collect(),
        tags,
        ..Seen::default()
    })
}

/// Tags by filters: of resources, and of whom else.
async fn tagging(aws: &Aws, filters: Vec<Filter>) -> Result<Vec<TagDescription>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeTags"));
    loop {
        let call = aws.ec2.describe_tags().set_filters(Some(filters.clone())).set_next_token(pages.at());
        let page = aws.call("DescribeTags", call.send()).await?;
        all.extend(page.tags().iter().cloned());
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

/// What the template says, and the tags as they are now: the emulator's fleets tell those of their beginning only.
async fn completed(aws: &Aws, mut seen: Seen) -> Result<Seen, Failure> {
    for tag in tagging(aws, vec![filter("resource-id", &seen.id)]).await? {
        if let (Some(key), Some(value)) = (tag.key, tag.value) {
            seen.tags.insert(key, value);
        }
    }
    if !seen.handle("template").is_empty() {
        let version = if seen.handle("version").is_empty() { "$Default" } else { seen.handle("version") };
        let of = Template { id: seen.handle("template").to_owned(), version: version.to_owned() };
        let (machine, told) = template::told(aws, &of).await?;
        seen.machine = machine;
        seen.fields.extend(fields(told));
    }
    Ok(seen)
}

async fn describe(aws: &Aws) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeFleets"));
    loop {
        let page = aws.call("DescribeFleets", aws.ec2.describe_fleets().set_next_token(pages.at()).send()).await?;
        all.extend(page.fleets().iter().filter_map(seen));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

fn capacity(of: Option<i32>) -> TargetCapacitySpecificationRequest {
    TargetCapacitySpecificationRequest::builder()
        .set_total_target_capacity(of)
        .default_target_capacity_type(DefaultTargetCapacityType::Spot)
        .build()
}

#[async_trait]
impl Native for Fleet {
    fn family(&self) -> Option<&'static str> {
        Some("vm")
    }

    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let mut all = Vec::new();
        for seen in describe(aws).await? {
            all.push(completed(aws, seen).await?);
        }
        Ok(all)
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let answer = match aws.call("DescribeFleets", aws.ec2.describe_fleets().fleet_ids(id).send()).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_gone() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        match answer.fleets().first().and_then(seen) {
            Some(seen) => completed(aws, seen).await.map(Some),
            None => Ok(None),
        }
    }

    async fn tagged(&self, aws: &Aws, key: &str, value: &str) -> Result<Option<Seen>, Failure> {
        for tag in tagging(aws, vec![filter("key", key), filter("value", value)]).await? {
            if let Some(id) = tag.resource_id().filter(|id| id.starts_with("fleet-"))
                && let Some(seen) = self.read(aws, id).await?
            {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    async fn begun(&self, aws: &Aws, new: &New<'_>) -> Result<Option<Seen>, Failure> {
        self.tagged(aws, BEGUN_TAG, new.token).await
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let (machine, image) = (want.machine()?, want.must("aws.image")?);
        let of =
            template::create(aws, &new.name, new.token, &machine, &image, want.text("firewall"), &new.tags).await?;
        let overrides = want.texts("network").into_iter();
        let config = FleetLaunchTemplateConfigRequest::builder()
            .launch_template_specification(
                FleetLaunchTemplateSpecificationRequest::builder()
                    .launch_template_id(of.id)
                    .version(of.version)
                    .build(),
            )
            .set_overrides(Some(
                overrides.map(|n| FleetLaunchTemplateOverridesRequest::builder().subnet_id(n).build()).collect(),
            ));
        let reclaim = match want.text("on_reclaim").as_deref() {
            Some("stop") => SpotInstanceInterruptionBehavior::Stop,
            _ => SpotInstanceInterruptionBehavior::Terminate,
        };
        let spot = SpotOptionsRequest::builder()
            .allocation_strategy(SpotAllocationStrategy::PriceCapacityOptimized)
            .instance_interruption_behavior(reclaim);
        let mut tags = new.tags.clone();
        tags.insert("Name".to_owned(), new.name.clone());
        let call = aws
            .ec2
            .create_fleet()
            .r#type(FleetType::Maintain)
            .client_token(new.token)
            .launch_template_configs(config.build())
            .target_capacity_specification(capacity(want.int("capacity")))
            .spot_options(spot.build())
            .tag_specifications(specification(ResourceType::Fleet, &tags));
        let made = aws.call("CreateFleet", call.send()).await?;
        made.fleet_id().map(str::to_owned).ok_or_else(|| Failure::odd("CreateFleet", "fleet id"))
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        _: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let to = capacity(want.int("capacity"));
        let call = aws.ec2.modify_fleet().fleet_id(&seen.id).target_capacity_specification(to);
        aws.call("ModifyFleet", call.send()).await.map(drop)
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        tag(aws, &seen.id, tags).await
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        let call = aws.ec2.delete_fleets().fleet_ids(&seen.id).terminate_instances(true);
        aws.call("DeleteFleets", call.send()).await?;
        // The template that was made with it goes with it.
        if seen.tags.contains_key(BEGUN_TAG) {
            template::destroy(aws, &seen.name).await?;
        }
        Ok(())
    }
}
