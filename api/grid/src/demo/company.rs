//! Nimbus Bikes: services, machines, pods, databases. Every resource has the id under which its cloud bills it; telemetry
//! carries the same id, so that the two join.

use super::events::{Events, ROLLOUT_COST_FACTOR};
use super::rng::Rng;

/// The AWS account that pays.
pub(crate) const AWS_PAYER: &str = "100200300400";
/// The AWS account of the shop.
pub(crate) const AWS_SHOP: &str = "111122223333";
/// The AWS account of the batch fleet.
pub(crate) const AWS_BATCH: &str = "444455556666";
/// The Google Cloud project.
pub(crate) const GCP_PROJECT: &str = "nimbus-ml";
/// The Google Cloud billing account.
pub(crate) const GCP_BILLING: &str = "01A2B3-C4D5E6-F70819";
/// The Azure subscription.
pub(crate) const AZURE_SUBSCRIPTION: &str = "6f1d2c3b-4a59-4e68-9f70-8192a3b4c5d6";
/// The Azure billing account.
pub(crate) const AZURE_BILLING: &str = "8611537";

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    Aws,
    Azure,
    Gcp,
}

impl Cloud {
    pub(crate) const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// The word of OpenTelemetry's `cloud.provider`.
    pub(crate) fn word(self) -> &'static str {
        ["aws", "azure", "gcp"][self as usize]
    }

    pub(crate) fn region(self) -> &'static str {
        ["us-east-1", "westeurope", "us-central1"][self as usize]
    }

    /// The Kubernetes cluster there.
    pub(crate) fn cluster(self) -> &'static str {
        ["shop-prod", "analytics", "ml-prod"][self as usize]
    }
}

/// A service of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Frontend,
    Checkout,
    Cart,
    Payments,
    Search,
    Recommendations,
    Email,
    Inventory,
}

/// What a service is like on a good day.
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    pub(crate) team: &'static str,
    pub(crate) route: &'static str,
    pub(crate) method: &'static str,
    pub(crate) versions: [&'static str; 2],
    pub(crate) pool: Pool,
    pub(crate) replicas: usize,
    /// Requests per second at the busiest minute of the week.
    pub(crate) peak_per_second: f64,
    pub(crate) median_ms: f64,
    /// Share of requests answered 5xx.
    pub(crate) error_ratio: f64,
    /// Share of requests answered 4xx.
    pub(crate) refused_ratio: f64,
    /// CPU seconds per request.
    pub(crate) cpu_per_request: f64,
    /// Cores that a pod takes without any request.
    pub(crate) cpu_idle: f64,
    pub(crate) cpu_request: f64,
    pub(crate) memory_mib: f64,
    pub(crate) memory_request_mib: f64,
    pub(crate) memory_limit_mib: f64,
}

macro_rules! profile {
    ($name:literal, $team:literal, $method:literal $route:literal, [$v1:literal, $v2:literal], $pool:ident x $replicas:literal,
     rate $rate:literal ms $ms:literal err $err:literal refused $refused:literal,
     cpu $cpu:literal idle $idle:literal of $cpu_request:literal, memory $mem:literal of $request:literal max $limit:literal) => {
        Profile {
            name: $name,
            team: $team,
            route: $route,
            method: $method,
            versions: [$v1, $v2],
            pool: Pool::$pool,
            replicas: $replicas,
            peak_per_second: $rate,
            median_ms: $ms,
            error_ratio: $err,
            refused_ratio: $refused,
            cpu_per_request: $cpu,
            cpu_idle: $idle,
            cpu_request: $cpu_request,
            memory_mib: $mem,
            memory_request_mib: $request,
            memory_limit_mib: $limit,
        }
    };
}

#[rustfmt::skip]
static PROFILES: [Profile; 8] = [
    profile!("frontend", "web", "GET" "/", ["3.12.0", "3.13.0"], App x 3,
        rate 120.0 ms 60.0 err 0.0012 refused 0.02, cpu 0.04 idle 0.05 of 1.0, memory 190.0 of 256.0 max 512.0),
    profile!("checkout", "shop", "POST" "/checkout", ["2.4.1", "2.4.2"], App x 2,
        rate 6.0 ms 140.0 err 0.0015 refused 0.012, cpu 0.03 idle 0.03 of 1.0, memory 240.0 of 512.0 max 1024.0),
    profile!("cart", "shop", "POST" "/cart", ["1.7.4", "1.8.0"], App x 2,
        rate 26.0 ms 12.0 err 0.0006 refused 0.008, cpu 0.012 idle 0.03 of 0.25, memory 330.0 of 384.0 max 1024.0),
    profile!("payments", "payments", "POST" "/payments", ["5.1.0", "5.1.1"], App x 2,
        rate 5.5 ms 85.0 err 0.002 refused 0.02, cpu 0.045 idle 0.04 of 0.5, memory 300.0 of 512.0 max 768.0),
    profile!("search", "discovery", "GET" "/search", ["4.0.2", "4.0.3"], Search x 3,
        rate 40.0 ms 45.0 err 0.0008 refused 0.004, cpu 0.06 idle 1.45 of 8.0, memory 18400.0 of 65536.0 max 98304.0),
    profile!("recommendations", "discovery", "GET" "/recommendations", ["1.9.3", "2.0.0"], Ml x 2,
        rate 36.0 ms 38.0 err 0.001 refused 0.002, cpu 0.12 idle 0.3 of 3.0, memory 9200.0 of 12288.0 max 16384.0),
    profile!("email", "crm", "POST" "/send", ["0.9.2", "1.0.0"], App x 1,
        rate 5.0 ms 110.0 err 0.004 refused 0.0, cpu 0.008 idle 0.01 of 0.1, memory 96.0 of 128.0 max 384.0),
    profile!("inventory", "shop", "GET" "/stock/{sku}", ["2.0.7", "2.0.8"], App x 2,
        rate 15.0 ms 18.0 err 0.0007 refused 0.006, cpu 0.015 idle 0.02 of 0.25, memory 210.0 of 256.0 max 512.0),
];

impl Service {
    pub(crate) const ALL: [Self; 8] = [
        Self::Frontend,
        Self::Checkout,
        Self::Cart,
        Self::Payments,
        Self::Search,
        Self::Recommendations,
        Self::Email,
        Self::Inventory,
    ];

    pub(crate) fn profile(self) -> &'static Profile {
        &PROFILES[self as usize]
    }

    pub(crate) fn name(self) -> &'static str {
        self.profile().name
    }
}

/// Machines that do one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pool {
    /// The shop's pods, under a savings plan.
    App,
    /// The search index, on machines far too large.
    Search,
    /// A fleet for jobs that no longer come.
    Batch,
    /// Recommendations, on Google Cloud.
    Ml,
    /// Nightly reports, on Azure.
    Analytics,
}

impl Pool {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Search => "search",
            Self::Batch => "batch",
            Self::Ml => "ml",
            Self::Analytics => "analytics",
        }
    }

    pub(crate) fn team(self) -> &'static str {
        match self {
            Self::App => "platform",
            Self::Search | Self::Ml => "discovery",
            Self::Batch | Self::Analytics => "data",
        }
    }

    pub(crate) fn cloud(self) -> Cloud {
        match self {
            Self::App | Self::Search | Self::Batch => Cloud::Aws,
            Self::Ml => Cloud::Gcp,
            Self::Analytics => Cloud::Azure,
        }
    }

    /// The account, project or subscription.
    pub(crate) fn account(self) -> &'static str {
        match self {
            Self::App | Self::Search => AWS_SHOP,
            Self::Batch => AWS_BATCH,
            Self::Ml => GCP_PROJECT,
            Self::Analytics => AZURE_SUBSCRIPTION,
        }
    }
}

/// A size of machine: cores, memory, price per hour in 10^-9 of the bill's currency. Prices are list prices of 2026, rounded.
pub(crate) struct MachineType {
    pub(crate) name: &'static str,
    pub(crate) cores: u32,
    pub(crate) memory_gib: u32,
    pub(crate) price_nanos: i64,
}

pub(crate) const MACHINE_TYPES: [MachineType; 7] = [
    MachineType { name: "m5.xlarge", cores: 4, memory_gib: 16, price_nanos: 192_000_000 },
    MachineType { name: "r6i.4xlarge", cores: 16, memory_gib: 128, price_nanos: 1_008_000_000 },
    MachineType { name: "r5.4xlarge", cores: 16, memory_gib: 128, price_nanos: 1_008_000_000 },
    MachineType { name: "m6i.8xlarge", cores: 32, memory_gib: 128, price_nanos: 1_536_000_000 },
    MachineType { name: "c6i.4xlarge", cores: 16, memory_gib: 32, price_nanos: 680_000_000 },
    MachineType { name: "n2-standard-8", cores: 8, memory_gib: 32, price_nanos: 388_472_000 },
    MachineType { name: "Standard_D8s_v5", cores: 8, memory_gib: 32, price_nanos: 423_200_000 },
];

pub(crate) fn machine_type(name: &str) -> &'static MachineType {
    MACHINE_TYPES.iter().find(|t| t.name == name).expect("every machine of the demo has a listed type")
}

/// A machine.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) resource_id: String,
    pub(crate) pool: Pool,
    pub(crate) zone: String,
    pub(crate) machine: &'static str,
    /// First step at which it runs; it runs until the end.
    pub(crate) from: usize,
}

/// A pod of one version of a service.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) service: Service,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) version: &'static str,
    /// Index of its node.
    pub(crate) node: usize,
    /// Steps at which it runs.
    pub(crate) alive: std::ops::Range<usize>,
    /// Its number among the pods of the same version.
    pub(crate) ordinal: usize,
}

/// A managed database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: &'static str,
    pub(crate) resource_id: String,
    pub(crate) cloud: Cloud,
    pub(crate) engine: &'static str,
    pub(crate) max_connections: f64,
    /// Connections on a quiet and on a busy minute.
    pub(crate) connections: (f64, f64),
    /// CPU share on a quiet and on a busy minute.
    pub(crate) cpu: (f64, f64),
    pub(crate) storage_gib: i64,
    /// Free at the start, and gone per step, in bytes.
    pub(crate) storage_free: (f64, f64),
    /// Free memory on a quiet minute, and how much less of it is free on a busy one, in bytes.
    pub(crate) memory_free: (f64, f64),
}

/// Everything that the company runs.
#[derive(Debug, Clone)]
pub(crate) struct Company {
    pub(crate) nodes: Vec<Node>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) databases: Vec<Database>,
    pub(crate) cache_id: String,
    pub(crate) queue_id: String,
    pub(crate) balancer_id: String,
    pub(crate) savings_plan_id: String,
    pub(crate) gcp_commitment_id: String,
}

/// Index of the database of payments and checkout.
pub(crate) const ORDERS_DB: usize = 0;
/// Index of the database of the inventory.
pub(crate) const INVENTORY_DB: usize = 1;
/// Index of the reports' database on Azure.
pub(crate) const WAREHOUSE: usize = 2;

impl Company {
    pub(crate) fn found(seed: u64, steps: usize, events: &Events) -> Self {
        let nodes = nodes(seed, events);
        let pods = pods(seed, steps, events, &nodes);
        let mut rng = Rng::new(seed, "things", 0);
        Self {
            nodes,
            pods,
            databases: databases(),
            cache_id: format!("arn:aws:elasticache:us-east-1:{AWS_SHOP}:cluster:cart-cache-001"),
            queue_id: format!("arn:aws:sqs:us-east-1:{AWS_SHOP}:order-events"),
            balancer_id: format!(
                "arn:aws:elasticloadbalancing:us-east-1:{AWS_SHOP}:loadbalancer/app/shop/{}",
                rng.hex(16)
            ),
            savings_plan_id: format!("arn:aws:savingsplans::{AWS_PAYER}:savingsplan/{}", rng.uuid()),
            gcp_commitment_id: format!("projects/{GCP_PROJECT}/regions/us-central1/commitments/flex-{}", rng.hex(6)),
        }
    }

    /// The nodes of a pool.
    pub(crate) fn pool(&self, pool: Pool) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |n| n.pool == pool)
    }

    /// Indices of the pods of a service that run at a step.
    pub(crate) fn running(&self, service: Service, step: usize) -> impl Iterator<Item = usize> {
        let pods = self.pods.iter().enumerate();
        pods.filter(move |(_, p)| p.service == service && p.alive.contains(&step)).map(|(i, _)| i)
    }
}

fn nodes(seed: u64, events: &Events) -> Vec<Node> {
    let mut rng = Rng::new(seed, "nodes", 0);
    let mut nodes = Vec::new();
    let mut aws = |rng: &mut Rng, pool: Pool, machine: &'static str, count: usize| {
        for n in 0..count {
            nodes.push(Node {
                name: format!("ip-10-0-{}-{}.ec2.internal", 16 * (n % 3), rng.between(10, 250)),
                resource_id: format!("i-0{}", rng.hex(16)),
                pool,
                zone: format!("us-east-1{}", ["a", "b", "c"][n % 3]),
                machine,
                from: 0,
            });
        }
    };
    aws(&mut rng, Pool::App, "m5.xlarge", 3);
    aws(&mut rng, Pool::Search, events.search_type, 3);
    aws(&mut rng, Pool::Batch, "c6i.4xlarge", events.batch_nodes);
    let ml = Service::Recommendations.profile().replicas;
    let pool_hash = rng.hex(8);
    for n in 0..ml * ROLLOUT_COST_FACTOR {
        let name = format!("gke-ml-prod-pool-1-{pool_hash}-{}", rng.suffix(4));
        nodes.push(Node {
            resource_id: format!(
                "//compute.googleapis.com/projects/{GCP_PROJECT}/zones/us-central1-b/instances/{name}"
            ),
            name,
            pool: Pool::Ml,
            zone: "us-central1-b".to_owned(),
            machine: "n2-standard-8",
            from: if n < ml { 0 } else { events.rollout.at },
        });
    }
    for n in 1..=2 {
        let group = format!("/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/analytics-prod");
        nodes.push(Node {
            name: format!("etl-{n}"),
            resource_id: format!("{group}/providers/Microsoft.Compute/virtualMachines/etl-{n}"),
            pool: Pool::Analytics,
            zone: format!("westeurope-{n}"),
            machine: "Standard_D8s_v5",
            from: 0,
        });
    }
    nodes
}

fn pods(seed: u64, steps: usize, events: &Events, nodes: &[Node]) -> Vec<Pod> {
    let mut rng = Rng::new(seed, "pods", 0);
    let mut pods = Vec::new();
    for service in Service::ALL {
        let profile = service.profile();
        let homes: Vec<usize> = (0..nodes.len()).filter(|&n| nodes[n].pool == profile.pool).collect();
        let mut generation = |version: usize, alive: std::ops::Range<usize>, replicas: usize| {
            let hash = rng.suffix(9);
            for ordinal in 0..replicas {
                pods.push(Pod {
                    service,
                    name: format!("{}-{hash}-{}", profile.name, rng.suffix(5)),
                    uid: rng.uuid(),
                    version: profile.versions[version],
                    // Start each service on another node, so that small ones do not all share the first.
                    node: homes[(ordinal + service as usize) % homes.len()],
                    alive: alive.clone(),
                    ordinal,
                });
            }
        };
        match deployment(service, events) {
            None => generation(0, 0..steps, profile.replicas),
            Some(at) => {
                generation(0, 0..at, profile.replicas);
                let grown = if service == Service::Recommendations { ROLLOUT_COST_FACTOR } else { 1 };
                generation(1, at..steps, profile.replicas * grown);
            }
        }
    }
    // Machines that come with version 2 are the last of their pool, so version 1 must stay on the first ones.
    for pod in pods.iter_mut().filter(|p| p.service == Service::Recommendations) {
        let first = nodes.iter().position(|n| n.pool == Pool::Ml).unwrap_or_default();
        pod.node = first + pod.ordinal;
    }
    pods
}

/// When the second version of a service came, if it did.
pub(crate) fn deployment(service: Service, events: &Events) -> Option<usize> {
    let all =
        [(Service::Recommendations, events.rollout.at), (events.leak.service, events.leak.start), events.harmless];
    all.into_iter().find(|(s, _)| *s == service).map(|(_, at)| at)
}

fn databases() -> Vec<Database> {
    const GIB: f64 = 1_073_741_824.0;
    vec![
        Database {
            name: "orders-db",
            resource_id: format!("arn:aws:rds:us-east-1:{AWS_SHOP}:db:orders-db"),
            cloud: Cloud::Aws,
            engine: "postgresql",
            max_connections: 200.0,
            connections: (38.0, 96.0),
            cpu: (0.11, 0.46),
            storage_gib: 500,
            storage_free: (312.0 * GIB, 0.0021 * GIB),
            memory_free: (9.0 * GIB, 2.5 * GIB),
        },
        Database {
            name: "inventory-db",
            resource_id: format!("arn:aws:rds:us-east-1:{AWS_SHOP}:db:inventory-db"),
            cloud: Cloud::Aws,
            engine: "postgresql",
            max_connections: 100.0,
            connections: (12.0, 41.0),
            cpu: (0.06, 0.31),
            storage_gib: 100,
            storage_free: (71.0 * GIB, 0.0002 * GIB),
            memory_free: (3.1 * GIB, 0.6 * GIB),
        },
        Database {
            name: "warehouse",
            resource_id: format!(
                "/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/analytics-prod/providers/Microsoft.Sql/servers/nimbus-dw/databases/warehouse"
            ),
            cloud: Cloud::Azure,
            engine: "microsoft.sql_server",
            max_connections: 300.0,
            connections: (6.0, 19.0),
            cpu: (0.04, 0.12),
            storage_gib: 1024,
            storage_free: (503.0 * GIB, 0.0016 * GIB),
            memory_free: (7.4 * GIB, 1.2 * GIB),
        },
        Database {
            name: "features-db",
            resource_id: format!("//sqladmin.googleapis.com/projects/{GCP_PROJECT}/instances/features-db"),
            cloud: Cloud::Gcp,
            engine: "postgresql",
            max_connections: 100.0,
            connections: (8.0, 33.0),
            cpu: (0.08, 0.38),
            storage_gib: 200,
            storage_free: (121.0 * GIB, 0.0004 * GIB),
            memory_free: (6.2 * GIB, 1.1 * GIB),
        },
        // What the shop kept its catalog in before the search: nobody asks it any more.
        Database {
            name: "catalog-old",
            resource_id: format!("arn:aws:rds:us-east-1:{AWS_SHOP}:db:catalog-old"),
            cloud: Cloud::Aws,
            engine: "postgresql",
            max_connections: 100.0,
            connections: (0.0, 0.0),
            cpu: (0.012, 0.016),
            storage_gib: 60,
            storage_free: (44.0 * GIB, 0.0),
            memory_free: (5.9 * GIB, 0.0),
        },
    ]
}
