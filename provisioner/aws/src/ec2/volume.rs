//! `block_disk`: volumes of EBS.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, ResourceType, Volume as Ebs, VolumeState, VolumeType};
use serde_json::json;

use super::{filter, name, specification, tag, tags};
use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{BEGUN_TAG, Seen, Want, fields, or_null};

pub(crate) struct Volume;

/// Classes as the recipe has them; a volume of another type shows that.
const CLASSES: [(&str, &str); 3] = [("standard", "gp2"), ("balanced", "gp3"), ("fast", "io2")];
/// Operations a second of the fast class, as in the recipe.
const FAST_IOPS: i32 = 4000;

fn seen(volume: &Ebs) -> Option<Seen> {
    let gone = [VolumeState::Deleting, VolumeState::Deleted];
    if volume.state().is_some_and(|s| gone.contains(s)) {
        return None;
    }
    let tags = tags(volume.tags());
    let kind = volume.volume_type().map_or("", VolumeType::as_str);
    let class = CLASSES.iter().find(|(_, of)| *of == kind).map_or(kind, |(class, _)| class);
    Some(Seen {
        id: volume.volume_id()?.to_owned(),
        name: name(&tags),
        fields: fields(json!({
            "size_gib": or_null(volume.size()),
            "class": class,
            "aws": {"zone": or_null(volume.availability_zone())},
        })),
        outputs: [
            ("attached_to".to_owned(), json!(volume.attachments().first().and_then(|a| a.instance_id()))),
            ("iops".to_owned(), json!(volume.iops())),
            ("encrypted".to_owned(), json!(volume.encrypted())),
        ]
        .into(),
        tags,
        ..Seen::default()
    })
}

async fn describe(aws: &Aws, filter: Option<Filter>) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeVolumes"));
    loop {
        let call = aws.ec2.describe_volumes().set_filters(filter.clone().map(|f| vec![f])).set_next_token(pages.at());
        let page = aws.call("DescribeVolumes", call.send()).await?;
        all.extend(page.volumes().iter().filter_map(seen));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

#[async_trait]
impl Native for Volume {
    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        describe(aws, None).await
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        match aws.call("DescribeVolumes", aws.ec2.describe_volumes().volume_ids(id).send()).await {
            Ok(answer) => Ok(answer.volumes().first().and_then(seen)),
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
        let class = new.want.text("class").unwrap_or_default();
        let kind = CLASSES.iter().find(|(of, _)| *of == class).map_or(class.as_str(), |(_, kind)| kind);
        let mut tags = new.tags.clone();
        tags.insert("Name".to_owned(), new.name.clone());
        let call = aws
            .ec2
            .create_volume()
            .availability_zone(new.want.must("aws.zone")?)
            .set_size(new.want.int("size_gib"))
            .volume_type(VolumeType::from(kind))
            .set_iops((class == "fast").then_some(FAST_IOPS))
            .encrypted(true)
            .client_token(new.token)
            .tag_specifications(specification(ResourceType::Volume, &tags));
        let made = aws.call("CreateVolume", call.send()).await?;
        made.volume_id().map(str::to_owned).ok_or_else(|| Failure::odd("CreateVolume", "volume id"))
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let mut call = aws.ec2.modify_volume().volume_id(&seen.id);
        if changed.contains("size_gib") {
            call = call.set_size(want.int("size_gib"));
        }
        if changed.contains("class") {
            let class = want.text("class").unwrap_or_default();
            let kind = CLASSES.iter().find(|(of, _)| *of == class).map_or(class.as_str(), |(_, kind)| kind);
            call = call.volume_type(VolumeType::from(kind)).set_iops((class == "fast").then_some(FAST_IOPS));
        }
        aws.call("ModifyVolume", call.send()).await.map(drop)
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, tags: &BTreeMap<String, String>) -> Result<(), Failure> {
        tag(aws, &seen.id, tags).await
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        aws.call("DeleteVolume", aws.ec2.delete_volume().volume_id(&seen.id).send()).await.map(drop)
    }
}
