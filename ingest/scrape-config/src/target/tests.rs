#![allow(clippy::unwrap_used)]
use std::path::Path;

use super::*;
use crate::Config;

fn job(more: &str) -> ScrapeConfig {
    Config::parse(&format!("scrape_configs:\n- job_name: j\n{more}"), Path::new("/")).unwrap().jobs.remove(0)
}

fn labels(text: &str) -> LabelMap {
    text.split_whitespace().map(|p| p.split_once('=').unwrap()).collect()
}

fn show(config: &ScrapeConfig, own: &str, shared: &str) -> String {
    match populate(config, &labels(own), &labels(shared)) {
        Ok(Populated::Dropped(_)) => "dropped".to_owned(),
        Err(e) => e,
        Ok(Populated::Target(target)) => {
            let labels: Vec<_> = target.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {} {}", target.url(), duration::format(target.interval), labels.join(" "))
        }
    }
}

#[test]
fn targets_are_made_as_prometheus_makes_them() {
    for (config, own, shared, want) in [
        ("", "__address__=a:1", "", "http://a:1/metrics 1m instance=a:1 job=j"),
        ("", "__address__=a", "env=x job=k", "http://a/metrics 1m env=x instance=a job=k"),
        ("", "__address__=a:1 env=own", "env=shared", "http://a:1/metrics 1m env=own instance=a:1 job=j"),
        (
            "  scheme: https\n  metrics_path: /a b?c\n  params: {m: [x y, z], e: []}\n",
            "__address__=a:1",
            "",
            "https://a:1/a%20b%3Fc?m=x%20y&m=z 1m instance=a:1 job=j",
        ),
        (
            "  params: {target: [t]}\n  relabel_configs:\n  - {source_labels: [__address__], target_label: __param_target}\n  - {source_labels: [__param_target], target_label: instance}\n  - {target_label: __address__, replacement: 'exporter:9115'}\n",
            "__address__=site",
            "",
            "http://exporter:9115/metrics?target=site 1m instance=site job=j",
        ),
        (
            "  relabel_configs:\n  - {source_labels: [__meta_x], target_label: x}\n  - {target_label: __scrape_interval__, replacement: 20s}\n  - {target_label: __tmp, replacement: y}\n",
            "__address__=a:1 __meta_x=m",
            "",
            "http://a:1/metrics 20s instance=a:1 job=j x=m",
        ),
        ("  relabel_configs: [{action: drop, source_labels: [job], regex: j}]\n", "__address__=a", "", "dropped"),
        ("", "", "", "the target has no address"),
        ("", "__address__=a/b", "", "\"a/b\" is not an address: write HOST:PORT, and the path as metrics_path"),
        ("", "__address__=a __scrape_interval__=5s", "", "the scrape timeout is longer than the scrape interval"),
        ("", "__address__=a __scrape_interval__=0s", "", "the scrape interval is 0"),
        ("", "__address__=a __scheme__=x", "", "scheme \"x\" is neither http nor https"),
    ] {
        assert_eq!(show(&job(config), own, shared), want, "{config} {own}");
    }
}
