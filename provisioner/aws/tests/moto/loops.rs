//! The first lever end to end: the size of an autoscaling group, made by somebody else, taken over, and acted on.

use aws_sdk_autoscaling::Client;
use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use grid_act::Executor;
use grid_act::acting::Realised;
use grid_act::journal::{FileJournal, What};
use grid_act::{Journal, run::Outcome};
use grid_plan::adopt::{Found, adopt};
use grid_plan::plan::{Goal, Inputs, plan};
use grid_plan::{Address, Path};
use grid_tests::skip;
use serde_json::json;

use crate::fixtures::{Stage, stage};
use crate::support::{World, act, advice, aws, moto};

/// A group as a person's script makes it, from a template of which it takes the version that is named.
async fn group(stage: &Stage, name: &str, version: &str) -> anyhow::Result<String> {
    let ec2 = aws_sdk_ec2::Client::new(&stage.config);
    let data = RequestLaunchTemplateData::builder().image_id(&stage.images[0]).instance_type(InstanceType::M5Large);
    let made =
        ec2.create_launch_template().launch_template_name(name).launch_template_data(data.build()).send().await?;
    let template = made.launch_template().unwrap().launch_template_id().unwrap().to_owned();
    let of = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder().launch_template_id(&template);
    Client::new(&stage.config)
        .create_auto_scaling_group()
        .auto_scaling_group_name(name)
        .launch_template(of.version(version).build())
        .min_size(1)
        .max_size(8)
        .desired_capacity(6)
        .vpc_zone_identifier(&stage.subnets[0])
        .send()
        .await?;
    Ok(template)
}

#[tokio::test]
async fn a_group_is_taken_over_and_made_smaller() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_levers", reason),
    };
    let region = "us-east-2";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let asked = Client::new(&stage.config);
    let look = async |name: &str| {
        let answer = asked.describe_auto_scaling_groups().auto_scaling_group_names(name).send().await.unwrap();
        let group = answer.auto_scaling_groups()[0].clone();
        (group.min_size().unwrap(), group.max_size().unwrap(), group.desired_capacity().unwrap())
    };
    for version in ["1", "$Latest", "$Default"] {
        let name = format!("theirs-{}", version.trim_start_matches('$').to_lowercase());
        group(&stage, &name, version).await?;
        let address = Address::new("autoscaling_group", &name)?;

        // Taken over: nothing to do, and nothing was touched.
        let observed = cloud.import(&address, &name).await?;
        let mut world = World::new(grid_aws::kinds());
        let found = Found { kind: "autoscaling_group".to_owned(), title: name.clone(), observed };
        let adopted = adopt("shop", "prod", &[found], &world.kinds);
        (world.blueprint, world.state) = (adopted.blueprint, adopted.state);
        // Adopted under a name of its own.
        let address = world.state.resources.keys().next().unwrap().clone();
        assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
        assert_eq!(look(&name).await, (1, 8, 6));

        // Two recommendations, one after the other: fewer machines, and smaller ones.
        let entry = act(&mut world, &cloud, advice(&address, "max", &json!(4))).await.unwrap();
        assert!(matches!(entry.realised, Realised::Saved(_)));
        let (min, max, desired) = look(&name).await;
        assert_eq!((min, max), (1, 4));
        assert!(desired <= 4 || desired == 6, "the cloud moves what nobody pinned: {desired}");
        act(&mut world, &cloud, advice(&address, "machine_type.aws", &json!("t3.small"))).await.unwrap();
        let again = cloud.read(&address, &name).await?.unwrap();
        assert_eq!(again.fields.get(&Path::parse("machine_type.aws")?), Some(&json!("t3.small")), "{version}");
        // The image came along.
        assert_eq!(again.fields.get(&Path::parse("aws.image")?), Some(&json!(stage.images[0])), "{version}");
    }
    Ok(())
}

#[tokio::test]
async fn one_from_a_launch_configuration_is_made_smaller_too() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_levers", reason),
    };
    let region = "ap-south-1";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let asked = Client::new(&stage.config);
    let call = asked.create_launch_configuration().launch_configuration_name("old").image_id(&stage.images[0]);
    call.instance_type("m4.large").security_groups(&stage.groups[0]).user_data("IyEvYmluL3No").send().await?;
    let call = asked.create_auto_scaling_group().auto_scaling_group_name("old").launch_configuration_name("old");
    call.min_size(0).max_size(2).availability_zones(&stage.zone).send().await?;

    let address = Address::parse("autoscaling_group.old")?;
    let mut world = World::new(grid_aws::kinds());
    let observed = cloud.import(&address, "old").await?;
    let found = Found { kind: "autoscaling_group".to_owned(), title: "old".to_owned(), observed };
    let adopted = adopt("shop", "prod", &[found], &world.kinds);
    (world.blueprint, world.state) = (adopted.blueprint, adopted.state);
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);
    act(&mut world, &cloud, advice(&address, "machine_type.aws", &json!("t3.medium"))).await.unwrap();
    let group = asked.describe_auto_scaling_groups().auto_scaling_group_names("old").send().await?;
    let name = group.auto_scaling_groups()[0].launch_configuration_name().unwrap().to_owned();
    assert_ne!(name, "old");
    let all = asked.describe_launch_configurations().launch_configuration_names(name).send().await?;
    let new = &all.launch_configurations()[0];
    assert_eq!((new.instance_type(), new.image_id()), (Some("t3.medium"), Some(stage.images[0].as_str())));
    assert_eq!(new.security_groups(), &stage.groups[..1]);
    Ok(())
}

#[tokio::test]
async fn what_was_applied_is_taken_back_by_a_plan() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_levers", reason),
    };
    let region = "ap-southeast-1";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let folder = tempfile::tempdir()?;
    let journal = FileJournal::open(&folder.path().join("journal"))?;
    let mut world = World::new(grid_aws::kinds());
    let address = Address::parse("autoscaling_group.web")?;
    let image = &stage.images[0];
    world
        .want(&address, &json!({"network": stage.subnets, "size": "2x8", "min": 1, "max": 8, "aws": {"image": image}}));
    world.settle(&cloud).await.map_err(anyhow::Error::msg)?;
    let id = world.state.resources[&address].id.clone();

    let change = advice(&address, "max", &json!(4));
    world.environment.write(change.clone())?;
    let first = world.plan();
    assert!(world.run(&first, &cloud, &journal).await.is_complete());
    assert!(world.environment.take_back(&change.target, &change.path, &change.by.writer));
    let prices = grid_plan::cost::NoPrices(grid_model::Currency("EUR".to_owned()));
    let inputs = |state| Inputs { goal: Goal::Undo(&first), state, kinds: &world.kinds, prices: &prices, scope: None };
    let back = plan(&inputs(&world.state))?;
    let time = grid_act::simulated::SimulatedTime::at(grid_model::Timestamp(2));
    let rate = parking_lot::Mutex::new(grid_act::retry::Rate::new(100.0, 10));
    let runner = grid_act::run::Runner { executor: &cloud, journal: &journal, time: &time, seed: 2, rate };
    let current = back.current(&inputs(&world.state)).unwrap();
    let mode = crate::support::allowed(&back);
    let report = runner.run(current, &world.state, &mode, &|_| grid_act::run::Go::On).await?;
    assert!(matches!(report.outcomes[0].1, Outcome::Done(_)), "{:?}", report.outcomes);
    report.commit("test", &mut world.state)?;
    assert!(world.plan().is_empty());
    let now = cloud.read(&address, &id).await?.unwrap();
    assert_eq!(now.fields.get(&Path::parse("max")?), Some(&json!(8)));
    for of in [first.id, back.id] {
        let entries = journal.entries(of).await?;
        assert!(matches!(entries[0].what, What::Intent { .. }) && matches!(entries[1].what, What::Done { .. }));
    }
    Ok(())
}
