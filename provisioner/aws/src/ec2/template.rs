//! Launch templates: what the machines of groups and fleets are made from.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{InstanceType, LaunchTemplateVersion, RequestLaunchTemplateData, ResourceType};
use serde_json::{Value, json};

use super::specification;
use crate::client::Aws;
use crate::failure::Failure;

/// A template and one of its versions, a number or `$Latest` or `$Default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) version: String,
}

/// What a version says.
async fn version(aws: &Aws, id: &str, version: &str) -> Result<LaunchTemplateVersion, Failure> {
    let call = aws.ec2.describe_launch_template_versions().launch_template_id(id).versions(version);
    let answer = aws.call("DescribeLaunchTemplateVersions", call.send()).await?;
    let found = answer.launch_template_versions().first().cloned();
    found.ok_or_else(|| Failure::odd("DescribeLaunchTemplateVersions", "version"))
}

/// What the machines of a template are: of which type, of which image, behind which security group.
pub(crate) async fn told(aws: &Aws, of: &Template) -> Result<(Option<String>, Value), Failure> {
    let found = version(aws, &of.id, &of.version).await?;
    let data = found.launch_template_data();
    let machine = data.and_then(|d| d.instance_type()).map(|t| t.as_str().to_owned());
    let group = data.and_then(|d| d.security_group_ids().first());
    let image = data.and_then(|d| d.image_id());
    Ok((machine, json!({"firewall": group, "aws": {"image": image}})))
}

/// Makes a template under a name, or finds the one that an earlier try has made; its id.
pub(crate) async fn create(
    aws: &Aws,
    name: &str,
    token: &str,
    machine: &str,
    image: &str,
    firewall: Option<String>,
    tags: &BTreeMap<String, String>,
) -> Result<Template, Failure> {
    let data = RequestLaunchTemplateData::builder()
        .image_id(image)
        .instance_type(InstanceType::from(machine))
        .set_security_group_ids(firewall.map(|g| vec![g]));
    let call = aws
        .ec2
        .create_launch_template()
        .launch_template_name(name)
        .client_token(token)
        .version_description(token)
        .launch_template_data(data.build())
        .tag_specifications(specification(ResourceType::LaunchTemplate, tags));
    let first = |id: Option<&str>| id.map(|id| Template { id: id.to_owned(), version: "1".to_owned() });
    match aws.call("CreateLaunchTemplate", call.send()).await {
        Ok(made) => first(made.launch_template().and_then(|t| t.launch_template_id())),
        Err(failure) if failure.is_taken() => {
            let call = aws.ec2.describe_launch_templates().launch_template_names(name);
            let found = aws.call("DescribeLaunchTemplates", call.send()).await?;
            first(found.launch_templates().first().and_then(|t| t.launch_template_id()))
        }
        Err(failure) => return Err(failure),
    }
    .ok_or_else(|| Failure::odd("CreateLaunchTemplate", "template"))
}

/// A version like another one with another machine, or the one that an earlier try with this token has made. Everything else comes from the source;
/// what an emulator would forget is said again.
pub(crate) async fn with_machine(aws: &Aws, of: &Template, machine: &str, token: &str) -> Result<String, Failure> {
    let last = version(aws, &of.id, "$Latest").await?;
    let number =
        |v: Option<i64>| v.map(|n| n.to_string()).ok_or_else(|| Failure::odd("CreateLaunchTemplateVersion", "number"));
    if last.version_description() == Some(token) {
        return number(last.version_number());
    }
    let source = version(aws, &of.id, &of.version).await?;
    let source_version = number(source.version_number())?;
    let old = source.launch_template_data();
    let groups = old.map(|d| d.security_group_ids().to_vec()).filter(|g| !g.is_empty());
    let data = RequestLaunchTemplateData::builder()
        .instance_type(InstanceType::from(machine))
        .set_image_id(old.and_then(|d| d.image_id()).map(str::to_owned))
        .set_key_name(old.and_then(|d| d.key_name()).map(str::to_owned))
        .set_user_data(old.and_then(|d| d.user_data()).map(str::to_owned))
        .set_security_group_ids(groups);
    let call = aws
        .ec2
        .create_launch_template_version()
        .launch_template_id(&of.id)
        .source_version(source_version)
        .version_description(token)
        .client_token(token)
        .launch_template_data(data.build());
    let made = aws.call("CreateLaunchTemplateVersion", call.send()).await?;
    number(made.launch_template_version().and_then(|v| v.version_number()))
}

/// Makes a version the one that is taken when none is named.
pub(crate) async fn make_default(aws: &Aws, id: &str, version: &str) -> Result<(), Failure> {
    let call = aws.ec2.modify_launch_template().launch_template_id(id).default_version(version);
    aws.call("ModifyLaunchTemplate", call.send()).await.map(drop)
}

/// Deletes a template that Grid has made by name; one that is gone is deleted.
pub(crate) async fn destroy(aws: &Aws, name: &str) -> Result<(), Failure> {
    let call = aws.ec2.delete_launch_template().launch_template_name(name);
    match aws.call("DeleteLaunchTemplate", call.send()).await {
        Err(failure) if failure.is_gone() => Ok(()),
        answer => answer.map(drop),
    }
}
