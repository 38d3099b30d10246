//! `kafka`: clusters of MSK with brokers of their own.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_kafka::types::{
    BrokerEbsVolumeInfo, BrokerNodeGroupInfo, ClientAuthentication, Cluster as Msk, ClusterState, EbsStorageInfo, Iam,
    Sasl, StorageInfo,
};
use serde_json::json;

use crate::client::{Aws, Pages};
use crate::failure::Failure;
use crate::native::{Native, New};
use crate::seen::{BEGUN_TAG, Seen, Want, fields, or_null};

pub(crate) struct Cluster;

fn seen(cluster: &Msk) -> Option<Seen> {
    if cluster.state() == Some(&ClusterState::Deleting) {
        return None;
    }
    // Clusters without servers have no lever.
    let of = cluster.provisioned()?;
    let group = of.broker_node_group_info();
    let storage = group.and_then(|g| g.storage_info()).and_then(|s| s.ebs_storage_info()).and_then(|e| e.volume_size());
    let version = of.current_broker_software_info().and_then(|s| s.kafka_version()).unwrap_or_default();
    let networks = group.map(|g| g.client_subnets()).unwrap_or_default();
    Some(Seen {
        id: cluster.cluster_arn()?.to_owned(),
        arn: cluster.cluster_arn()?.to_owned(),
        name: cluster.cluster_name().unwrap_or_default().to_owned(),
        tags: cluster.tags().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        machine: group.and_then(|g| g.instance_type()).map(str::to_owned),
        fields: fields(json!({
            "brokers": or_null(of.number_of_broker_nodes()),
            "storage_gib": or_null(storage),
            "version": version.trim_end_matches(".x"),
            "network": if networks.is_empty() { json!(null) } else { json!(networks) },
        })),
        outputs: [("status".to_owned(), json!(cluster.state().map(ClusterState::as_str)))].into(),
        // Each change names the version of the cluster that it has seen, so that two cannot cross.
        handles: [("current", cluster.current_version().unwrap_or_default().to_owned())].into(),
        ..Seen::default()
    })
}

#[async_trait]
impl Native for Cluster {
    fn family(&self) -> Option<&'static str> {
        Some("kafka")
    }

    async fn list(&self, aws: &Aws) -> Result<Vec<Seen>, Failure> {
        let (mut all, mut pages) = (Vec::new(), Pages::of("ListClustersV2"));
        loop {
            let page =
                aws.call("ListClustersV2", aws.kafka.list_clusters_v2().set_next_token(pages.at()).send()).await?;
            all.extend(page.cluster_info_list().iter().filter_map(seen));
            if !pages.turn(page.next_token())? {
                return Ok(all);
            }
        }
    }

    /// By the listing, which tells as much: accounts have few clusters, and the emulator breaks down on one that is gone.
    async fn read(&self, aws: &Aws, id: &str) -> Result<Option<Seen>, Failure> {
        Ok(self.list(aws).await?.into_iter().find(|seen| seen.id == id))
    }

    async fn begun(&self, aws: &Aws, new: &New<'_>) -> Result<Option<Seen>, Failure> {
        self.tagged(aws, BEGUN_TAG, new.token).await
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<String, Failure> {
        let want = &new.want;
        let storage = EbsStorageInfo::builder().set_volume_size(want.int("storage_gib")).build();
        let group = BrokerNodeGroupInfo::builder()
            .instance_type(want.machine()?)
            .set_client_subnets(Some(want.texts("network")))
            .storage_info(StorageInfo::builder().ebs_storage_info(storage).build());
        let iam = Sasl::builder().iam(Iam::builder().enabled(true).build()).build();
        let version = want.text("version").unwrap_or_default();
        let call = aws
            .kafka
            .create_cluster()
            .cluster_name(&new.name)
            .kafka_version(format!("{version}.x"))
            .set_number_of_broker_nodes(want.int("brokers"))
            .broker_node_group_info(group.build())
            .client_authentication(ClientAuthentication::builder().sasl(iam).build())
            .set_tags(Some(new.tags.clone().into_iter().collect()));
        let made = aws.call("CreateCluster", call.send()).await?;
        made.cluster_arn().map(str::to_owned).ok_or_else(|| Failure::odd("CreateCluster", "ARN"))
    }

    /// One change at a time: the service is busy until it is done, and says so to the next.
    async fn change(
        &self,
        aws: &Aws,
        seen: &Seen,
        want: &Want<'_>,
        changed: &BTreeSet<String>,
        _: &str,
    ) -> Result<(), Failure> {
        let (arn, current) = (&seen.id, seen.handle("current"));
        if changed.contains("brokers") {
            let call = aws.kafka.update_broker_count().cluster_arn(arn).current_version(current);
            let call = call.set_target_number_of_broker_nodes(want.int("brokers"));
            aws.call("UpdateBrokerCount", call.send()).await?;
        } else if changed.contains("machine") {
            let call = aws.kafka.update_broker_type().cluster_arn(arn).current_version(current);
            aws.call("UpdateBrokerType", call.target_instance_type(want.machine()?).send()).await?;
        } else if changed.contains("storage_gib") {
            let all = BrokerEbsVolumeInfo::builder().kafka_broker_node_id("ALL");
            let all = all.set_volume_size_gb(want.int("storage_gib")).build();
            let call = aws.kafka.update_broker_storage().cluster_arn(arn).current_version(current);
            aws.call("UpdateBrokerStorage", call.target_broker_ebs_volume_info(all).send()).await?;
        } else if changed.contains("version") {
            let version = want.text("version").unwrap_or_default();
            let call = aws.kafka.update_cluster_kafka_version().cluster_arn(arn).current_version(current);
            aws.call("UpdateClusterKafkaVersion", call.target_kafka_version(format!("{version}.x")).send()).await?;
        }
        Ok(())
    }

    async fn tag(&self, aws: &Aws, seen: &Seen, of: &BTreeMap<String, String>) -> Result<(), Failure> {
        let call = aws.kafka.tag_resource().resource_arn(&seen.arn).set_tags(Some(of.clone().into_iter().collect()));
        aws.call("TagResource", call.send()).await.map(drop)
    }

    async fn destroy(&self, aws: &Aws, seen: &Seen, _: &str) -> Result<(), Failure> {
        let call = aws.kafka.delete_cluster().cluster_arn(&seen.id);
        aws.call("DeleteCluster", call.send()).await.map(drop)
    }
}
