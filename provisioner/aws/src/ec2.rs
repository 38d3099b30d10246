//! Machines, disks, fleets and launch templates, which all are of one service.

pub(crate) mod vm;
pub(crate) mod volume;
pub(crate) mod template;
pub(crate) mod fleet;

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

use crate::client::Aws;
use crate::failure::Failure;

/// A filter by one value.
pub(crate) fn filter(name: impl Into<String>, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// Tags of something that is made.
fn specification(of: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder().resource_type(of).set_tags(Some(list(tags))).build()
}

fn list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags of something that is there.
pub(crate) fn tags(of: &[Tag]) -> BTreeMap<String, String> {
    of.iter().filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()))).collect()
}

/// Puts tags on something.
async fn tag(aws: &Aws, id: &str, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
    let call = aws.ec2.create_tags().resources(id).set_tags(Some(list(tags)));
    aws.call("CreateTags", call.send()).await.map(drop)
}

/// The name of something: its tag, else nothing.
fn name(tags: &BTreeMap<String, String>) -> String {
    tags.get("Name").cloned().unwrap_or_default()
}
