//! What each cloud charges for a day: machines by the hour, storage by the month, traffic by the gigabyte. List prices of
//! 2026 in 10^-9 of the bill's currency, rounded.

use grid_model::Amount;

use super::charge::{Charge, Commitment, Item, Kind, product};
use crate::demo::company::{
    AWS_BATCH, AWS_PAYER, AWS_SHOP, AZURE_SUBSCRIPTION, Cloud, Database, GCP_PROJECT, Node, Pool, Service, WAREHOUSE,
    machine_type,
};
use crate::demo::rng::{key, mix};
use crate::demo::timeline::DAY;
use crate::demo::world::{APP_BYTES_PER_REQUEST, ML_BYTES_PER_REQUEST, World};

/// One unit in millionths.
const ONE: i64 = 1_000_000;
/// A day's hours in millionths.
const DAY_HOURS: i64 = 24 * ONE;
/// The usage type of what somebody copies for some days.
pub(crate) const BETWEEN_REGIONS: &str = "USE1-EUW1-AWS-Out-Bytes";
/// Price per hour of an m5.xlarge under the savings plan.
const PLAN_RATE: i64 = 121_000_000;
/// Price per hour of an n2-standard-8 under the flexible commitment (28% off).
const FLEX_RATE: i64 = 279_699_840;

macro_rules! items {
    ($($name:ident = $code:literal $service:literal $family:literal, $category:literal / $sub:literal, $operation:literal per $unit:literal, $kind:literal;)+) => {
        $(static $name: Item = Item {
            code: $code, service: $service, family: $family, category: ($category, $sub),
            operation: $operation, unit: $unit, resource_type: $kind,
        };)+
    };
}

#[rustfmt::skip]
items! {
    EC2 = "AmazonEC2" "Amazon Elastic Compute Cloud" "Compute Instance", "Compute" / "Virtual Machines", "RunInstances" per "Hrs", "Instance";
    EBS = "AmazonEC2" "Amazon Elastic Compute Cloud" "Storage", "Storage" / "Block Storage", "CreateVolume-Gp3" per "GB-Mo", "Volume";
    NAT = "AmazonEC2" "Amazon Elastic Compute Cloud" "NAT Gateway", "Networking" / "Network Infrastructure", "NatGateway" per "Hrs", "NAT Gateway";
    PLAN = "ComputeSavingsPlans" "Savings Plans for AWS Compute usage" "EC2InstanceSavingsPlans", "Compute" / "Virtual Machines", "" per "Hrs", "Savings Plan";
    EKS = "AmazonEKS" "Amazon Elastic Kubernetes Service" "Compute", "Compute" / "Containers", "CreateOperation" per "Hours", "Cluster";
    RDS = "AmazonRDS" "Amazon Relational Database Service" "Database Instance", "Databases" / "Relational Databases", "CreateDBInstance:0014" per "Hrs", "DB Instance";
    RDS_DISK = "AmazonRDS" "Amazon Relational Database Service" "Database Storage", "Storage" / "Block Storage", "CreateDBInstance:0014" per "GB-Mo", "DB Instance";
    REDIS = "AmazonElastiCache" "Amazon ElastiCache" "Cache Instance", "Databases" / "Caching", "CreateCacheCluster:0002" per "Hrs", "Cache Cluster";
    SQS = "AWSQueueService" "Amazon Simple Queue Service" "API Request", "Integration" / "Messaging", "SendMessage" per "Requests", "Queue";
    ALB = "AWSELB" "Elastic Load Balancing" "Load Balancer-Application", "Networking" / "Application Networking", "LoadBalancing:Application" per "Hrs", "Load Balancer";
    LCU = "AWSELB" "Elastic Load Balancing" "Load Balancer-Application", "Networking" / "Application Networking", "LoadBalancing:Application" per "LCU-Hrs", "Load Balancer";
    ADDRESS = "AmazonVPC" "Amazon Virtual Private Cloud" "VpcPublicIPv4Address", "Networking" / "Network Infrastructure", "" per "Hrs", "Elastic IP";
    S3 = "AmazonS3" "Amazon Simple Storage Service" "Storage", "Storage" / "Object Storage", "StandardStorage" per "GB-Mo", "Bucket";
    EGRESS = "AWSDataTransfer" "AWS Data Transfer" "Data Transfer", "Networking" / "Network Connectivity", "RunInstances" per "GB", "";
    GCE = "6F81-5844-456A" "Compute Engine" "N2 Instance", "Compute" / "Virtual Machines", "" per "Hours", "compute.googleapis.com/Instance";
    GCE_DISK = "6F81-5844-456A" "Compute Engine" "Balanced PD Capacity", "Storage" / "Block Storage", "" per "GB-Months", "compute.googleapis.com/Disk";
    GCE_EGRESS = "6F81-5844-456A" "Compute Engine" "Network Internet Egress", "Networking" / "Network Connectivity", "" per "GB", "";
    FLEX = "6F81-5844-456A" "Compute Engine" "Flexible committed use", "Compute" / "Virtual Machines", "" per "Hours", "";
    GKE = "CCD8-9BF1-090E" "Kubernetes Engine" "Regional Kubernetes Clusters", "Compute" / "Containers", "" per "Hours", "container.googleapis.com/Cluster";
    CLOUD_SQL = "9662-B51E-5089" "Cloud SQL" "PostgreSQL Zonal", "Databases" / "Relational Databases", "" per "Hours", "sqladmin.googleapis.com/Instance";
    CLOUD_SQL_DISK = "9662-B51E-5089" "Cloud SQL" "PostgreSQL Zonal Storage", "Storage" / "Block Storage", "" per "GB-Months", "sqladmin.googleapis.com/Instance";
    AZURE_VM = "DZH318Z0BQ4L" "Virtual Machines" "Dsv5 Series", "Compute" / "Virtual Machines", "" per "Hours", "microsoft.compute/virtualmachines";
    AZURE_SQL = "DZH318Z0BQPS" "SQL Database" "General Purpose - Compute Gen5", "Databases" / "Relational Databases", "" per "Hours", "microsoft.sql/servers/databases";
    AZURE_SQL_DISK = "DZH318Z0BQPS" "SQL Database" "General Purpose - Storage", "Storage" / "Block Storage", "" per "GB-Months", "microsoft.sql/servers/databases";
    BLOB = "DZH318Z0BP04" "Storage" "Hot LRS Data Stored", "Storage" / "Object Storage", "" per "GB-Months", "microsoft.storage/storageaccounts";
    AZURE_EGRESS = "DZH318Z0BP3K" "Bandwidth" "Standard Data Transfer Out", "Networking" / "Network Connectivity", "" per "GB", "";
}

/// The charges of one cloud on one day.
pub(crate) fn of_day(world: &World, cloud: Cloud, day: i64, days_in_month: i64) -> Vec<Charge> {
    let today = Today { world, day, days_in_month };
    match cloud {
        Cloud::Aws => today.aws(),
        Cloud::Azure => today.azure(),
        Cloud::Gcp => today.gcp(),
    }
}

struct Today<'a> {
    world: &'a World,
    day: i64,
    days_in_month: i64,
}

impl Today<'_> {
    /// A day's part of a gigabyte-month, in millionths.
    fn gib_months(&self, gib: i64) -> i64 {
        gib * ONE / self.days_in_month
    }

    /// Hours that a node runs on this day, in millionths.
    fn hours(&self, node: &Node) -> i64 {
        if node.from == 0 { DAY_HOURS } else { self.world.timeline.minutes_of_day_from(self.day, node.from) * ONE / 60 }
    }

    /// How many seconds of the busiest minute's load the day is worth.
    fn busy_seconds(&self) -> f64 {
        let first = self.day * DAY as i64;
        60.0 * (0..DAY as i64).map(|m| self.world.rhythm.at(first + m)).sum::<f64>()
    }

    /// Gigabytes that flow at `bytes_per_second` when the shop is busiest, in millionths.
    fn gigabytes(&self, bytes_per_second: f64) -> i64 {
        (self.busy_seconds() * bytes_per_second / 1000.0).round() as i64
    }

    fn aws(&self) -> Vec<Charge> {
        let company = &self.world.company;
        let mut all = Vec::new();
        let plan = Commitment { id: company.savings_plan_id.clone(), rate: PLAN_RATE };
        let mut used = Amount::ZERO;
        for node in company.nodes.iter().filter(|n| n.pool.cloud() == Cloud::Aws) {
            let (account, price) = (node.pool.account(), machine_type(node.machine).price_nanos);
            let named = (node.resource_id.as_str(), node.name.as_str());
            let box_usage = format!("BoxUsage:{}", node.machine);
            let (team, service) = (node.pool.team(), service_tag(node.pool));
            let mut machine = Charge::usage(self.day, account, &EC2, box_usage, named, (DAY_HOURS, price))
                .tagged(team, service)
                .zoned(&node.zone);
            if node.pool == Pool::App {
                machine.kind = Kind::Covered(plan.clone());
                machine.effective = product(DAY_HOURS, PLAN_RATE);
                used = Amount(used.0 + machine.effective.0);
                let mut negation = machine.clone();
                negation.kind = Kind::Negation(plan.clone());
                negation.resource_id = String::new();
                negation.billed = Amount(-machine.billed.0);
                negation.effective = Amount::ZERO;
                all.push(negation);
            }
            all.push(machine);
            let gib = match node.pool {
                Pool::Search => 800,
                Pool::Batch => 200,
                _ => 100,
            };
            let volume = format!("vol-0{:016x}", mix(key(self.world.seed, &node.resource_id, 0)));
            let sold = (self.gib_months(gib), 80_000_000);
            let disk = Charge::usage(self.day, account, &EBS, "EBS:VolumeUsage.gp3", (&volume, &node.name), sold);
            all.push(disk.tagged(team, service).zoned(&node.zone));
        }
        let hourly = PLAN_RATE * self.world.events.plan_nodes as i64;
        let id = (company.savings_plan_id.as_str(), "");
        let mut fee = Charge::usage(self.day, AWS_PAYER, &PLAN, "EC2SP:m5.1yrNoUpfront", id, (DAY_HOURS, hourly))
            .tagged("platform", "");
        fee.effective = Amount(fee.billed.0 - used.0);
        fee.kind = Kind::Fee(plan, used);
        all.push(fee);
        if let Some(copy) = &self.world.events.copy {
            let times = if copy.days.contains(&self.day) { copy.factor } else { 1 };
            // 120 GB a day between regions, a little more or less.
            let gb = (120 + (self.day % 7) * 2) * ONE * times;
            let copied = Charge::usage(self.day, AWS_BATCH, &EGRESS, BETWEEN_REGIONS, ("", ""), (gb, 20_000_000));
            all.push(copied.tagged("data", "nightly-render"));
        }
        all.extend(self.aws_services());
        all
    }

    fn aws_services(&self) -> Vec<Charge> {
        let company = &self.world.company;
        let (day, shop) = (self.day, AWS_SHOP);
        let mut all = Vec::new();
        let classes = [
            ("InstanceUsage:db.r6g.xl", 450_000_000),
            ("InstanceUsage:db.t3.large", 145_000_000),
            ("InstanceUsage:db.t3.large", 145_000_000),
        ];
        let owners = [("payments", "payments"), ("shop", "inventory"), ("shop", "catalog")];
        let databases = company.databases.iter().filter(|d| d.cloud == Cloud::Aws);
        for ((db, (class, price)), (team, service)) in databases.zip(classes).zip(owners) {
            let named = (db.resource_id.as_str(), db.name);
            all.push(Charge::usage(day, shop, &RDS, class, named, (DAY_HOURS, price)).tagged(team, service));
            let stored = (self.gib_months(db.storage_gib), 115_000_000);
            all.push(Charge::usage(day, shop, &RDS_DISK, "RDS:GP3-Storage", named, stored).tagged(team, service));
        }
        let hours = |price: i64| (DAY_HOURS, price);
        let cluster = format!("arn:aws:eks:us-east-1:{AWS_SHOP}:cluster/shop-prod");
        let gateway =
            format!("arn:aws:ec2:us-east-1:{AWS_SHOP}:natgateway/nat-0{:016x}", mix(key(self.world.seed, "nat", 0)));
        let balancer = (company.balancer_id.as_str(), "shop");
        let staging = format!("arn:aws:eks:us-east-1:{AWS_SHOP}:cluster/staging");
        let left = |what: &str| {
            let of = if what.starts_with("load") { "elasticloadbalancing" } else { "ec2" };
            format!("arn:aws:{of}:us-east-1:{AWS_SHOP}:{what}-0{:016x}", mix(key(self.world.seed, what, 0)))
        };
        // Each message is sent, received and deleted.
        let requests = (3.0 * self.busy_seconds() * Service::Email.profile().peak_per_second).round() as i64 * ONE;
        let sent = self.gigabytes(Service::Frontend.profile().peak_per_second * APP_BYTES_PER_REQUEST);
        all.extend([
            Charge::usage(
                day,
                shop,
                &REDIS,
                "NodeUsage:cache.r6g.large",
                (&company.cache_id, "cart-cache"),
                hours(206_000_000),
            )
            .tagged("shop", "cart"),
            Charge::usage(day, shop, &SQS, "Requests-Tier1", (&company.queue_id, "order-events"), (requests, 400))
                .tagged("crm", "email"),
            Charge::usage(day, shop, &ALB, "LoadBalancerUsage", balancer, hours(22_500_000)).tagged("web", "frontend"),
            Charge::usage(day, shop, &EKS, "AmazonEKS-Hours:perCluster", (&cluster, "shop-prod"), hours(100_000_000))
                .tagged("platform", ""),
            // What was left behind: a balancer without requests, an address that points nowhere, a cluster without nodes.
            Charge::usage(
                day,
                shop,
                &ALB,
                "LoadBalancerUsage",
                (&left("loadbalancer/app/campaign"), ""),
                hours(22_500_000),
            ),
            Charge::usage(day, shop, &LCU, "LCUUsage", (&left("loadbalancer/app/campaign"), ""), (0, 8_000_000)),
            Charge::usage(
                day,
                shop,
                &ADDRESS,
                "PublicIPv4:IdleAddress",
                (&left("elastic-ip/eipalloc"), ""),
                hours(5_000_000),
            ),
            Charge::usage(day, shop, &EKS, "AmazonEKS-Hours:perCluster", (&staging, "staging"), hours(100_000_000)),
            // Nobody tagged the network.
            Charge::usage(day, shop, &NAT, "NatGateway-Hours", (&gateway, ""), hours(45_000_000)),
            Charge::usage(day, shop, &EGRESS, "DataTransfer-Out-Bytes", ("", ""), (sent, 90_000_000)).restatable(),
            Charge::usage(
                day,
                shop,
                &S3,
                "TimedStorage-ByteHrs",
                ("nimbus-media", "nimbus-media"),
                (self.gib_months(2400), 23_000_000),
            )
            .tagged("web", "frontend"),
        ]);
        all
    }

    fn gcp(&self) -> Vec<Charge> {
        let company = &self.world.company;
        let day = self.day;
        let flex = Commitment { id: company.gcp_commitment_id.clone(), rate: FLEX_RATE };
        let mut all = Vec::new();
        let mut covered = 0;
        let mut machine_hours = 0;
        for node in company.pool(Pool::Ml) {
            let hours = self.hours(node);
            if hours == 0 {
                continue;
            }
            machine_hours += hours;
            let named = (node.resource_id.as_str(), node.name.as_str());
            let price = machine_type(node.machine).price_nanos;
            let mut machine = Charge::usage(day, GCP_PROJECT, &GCE, "N2-STANDARD-8", named, (hours, price))
                .tagged("discovery", "recommendations")
                .zoned(&node.zone);
            // The commitment was sized for the machines of version 1.
            if node.from == 0 {
                machine.kind = Kind::Covered(flex.clone());
                machine.billed = Amount::ZERO;
                machine.effective = product(hours, FLEX_RATE);
                covered += hours;
            }
            all.push(machine);
            let stored = (100 * hours / (24 * self.days_in_month), 100_000_000);
            let disk = format!("{}/disk", node.resource_id.replace("/instances/", "/disks/"));
            let disk = Charge::usage(day, GCP_PROJECT, &GCE_DISK, "PD-BALANCED", (&disk, &node.name), stored);
            all.push(disk.tagged("discovery", "recommendations").zoned(&node.zone));
        }
        let fee = (DAY_HOURS, FLEX_RATE * (covered / DAY_HOURS));
        let mut purchase = Charge::usage(day, GCP_PROJECT, &FLEX, "FLEX-CUD-1YR", (&flex.id, ""), fee);
        purchase.effective = Amount::ZERO;
        purchase.kind = Kind::Fee(flex, purchase.billed);
        all.push(purchase);
        // Each machine sends the same, so traffic grows with the machines.
        let sent =
            i128::from(self.gigabytes(18.0 * ML_BYTES_PER_REQUEST)) * i128::from(machine_hours) / i128::from(DAY_HOURS);
        let cluster =
            format!("//container.googleapis.com/projects/{GCP_PROJECT}/locations/us-central1/clusters/ml-prod");
        let db: Vec<&Database> = company.databases.iter().filter(|d| d.cloud == Cloud::Gcp).collect();
        for db in db {
            let named = (db.resource_id.as_str(), db.name);
            let stored = (self.gib_months(db.storage_gib), 170_000_000);
            all.extend([
                Charge::usage(day, GCP_PROJECT, &CLOUD_SQL, "DB-CUSTOM-4-16384", named, (DAY_HOURS, 264_800_000))
                    .tagged("discovery", "recommendations"),
                Charge::usage(day, GCP_PROJECT, &CLOUD_SQL_DISK, "DB-PD-SSD", named, stored)
                    .tagged("discovery", "recommendations"),
            ]);
        }
        // A disk that outlived its machine.
        let scratch = format!("//compute.googleapis.com/projects/{GCP_PROJECT}/zones/us-central1-b/disks/ml-scratch-1");
        let named = (scratch.as_str(), "ml-scratch-1");
        all.push(Charge::usage(day, GCP_PROJECT, &GCE_DISK, "PD-BALANCED", named, (self.gib_months(400), 100_000_000)));
        all.extend([
            Charge::usage(day, GCP_PROJECT, &GKE, "GKE-CLUSTER", (&cluster, "ml-prod"), (DAY_HOURS, 100_000_000))
                .tagged("platform", ""),
            Charge::usage(day, GCP_PROJECT, &GCE_EGRESS, "EGRESS-INTERNET", ("", ""), (sent as i64, 85_000_000))
                .tagged("discovery", "recommendations")
                .restatable(),
        ]);
        all
    }

    fn azure(&self) -> Vec<Charge> {
        let company = &self.world.company;
        let (day, account) = (self.day, AZURE_SUBSCRIPTION);
        let mut all = Vec::new();
        for node in company.pool(Pool::Analytics) {
            let named = (node.resource_id.as_str(), node.name.as_str());
            let sold = (DAY_HOURS, machine_type(node.machine).price_nanos);
            let machine = Charge::usage(day, account, &AZURE_VM, "D8s v5", named, sold);
            all.push(machine.tagged("data", "reports").zoned(&node.zone));
        }
        let db = &company.databases[WAREHOUSE];
        let named = (db.resource_id.as_str(), db.name);
        let group = format!("/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/analytics-prod");
        let blobs = format!("{group}/providers/Microsoft.Storage/storageAccounts/nimbusreports");
        let stored = (self.gib_months(db.storage_gib), 115_000_000);
        // Two machines send 2.4 MB/s for the four hours of the nightly reports.
        let sent = 2 * 4 * 3600 * 2_400;
        all.extend([
            Charge::usage(day, account, &AZURE_SQL, "GP_Gen5_4", named, (DAY_HOURS, 931_200_000))
                .tagged("data", "reports")
                .restatable(),
            Charge::usage(day, account, &AZURE_SQL_DISK, "GP_Storage", named, stored).tagged("data", "reports"),
            Charge::usage(
                day,
                account,
                &BLOB,
                "Hot LRS",
                (&blobs, "nimbusreports"),
                (self.gib_months(5200), 18_400_000),
            ),
            Charge::usage(day, account, &AZURE_EGRESS, "Inter-Region", ("", ""), (sent, 18_400_000)),
        ]);
        all
    }
}

/// Whom the tag `service` of a pool's machines names.
fn service_tag(pool: Pool) -> &'static str {
    match pool {
        Pool::App => "shop",
        Pool::Search => "search",
        Pool::Batch => "nightly-render",
        Pool::Ml => "recommendations",
        Pool::Analytics => "reports",
    }
}
