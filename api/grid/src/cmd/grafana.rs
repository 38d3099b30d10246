//! `grid grafana export`: a provisioning folder from which a stock Grafana has Grid's data sources and dashboards.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use grid_model::TenantId;
use reqwest::Url;

use crate::args::{GrafanaCommand, GrafanaExport};
use crate::out;
use crate::unit::show_duration;

/// The dashboards, by the names of their files.
const DASHBOARDS: [(&str, &str); 6] = [
    ("grid-overview.json", include_str!("../../../../dashboards/grafana/grid-overview.json")),
    ("grid-ingest.json", include_str!("../../../../dashboards/grafana/grid-ingest.json")),
    ("nodes.json", include_str!("../../../../dashboards/grafana/nodes.json")),
    ("kubernetes-workloads.json", include_str!("../../../../dashboards/grafana/kubernetes-workloads.json")),
    ("cost.json", include_str!("../../../../dashboards/grafana/cost.json")),
    ("services-red.json", include_str!("../../../../dashboards/grafana/services-red.json")),
];
/// The tenant of Grid's own telemetry.
const OWN_TENANT: &str = "grid";
/// How often own telemetry is sent, by default.
const OWN_INTERVAL: &str = "30s";
/// The first line of both YAML files.
const WRITTEN_BY: &str =
    "# Written by `grid grafana export`; change the flags and write it again rather than editing it.\n";

/// Does what the command line says.
pub(crate) fn run(command: &GrafanaCommand) -> anyhow::Result<ExitCode> {
    let GrafanaCommand::Export(options) = command;
    for path in export(options)? {
        out::line(&path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn export(options: &GrafanaExport) -> anyhow::Result<Vec<PathBuf>> {
    let to = &options.out;
    let url = base(&options.url)?;
    TenantId::parse(&options.tenant).with_context(|| format!("read --tenant {:?}", options.tenant))?;
    if let Some(name) = &options.token_env {
        let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        ensure!(
            fits && !name.is_empty(),
            "--token-env {name:?} is no name of an environment variable; write for example GRID_TOKEN"
        );
    }
    let dashboards = to.join("dashboards").join("grid");
    for folder in [to.join("datasources"), dashboards.clone()] {
        std::fs::create_dir_all(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
    }
    let seen_at = match &options.mounted_at {
        Some(path) => path.join("dashboards").join("grid"),
        None => dashboards.canonicalize().with_context(|| format!("find {}", dashboards.display()))?,
    };
    let mut written = Vec::new();
    let mut write = |path: PathBuf, text: &str| -> anyhow::Result<()> {
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        written.push(path);
        Ok(())
    };
    write(to.join("datasources").join("grid.yaml"), &data_sources(&url, options))?;
    write(to.join("dashboards").join("grid.yaml"), &provider(&seen_at))?;
    for (name, text) in DASHBOARDS {
        write(dashboards.join(name), text)?;
    }
    Ok(written)
}

/// The address under which Grafana reaches Grid, without a slash at its end.
fn base(text: &str) -> anyhow::Result<String> {
    let hint = "write for example http://127.0.0.1:7080";
    let url = Url::parse(text).with_context(|| format!("read --url {text:?}; {hint}"))?;
    ensure!(matches!(url.scheme(), "http" | "https") && url.has_host(), "--url {text:?} is no HTTP address; {hint}");
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "--url holds a secret, and the files would hold it too; name a variable of Grafana's environment by --token-env"
    );
    Ok(text.trim_end_matches('/').to_owned())
}

/// Data sources with uids that do not change, so that dashboards and links keep working.
fn data_sources(url: &str, options: &GrafanaExport) -> String {
    let mut text = format!("{WRITTEN_BY}apiVersion: 1\ndatasources:\n");
    let interval = show_duration(options.scrape_interval);
    let own = OWN_INTERVAL.to_owned();
    for (name, uid, tenant, interval) in
        [("Grid", "grid", options.tenant.as_str(), interval), ("Grid telemetry", "grid-telemetry", OWN_TENANT, own)]
    {
        let (names, values) = headers(tenant, options);
        text.push_str(&format!(
            "  - name: {}\n    uid: {uid}\n    type: prometheus\n    access: proxy\n    url: {}\n    jsonData:\n      httpMethod: POST\n      \
             prometheusType: Prometheus\n      timeInterval: {}\n      manageAlerts: false\n{}    secureJsonData:\n{}",
            quoted(name),
            quoted(&format!("{url}/prometheus")),
            quoted(&interval),
            names,
            values
        ));
    }
    text.push_str(&native(url, options));
    text
}

/// The data source for what only Grid's own API says: costs. It takes the plugin `yesoreyeram-infinity-datasource`; without it, Grafana shows the
/// others.
fn native(url: &str, options: &GrafanaExport) -> String {
    let (names, values) = headers(&options.tenant, options);
    format!(
        "  - name: \"Grid API\"\n    uid: grid-api\n    type: yesoreyeram-infinity-datasource\n    access: proxy\n    url: {}\n    jsonData:\n      \
         auth_method: none\n      allowedHosts:\n        - {}\n{names}    secureJsonData:\n{values}",
        quoted(url),
        quoted(url),
    )
}

/// Lines of names and of values of the headers that Grafana sends.
fn headers(tenant: &str, options: &GrafanaExport) -> (String, String) {
    let mut headers = vec![("X-Scope-OrgID", tenant.to_owned())];
    if let Some(name) = &options.token_env {
        // Grafana puts the variable's value in when it reads the file, so the file holds no secret.
        headers.push(("Authorization", format!("Bearer ${{{name}}}")));
    }
    let lines = headers.iter().enumerate().map(|(i, (name, value))| {
        let n = i + 1;
        (
            format!("      httpHeaderName{n}: {}\n", quoted(name)),
            format!("      httpHeaderValue{n}: {}\n", quoted(value)),
        )
    });
    let (names, values): (Vec<_>, Vec<_>) = lines.unzip();
    (names.concat(), values.concat())
}

fn provider(dashboards: &Path) -> String {
    format!(
        "{WRITTEN_BY}apiVersion: 1\nproviders:\n  - name: grid\n    folder: Grid\n    folderUid: grid\n    type: file\n    allowUiUpdates: true\n    \
         options:\n      path: {}\n",
        quoted(&dashboards.display().to_string())
    )
}

/// A double-quoted scalar: a JSON string is one of YAML, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
