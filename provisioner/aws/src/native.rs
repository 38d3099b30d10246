//! What a kind must be able to do to be driven; everything that is the same for all kinds is in [`crate::executor`].

use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

use crate::client::Aws;
use crate::failure::Failure;
use crate::seen::{BEGUN_TAG, Seen, Want};

/// Something that is to be made.
pub(crate) struct New<'a> {
    /// A name that only this one has.
    pub(crate) name: String,
    /// The token, for services that know such a thing.
    pub(crate) token: &'a str,
    /// What it is to be.
    pub(crate) want: Want<'a>,
    /// The tags that it carries from the beginning.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A kind that Grid drives itself. All of it may be asked again at any time: what was done is found done.
#[async_trait]
pub(crate) trait Native: Sync {
    /// The family of its machines in the table of sizes.
    fn family(&self) -> Option<&'static str> {
        None
    }

    /// All that there are, with their tags.
    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure>;

    /// What is there under an id; what is being deleted is not.
    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure>;

    /// What carries a tag.
    async fn tagged(&self, aws: &Aws, key: &str, value: &str) -> Result<Option<Seen>, Failure> {
        Ok(self.list(aws).await?.into_iter().find(|seen| seen.has(key, value)))
    }

    /// What an earlier try has made.
    async fn begun(&self, aws: &Aws, new: &New<'_>) -> Result<Option<Seen>, Failure> {
        let found = self.read(aws, &new.name).await?;
        Ok(found.filter(|seen| seen.has(BEGUN_TAG, new.token)))
    }

    /// Makes it; its id.
    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure>;

    /// Changes these fields; `machine` stands for all ways to say it.
    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        token: &str,
    ) -> Result<(), Failure>;

    /// Puts tags on it.
    async fn tag(&self, aws: &Aws, seen: &Seen, tags: &BTreeMap<String, String>) -> Result<(), Failure>;

    /// Deletes it.
    async fn destroy(&self, aws: &Aws, seen: &Seen, token: &str) -> Result<(), Failure>;
}

/// The kinds that Grid drives itself in AWS.
pub const KINDS: [&str; 13] = [
    "vm",
    "autoscaling_group",
    "spot_pool",
    "block_disk",
    "node_pool",
    "postgresql",
    "mysql",
    "redis",
    "nosql",
    "kafka",
    "function",
    "container_service",
    "file_store",
];

/// The driver of a kind.
pub(crate) fn native(kind: &str) -> Option<&'static dyn Native> {
    use crate::{autoscaling, dynamodb, ec2, ecs, efs, eks, elasticache, kafka, lambda, rds};
    Some(match kind {
        "vm" => &ec2::vm::Vm,
        "autoscaling_group" => &autoscaling::Group,
        "spot_pool" => &ec2::fleet::Fleet,
        "block_disk" => &ec2::volume::Volume,
        "node_pool" => &eks::NodePool,
        "postgresql" => &rds::Database::POSTGRESQL,
        "mysql" => &rds::Database::MYSQL,
        "redis" => &elasticache::Cache,
        "nosql" => &dynamodb::Table,
        "kafka" => &kafka::Cluster,
        "function" => &lambda::Function,
        "container_service" => &ecs::Service,
        "file_store" => &efs::FileSystem,
        _ => return None,
    })
}
