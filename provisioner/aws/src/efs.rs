//! `file_store`: file systems of EFS, which grow and shrink by themselves.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_efs::types::{FileSystemDescription, LifeCycleState, Tag, ThroughputMode};
use serde_json::json;

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{Seen, Want, fields};

pub(crate) struct FileSystem;

fn seen(of: &FileSystemDescription) -> Option<Seen> {
    if [LifeCycleState::Deleting, LifeCycleState::Deleted].contains(of.life_cycle_state()) {
        return None;
    }
    let class = match of.throughput_mode() {
        Some(ThroughputMode::Elastic) => "fast",
        Some(ThroughputMode::Bursting) | None => "standard",
        Some(other) => other.as_str(),
    };
    Some(Seen {
        id: of.file_system_id().to_owned(),
        arn: of.file_system_arn().unwrap_or_default().to_owned(),
        name: of.name().unwrap_or_default().to_owned(),
        tags: of.tags().iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect(),
        fields: fields(json!({"class": class})),
        outputs: [("bytes".to_owned(), json!(of.size_in_bytes().map(|s| s.value())))].into(),
        ..Seen::default()
    })
}

fn mode(class: Option<String>) -> ThroughputMode {
    match class.as_deref() {
        Some("fast") => ThroughputMode::Elastic,
        Some("standard") | None => ThroughputMode::Bursting,
        Some(other) => ThroughputMode::from(other),
    }
}

fn tags(of: &BTreeMap<String, String>) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    of.iter().map(tag).collect::<Result<_, _>>().map_err(|e| Failure::refused("", e.to_string()))
}

#[async_trait]
impl Native for FileSystem {
    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeFileSystems"));
        loop {
            let call = aws.efs.describe_file_systems().set_marker(pages.at());
            let page = aws.call("DescribeFileSystems", call.send()).await?;
            all.extend(page.file_systems().iter().filter_map(seen));
            if !pages.turn(page.next_marker())? {
                return Ok(all);
            }
        }
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let call = aws.efs.describe_file_systems().file_system_id(id);
        match aws.call("DescribeFileSystems", call.send()).await {
            Ok(answer) => Ok(answer.file_systems().first().and_then(seen)),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn begun(&self, aws: &Aws, new: &New<'_>) -> Result<Option<Seen>, Failure> {
        let call = aws.efs.describe_file_systems().creation_token(new.token);
        match aws.call("DescribeFileSystems", call.send()).await {
            Ok(answer) => Ok(answer.file_systems().first().and_then(seen)),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let mut all = new.tags.clone();
        all.insert("Name".to_owned(), new.name.clone());
        let call = aws
            .efs
            .create_file_system()
            .creation_token(new.token)
            .encrypted(true)
            .throughput_mode(mode(new.want.text("class")))
            .set_tags(Some(tags(&all)?));
        let made = aws.call("CreateFileSystem", call.send()).await?;
        Ok(made.file_system_id().to_owned())
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        _: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let call = aws.efs.update_file_system().file_system_id(&seen.id).throughput_mode(mode(want.text("class")));
        aws.call("UpdateFileSystem", call.send()).await.map(drop)
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.efs.tag_resource().resource_id(&seen.id).set_tags(Some(tags(of)?));
        aws.call("TagResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        aws.call("DeleteFileSystem", aws.efs.delete_file_system().file_system_id(&seen.id).send()).await.map(drop)
    }
}
