//! The inventory: what is there is told with its sizes, nothing changes, and what one service refuses is named and the rest kept.

use grid_model::Timestamp;
use grid_plan::Path;
use grid_tests::{figure, skip};
use serde_json::json;

use crate::fixtures::stage;
use crate::support::{World, aws, moto};

#[tokio::test]
async fn an_account_is_told_and_left_as_it_is() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_inventory", reason),
    };
    let region = "ca-central-1";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let mut world = World::new(grid_aws::kinds());
    for case in stage.cases() {
        world.want(&grid_plan::Address::new(case.kind, "inv")?, &case.made);
    }
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    // Something of a service that Grid has no client of: only its tags tell.
    let who =
        format!("AWS4-HMAC-SHA256 Credential=test/20260101/{region}/sqs/aws4_request, SignedHeaders=host, Signature=0");
    let form = "Action=CreateQueue&Version=2012-11-05&QueueName=orders&Tag.1.Key=Name&Tag.1.Value=orders";
    let call = moto.client.post(&moto.endpoint).header("authorization", who);
    let call = call.header("content-type", "application/x-www-form-urlencoded").body(form);
    call.send().await?.error_for_status()?;

    let first = cloud.inventory(Timestamp(7)).await;
    assert!(first.failed.is_empty() && first.left_out == 0, "{:?}", first.failed);
    for (address, observed) in &world.state.resources {
        let row = first.rows.iter().find(|r| r.id == observed.id && r.kind == address.kind());
        let row = row.unwrap_or_else(|| panic!("no row of {address}"));
        assert_eq!((&row.fields, row.observed_at), (&observed.fields, Timestamp(7)), "{address}");
        assert_eq!(row.tags.get("grid:resource"), Some(&address.to_string()), "{address}");
    }
    let of = |kind: &str| first.rows.iter().find(|r| r.kind == kind).unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(of("queue").name, "orders");
    assert_eq!(of("network").fields.get(&Path::parse("cidr")?), Some(&json!("172.31.0.0/16")));
    assert_eq!(of("kubernetes_cluster").id, "main");
    assert!(of("vm").full_name.starts_with("arn:aws:ec2:ca-central-1:"), "{}", of("vm").full_name);
    assert_eq!(cloud.inventory(Timestamp(7)).await, first, "looking changes nothing");
    let counts = first.counts();
    figure(
        "aws_inventory",
        true,
        format!("{} resources of {} kinds in one region of moto, each with what it is", first.rows.len(), counts.len()),
    );
    Ok(())
}
