//! SNS, SQS, Kinesis, MQ, MSK, EventBridge.

use crate::component::{Cost, MONTH_HOURS};
use crate::quantity::Quantity;
use crate::rules::{Row, tiers, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_sns_topic", "AmazonSNS", topic),
    ("aws_sns_topic_subscription", "AmazonSNS", subscription),
    ("aws_sqs_queue", "AWSQueueService", queue),
    ("aws_kinesis_stream", "AmazonKinesis", stream),
    ("aws_kinesis_firehose_delivery_stream", "AmazonKinesisFirehose", firehose),
    ("aws_kinesisanalytics_application", "AmazonKinesisAnalytics", analytics),
    ("aws_kinesisanalyticsv2_application", "AmazonKinesisAnalytics", analytics_v2),
    ("aws_kinesisanalyticsv2_application_snapshot", "AmazonKinesisAnalytics", analytics_snapshot),
    ("aws_mq_broker", "AmazonMQ", broker),
    ("aws_msk_cluster", "AmazonMSK", kafka),
    ("aws_cloudwatch_event_bus", "AWSEvents", event_bus),
];

fn topic(v: &View<'_>, c: &mut Cost) -> Ruled {
    let requests = v.used("monthly_requests");
    let size_kb = v.used("request_size_kb");
    if v.flag("fifo_topic") {
        let subscribers = v.users("aws_sns_topic_subscription").len() as i64;
        let gb = requests * size_kb.or(1) / 1_000_000;
        c.usage("FIFO Publish API requests", "1M requests", requests).per(1_000_000);
        c.usage("FIFO Publish API payload", "GB", gb);
        if subscribers > 0 {
            c.usage("FIFO notifications", "1M notifications", requests * subscribers).per(1_000_000);
            c.usage("FIFO notification payload", "GB", gb * subscribers);
        }
        return Ok(());
    }
    // A request counts once for each 64 KB.
    let requests = requests * (size_kb.or(64) / 64).ceil();
    c.usage("API requests (over 1M)", "1M requests", requests.above(1_000_000)).per(1_000_000);
    // (name, unit, usage key, free, of one unit)
    const CHANNELS: [(&str, &str, &str, i64, i64); 6] = [
        ("HTTP/HTTPS notifications (over 100k)", "100k notifications", "http_subscriptions", 100_000, 100_000),
        ("Email/Email-JSON notifications (over 1k)", "100k notifications", "email_subscriptions", 1_000, 100_000),
        ("Kinesis Firehose notifications", "1M notifications", "kinesis_subscriptions", 0, 1_000_000),
        ("Mobile Push notifications", "1M notifications", "mobile_push_subscriptions", 0, 1_000_000),
        ("MacOS notifications", "1M notifications", "macos_subscriptions", 0, 1_000_000),
        ("SMS notifications (over 100)", "100 notifications", "sms_subscriptions", 100, 100),
    ];
    for (name, unit, key, free, one) in CHANNELS {
        let component = c.usage(name, unit, (requests * v.used(key)).above(free));
        component.per(one);
        if key == "sms_subscriptions" {
            component.at_price(v.used("sms_notification_price") * one);
        }
    }
    Ok(())
}

fn subscription(v: &View<'_>, c: &mut Cost) -> Ruled {
    let topic = v.refers_to("topic_arn", &["aws_sns_topic"]);
    if topic.is_some_and(|t| t.flag("fifo_topic")) {
        // Counted with the topic.
        return Err(Unpriced::Free);
    }
    let requests = v.used("monthly_requests") * (v.used("request_size_kb").or(64) / 64).ceil();
    let (name, free, one, unit) = match v.text_or("protocol", "").as_str() {
        "http" | "https" => ("HTTP notifications (over 100k)", 100_000, 1_000_000, "1M notifications"),
        "email" | "email-json" => ("Email notifications (over 1k)", 1_000, 100_000, "100k notifications"),
        "firehose" => ("Kinesis Firehose notifications", 0, 1_000_000, "1M notifications"),
        _ => return Err(Unpriced::Free),
    };
    c.usage(name, unit, requests.above(free)).per(one);
    Ok(())
}

fn queue(v: &View<'_>, c: &mut Cost) -> Ruled {
    const B: i64 = 1_000_000_000;
    // A request counts once for each 64 KB.
    let requests = v.used("monthly_requests") * (v.used("request_size_kb").or(64) / 64).ceil();
    let kind = if v.flag("fifo_queue") { "fifo" } else { "standard" };
    let steps = [("Requests (first 100B)", 100 * B), ("Requests (next 100B)", 100 * B)];
    if requests.is_set() && (requests - 100 * B).is_positive() {
        c.tiers("1M requests", requests, 1_000_000, &tiers(&steps, "Requests (over 200B)"));
    } else {
        c.usage("Requests", "1M requests", requests).per(1_000_000);
    }
    c.components.iter_mut().for_each(|component| {
        component.with("type", kind);
    });
    Ok(())
}

fn stream(v: &View<'_>, c: &mut Cost) -> Ruled {
    let mode = v.text("stream_mode_details.stream_mode");
    let shards = v.number("shard_count");
    let mode = mode.unwrap_or_else(|| if shards.is_set() { "PROVISIONED" } else { "ON_DEMAND" }.to_owned());
    if mode == "ON_DEMAND" {
        c.hours("ON_DEMAND", 1);
        used(
            v,
            c,
            &[
                ("Data ingested", "GB", "monthly_on_demand_data_in_gb", 1),
                ("Data retrieval", "GB", "monthly_on_demand_data_out_gb", 1),
                ("Enhanced Fan Out (EFO) Data retrieval", "GB", "monthly_on_demand_efo_data_out_gb", 1),
                ("Extended retention (24H to 7D)", "GB", "monthly_on_demand_extended_retention_gb", 1),
                ("Long term retention (7D+)", "GB", "monthly_on_demand_long_term_retention_gb", 1),
            ],
        );
        return Ok(());
    }
    c.hours("PROVISIONED", shards.or(1));
    used(
        v,
        c,
        &[
            ("Put request unit", "units", "monthly_provisioned_put_units", 1),
            ("Extended retention (24H to 7D)", "GB", "monthly_provisioned_extended_retention_gb", 1),
            ("Long term retention (7D+)", "GB", "monthly_provisioned_long_term_retention_gb", 1),
            ("Extended retention retrieval (7D+)", "GB", "monthly_provisioned_long_term_retrieval_gb", 1),
            ("Enhanced Fan Out (EFO) Data retrieval", "GB", "monthly_provisioned_efo_data_out_gb", 1),
            ("Enhanced Fan Out (EFO)", "consumer-shard hour", "monthly_provisioned_efo_consumer_hours", 1),
        ],
    );
    Ok(())
}

fn firehose(v: &View<'_>, c: &mut Cost) -> Ruled {
    const TB: i64 = 1_000;
    let gb = v.used("monthly_data_ingested_gb");
    let steps = [("Data ingested (first 500TB)", 500 * TB), ("Data ingested (next 1.5PB)", 1_500 * TB)];
    c.tiers("GB", gb, 1, &tiers(&steps, "Data ingested (next 3PB)"));
    let converted = ["extended_s3_configuration", "elasticsearch_configuration", "opensearch_configuration"];
    if v.flag_or("extended_s3_configuration.data_format_conversion_configuration.enabled", true)
        && v.has("extended_s3_configuration.data_format_conversion_configuration")
    {
        c.usage("Format conversion", "GB", gb);
    }
    if converted.iter().any(|p| v.has(&format!("{p}.vpc_config"))) {
        c.usage("VPC data", "GB", gb);
        let zones = converted.iter().map(|p| v.count(&format!("{p}.vpc_config.subnet_ids"))).max().unwrap_or(1);
        c.hours("VPC AZ delivery", zones.max(1));
    }
    Ok(())
}

fn analytics(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Processing (stream)", "KPU", v.used("kinesis_processing_units")).scaled(MONTH_HOURS);
    Ok(())
}

fn analytics_v2(v: &View<'_>, c: &mut Cost) -> Ruled {
    let units = v.used("kinesis_processing_units");
    let flink = v.text_or("runtime_environment", "").to_uppercase().starts_with("FLINK");
    c.usage("Processing (stream)", "KPU", units).scaled(MONTH_HOURS);
    if flink {
        c.hourly("Processing (orchestration)", "KPU", 1).scaled(MONTH_HOURS);
        // 50 GB of running storage for each unit.
        c.usage("Running storage", "GB", units * 50);
        c.usage("Backup", "GB", v.used("durable_application_backup_gb"));
    }
    Ok(())
}

fn analytics_snapshot(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Backup", "GB", v.used("durable_application_backup_gb"));
    Ok(())
}

fn broker(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.need("host_instance_type")?;
    let engine = match v.text_or("engine_type", "").to_lowercase().as_str() {
        "rabbitmq" => "RabbitMQ",
        _ => "ActiveMQ",
    };
    let mode = v.text_or("deployment_mode", "SINGLE_INSTANCE").to_lowercase();
    // A standby doubles, a cluster has three nodes.
    let (label, nodes) = match mode.as_str() {
        "active_standby_multi_az" => ("active_standby_multi_az", 1),
        "cluster_multi_az" => ("cluster_multi_az", 3),
        _ => ("single_instance", 1),
    };
    let usage = c.hours(format!("Instance usage ({engine}, {kind}, {label})"), nodes);
    usage.with("instance_type", &kind).with("engine", engine).with("deployment", label);
    let storage =
        match v.text_or("storage_type", if engine == "RabbitMQ" { "ebs" } else { "efs" }).to_lowercase().as_str() {
            "ebs" => "EBS",
            _ => "EFS",
        };
    c.usage(format!("Storage ({engine}, {storage})"), "GB", v.used("storage_size_gb") * nodes).with("engine", engine);
    Ok(())
}

fn kafka(v: &View<'_>, c: &mut Cost) -> Ruled {
    let nodes = v.number("number_of_broker_nodes").or(1);
    let kind = v.need("broker_node_group_info.instance_type")?;
    c.hours(format!("Instance ({kind})"), nodes).with("instance_type", &kind);
    let group = &v.resource.address;
    let target = v.all("aws_appautoscaling_target").into_iter().find(|t| {
        t.text_or("scalable_dimension", "") == "kafka:broker-storage:VolumeSize"
            && t.refers_to("resource_id", &["aws_msk_cluster"]).is_some_and(|r| r.resource.address == *group)
    });
    match target {
        Some(target) => {
            let each = target.used("capacity").or_else(target.number("min_capacity"));
            c.usage("Storage (autoscaling)", "GB", each * nodes);
        }
        None => {
            let nested = v.number("broker_node_group_info.storage_info.ebs_storage_info.volume_size");
            let each: Quantity = nested.or_else(v.number("broker_node_group_info.ebs_volume_size")).or(1_000);
            c.add("Storage", "GB", each * nodes);
        }
    }
    Ok(())
}

fn event_bus(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("Custom events published", "1M events", "monthly_custom_events", 1_000_000),
            ("Third-party events published", "1M events", "monthly_third_party_events", 1_000_000),
            ("Archive processing", "GB", "monthly_archive_processing_gb", 1),
            ("Archive storage", "GB", "archive_storage_gb", 1),
        ],
    );
    const M: i64 = 1_000_000;
    let steps = [("Schema discovery", 5 * M)];
    let discovered = v.used("monthly_schema_discovery_events");
    // The first five million are free.
    c.usage(steps[0].0, "1M events", discovered.above(steps[0].1)).per(M);
    Ok(())
}
