//! Glue, MWAA, Grafana, Transfer, CodeBuild.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, used};
use crate::view::{Ruled, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("aws_glue_job", "AWSGlue", glue_job),
    ("aws_glue_crawler", "AWSGlue", glue_crawler),
    ("aws_glue_catalog_database", "AWSGlue", glue_catalog),
    ("aws_mwaa_environment", "AmazonMWAA", airflow),
    ("aws_grafana_workspace", "AmazonGrafana", grafana),
    ("aws_transfer_server", "AWSTransfer", transfer),
    ("aws_codebuild_project", "CodeBuild", codebuild),
];

fn glue_job(v: &View<'_>, c: &mut Cost) -> Ruled {
    let shell = v.text_or("command.name", "glueetl") == "pythonshell";
    let capacity = v.number("max_capacity");
    let workers = v.number("number_of_workers");
    let each = match v.text_or("worker_type", "").as_str() {
        "G.025X" => Quantity::decimal("0.25"),
        "G.2X" => Quantity::of(2),
        "G.4X" => Quantity::of(4),
        "G.8X" => Quantity::of(8),
        _ => Quantity::of(1),
    };
    let least = if shell { Quantity::decimal("0.0625") } else { Quantity::of(1) };
    let units = capacity.or_else(workers * each).or_else(least);
    let unit = if units == Quantity::of(1) { "hours (1 DPU)".to_owned() } else { format!("hours ({units} DPUs)") };
    c.usage("Duration", unit, v.used("monthly_hours")).scaled(units);
    Ok(())
}

fn glue_crawler(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Duration", "hours", v.used("monthly_hours"));
    Ok(())
}

fn glue_catalog(v: &View<'_>, c: &mut Cost) -> Ruled {
    // The first million of each are free.
    const M: i64 = 1_000_000;
    c.usage("Storage", "100k objects", v.used("monthly_objects").above(M)).per(100_000);
    c.usage("Requests", "1M requests", v.used("monthly_requests").above(M)).per(M);
    Ok(())
}

fn airflow(v: &View<'_>, c: &mut Cost) -> Ruled {
    let size = v.text_or("environment_class", "mw1.small");
    let name = match size.rsplit('.').next().unwrap_or_default() {
        "medium" => "Medium",
        "large" => "Large",
        "xlarge" => "XLarge",
        "2xlarge" => "2XLarge",
        _ => "Small",
    };
    c.hours(format!("Environment ({name})"), 1).with("size", name);
    let hourly = |c: &mut Cost, what: &str, key: &str| {
        c.usage(format!("{what} ({name})"), "hours", v.used(key) * 730).with("size", name);
    };
    hourly(c, "Additional workers", "additional_workers");
    hourly(c, "Additional schedulers", "additional_schedulers");
    c.usage("Meta database", "GB", v.used("meta_database_gb"));
    Ok(())
}

fn grafana(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Editors/Administrators (free trial)", "users", v.used("editor_administrator_licenses"));
    c.usage("Viewers", "users", v.used("viewer_licenses"));
    if let Some(license) = v.text("license_type") {
        c.usage(format!("Enterprise plugins ({license})"), "users", v.used("enterprise_plugins_licenses"));
    }
    Ok(())
}

fn transfer(v: &View<'_>, c: &mut Cost) -> Ruled {
    let mut protocols = v.texts("protocols");
    if protocols.is_empty() {
        protocols.push("SFTP".to_owned());
    }
    protocols.sort();
    for protocol in protocols {
        c.hours(format!("{protocol} protocol enabled"), 1).with("protocol", &protocol);
    }
    used(
        v,
        c,
        &[
            ("Data downloaded", "GB", "monthly_data_downloaded_gb", 1),
            ("Data uploaded", "GB", "monthly_data_uploaded_gb", 1),
        ],
    );
    Ok(())
}

fn codebuild(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("environment.type", "LINUX_CONTAINER");
    let size = v.text_or("environment.compute_type", "BUILD_GENERAL1_SMALL");
    let system = match kind.as_str() {
        k if k.starts_with("WINDOWS") => "Windows",
        k if k.starts_with("ARM") => "ARM",
        _ => "Linux",
    };
    let word = size.trim_start_matches("BUILD_GENERAL1_").to_lowercase();
    let label = if kind.contains("GPU") {
        format!("{system} (general1.{word}, GPU)")
    } else {
        format!("{system} (general1.{word})")
    };
    c.usage(label, "minutes", v.used("monthly_build_mins")).with("compute_type", size).with("environment_type", kind);
    Ok(())
}
