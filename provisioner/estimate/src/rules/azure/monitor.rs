//! Monitor, Log Analytics, Automation, Recovery Services, keys.

use crate::component::Cost;
use crate::quantity::Quantity;
use crate::rules::{Row, used};
use crate::view::{Ruled, Unpriced, View};

pub(in crate::rules) const RULES: &[Row] = &[
    ("azurerm_application_insights", "Azure Monitor", insights),
    ("azurerm_application_insights_web_test", "Azure Monitor", web_test),
    ("azurerm_application_insights_standard_web_test", "Azure Monitor", standard_web_test),
    ("azurerm_log_analytics_workspace", "Azure Monitor", workspace),
    ("azurerm_monitor_metric_alert", "Azure Monitor", metric_alert),
    ("azurerm_monitor_scheduled_query_rules_alert", "Azure Monitor", query_alert),
    ("azurerm_monitor_scheduled_query_rules_alert_v2", "Azure Monitor", query_alert),
    ("azurerm_monitor_action_group", "Azure Monitor", action_group),
    ("azurerm_monitor_diagnostic_setting", "Azure Monitor", diagnostic),
    ("azurerm_monitor_data_collection_rule", "Azure Monitor", collection_rule),
    ("azurerm_automation_account", "Automation", automation_account),
    ("azurerm_automation_dsc_configuration", "Automation", dsc),
    ("azurerm_automation_dsc_nodeconfiguration", "Automation", dsc),
    ("azurerm_automation_job_schedule", "Automation", job_schedule),
    ("azurerm_recovery_services_vault", "Backup", vault),
    ("azurerm_key_vault_key", "Key Vault", key),
    ("azurerm_key_vault_certificate", "Key Vault", certificate),
    ("azurerm_key_vault_managed_hardware_security_module", "Key Vault", hsm),
    ("azurerm_active_directory_domain_service", "Azure Active Directory Domain Services", domain_service),
    ("azurerm_active_directory_domain_service_replica_set", "Azure Active Directory Domain Services", domain_service),
];

fn insights(v: &View<'_>, c: &mut Cost) -> Ruled {
    let gb = v.used("monthly_data_ingested_gb");
    c.usage("Data ingested", "GB", gb);
    let days = v.int("retention_in_days", 90);
    if days > 90 {
        // Ninety days are in the price.
        c.add(format!("Data retention ({days} days)"), "GB", gb * (days - 90) / 30).by_usage();
    }
    Ok(())
}

fn web_test(v: &View<'_>, c: &mut Cost) -> Ruled {
    if v.text_or("kind", "ping") != "multistep" || !v.flag("enabled") {
        return Err(Unpriced::Free);
    }
    c.add("Multi-step web test", "test", 1);
    Ok(())
}

fn standard_web_test(v: &View<'_>, c: &mut Cost) -> Ruled {
    let every = v.int("frequency", 300).max(1);
    let places = v.count("geo_locations").max(1);
    c.add("Standard web test", "1K tests", Quantity::of(730 * 3_600) / every * places / 1_000).scaled(1_000);
    Ok(())
}

fn workspace(v: &View<'_>, c: &mut Cost) -> Ruled {
    let sku = v.text_or("sku", "PerGB2018");
    let solutions = v.users("azurerm_log_analytics_solution");
    let sentinel = solutions.iter().any(|s| {
        s.text_or("solution_name", "").eq_ignore_ascii_case("securityinsights")
            || s.text_or("plan.product", "").contains("SecurityInsights")
    }) || [
        "aws_cloud_trail",
        "azure_active_directory",
        "azure_advanced_threat_protection",
        "azure_security_center",
        "microsoft_cloud_app_security",
        "microsoft_defender_advanced_threat_protection",
        "office_365",
        "threat_intelligence",
    ]
    .iter()
    .any(|k| !v.users(&format!("azurerm_sentinel_data_connector_{k}")).is_empty());
    if sku == "Free" {
        return Err(Unpriced::Free);
    }
    if sku == "CapacityReservation" {
        let level = v.int("reservation_capacity_in_gb_per_day", 100);
        c.add("Log data ingestion", format!("{level} GB (per day)"), 30).with("level", level.to_string());
        if sentinel {
            let level = v.used("sentinel_reservation_capacity_in_gb_per_day").or(level);
            c.add("Sentinel data ingestion", format!("{level} GB (per day)"), 30).with("level", level.to_string());
        }
    } else {
        c.usage("Log data ingestion", "GB", v.used("monthly_log_data_ingestion_gb")).with("sku", &sku);
        if sentinel {
            c.usage("Sentinel data ingestion", "GB", v.used("monthly_sentinel_data_ingestion_gb"));
        }
    }
    // A month is free, three with Sentinel.
    let free = if sentinel { 90 } else { 31 };
    if v.int("retention_in_days", 30) > free {
        c.usage("Log data retention", "GB", v.used("monthly_additional_log_data_retention_gb"));
    }
    used(
        v,
        c,
        &[
            ("Log data export", "GB", "monthly_log_data_export_gb", 1),
            ("Basic log data ingestion", "GB", "monthly_basic_log_data_ingestion_gb", 1),
            ("Basic log search queries", "GB searched", "monthly_basic_log_search_gb", 1),
            ("Archive data", "GB", "monthly_archive_data_gb", 1),
            ("Archive data restored", "GB", "monthly_archive_data_restored_gb", 1),
            ("Archive data searched", "GB", "monthly_archive_data_searched_gb", 1),
        ],
    );
    Ok(())
}

fn metric_alert(v: &View<'_>, c: &mut Cost) -> Ruled {
    if !v.flag_or("enabled", true) {
        return Err(Unpriced::Free);
    }
    let scopes = v.count("scopes").max(1);
    let series = |blocks: &[View<'_>]| {
        let each =
            blocks.iter().map(|b| b.blocks("dimension").iter().map(|d| d.count("values").max(1)).sum::<i64>().max(1));
        each.sum::<i64>() * scopes
    };
    let dynamic = v.blocks("dynamic_criteria");
    let mut fixed = v.blocks("criteria");
    fixed.extend(v.blocks("application_insights_web_test_location_availability_criteria"));
    let (dynamic, fixed) = (series(&dynamic), series(&fixed));
    c.add("Metrics monitoring", "time-series", fixed + dynamic);
    if dynamic > 0 {
        c.add("Dynamic threshold monitoring", "time-series", dynamic);
    }
    Ok(())
}

fn query_alert(v: &View<'_>, c: &mut Cost) -> Ruled {
    if !v.flag_or("enabled", true) {
        return Err(Unpriced::Free);
    }
    let minutes = match v.text_or("evaluation_frequency", "PT15M").as_str() {
        "PT1M" => 1,
        "PT5M" => 5,
        "PT10M" => 10,
        _ => 15,
    };
    let minutes = match v.int("frequency", minutes) {
        ..=1 => 1,
        ..=5 => 5,
        ..=10 => 10,
        _ => 15,
    };
    let scopes = v.count("scopes").max(1);
    let dimensions: i64 = v
        .blocks("criteria")
        .iter()
        .map(|b| b.blocks("dimension").iter().map(|d| d.count("values").max(1)).sum::<i64>())
        .sum();
    c.add(format!("Log alerts monitoring ({minutes} minute frequency)"), "rules", scopes)
        .with("frequency", minutes.to_string());
    if dimensions > 1 {
        c.add(
            format!("Additional time-series monitoring ({minutes} minute frequency)"),
            "time-series",
            (dimensions - 1) * scopes,
        );
    }
    Ok(())
}

fn action_group(v: &View<'_>, c: &mut Cost) -> Ruled {
    if !v.flag_or("enabled", true) {
        return Err(Unpriced::Free);
    }
    let sent = v.used("monthly_notifications");
    for (path, name, unit, per, free) in [
        ("itsm_receiver", "ITSM connectors", "1k events", 1_000, 0),
        ("email_receiver", "Email notifications", "100k emails", 100_000, 1_000),
        ("webhook_receiver", "Web hooks", "1M notifications", 1_000_000, 100_000),
        ("azure_app_push_receiver", "Push notifications", "100k notifications", 100_000, 1_000),
    ] {
        let count = v.count(path);
        if count > 0 {
            c.usage(name, unit, (sent * count).above(free)).per(per);
        }
    }
    for (path, name, unit) in [("sms_receiver", "SMS messages", "messages"), ("voice_receiver", "Voice calls", "calls")]
    {
        for receiver in v.blocks(path) {
            let code = receiver.text_or("country_code", "1");
            c.usage(format!("{name} (country code {code})"), unit, sent).with("country", &code);
        }
    }
    Ok(())
}

fn diagnostic(v: &View<'_>, c: &mut Cost) -> Ruled {
    let gb = v.used("monthly_platform_log_gb");
    for (path, name) in [
        ("storage_account_id", "Platform logs processed (storage)"),
        ("eventhub_name", "Platform logs processed (event hub)"),
        ("partner_solution_id", "Platform logs processed (marketplace)"),
    ] {
        if v.has(path) {
            c.usage(name, "GB", gb);
        }
    }
    if c.components.is_empty() { Err(Unpriced::Free) } else { Ok(()) }
}

fn collection_rule(v: &View<'_>, c: &mut Cost) -> Ruled {
    if !v.has("destinations.azure_monitor_metrics") && !v.has("destinations.monitor_account") {
        return Err(Unpriced::Free);
    }
    used(v, c, &[("Metrics ingestion", "10M samples", "monthly_custom_metrics_samples", 10_000_000)]);
    Ok(())
}

fn automation_account(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(
        v,
        c,
        &[
            ("Job run time", "minutes", "monthly_job_run_mins", 1),
            ("Non-azure config nodes", "nodes", "non_azure_config_node_count", 1),
        ],
    );
    if v.has_usage("monthly_watcher_hrs") {
        used(v, c, &[("Watchers", "hours", "monthly_watcher_hrs", 1)]);
    }
    Ok(())
}

fn dsc(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(v, c, &[("Non-azure config nodes", "nodes", "non_azure_config_node_count", 1)]);
    Ok(())
}

fn job_schedule(v: &View<'_>, c: &mut Cost) -> Ruled {
    used(v, c, &[("Job run time", "minutes", "monthly_job_run_mins", 1)]);
    Ok(())
}

fn vault(v: &View<'_>, c: &mut Cost) -> Ruled {
    let mode = v.text_or("storage_mode_type", "GeoRedundant");
    let redundancy = match (mode.as_str(), v.flag("cross_region_restore_enabled")) {
        ("GeoRedundant", true) => "RA-GRS",
        ("LocallyRedundant", _) => "LRS",
        ("ZoneRedundant", _) => "ZRS",
        _ => "GRS",
    };
    let name = v.text_or("name", "");
    let mut machines = v.users("azurerm_backup_protected_vm");
    for vm in v.all("azurerm_backup_protected_vm") {
        let known = machines.iter().any(|m| m.resource.address == vm.resource.address);
        if !known && !name.is_empty() && vm.text_or("recovery_vault_name", "") == name {
            machines.push(vm);
        }
    }
    let kinds = ["azurerm_virtual_machine", "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine"];
    for vm in machines {
        let bare = vm.resource.address.split("[\"").next().unwrap_or_default().to_owned();
        let stated = |key: &str| {
            let nested = |address: &str| v.used_nested(address, key);
            let exact = nested(&vm.resource.address);
            if exact.is_set() { exact } else { nested(&format!("{bare}[*]")) }
        };
        let source = vm.refers_to("source_vm_id", &kinds);
        let disks = source.map(|s| {
            let sizes: Vec<_> =
                ["storage_os_disk", "storage_data_disk", "os_disk"].iter().flat_map(|p| s.blocks(p)).collect();
            sizes.iter().fold(Quantity::ZERO, |sum, d| sum + d.number("disk_size_gb").or(128))
        });
        let used = stated("disk_utilization_gb").or_else(disks.unwrap_or(Quantity::UNSET));
        let part = c.part(vm.resource.address.clone());
        let (name, count) = match (used.above(50).is_positive(), used.above(500)) {
            (_, over) if over.is_positive() => ("Instance backup (over 500 GB)", Quantity::of(1)),
            (true, _) => ("Instance backup (under 500 GB)", Quantity::of(1)),
            _ => ("Instance backup (under 50 GB)", Quantity::of(1)),
        };
        part.usage(name, "month", if used.is_set() { count } else { Quantity::UNSET });
        part.usage(format!("{redundancy} data stored"), "GB", used + stated("additional_backup_retention_gb").or(0))
            .with("redundancy", redundancy);
    }
    Ok(())
}

fn key(v: &View<'_>, c: &mut Cost) -> Ruled {
    let kind = v.text_or("key_type", "RSA");
    let size = v.int("key_size", 2_048);
    let vault = v.refers_to("key_vault_id", &["azurerm_key_vault"]);
    let premium = vault.is_some_and(|k| k.text_or("sku_name", "").eq_ignore_ascii_case("premium"));
    let hardware = kind.ends_with("-HSM");
    if !hardware {
        let plain = kind == "RSA" && size <= 2_048;
        let keys = c.usage("Software-protected keys", "10K transactions", v.used("monthly_protected_keys_operations"));
        keys.per(10_000).with("advanced", (!plain).to_string());
        c.usage("Storage key rotations", "renewals", v.used("monthly_key_rotation_renewals"));
        return Ok(());
    }
    if !premium {
        return Err(Unpriced::Unsupported("keys in hardware need a premium vault".to_owned()));
    }
    c.usage("HSM-protected keys", "months", v.used("hsm_protected_keys"));
    c.usage("HSM-protected keys", "10K transactions", v.used("monthly_protected_keys_operations")).per(10_000);
    Ok(())
}

fn certificate(v: &View<'_>, c: &mut Cost) -> Ruled {
    c.usage("Certificate renewals", "requests", v.used("monthly_certificate_renewal_requests"));
    c.usage("Certificate operations", "10K transactions", v.used("monthly_certificate_other_operations")).per(10_000);
    Ok(())
}

fn hsm(_: &View<'_>, c: &mut Cost) -> Ruled {
    c.hours("HSM pools", 1);
    Ok(())
}

fn domain_service(v: &View<'_>, c: &mut Cost) -> Ruled {
    let parent = v.refers_to("domain_service_id", &["azurerm_active_directory_domain_service"]);
    let sku = v.text("sku").or_else(|| parent.and_then(|p| p.text("sku"))).unwrap_or_else(|| "Standard".to_owned());
    let name = if v.resource.kind.ends_with("replica_set") {
        "Active directory domain service replica set"
    } else {
        "Active directory domain service"
    };
    c.hours(format!("{name} ({sku})"), 1).with("sku", &sku);
    Ok(())
}
