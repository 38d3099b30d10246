//! `autoscaling_group`: groups of EC2 Auto Scaling, from a launch template or from a launch configuration as older ones have.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter, LaunchConfiguration, LaunchTemplateSpecification, Tag};
use serde_json::{Value, json};

use crate::client::{Aws, Pages};
use crate::ec2::template::{self, Template};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{BEGUN_TAG, Seen, Want, fields, or_null};

pub(crate) struct Group;

fn seen(group: &AutoScalingGroup) -> Option<Seen> {
    // It says so while it is being deleted, and nothing otherwise.
    if group.status().is_some() {
        return None;
    }
    let id = group.auto_scaling_group_name()?.to_owned();
    let tags =
        group.tags().iter().filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned())));
    let networks: Vec<&str> =
        group.vpc_zone_identifier().unwrap_or_default().split(',').filter(|n| !n.is_empty()).collect();
    let zones = if networks.is_empty() { json!(group.availability_zones()) } else { json!(null) };
    let of = group.launch_template();
    let handles = [
        ("template", of.and_then(|t| t.launch_template_id())),
        ("version", of.map(|t| t.version().unwrap_or("$Default"))),
        ("configuration", group.launch_configuration_name()),
        ("mixed", group.mixed_instances_policy().map(|_| "yes")),
    ];
    Some(Seen {
        arn: group.auto_scaling_group_arn().unwrap_or_default().to_owned(),
        name: id.clone(),
        id,
        tags: tags.collect(),
        desired: group.desired_capacity(),
        fields: fields(json!({
            "min": or_null(group.min_size()),
            "max": or_null(group.max_size()),
            "network": if networks.is_empty() { json!(null) } else { json!(networks) },
            "aws": {"zones": zones},
        })),
        handles: handles.into_iter().filter_map(|(key, v)| Some((key, v?.to_owned()))).collect(),
        ..Seen::default()
    })
}

/// What the template or the configuration says.
async fn completed(aws: &Aws, mut seen: Seen) -> Result<Seen, Failure> {
    let (template, configuration) = (seen.handle("template"), seen.handle("configuration"));
    let told = if !template.is_empty() {
        let of = Template { id: template.to_owned(), version: seen.handle("version").to_owned() };
        let (machine, told) = template::told(aws, &of).await?;
        seen.machine = machine;
        told
    } else if !configuration.is_empty() {
        let found = launch_configuration(aws, configuration).await?;
        seen.machine = found.instance_type().map(str::to_owned);
        json!({"firewall": found.security_groups().first(), "aws": {"image": found.image_id()}})
    } else {
        return Ok(seen);
    };
    let zones = seen.fields.get("aws").and_then(|own| own.get("zones")).cloned();
    seen.fields.extend(fields(told));
    if let (Some(zones), Some(Value::Object(own))) = (zones, seen.fields.get_mut("aws")) {
        own.insert("zones".to_owned(), zones);
    }
    Ok(seen)
}

async fn launch_configuration(aws: &Aws, name: &str) -> Result<LaunchConfiguration, Failure> {
    let call = aws.autoscaling.describe_launch_configurations().launch_configuration_names(name);
    let answer = aws.call("DescribeLaunchConfigurations", call.send()).await?;
    let found = answer.launch_configurations().first().cloned();
    found.ok_or_else(|| Failure::refused("", format!("launch configuration {name} is gone")))
}

async fn describe(aws: &Aws, filter: Option<Filter>) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeAutoScalingGroups"));
    loop {
        let call = aws.autoscaling.describe_auto_scaling_groups();
        let call = call.set_filters(filter.clone().map(|f| vec![f])).set_next_token(pages.at());
        let page = aws.call("DescribeAutoScalingGroups", call.send()).await?;
        all.extend(page.auto_scaling_groups().iter().filter_map(seen));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

/// A configuration like another one with another machine, or the one that an earlier try has made; its name.
async fn configuration_with(aws: &Aws, seen: &Seen, machine: &str, token: &str) -> Result<String, Failure> {
    let old = launch_configuration(aws, seen.handle("configuration")).await?;
    let digits: String = token.chars().rev().take(8).collect();
    let name = format!("{}-{digits}", seen.name);
    let text = |t: Option<&str>| t.filter(|t| !t.is_empty()).map(str::to_owned);
    let list = |l: &[String]| Some(l.to_vec()).filter(|l| !l.is_empty());
    let call = aws
        .autoscaling
        .create_launch_configuration()
        .launch_configuration_name(&name)
        .instance_type(machine)
        .set_image_id(text(old.image_id()))
        .set_key_name(text(old.key_name()))
        .set_security_groups(list(old.security_groups()))
        .set_user_data(text(old.user_data()))
        .set_kernel_id(text(old.kernel_id()))
        .set_ramdisk_id(text(old.ramdisk_id()))
        .set_block_device_mappings(Some(old.block_device_mappings().to_vec()).filter(|l| !l.is_empty()))
        .set_instance_monitoring(old.instance_monitoring().cloned())
        .set_spot_price(text(old.spot_price()))
        .set_iam_instance_profile(text(old.iam_instance_profile()))
        .set_ebs_optimized(old.ebs_optimized())
        .set_associate_public_ip_address(old.associate_public_ip_address())
        .set_placement_tenancy(text(old.placement_tenancy()))
        .set_metadata_options(old.metadata_options().cloned());
    match aws.call("CreateLaunchConfiguration", call.send()).await {
        Err(failure) if !failure.is_taken() => Err(failure),
        _ => Ok(name),
    }
}

#[async_trait]
impl Native for Group {
    fn family(&self) -> Option<&'static str> {
        Some("vm")
    }

    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let mut all = Vec::new();
        for seen in describe(aws, None).await? {
            all.push(completed(aws, seen).await?);
        }
        Ok(all)
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let call = aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(id);
        let answer = aws.call("DescribeAutoScalingGroups", call.send()).await?;
        match answer.auto_scaling_groups().first().and_then(seen) {
            Some(seen) => completed(aws, seen).await.map(Some),
            None => Ok(None),
        }
    }

    async fn tagged(&self, aws: &Aws, key: &str, value: &str) -> Result<Option<Seen>, Failure> {
        let filter = Filter::builder().name(format!("tag:{key}")).values(value).build();
        match describe(aws, Some(filter)).await?.into_iter().next() {
            Some(seen) => completed(aws, seen).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let (machine, image) = (want.machine()?, want.must("aws.image")?);
        let of =
            template::create(aws, &new.name, new.token, &machine, &image, want.text("firewall"), &new.tags).await?;
        let template = LaunchTemplateSpecification::builder().launch_template_id(of.id).version(of.version).build();
        let (networks, zones) = (want.texts("network"), want.texts("aws.zones"));
        let call = aws
            .autoscaling
            .create_auto_scaling_group()
            .auto_scaling_group_name(&new.name)
            .launch_template(template)
            .set_min_size(want.int("min"))
            .set_max_size(want.int("max"))
            .set_desired_capacity(want.int("desired"))
            .set_vpc_zone_identifier(Some(networks.join(",")).filter(|n| !n.is_empty()))
            .set_availability_zones(Some(zones).filter(|z| !z.is_empty()))
            .set_tags(Some(tags(&new.name, &new.tags)));
        aws.call("CreateAutoScalingGroup", call.send()).await?;
        Ok(new.name.clone())
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), Failure> {
        let changed = |name: &str| changed.contains(name);
        let mut call = aws.autoscaling.update_auto_scaling_group().auto_scaling_group_name(&seen.id);
        if changed("machine") {
            let machine = want.machine()?;
            let template =
                Template { id: seen.handle("template").to_owned(), version: seen.handle("version").to_owned() };
            if !seen.handle("mixed").is_empty() {
                let why = format!("{} mixes machine types: change its policy in the recipe", seen.id);
                return Err(Failure::refused("", why));
            } else if !template.id.is_empty() {
                let version = template::with_machine(aws, &template, &machine, token).await?;
                match template.version.as_str() {
                    "$Latest" => {}
                    "$Default" => template::make_default(aws, &template.id, &version).await?,
                    _ => {
                        let to =
                            LaunchTemplateSpecification::builder().launch_template_id(template.id).version(version);
                        call = call.launch_template(to.build());
                    }
                }
            } else {
                call = call.launch_configuration_name(configuration_with(aws, seen, &machine, token).await?);
            }
        }
        if changed("min") || changed("max") || changed("desired") {
            // All three together: one alone may lie outside of the others as they are.
            call = call.set_min_size(want.int("min")).set_max_size(want.int("max"));
            if changed("desired") {
                call = call.set_desired_capacity(want.int("desired"));
            }
        }
        if changed("network") {
            call = call.vpc_zone_identifier(want.texts("network").join(","));
        }
        aws.call("UpdateAutoScalingGroup", call.send()).await?;
        if changed("machine") && aws.settings.refreshes {
            let call = aws.autoscaling.start_instance_refresh().auto_scaling_group_name(&seen.id);
            match aws.call("StartInstanceRefresh", call.send()).await {
                Err(failure) if failure.code.contains("InstanceRefreshInProgress") => {}
                answer => drop(answer?),
            }
        }
        Ok(())
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.autoscaling.create_or_update_tags().set_tags(Some(tags(&seen.id, of)));
        aws.call("CreateOrUpdateTags", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        let call = aws.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(&seen.id).force_delete(true);
        aws.call("DeleteAutoScalingGroup", call.send()).await?;
        // The template that was made with it goes with it.
        if seen.tags.contains_key(BEGUN_TAG) {
            template::destroy(aws, &seen.name).await?;
        }
        Ok(())
    }
}

/// Tags of the group alone: its machines do not carry the token.
fn tags(group: &str, of: &BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| {
        let tag = Tag::builder().resource_id(group).resource_type("auto-scaling-group").propagate_at_launch(false);
        tag.key(key).value(value).build()
    };
    of.iter().map(tag).collect()
}
