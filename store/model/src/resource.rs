//! The join key of telemetry and bills: which cloud or cluster resource a row speaks of, in one spelling.

use std::fmt;

use crate::attr::AttrValue;

/// Attributes and labels that name a resource as a whole, in order of trust: OpenTelemetry's conventions, then those of Kubernetes,
/// of exporters of cloud metrics, and of agents.
const WHOLE_IDS: &[&str] = &[
    "cloud.resource_id",
    "cloud_resource_id",
    "aws.ecs.task.arn",
    "aws.eks.cluster.arn",
    "faas.arn",
    "provider_id",
    "resource_arn",
    "resource_id",
    "resourceID",
    "resource_uri",
    "self_link",
    "host.id",
    "host_id",
    "instance_id",
    "InstanceId",
    "dimension_InstanceId",
    "volume_id",
    "VolumeId",
    "dimension_VolumeId",
];

/// Labels by which exporters of CloudWatch name a resource of one kind: the label, then service and type as an ARN spells them.
const CLOUDWATCH: &[(&str, &str, &str)] = &[
    ("dbinstance_identifier", "rds", "db:"),
    ("dimension_DBInstanceIdentifier", "rds", "db:"),
    ("function_name", "lambda", "function:"),
    ("dimension_FunctionName", "lambda", "function:"),
    ("queue_name", "sqs", ""),
    ("dimension_QueueName", "sqs", ""),
    ("table_name", "dynamodb", "table/"),
    ("dimension_TableName", "dynamodb", "table/"),
    ("dimension_LoadBalancer", "elasticloadbalancing", "loadbalancer/"),
];

/// One resource, by the spelling that all names of it share: `i-0abc`, `arn:aws:rds:eu-west-1:1:db:orders`,
/// `/subscriptions/.../virtualmachines/x`, `//compute.googleapis.com/projects/p/zones/z/instances/n`, `k8s:prod/shop/pod/cart-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey(String);

impl ResourceKey {
    /// The key of an id as a bill, a provider's API or an agent spells it; `None` of empty text.
    ///
    /// - AWS: an ARN of something that has an id of its own (`.../instance/i-0abc`) and a node's `aws:///ZONE/i-0abc` are that id, as the
    ///   bill has it; other ARNs stay as they are.
    /// - Azure: resource ids compare without case; `azure://` before one is Kubernetes'.
    /// - GCP: self links, full names and `gce://PROJECT/ZONE/NAME` are the full name.
    pub fn of_id(id: &str) -> Option<Self> {
        let id = id.trim();
        if id.is_empty() {
            return None;
        }
        if let Some(rest) = id.strip_prefix("aws://") {
            return last_segment(rest).map(|s| Self(s.to_owned()));
        }
        if let Some(rest) = id.strip_prefix("gce://") {
            let mut parts = rest.split('/');
            if let (Some(project), Some(zone), Some(name), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            {
                return Some(gcp_instance(project, zone, name));
            }
        }
        let azure = id.strip_prefix("azure://").unwrap_or(id);
        if azure.get(..15).is_some_and(|p| p.eq_ignore_ascii_case("/subscriptions/")) {
            return Some(Self(azure.trim_end_matches('/').to_ascii_lowercase()));
        }
        for service in ["compute", "container", "storage", "sqladmin"] {
            for host in [
                format!("https://www.googleapis.com/{service}/v1/"),
                format!("https://{service}.googleapis.com/{service}/v1/"),
            ] {
                if let Some(path) = id.strip_prefix(&host) {
                    return Some(Self(format!("//{service}.googleapis.com/{path}")));
                }
            }
        }
        if id.starts_with("arn:") {
            let own = last_segment(id).filter(|s| is_aws_id(s));
            return Some(Self(own.unwrap_or(id).to_owned()));
        }
        Some(Self(id.to_owned()))
    }

    /// The resource that contains this one and that the bill may name instead: the scale set of an Azure instance.
    pub fn parent(&self) -> Option<Self> {
        let at = self.0.find("/virtualmachines/")?;
        self.0[..at].contains("/virtualmachinescalesets/").then(|| Self(self.0[..at].to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn last_segment(text: &str) -> Option<&str> {
    text.rsplit(['/', ':']).next().filter(|s| !s.is_empty())
}

/// `i-0abc`, `vol-12ef`, `eni-...`: a short word, a dash, hexadecimal digits. Unique in all of AWS.
fn is_aws_id(text: &str) -> bool {
    let Some((kind, digits)) = text.split_once('-') else { return false };
    let short = (1..=12).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_lowercase());
    short && digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn gcp_instance(project: &str, zone: &str, name: &str) -> ResourceKey {
    ResourceKey(format!("//compute.googleapis.com/projects/{project}/zones/{zone}/instances/{name}"))
}

/// The resource that attributes or labels name; `None` if they name none. Names that are unique only within something need that something:
/// a database of CloudWatch its region and account, an instance number of GCP its project and zone. Of Kubernetes' own objects, a pod
/// comes before its node, a node before the host.
pub fn identify(pairs: &[(&str, &str)]) -> Option<ResourceKey> {
    let value = |key: &str| pairs.iter().find(|(k, v)| *k == key && !v.is_empty()).map(|(_, v)| *v);
    let any = |keys: &[&str]| keys.iter().find_map(|k| value(k));
    // An exporter that puts the whole ARN into `name`.
    if let Some(arn) = value("name").filter(|n| n.starts_with("arn:")) {
        return ResourceKey::of_id(arn);
    }
    let whole = WHOLE_IDS.iter().find_map(|key| value(key));
    if let Some(id) = whole {
        let project = any(&["project_id", "gcp_project", "cloud.account.id"]);
        let zone = any(&["zone", "cloud.availability_zone"]);
        return match (project, zone) {
            // GCP's instance ids are numbers, and the bill names them by project and zone.
            (Some(project), Some(zone)) if id.bytes().all(|b| b.is_ascii_digit()) => {
                Some(gcp_instance(project, zone, id))
            }
            _ => ResourceKey::of_id(id),
        };
    }
    let (region, account) = (any(&["region", "cloud.region"]), any(&["account_id", "cloud.account.id", "accountId"]));
    for (label, service, kind) in CLOUDWATCH {
        if let (Some(name), Some(region), Some(account)) = (value(label), region, account) {
            return Some(ResourceKey(format!("arn:aws:{service}:{region}:{account}:{kind}{name}")));
        }
    }
    let cluster = any(&["k8s.cluster.name", "k8s_cluster_name", "cluster"]).unwrap_or_default();
    let namespace = any(&["k8s.namespace.name", "k8s_namespace_name", "exported_namespace", "namespace"]);
    let pod = any(&["k8s.pod.name", "k8s_pod_name", "exported_pod", "pod"]);
    if let (Some(namespace), Some(pod)) = (namespace, pod) {
        return Some(ResourceKey(format!("k8s:{cluster}/{namespace}/pod/{pod}")));
    }
    if let Some(uid) = value("k8s.pod.uid") {
        return Some(ResourceKey(format!("k8s:pod:{uid}")));
    }
    if let Some(container) = value("container.id") {
        return Some(ResourceKey(format!("container:{container}")));
    }
    if let Some(volume) = value("persistentvolume") {
        return Some(ResourceKey(format!("k8s:{cluster}/volume/{volume}")));
    }
    if let Some(node) = any(&["k8s.node.name", "k8s_node_name", "node"]) {
        return Some(ResourceKey(format!("k8s:{cluster}/node/{node}")));
    }
    let host = any(&["host.name", "host_name", "nodename", "instance"])?;
    // `instance` of a scrape has the port of the exporter, which is no part of the host.
    let bare =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(h, _)| h);
    Some(ResourceKey(format!("host:{bare}")))
}

/// The resource that a set of OTLP resource attributes names; see [`identify`].
pub fn identify_attributes(attributes: &[(String, AttrValue)]) -> Option<ResourceKey> {
    let pairs: Vec<(&str, &str)> = attributes.iter().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect();
    identify(&pairs)
}

/// The service that a set of OTLP resource attributes names.
pub fn service_name(attributes: &[(String, AttrValue)]) -> Option<&str> {
    attributes.iter().find(|(k, _)| k == "service.name").and_then(|(_, v)| v.as_str()).filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_resource_has_one_key() {
        let azure = "/subscriptions/0a/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1";
        let gcp = "//compute.googleapis.com/projects/p/zones/europe-west1-b/instances/n";
        for (id, key) in [
            ("i-0abc12345678", "i-0abc12345678"),
            ("arn:aws:ec2:eu-west-1:1:instance/i-0abc12345678", "i-0abc12345678"),
            ("aws:///eu-west-1a/i-0abc12345678", "i-0abc12345678"),
            ("arn:aws:ec2:eu-west-1:1:volume/vol-0123456789abcdef0", "vol-0123456789abcdef0"),
            ("arn:aws:rds:eu-west-1:1:db:orders", "arn:aws:rds:eu-west-1:1:db:orders"),
            ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket"),
            ("/subscriptions/0A/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm1", azure),
            ("azure:///subscriptions/0a/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/VM1", azure),
            ("gce://p/europe-west1-b/n", gcp),
            ("https://www.googleapis.com/compute/v1/projects/p/zones/europe-west1-b/instances/n", gcp),
            (gcp, gcp),
            (" my-bucket ", "my-bucket"),
        ] {
            assert_eq!(ResourceKey::of_id(id).unwrap().as_str(), key, "{id}");
        }
        assert_eq!(ResourceKey::of_id("  "), None);
        let instance = ResourceKey::of_id(
            "azure:///subscriptions/0a/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/aks/virtualMachines/3",
        )
        .unwrap();
        let set = "/subscriptions/0a/resourcegroups/rg/providers/microsoft.compute/virtualmachinescalesets/aks";
        assert_eq!(instance.parent().unwrap().as_str(), set);
        assert_eq!(ResourceKey::of_id(azure).unwrap().parent(), None);
    }

    #[test]
    fn labels_and_attributes_name_resources() {
        let cases: [(&[(&str, &str)], Option<&str>); 13] = [
            (
                &[
                    ("host.id", "i-0abc12345678"),
                    ("cloud.resource_id", "arn:aws:ec2:eu-west-1:1:instance/i-0def12345678"),
                ],
                Some("i-0def12345678"),
            ),
            (&[("host.id", "i-0abc12345678"), ("host.name", "ip-10-0-0-1")], Some("i-0abc12345678")),
            (&[("node", "n1"), ("provider_id", "aws:///eu-west-1a/i-0abc12345678")], Some("i-0abc12345678")),
            (&[("dimension_InstanceId", "i-0abc12345678"), ("region", "eu-west-1")], Some("i-0abc12345678")),
            (&[("name", "arn:aws:rds:eu-west-1:1:db:orders")], Some("arn:aws:rds:eu-west-1:1:db:orders")),
            (
                &[("dimension_DBInstanceIdentifier", "orders"), ("region", "eu-west-1"), ("account_id", "1")],
                Some("arn:aws:rds:eu-west-1:1:db:orders"),
            ),
            (
                &[("instance_id", "123"), ("project_id", "p"), ("zone", "z")],
                Some("//compute.googleapis.com/projects/p/zones/z/instances/123"),
            ),
            (
                &[("namespace", "shop"), ("pod", "cart-1"), ("node", "n1"), ("cluster", "prod")],
                Some("k8s:prod/shop/pod/cart-1"),
            ),
            (&[("k8s.namespace.name", "shop"), ("k8s.pod.name", "cart-1")], Some("k8s:/shop/pod/cart-1")),
            (&[("node", "n1"), ("instance", "10.0.0.1:9100")], Some("k8s:/node/n1")),
            (&[("instance", "10.0.0.1:9100"), ("job", "node")], Some("host:10.0.0.1")),
            (&[("host.id", ""), ("service.name", "x")], None),
            (&[], None),
        ];
        for (pairs, key) in cases {
            assert_eq!(identify(pairs).as_ref().map(ResourceKey::as_str), key, "{pairs:?}");
        }
        let attributes = vec![("host.id".to_owned(), AttrValue::from("i-0abc12345678"))];
        assert_eq!(identify_attributes(&attributes).unwrap().as_str(), "i-0abc12345678");
    }
}
