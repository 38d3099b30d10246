//! Lambda, Step Functions, API Gateway, and templates that create the rest.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, tiers};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_lambda_function", "AWSLambda", lambda),
    ("aws_lambda_provisioned_concurrency_config", "AWSLambda", provisioned_concurrency),
    ("aws_sfn_state_machine", "AmazonStates", state_machine),
    ("aws_api_gateway_rest_api", "AmazonApiGateway", rest_api),
    ("aws_api_gateway_stage", "AmazonApiGateway", stage),
    ("aws_apigatewayv2_api", "AmazonApiGateway", api_v2),
    ("aws_cloudformation_stack", "AWSCloudFormation", stack),
    ("aws_cloudformation_stack_set", "AWSCloudFormation", stack),
];

fn lambda(v: &View<'_>, c: &mut Cost) -> Ruled {
    let memory_mb = v.number("memory_size").or(128);
    let requests = v.used("monthly_requests");
    let architecture = v.texts("architectures").into_iter().next().unwrap_or_else(|| "x86_64".to_owned());
    c.usage("Requests", "1M requests", requests).per(1_000_000).with("architecture", &architecture);
    // Duration counts by the millisecond.
    let stated = v.used("request_duration_ms");
    let seconds = requests * stated.or(1).max(1) / 1_000;
    let gb_seconds = seconds * memory_mb / 1_024;
    let storage = v.number("ephemeral_storage.size");
    if storage.is_set() {
        let extra = storage.above(512) / 1_024;
        c.usage("Ephemeral storage", "GB-seconds", seconds * extra).with("architecture", &architecture);
    }
    let (b, arm) = (1_000_000_000_i64, architecture == "arm64");
    let sized = match arm {
        true => [("Duration (first 7.5B)", 7 * b + b / 2), ("Duration (next 11.25B)", 11 * b + b / 4)],
        false => [("Duration (first 6B)", 6 * b), ("Duration (next 9B)", 9 * b)],
    };
    let last = if arm { "Duration (over 18.75B)" } else { "Duration (over 15B)" };
    c.tiers("GB-seconds", gb_seconds, 1, &tiers(&sized, last));
    for component in &mut c.components {
        component.with("architecture", &architecture);
    }
    Ok(())
}

fn provisioned_concurrency(v: &View<'_>, c: &mut Cost) -> Ruled {
    let requests = v.used("monthly_requests");
    let architecture = v.used_text("architecture").unwrap_or_else(|| "x86_64".to_owned());
    let memory_gb = v.used("memory_mb").or(128) / 1_024;
    let count = v.number("provisioned_concurrent_executions").or(0);
    c.usage("Requests", "1M requests", requests).per(1_000_000).with("architecture", &architecture);
    let reserved = count * v.used("monthly_duration_hrs") * 3_600 * memory_gb;
    c.usage("Provisioned Concurrency", "GB-seconds", reserved).with("architecture", &architecture);
    let duration = requests * v.used("request_duration_ms") / 1_000 * memory_gb;
    c.usage("Duration", "GB-seconds", duration).with("architecture", &architecture);
    Ok(())
}

fn state_machine(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.text_or("type", "STANDARD").eq_ignore_ascii_case("express") {
        let requests = v.used("monthly_requests");
        c.usage("Requests", "1M requests", requests).per(1_000_000);
        // Memory counts in steps of 64 MB, duration in steps of 100 ms.
        let memory_gb = (v.used("memory_mb") / 64).ceil() * 64 / 1_024;
        let seconds = (v.used("workflow_duration_ms") / 100).ceil() / 10;
        let hours = requests * seconds * memory_gb / 3_600;
        let tiers = tiers(&[("Duration (first 1K)", 1_000), ("Duration (next 4K)", 4_000)], "Duration (over 5K)");
        c.tiers("GB-hours", hours, 1, &tiers);
    } else {
        c.usage("Transitions", "1K transitions", v.used("monthly_transitions")).per(1_000);
    }
    Ok(())
}

fn rest_api(v: &View<'_>, c: &mut Cost) -> Ruled {
    const M: i64 = 1_000_000;
    let sized =
        [("Requests (first 333M)", 333 * M), ("Requests (next 667M)", 667 * M), ("Requests (next 19B)", 19_000 * M)];
    c.tiers("1M requests", v.used("monthly_requests"), M, &tiers(&sized, "Requests (over 20B)"));
    Ok(())
}

fn stage(v: &View<'_>, c: &mut Cost) -> Ruled {
    if !v.flag("cache_cluster_enabled") && !v.has("cache_cluster_size") {
        return Err(Unpriced::Free);
    }
    let size = v.text_or("cache_cluster_size", "0.5");
    c.hours(format!("Cache memory ({size} GB)"), 1).with("cache_size", &size);
    Ok(())
}

fn api_v2(v: &View<'_>, c: &mut Cost) -> Ruled {
    const M: i64 = 1_000_000;
    if v.text_or("protocol_type", "HTTP").eq_ignore_ascii_case("websocket") {
        // A message counts once for each 32 KB.
        let sizes = (v.used("message_size_kb").or(32) / 32).ceil();
        let tiers = tiers(&[("Messages (first 1B)", 1_000 * M)], "Messages (over 1B)");
        c.tiers("1M messages", v.used("monthly_messages") * sizes, M, &tiers);
        c.usage("Connection duration", "1M minutes", v.used("monthly_connection_mins")).per(M);
        return Ok(());
    }
    // A request counts once for each 512 KB.
    let sizes = (v.used("request_size_kb").or(512) / 512).ceil();
    let tiers = tiers(&[("Requests (first 300M)", 300 * M)], "Requests (over 300M)");
    c.tiers("1M requests", v.used("monthly_requests") * sizes, M, &tiers);
    Ok(())
}

fn stack(v: &View<'_>, c: &mut Cost) -> Ruled {
    // Handlers of AWS, Alexa and custom resources are free; those of third parties are paid for.
    if let Some(body) = v.text("template_body") {
        let types = body.match_indices("\"Type\"").map(|(i, key)| &body[i + key.len()..]);
        let third = types.filter_map(|rest| rest.split('"').nth(1)).filter(|t| t.contains("::"));
        if third.into_iter().all(|t| t.starts_with("AWS::") || t.starts_with("Alexa::") || t.starts_with("Custom::")) {
            return Err(Unpriced::Free);
        }
    }
    let regions = Quantity::of(1);
    c.usage("Handler operations", "operations", v.used("monthly_handler_operations") * regions);
    c.usage("Durations above 30s", "seconds", v.used("monthly_duration_secs") * regions);
    Ok(())
}
