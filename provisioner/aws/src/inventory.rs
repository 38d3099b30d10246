//! What an account has in a region: read, never changed. Kinds that Grid drives itself come with their fields; networks and clusters by their own
//! listings; everything else that carries a tag by its ARN. A service that refuses is named and counted, and the rest is kept.

use std::collections::{BTreeMap, BTreeSet};

use grid_model::Timestamp;
use grid_plan::inventory::{Failed, Inventory, Row};
use grid_plan::state::Observed;
use serde_json::{Value, json};

use crate::KINDS;
use crate::client::{Aws, Pages};
use crate::ec2;
use crate::failure::Failure;
use crate::limits::{LISTED_MAX, ROWS_MAX};
use crate::native::native;
use crate::seen::{Seen, fields};

impl Aws {
    /// Reads what is there.
    pub async fn inventory(&self, now: Timestamp) -> Inventory {
        let mut made = Making { region: self.settings.region.clone(), now, inventory: Inventory::default() };
        for kind in KINDS {
            let Some(driver) = native(kind) else { continue };
            made.take(kind, driver.family(), driver.list(self).await);
        }
        made.take("network", None, networks(self).await);
        made.take("nat", None, nats(self).await);
        made.take("firewall", None, firewalls(self).await);
        made.take("kubernetes_cluster", None, clusters(self).await);
        match tagged(self).await {
            Ok(all) => made.merge(all),
            Err(failure) => made.failed("tags", &failure),
        }
        made.name_the_untagged();
        made.inventory.rows.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        made.inventory
    }
}

struct Making {
    region: String,
    now: Timestamp,
    inventory: Inventory,
}

impl Making {
    fn take(&mut self, kind: &str, family: Option<&str>, listed: Result<Vec<Seen>, Failure>) {
        match listed {
            Ok(all) => all.into_iter().for_each(|seen| self.push(kind, family, seen)),
            Err(failure) => self.failed(kind, &failure),
        }
    }

    fn push(&mut self, kind: &str, family: Option<&str>, seen: Seen) {
        if self.inventory.rows.len() >= ROWS_MAX {
            self.inventory.left_out += 1;
            return;
        }
        let (full_name, name, tags) = (seen.arn.clone(), seen.name.clone(), seen.tags.clone());
        let Observed { id, fields, outputs, .. } = seen.observed(family);
        let (kind, region) = (kind.to_owned(), self.region.clone());
        self.inventory.rows.push(Row {
            kind,
            id,
            full_name,
            region,
            name,
            tags,
            fields,
            outputs,
            observed_at: self.now,
        });
    }

    fn failed(&mut self, what: &str, failure: &Failure) {
        self.inventory.failed.push(Failed { what: what.to_owned(), why: failure.error.to_string() });
    }

    /// What carries tags: rows that have no ARN yet get theirs, and what no listing gave is added.
    fn merge(&mut self, all: Vec<Seen>) {
        let known: BTreeSet<String> = self.inventory.rows.iter().map(|r| r.full_name.clone()).collect();
        let places: BTreeMap<String, usize> = self
            .inventory
            .rows
            .iter()
            .enumerate()
            .filter(|(_, r)| r.full_name.is_empty())
            .map(|(n, r)| (r.id.clone(), n))
            .collect();
        for seen in all.into_iter().filter(|seen| !known.contains(&seen.arn)) {
            match places.get(&seen.id) {
                Some(place) => self.inventory.rows[*place].full_name = seen.arn,
                None => {
                    let kind = kind_of(&seen.arn);
                    // A kind that was listed is whole: what only its tags remember is on its way out.
                    let is_listed =
                        KINDS.contains(&kind.as_str()) || ["network", "nat", "firewall"].contains(&kind.as_str());
                    let has_failed = self.inventory.failed.iter().any(|f| f.what == kind);
                    if !is_listed || has_failed {
                        self.push(&kind, None, seen);
                    }
                }
            }
        }
    }

    /// EC2 lists without ARNs, and what nobody tagged (an instance that a group launched) has none from its tags either. Its parts are
    /// known: the account is that of any ARN of this region. Networks and security groups are left, they may be shared by another account.
    fn name_the_untagged(&mut self) {
        let account = self.inventory.rows.iter().find_map(|row| {
            let parts: Vec<&str> = row.full_name.splitn(6, ':').collect();
            let is_here = parts.len() == 6 && parts[3] == self.region && !parts[4].is_empty();
            is_here.then(|| (parts[1].to_owned(), parts[4].to_owned()))
        });
        let Some((partition, account)) = account else { return };
        for row in self.inventory.rows.iter_mut().filter(|r| r.full_name.is_empty() && !r.id.is_empty()) {
            let of = match row.kind.as_str() {
                "vm" => "instance",
                "block_disk" => "volume",
                "nat" => "natgateway",
                "spot_pool" => "fleet",
                _ => continue,
            };
            row.full_name = format!("arn:{partition}:ec2:{}:{account}:{of}/{}", self.region, row.id);
        }
    }
}

/// Grid's kind of an ARN, else `service:type`.
fn kind_of(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let (service, rest) = (parts.nth(2).unwrap_or_default(), parts.nth(2).unwrap_or_default());
    let first = rest.split(['/', ':']).next().unwrap_or_default();
    let known = match (service, first) {
        ("s3", _) => "object_store",
        ("sqs", _) => "queue",
        ("sns", _) => "topic",
        ("dynamodb", "table") => "nosql",
        ("kafka", "cluster") => "kafka",
        ("ec2", "instance") => "vm",
        ("ec2", "volume") => "block_disk",
        ("ec2", "vpc") => "network",
        ("ec2", "natgateway") => "nat",
        ("ec2", "security-group") => "firewall",
        ("ec2", "fleet") => "spot_pool",
        ("autoscaling", "autoScalingGroup") => "autoscaling_group",
        ("eks", "cluster") => "kubernetes_cluster",
        ("eks", "nodegroup") => "node_pool",
        ("ecs", "service") => "container_service",
        ("lambda", "function") => "function",
        ("elasticache", "replicationgroup") => "redis",
        ("elasticfilesystem", "file-system") => "file_store",
        ("elasticloadbalancing", "loadbalancer") if rest.starts_with("loadbalancer/net/") => "l4_load_balancer",
        ("elasticloadbalancing", "loadbalancer") => "l7_load_balancer",
        ("cloudfront", "distribution") => "cdn",
        ("route53", "hostedzone") => "dns_zone",
        ("acm", "certificate") => "tls_certificate",
        ("wafv2", _) => "waf",
        ("ecr", "repository") => "registry",
        ("secretsmanager", "secret") => "secret",
        ("iam", "role") => "workload_identity",
        ("backup", "backup-plan") => "backup_plan",
        _ => return if first == rest { service.to_owned() } else { format!("{service}:{first}") },
    };
    known.to_owned()
}

async fn tagged(aws: &Aws) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("GetResources"));
    loop {
        let call = aws.tagging.get_resources().resources_per_page(100).set_pagination_token(pages.at());
        let page = aws.call("GetResources", call.send()).await?;
        for of in page.resource_tag_mapping_list() {
            let Some(arn) = of.resource_arn() else { continue };
            let tags: BTreeMap<String, String> =
                of.tags().iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect();
            let id = arn.rsplit(['/', ':']).next().unwrap_or_default().to_owned();
            let name = tags.get("Name").cloned().unwrap_or_default();
            all.push(Seen { id, arn: arn.to_owned(), name, tags, ..Seen::default() });
        }
        if all.len() > LISTED_MAX {
            return Err(Failure::refused("", format!("more than {LISTED_MAX} resources carry tags")));
        }
        if !pages.turn(page.pagination_token())? {
            return Ok(all);
        }
    }
}

async fn networks(aws: &Aws) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeVpcs"));
    loop {
        let page = aws.call("DescribeVpcs", aws.ec2.describe_vpcs().set_next_token(pages.at()).send()).await?;
        all.extend(page.vpcs().iter().map(|vpc| {
            let fields = fields(json!({"cidr": vpc.cidr_block()}));
            named(vpc.vpc_id(), ec2::tags(vpc.tags()), fields)
        }));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

async fn nats(aws: &Aws) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeNatGateways"));
    loop {
        let call = aws.ec2.describe_nat_gateways().set_next_token(pages.at());
        let page = aws.call("DescribeNatGateways", call.send()).await?;
        let there = page.nat_gateways().iter().filter(|n| n.state().is_none_or(|s| s.as_str() != "deleted"));
        all.extend(there.map(|nat| {
            let fields = fields(json!({"network": nat.vpc_id()}));
            named(nat.nat_gateway_id(), ec2::tags(nat.tags()), fields)
        }));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

async fn firewalls(aws: &Aws) -> Result<Vec<Seen>, Failure> {
    let (mut all, mut pages) = (Vec::new(), Pages::of("DescribeSecurityGroups"));
    loop {
        let call = aws.ec2.describe_security_groups().set_next_token(pages.at());
        let page = aws.call("DescribeSecurityGroups", call.send()).await?;
        all.extend(page.security_groups().iter().map(|group| {
            let fields = fields(json!({"network": group.vpc_id()}));
            let mut seen = named(group.group_id(), ec2::tags(group.tags()), fields);
            seen.name = group.group_name().unwrap_or_default().to_owned();
            seen
        }));
        if !pages.turn(page.next_token())? {
            return Ok(all);
        }
    }
}

async fn clusters(aws: &Aws) -> Result<Vec<Seen>, Failure> {
    let mut all = Vec::new();
    for name in crate::eks::clusters(aws).await? {
        let answer = aws.call("DescribeCluster", aws.eks.describe_cluster().name(&name).send()).await?;
        let Some(cluster) = answer.cluster() else { continue };
        let networks = cluster.resources_vpc_config();
        all.push(Seen {
            id: name.clone(),
            arn: cluster.arn().unwrap_or_default().to_owned(),
            name,
            tags: cluster.tags().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            fields: fields(json!({
                "version": cluster.version(),
                "network": networks.and_then(|n| n.vpc_id()),
            })),
            outputs: [("endpoint".to_owned(), json!(cluster.endpoint()))].into(),
            ..Seen::default()
        });
    }
    Ok(all)
}

fn named(id: Option<&str>, tags: BTreeMap<String, String>, fields: serde_json::Map<String, Value>) -> Seen {
    let name = tags.get("Name").cloned().unwrap_or_default();
    Seen { id: id.unwrap_or_default().to_owned(), name, tags, fields, ..Seen::default() }
}

#[cfg(test)]
mod tests {
    use grid_plan::Fields;

    use super::*;

    #[test]
    fn the_untagged_have_arns() {
        let row = |kind: &str, id: &str, arn: &str| Row {
            kind: kind.to_owned(),
            id: id.to_owned(),
            full_name: arn.to_owned(),
            region: "eu-central-1".to_owned(),
            name: String::new(),
            tags: BTreeMap::new(),
            fields: Fields::default(),
            outputs: BTreeMap::new(),
            observed_at: Timestamp(0),
        };
        let check = |others: &str, kind: &str, expected: &str| {
            let rows = vec![row("bucket", "b", "arn:aws:s3:::b"), row("x", "y", others), row(kind, "i-1", "")];
            let inventory = Inventory { rows, ..Inventory::default() };
            let mut made = Making { region: "eu-central-1".to_owned(), now: Timestamp(0), inventory };
            made.name_the_untagged();
            assert_eq!(made.inventory.rows[2].full_name, expected, "{kind} beside {others:?}");
        };
        let queue = "arn:aws-cn:sqs:eu-central-1:12:orders";
        check(queue, "vm", "arn:aws-cn:ec2:eu-central-1:12:instance/i-1");
        check(queue, "block_disk", "arn:aws-cn:ec2:eu-central-1:12:volume/i-1");
        check(queue, "network", "");
        check("arn:aws:sqs:us-east-1:12:orders", "vm", "");
        check("", "vm", "");
    }

    #[test]
    fn arns_tell_kinds() {
        for (arn, kind) in [
            ("arn:aws:s3:::bucket", "object_store"),
            ("arn:aws:sqs:eu-central-1:1:orders", "queue"),
            ("arn:aws:ec2:eu-central-1:1:instance/i-1", "vm"),
            ("arn:aws:ec2:eu-central-1:1:snapshot/snap-1", "ec2:snapshot"),
            ("arn:aws:elasticloadbalancing:r:1:loadbalancer/net/a/b", "l4_load_balancer"),
            ("arn:aws:elasticloadbalancing:r:1:loadbalancer/app/a/b", "l7_load_balancer"),
            ("arn:aws:secretsmanager:r:1:secret:name-abc", "secret"),
            ("arn:aws:states:r:1:stateMachine:x", "states:stateMachine"),
            ("arn:aws:new-service:r:1:thing", "new-service"),
            ("no arn", ""),
        ] {
            assert_eq!(kind_of(arn), kind, "{arn}");
        }
    }
}
