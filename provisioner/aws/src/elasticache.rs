//! `redis`: replication groups of ElastiCache.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_elasticache::types::{AutomaticFailoverStatus, ReplicationGroup, Tag};
use serde_json::json;

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{Seen, Want, fields};

pub(crate) struct Cache;

fn seen(group: &ReplicationGroup) -> Option<Seen> {
    if group.status() == Some("deleting") {
        return None;
    }
    let id = group.replication_group_id()?.to_owned();
    let on = [AutomaticFailoverStatus::Enabled, AutomaticFailoverStatus::Enabling];
    let endpoint = group.node_groups().first().and_then(|n| n.primary_endpoint()).or(group.configuration_endpoint());
    let pending = group.pending_modified_values().and_then(|p| p.automatic_failover_status());
    let is_on = match pending.map(|p| p.as_str()) {
        Some(status) => status == "enabled",
        None => group.automatic_failover().is_some_and(|f| on.contains(f)),
    };
    Some(Seen {
        arn: group.arn().unwrap_or_default().to_owned(),
        name: id.clone(),
        id,
        machine: group.cache_node_type().map(str::to_owned),
        fields: fields(json!({"high_availability": is_on})),
        outputs: [
            ("host".to_owned(), json!(endpoint.and_then(|e| e.address()))),
            ("port".to_owned(), json!(endpoint.and_then(|e| e.port()))),
            ("status".to_owned(), json!(group.status())),
        ]
        .into_iter()
        .filter(|(_, v)| !v.is_null())
        .collect(),
        ..Seen::default()
    })
}

/// Groups do not tell their tags.
async fn completed(aws: &Aws, mut seen: Seen) -> Result<Seen, Failure> {
    let call = aws.elasticache.list_tags_for_resource().resource_name(&seen.arn);
    let answer = aws.call("ListTagsForResource", call.send()).await?;
    let pair = |t: &Tag| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()));
    seen.tags = answer.tag_list().iter().filter_map(pair).collect();
    Ok(seen)
}

fn tags(of: &BTreeMap<String, String>) -> Vec<Tag> {
    of.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

#[async_trait]
impl Native for Cache {
    fn family(&self) -> Option<&'static str> {
        Some("cache")
    }

    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeReplicationGroups"));
        loop {
            let call = aws.elasticache.describe_replication_groups().set_marker(pages.at());
            let page = aws.call("DescribeReplicationGroups", call.send()).await?;
            for seen in page.replication_groups().iter().filter_map(seen) {
                all.push(completed(aws, seen).await?);
            }
            if !pages.turn(page.marker())? {
                return Ok(all);
            }
        }
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let call = aws.elasticache.describe_replication_groups().replication_group_id(id);
        let answer = match aws.call("DescribeReplicationGroups", call.send()).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_gone() => return Ok(None),
            Err(failure) => return Err(failure),
        };
        match answer.replication_groups().first().and_then(seen) {
            Some(seen) => completed(aws, seen).await.map(Some),
            None => Ok(None),
        }
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let is_available = want.bool("high_availability").unwrap_or(false);
        let call = aws
            .elasticache
            .create_replication_group()
            .replication_group_id(&new.name)
            .replication_group_description(format!("Grid: {}", new.name))
            .engine("redis")
            .cache_node_type(want.machine()?)
            .num_cache_clusters(if is_available { 2 } else { 1 })
            .automatic_failover_enabled(is_available)
            .multi_az_enabled(is_available)
            .at_rest_encryption_enabled(true)
            .transit_encryption_enabled(true)
            .set_tags(Some(tags(&new.tags)));
        aws.call("CreateReplicationGroup", call.send()).await?;
        Ok(new.name.clone())
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let machine = if changed.contains("machine") { Some(want.machine()?) } else { None };
        let available = changed.contains("high_availability").then(|| want.bool("high_availability")).flatten();
        let call = aws
            .elasticache
            .modify_replication_group()
            .replication_group_id(&seen.id)
            .apply_immediately(true)
            .set_cache_node_type(machine)
            .set_automatic_failover_enabled(available)
            .set_multi_az_enabled(available);
        aws.call("ModifyReplicationGroup", call.send()).await.map(drop)
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.elasticache.add_tags_to_resource().resource_name(&seen.arn).set_tags(Some(tags(of)));
        aws.call("AddTagsToResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        let call = aws.elasticache.delete_replication_group().replication_group_id(&seen.id);
        aws.call("DeleteReplicationGroup", call.send()).await.map(drop)
    }
}
