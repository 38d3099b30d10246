//! What each kind needs to stand on: a network, an image, a cluster, a role, a bucket. Made without Grid, as people's own tools would.

use aws_sdk_eks::types::VpcConfigRequest;
use grid_aws::Aws;
use serde_json::{Value, json};

use crate::support::Moto;

/// Clients of the emulator that are not Grid's.
pub(crate) struct Stage {
    pub(crate) config: aws_config::SdkConfig,
    pub(crate) region: String,
    pub(crate) subnets: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) images: Vec<String>,
    pub(crate) zone: String,
    pub(crate) role: String,
}

pub(crate) async fn stage(moto: &Moto, region: &str) -> anyhow::Result<Stage> {
    let keys = aws_credential_types::Credentials::from_keys("test", "test", None);
    let provider =
        aws_smithy_http_client::tls::Provider::Rustls(aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring);
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(provider).build_https())
        .region(aws_config::Region::new(region.to_owned()))
        .endpoint_url(&moto.endpoint)
        .credentials_provider(keys)
        .load()
        .await;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let found = ec2.describe_subnets().send().await?;
    let subnets: Vec<String> = found.subnets().iter().take(2).map(|s| s.subnet_id().unwrap().to_owned()).collect();
    let vpc = found.subnets()[0].vpc_id().unwrap().to_owned();
    let zone = found.subnets()[0].availability_zone().unwrap().to_owned();
    let mut groups = Vec::new();
    for name in ["web", "strict"] {
        let made = ec2.create_security_group().group_name(name).description(name).vpc_id(&vpc).send().await?;
        groups.push(made.group_id().unwrap().to_owned());
    }
    let images = ec2.describe_images().send().await?;
    let images = images.images().iter().take(2).map(|i| i.image_id().unwrap().to_owned()).collect();
    // A bucket with code, and a role: services that Grid has no client of.
    let bucket = format!("{}/code-{region}", moto.endpoint);
    moto.client.put(&bucket).body(place(region)).send().await?.error_for_status()?;
    for archive in ["a.zip", "b.zip"] {
        moto.client.put(format!("{bucket}/{archive}")).body(ZIP).send().await?.error_for_status()?;
    }
    let role = format!("grid-{region}");
    let who = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let form = format!("Action=CreateRole&Version=2010-05-08&RoleName={role}&AssumeRolePolicyDocument=%7B%7D");
    let call = moto.client.post(&moto.endpoint).header("authorization", who);
    let call = call.header("content-type", "application/x-www-form-urlencoded").body(form);
    call.send().await?.error_for_status()?;
    let role = format!("arn:aws:iam::123456789012:role/{role}");
    aws_sdk_eks::Client::new(&config)
        .create_cluster()
        .name("main")
        .role_arn(&role)
        .resources_vpc_config(VpcConfigRequest::builder().set_subnet_ids(Some(subnets.clone())).build())
        .send()
        .await?;
    aws_sdk_ecs::Client::new(&config).create_cluster().cluster_name("main").send().await?;
    Ok(Stage { config, region: region.to_owned(), subnets, groups, images, zone, role })
}

fn place(region: &str) -> String {
    if region == "us-east-1" {
        return String::new();
    }
    format!("<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>")
}

/// The smallest archive: nothing is in it.
const ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A kind as it is made, and for each of its fields that can be changed a value to change it to.
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    pub(crate) made: Value,
    pub(crate) changes: Vec<(&'static str, Value)>,
}

impl Stage {
    /// Every kind that Grid drives itself.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let (subnets, group, image) = (&self.subnets, &self.groups[0], &self.images[0]);
        let bucket = format!("code-{}", self.region);
        let database = |class: &str| {
            vec![
                ("machine_type.aws", json!(class)),
                ("storage_gib", json!(128)),
                ("high_availability", json!(true)),
                ("backup_days", json!(14)),
                ("protect", json!(true)),
            ]
        };
        let mut mysql = database("db.r7g.large");
        mysql.push(("version", json!("8.4")));
        let mut postgresql = database("db.r7g.large");
        postgresql.push(("version", json!("17")));
        let case = |kind, made, changes| Case { kind, made, changes };
        vec![
            case(
                "vm",
                json!({"network": subnets[0], "firewall": group, "size": "2x8", "aws": {"image": image}}),
                vec![("size", json!("1x2")), ("firewall", json!(self.groups[1])), ("running", json!(false))],
            ),
            case(
                "autoscaling_group",
                json!({"network": subnets[..1], "size": "2x8", "min": 1, "max": 8, "aws": {"image": image}}),
                vec![
                    ("max", json!(4)),
                    ("min", json!(2)),
                    ("desired", json!(3)),
                    ("size", json!("1x2")),
                    ("network", json!(subnets)),
                ],
            ),
            case(
                "spot_pool",
                json!({"network": subnets[..1], "size": "2x8", "capacity": 2, "aws": {"image": image}}),
                vec![("capacity", json!(1))],
            ),
            case(
                "block_disk",
                json!({"size_gib": 100, "class": "standard", "aws": {"zone": self.zone}}),
                vec![("size_gib", json!(200)), ("class", json!("balanced"))],
            ),
            case(
                "node_pool",
                json!({
                    "cluster": "main", "size": "4x16", "min": 1, "max": 8, "disk_gib": 100, "spot": true,
                    "aws": {"subnets": subnets, "role": self.role},
                }),
                vec![("max", json!(4)), ("min", json!(2)), ("desired", json!(3))],
            ),
            case(
                "postgresql",
                json!({"version": "16", "size": "4x16", "storage_gib": 64, "protect": false}),
                postgresql,
            ),
            case("mysql", json!({"version": "8.0", "size": "4x16", "storage_gib": 64, "protect": false}), mysql),
            case(
                "redis",
                json!({"memory_gib": 6, "high_availability": true}),
                vec![("memory_gib", json!(3)), ("high_availability", json!(false))],
            ),
            case(
                "nosql",
                json!({"partition_key": "id", "sort_key": "at", "backup": true, "protect": false}),
                vec![("backup", json!(false)), ("protect", json!(true))],
            ),
            case(
                "kafka",
                json!({"network": subnets, "size": "2x8", "brokers": 4, "storage_gib": 100, "version": "3.8"}),
                vec![
                    ("brokers", json!(6)),
                    ("size", json!("4x16")),
                    ("storage_gib", json!(200)),
                    ("version", json!("3.9")),
                ],
            ),
            case(
                "function",
                json!({
                    "source": bucket, "archive": "a.zip", "handler": "main.handler", "runtime": "python-3.12",
                    "memory_mib": 1024, "timeout_seconds": 30, "max_instances": 100, "env": {"LEVEL": "info"},
                    "aws": {"role": self.role},
                }),
                vec![
                    ("memory_mib", json!(512)),
                    ("timeout_seconds", json!(10)),
                    ("max_instances", json!(50)),
                    ("handler", json!("main.quick")),
                    ("runtime", json!("nodejs-22")),
                    ("env.LEVEL", json!("warn")),
                    ("archive", json!("b.zip")),
                ],
            ),
            case(
                "container_service",
                json!({
                    "image": "registry.example.com/shop:1", "port": 8080, "cpu_milli": 1000, "memory_mib": 2048,
                    "network": subnets, "env": {"LEVEL": "info"}, "aws": {"cluster": "main", "role": self.role},
                }),
                vec![
                    ("desired", json!(3)),
                    ("cpu_milli", json!(500)),
                    ("memory_mib", json!(1024)),
                    ("image", json!("registry.example.com/shop:2")),
                    ("port", json!(9090)),
                    ("env.LEVEL", json!("warn")),
                ],
            ),
            case("file_store", json!({"class": "standard"}), vec![("class", json!("fast"))]),
        ]
    }
}

/// Whether the emulator has nothing under an id any more.
pub(crate) async fn is_gone(cloud: &Aws, address: &grid_plan::Address, id: &str) -> bool {
    use grid_act::Executor;
    cloud.read(address, id).await.unwrap().is_none()
}
