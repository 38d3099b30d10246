//! The bar: import -> empty plan for every native type. All is made by others, in their own way.

use aws_sdk_autoscaling::Client as Scaling;
use aws_sdk_dynamodb::types as ddb;
use aws_sdk_ec2::types as ec2t;
use grid_act::Executor;
use grid_aws::KINDS;
use grid_aws::lever::levers_of;
use grid_plan::Address;
use grid_plan::adopt::{Found, adopt};
use grid_tests::{figure, skip};

use crate::fixtures::{Stage, stage};
use crate::support::{World, aws, moto};

/// One of each kind, as its owner would make it without Grid: kind and id.
async fn others(stage: &Stage) -> anyhow::Result<Vec<(&'static str, String)>> {
    let ec2 = aws_sdk_ec2::Client::new(&stage.config);
    let mut made = Vec::new();
    let image = &stage.images[0];

    let call =
        ec2.run_instances().image_id(image).instance_type(ec2t::InstanceType::C5Xlarge).min_count(1).max_count(1);
    let vm = call.subnet_id(&stage.subnets[0]).send().await?;
    made.push(("vm", vm.instances()[0].instance_id().unwrap().to_owned()));

    let call = ec2.create_volume().availability_zone(&stage.zone).size(70).volume_type(ec2t::VolumeType::Io1).iops(300);
    made.push(("block_disk", call.send().await?.volume_id().unwrap().to_owned()));

    let data = ec2t::RequestLaunchTemplateData::builder().image_id(image).instance_type(ec2t::InstanceType::M5Large);
    let template = ec2.create_launch_template().launch_template_name("theirs").launch_template_data(data.build());
    let template = template.send().await?.launch_template().unwrap().launch_template_id().unwrap().to_owned();
    let of = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder().launch_template_id(&template);
    let call = Scaling::new(&stage.config).create_auto_scaling_group().auto_scaling_group_name("theirs").min_size(2);
    let call = call.max_size(9).vpc_zone_identifier(stage.subnets.join(",")).launch_template(of.build());
    call.send().await?;
    made.push(("autoscaling_group", "theirs".to_owned()));

    let of =
        ec2t::FleetLaunchTemplateSpecificationRequest::builder().launch_template_id(&template).version("1").build();
    let config = ec2t::FleetLaunchTemplateConfigRequest::builder().launch_template_specification(of).build();
    let capacity = ec2t::TargetCapacitySpecificationRequest::builder()
        .total_target_capacity(2)
        .default_target_capacity_type(ec2t::DefaultTargetCapacityType::Spot)
        .build();
    let call = ec2.create_fleet().launch_template_configs(config).target_capacity_specification(capacity);
    made.push(("spot_pool", call.send().await?.fleet_id().unwrap().to_owned()));

    let scaling = aws_sdk_eks::types::NodegroupScalingConfig::builder().min_size(1).max_size(5).desired_size(2).build();
    let call = aws_sdk_eks::Client::new(&stage.config).create_nodegroup().cluster_name("main").nodegroup_name("theirs");
    let call = call.node_role(&stage.role).set_subnets(Some(stage.subnets.clone())).scaling_config(scaling);
    call.instance_types("m5.xlarge").send().await?;
    made.push(("node_pool", "main:theirs".to_owned()));

    let rds = aws_sdk_rds::Client::new(&stage.config);
    for (kind, engine, version) in [("postgresql", "postgres", "15.4"), ("mysql", "mysql", "8.0.35")] {
        let call = rds.create_db_instance().db_instance_identifier(format!("their-{kind}")).engine(engine);
        let call = call.engine_version(version).db_instance_class("db.r5.large").allocated_storage(33);
        call.master_username("admin").master_user_password("not-a-secret").multi_az(true).send().await?;
        made.push((kind, format!("their-{kind}")));
    }

    let call = aws_sdk_elasticache::Client::new(&stage.config).create_replication_group();
    let call = call.replication_group_id("theirs").replication_group_description("theirs").engine("redis");
    call.cache_node_type("cache.r6g.large").num_cache_clusters(2).automatic_failover_enabled(true).send().await?;
    made.push(("redis", "theirs".to_owned()));

    let key = ddb::KeySchemaElement::builder().attribute_name("k").key_type(ddb::KeyType::Hash).build()?;
    let of =
        ddb::AttributeDefinition::builder().attribute_name("k").attribute_type(ddb::ScalarAttributeType::S).build()?;
    let call = aws_sdk_dynamodb::Client::new(&stage.config).create_table().table_name("theirs").key_schema(key);
    call.attribute_definitions(of).billing_mode(ddb::BillingMode::PayPerRequest).send().await?;
    made.push(("nosql", "theirs".to_owned()));

    let group = aws_sdk_kafka::types::BrokerNodeGroupInfo::builder().instance_type("kafka.m5.large");
    let group = group.set_client_subnets(Some(stage.subnets.clone())).build();
    let call = aws_sdk_kafka::Client::new(&stage.config).create_cluster().cluster_name("theirs").kafka_version("3.6.0");
    let cluster = call.number_of_broker_nodes(3).broker_node_group_info(group).send().await?;
    made.push(("kafka", cluster.cluster_arn().unwrap().to_owned()));

    let bucket = format!("code-{}", stage.region);
    let code = aws_sdk_lambda::types::FunctionCode::builder().s3_bucket(bucket).s3_key("a.zip").build();
    let call = aws_sdk_lambda::Client::new(&stage.config).create_function().function_name("theirs").role(&stage.role);
    let call = call.code(code).handler("x.y").runtime(aws_sdk_lambda::types::Runtime::Python311);
    call.memory_size(256).send().await?;
    made.push(("function", "theirs".to_owned()));

    let ecs = aws_sdk_ecs::Client::new(&stage.config);
    let container =
        aws_sdk_ecs::types::ContainerDefinition::builder().name("web").image("nginx:1").cpu(256).memory(512);
    let task = ecs.register_task_definition().family("theirs").container_definitions(container.build()).send().await?;
    let task = task.task_definition().unwrap().task_definition_arn().unwrap().to_owned();
    ecs.create_service().cluster("main").service_name("theirs").task_definition(task).desired_count(2).send().await?;
    made.push(("container_service", "main/theirs".to_owned()));

    let call = aws_sdk_efs::Client::new(&stage.config).create_file_system().creation_token("theirs");
    made.push(("file_store", call.send().await?.file_system_id().to_owned()));
    Ok(made)
}

#[tokio::test]
async fn what_others_made_needs_no_plan() -> anyhow::Result<()> {
    let moto = match moto().await? {
        Ok(moto) => moto,
        Err(reason) => return skip("aws_import", reason),
    };
    let region = "eu-north-1";
    let (cloud, stage) = (aws(&moto, region).await, stage(&moto, region).await?);
    let all = others(&stage).await?;
    assert_eq!(all.iter().map(|(kind, _)| *kind).collect::<std::collections::BTreeSet<_>>(), KINDS.into());
    let mut world = World::new(grid_aws::kinds());
    let mut found = Vec::new();
    for (kind, id) in &all {
        let observed = cloud.import(&Address::new(kind, "theirs")?, id).await?;
        assert!(!observed.fields.is_empty(), "{kind} tells nothing");
        for (path, _) in observed.fields.iter() {
            assert!(levers_of(kind).any(|l| l.holds(path)), "{kind}: {path} is told, and could not be wanted");
        }
        found.push(Found { kind: (*kind).to_owned(), title: "theirs".to_owned(), observed });
    }
    let adopted = adopt("shop", "prod", &found, &world.kinds);
    assert!(adopted.refused.is_empty());
    (world.blueprint, world.state) = (adopted.blueprint, adopted.state);
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);

    // Seen anew it is still the same: nothing that is told moves by itself.
    let again: Vec<_> = world.state.resources.iter().map(|(a, o)| (a.clone(), o.clone())).collect();
    for (address, old) in again {
        let mut now = cloud.read(&address, &old.id).await?.unwrap();
        now.managed = old.managed;
        world.state.commit("test", world.state.serial, [(address, Some(now))])?;
    }
    assert!(world.plan().is_empty(), "{:?}", world.plan().steps);

    // The inventory finds the same, and taking over all of it needs no plan either.
    let inventory = cloud.inventory(grid_model::Timestamp(7)).await;
    assert!(inventory.failed.is_empty(), "{:?}", inventory.failed);
    let found = inventory.found(&KINDS);
    for (kind, id) in &all {
        assert!(found.iter().any(|f| f.kind == *kind && f.observed.id == *id), "{kind} {id}");
    }
    let adopted = adopt("all", "prod", &found, &world.kinds);
    (world.blueprint, world.state) = (adopted.blueprint, adopted.state);
    assert!(world.plan().is_empty());
    let wrong = cloud.import(&Address::parse("vm.none")?, "i-0123456789abcdef0").await;
    assert!(wrong.is_err_and(|e| e.to_string().contains("there is no vm")));
    let told = format!("{} of {} native types imported, adopted, empty plan", all.len(), KINDS.len());
    figure("aws_import", all.len() == KINDS.len(), told);
    Ok(())
}
