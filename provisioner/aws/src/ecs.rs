//! `container_service`: services of ECS on Fargate. Their id is `CLUSTER/SERVICE`. What a container is lies in a task definition, of which a change makes
//! a new revision.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, KeyValuePair, LaunchType, NetworkConfiguration,
    NetworkMode, PortMapping, PropagateTags, Service as Ecs, ServiceField, Tag, TaskDefinition,
};
use serde_json::{Value, json};

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{BEGUN_TAG, Seen, Want, fields, or_null};

pub(crate) struct Service;

/// Fields that lie in the task definition.
const OF_TASK: [&str; 5] = ["cpu_milli", "memory_mib", "image", "port", "env"];

fn seen(service: &Ecs) -> Option<Seen> {
    if service.status() != Some("ACTIVE") {
        return None;
    }
    let cluster = service.cluster_arn()?.rsplit('/').next()?.to_owned();
    let name = service.service_name()?;
    let network = service.network_configuration().and_then(|n| n.awsvpc_configuration());
    let networks = network.map(|c| c.subnets().to_vec());
    Some(Seen {
        id: format!("{cluster}/{name}"),
        arn: service.service_arn().unwrap_or_default().to_owned(),
        name: name.to_owned(),
        tags: pairs(service.tags()),
        desired: Some(service.desired_count()),
        fields: fields(json!({
            "network": networks.filter(|n| !n.is_empty()),
            "firewall": network.and_then(|c| c.security_groups().first()),
            "aws": {"cluster": cluster},
        })),
        outputs: [("running".to_owned(), json!(service.running_count()))].into(),
        handles: [("task", service.task_definition().unwrap_or_default().to_owned())].into(),
        ..Seen::default()
    })
}

fn pairs(of: &[Tag]) -> BTreeMap<String, String> {
    of.iter().filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned()))).collect()
}

fn tags(of: &BTreeMap<String, String>) -> Vec<Tag> {
    of.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The container that the type tells of: the essential one.
fn main(task: &TaskDefinition) -> Option<&ContainerDefinition> {
    let all = task.container_definitions();
    all.iter().find(|c| c.essential() == Some(true)).or(all.first())
}

async fn task(aws: &Aws, arn: &str) -> Result<(TaskDefinition, BTreeMap<String, String>), Failure> {
    let call = aws.ecs.describe_task_definition().task_definition(arn);
    let call = call.include(aws_sdk_ecs::types::TaskDefinitionField::Tags);
    let answer = aws.call("DescribeTaskDefinition", call.send()).await?;
    let of = answer.task_definition().cloned().ok_or_else(|| Failure::odd("DescribeTaskDefinition", "definition"))?;
    Ok((of, pairs(answer.tags())))
}

/// What the task definition says.
async fn completed(aws: &Aws, mut seen: Seen) -> Result<Seen, Failure> {
    if seen.handle("task").is_empty() {
        return Ok(seen);
    }
    let (of, _) = task(aws, seen.handle("task")).await?;
    let number = |text: Option<&str>| text.and_then(|t| t.parse::<i64>().ok());
    let container = main(&of);
    let env: BTreeMap<&str, &str> = container
        .map(|c| c.environment())
        .unwrap_or_default()
        .iter()
        .filter_map(|e| Some((e.name()?, e.value().unwrap_or_default())))
        .collect();
    seen.fields.extend(fields(json!({
        "cpu_milli": or_null(number(of.cpu()).map(|units| units * 1000 / 1024)),
        "memory_mib": or_null(number(of.memory())),
        "image": or_null(container.and_then(|c| c.image())),
        "port": or_null(container.and_then(|c| c.port_mappings().first()).and_then(|p| p.container_port())),
        "env": env,
    })));
    if let (Some(Value::Object(own)), Some(role)) = (seen.fields.get_mut("aws"), of.execution_role_arn()) {
        own.insert("role".to_owned(), role.into());
    }
    Ok(seen)
}

fn units(milli: Option<i32>) -> Result<Option<String>, Failure> {
    match milli {
        None => Ok(None),
        Some(milli) if [250, 500, 1000, 2000, 4000].contains(&milli) => Ok(Some((milli * 1024 / 1000).to_string())),
        Some(milli) => {
            Err(Failure::refused("", format!("Fargate has cpu_milli 250, 500, 1000, 2000 and 4000, not {milli}")))
        }
    }
}

fn ports(of: Option<i32>) -> Option<Vec<PortMapping>> {
    of.map(|port| vec![PortMapping::builder().container_port(port).build()])
}

fn variables(of: BTreeMap<String, String>) -> Vec<KeyValuePair> {
    of.into_iter().map(|(name, value)| KeyValuePair::builder().name(name).value(value).build()).collect()
}

/// A revision like the one that is there, with what is wanted otherwise, or the one that an earlier try has made; its ARN.
async fn revision(aws: &Aws, seen: &Seen, want: &Want<'_>, token: &str) -> Result<String, Failure> {
    let (old, _) = task(aws, seen.handle("task")).await?;
    let family = old.family().unwrap_or_default().to_owned();
    let (last, carried) = task(aws, &family).await?;
    if carried.get(BEGUN_TAG).is_some_and(|t| t == token)
        && let Some(arn) = last.task_definition_arn()
    {
        return Ok(arn.to_owned());
    }
    let name = main(&old).and_then(|c| c.name()).map(str::to_owned);
    let mut containers = old.container_definitions().to_vec();
    for container in containers.iter_mut().filter(|c| c.name == name) {
        if let Some(image) = want.text("image") {
            container.image = Some(image);
        }
        if let Some(ports) = ports(want.int("port")) {
            container.port_mappings = Some(ports);
        }
        let more = want.map("env");
        if !more.is_empty() {
            let all = container.environment().iter();
            let mut env: BTreeMap<String, String> =
                all.filter_map(|e| Some((e.name()?.to_owned(), e.value().unwrap_or_default().to_owned()))).collect();
            env.extend(more);
            container.environment = Some(variables(env));
        }
    }
    let text = |t: Option<&str>| t.map(str::to_owned);
    let compatibilities = old.requires_compatibilities().to_vec();
    let call = aws
        .ecs
        .register_task_definition()
        .family(family)
        .set_container_definitions(Some(containers))
        .set_cpu(units(want.int("cpu_milli"))?.or(text(old.cpu())))
        .set_memory(want.int("memory_mib").map(|m| m.to_string()).or(text(old.memory())))
        .set_task_role_arn(text(old.task_role_arn()))
        .set_execution_role_arn(text(old.execution_role_arn()))
        .set_network_mode(old.network_mode().cloned())
        .set_requires_compatibilities(Some(compatibilities).filter(|c| !c.is_empty()))
        .set_volumes(Some(old.volumes().to_vec()).filter(|v| !v.is_empty()))
        .set_runtime_platform(old.runtime_platform().cloned())
        .tags(Tag::builder().key(BEGUN_TAG).value(token).build());
    let made = aws.call("RegisterTaskDefinition", call.send()).await?;
    let arn = made.task_definition().and_then(|t| t.task_definition_arn());
    arn.map(str::to_owned).ok_or_else(|| Failure::odd("RegisterTaskDefinition", "ARN"))
}

fn parts(id: &str) -> Result<(&str, &str), Failure> {
    id.split_once('/').ok_or_else(|| Failure::refused("", format!("{id:?} is no service: CLUSTER/SERVICE")))
}

async fn describe(aws: &Aws, cluster: &str, name: &str) -> Result<Option<Seen>, Failure> {
    let call = aws.ecs.describe_services().cluster(cluster).services(name).include(ServiceField::Tags);
    let answer = match aws.call("DescribeServices", call.send()).await {
        Ok(answer) => answer,
        Err(failure) if failure.is_gone() => return Ok(None),
        Err(failure) => return Err(failure),
    };
    match answer.services().first().and_then(seen) {
        Some(seen) => completed(aws, seen).await.map(Some),
        None => Ok(None),
    }
}

#[async_trait]
impl Native for Service {
    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut clusters, mut pages) = (Vec::new(), Pages::of("ListClusters"));
        loop {
            let page = aws.call("ListClusters", aws.ecs.list_clusters().set_next_token(pages.at()).send()).await?;
            clusters.extend(page.cluster_arns().iter().cloned());
            if !pages.turn(page.next_token())? {
                break;
            }
        }
        let mut all = Vec::new();
        for cluster in clusters {
            let mut pages = Pages::of("ListServices");
            loop {
                let call = aws.ecs.list_services().cluster(&cluster).set_next_token(pages.at());
                let page = aws.call("ListServices", call.send()).await?;
                for arn in page.service_arns() {
                    all.extend(describe(aws, &cluster, arn).await?);
                }
                if !pages.turn(page.next_token())? {
                    break;
                }
            }
        }
        Ok(all)
    }

    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        let (cluster, name) = parts(id)?;
        describe(aws, cluster, name).await
    }

    async fn begun(&self, aws: &Aws, new: &New<'_>) -> Result<Option<Seen>, Failure> {
        let found = describe(aws, &new.want.must("aws.cluster")?, &new.name).await?;
        Ok(found.filter(|seen| seen.has(BEGUN_TAG, new.token)))
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let cluster = want.must("aws.cluster")?;
        let container = ContainerDefinition::builder()
            .name("main")
            .image(want.must("image")?)
            .essential(true)
            .set_port_mappings(ports(want.int("port")))
            .set_environment(Some(variables(want.map("env"))));
        let call = aws
            .ecs
            .register_task_definition()
            .family(&new.name)
            .requires_compatibilities(Compatibility::Fargate)
            .network_mode(NetworkMode::Awsvpc)
            .set_cpu(units(want.int("cpu_milli"))?)
            .set_memory(want.int("memory_mib").map(|m| m.to_string()))
            .set_execution_role_arn(want.text("aws.role"))
            .container_definitions(container.build())
            .set_tags(Some(tags(&new.tags)));
        let made = aws.call("RegisterTaskDefinition", call.send()).await?;
        let arn = made.task_definition().and_then(|t| t.task_definition_arn()).unwrap_or_default();
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(want.texts("network")))
            .set_security_groups(Some(want.text("firewall").into_iter().collect()))
            .build()
            .map_err(|e| Failure::refused("", e.to_string()))?;
        let call = aws
            .ecs
            .create_service()
            .cluster(&cluster)
            .service_name(&new.name)
            .task_definition(arn)
            .launch_type(LaunchType::Fargate)
            .desired_count(want.int("desired").unwrap_or(1))
            .client_token(&new.token[new.token.len().saturating_sub(32)..])
            .propagate_tags(PropagateTags::Service)
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
            .set_tags(Some(tags(&new.tags)));
        aws.call("CreateService", call.send()).await?;
        Ok(format!("{cluster}/{}", new.name))
    }

    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), Failure> {
        let (cluster, name) = parts(&seen.id)?;
        let mut call = aws.ecs.update_service().cluster(cluster).service(name);
        if changed.contains("desired") {
            call = call.set_desired_count(want.int("desired"));
        }
        let is_of_task = |field: &String| OF_TASK.contains(&field.split('.').next().unwrap_or_default());
        if changed.iter().any(is_of_task) {
            call = call.task_definition(revision(aws, seen, want, token).await?);
        }
        aws.call("UpdateService", call.send()).await.map(drop)
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.ecs.tag_resource().resource_arn(&seen.arn).set_tags(Some(tags(of)));
        aws.call("TagResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        let (cluster, name) = parts(&seen.id)?;
        let call = aws.ecs.delete_service().cluster(cluster).service(name).force(true);
        aws.call("DeleteService", call.send()).await.map(drop)
    }
}
