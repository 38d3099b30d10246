#![allow(clippy::unwrap_used)]
use super::*;
use crate::http::{Auth, ProxyConfig, Secret, SecretSource};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/prom"))
}

#[test]
fn a_usual_file_is_read() {
    let text = r#"
global:
  scrape_interval: 15s
  evaluation_interval: 30s
  external_labels: {monitor: x}
  sample_limit: 1000
rule_files: ["rules/*.yml"]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["am:9093"]}]
remote_write: [{url: "http://x"}]
scrape_config_files: ["more/*.yml"]
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ['localhost:9090']
        labels: {env: prod, tier: 1}
  - job_name: node
    scrape_interval: 5s
    metrics_path: /probe
    scheme: https
    params: {module: [http_2xx, other]}
    honor_labels: true
    honor_timestamps: false
    sample_limit: 5
    body_size_limit: 10MB
    scrape_protocols: [PrometheusProto, PrometheusText0.0.4]
    basic_auth: {username: me, password_file: secret.txt}
    tls_config: {ca_file: ca.pem, insecure_skip_verify: true, server_name: example, min_version: TLS12}
    proxy_url: http://proxy:3128
    file_sd_configs:
      - files: ["targets/*.json", /abs/one.yml]
        refresh_interval: 1m
    http_sd_configs:
      - url: http://sd/targets
        authorization: {credentials: abc}
    relabel_configs:
      - source_labels: [__address__]
        regex: (.*):\d+
        target_label: host
    metric_relabel_configs:
      - {action: drop, source_labels: [__name__], regex: go_.*}
"#;
    let config = parse(text).unwrap();
    assert_eq!(
        config.ignored,
        ["rule_files", "alerting", "remote_write", "global.evaluation_interval", "global.external_labels"]
    );
    assert_eq!(config.files, [PathBuf::from("/etc/prom/more/*.yml")]);
    let [own, node] = &config.jobs[..] else { panic!("{config:?}") };
    assert_eq!((own.interval.as_secs(), own.timeout.as_secs(), own.limits.samples), (15, 10, 1000));
    assert_eq!(own.static_groups[0].labels.get("tier"), "1");
    assert_eq!(own.http, HttpConfig::default());
    assert_eq!((node.interval.as_secs(), node.timeout.as_secs(), node.limits.samples), (5, 5, 5));
    assert_eq!(node.limits.body_bytes, 10 << 20);
    assert!(node.honor_labels && !node.honor_timestamps && node.native_histograms);
    assert_eq!(node.file_sd[0].files, [PathBuf::from("/etc/prom/targets/*.json"), PathBuf::from("/abs/one.yml")]);
    let Some(Auth::Basic { username, password }) = &node.http.auth else { panic!("{:?}", node.http) };
    assert_eq!(*username, SecretSource::Inline(Secret("me".to_owned())));
    assert_eq!(*password, SecretSource::File("/etc/prom/secret.txt".into()));
    assert!(matches!(&node.http.proxy, ProxyConfig::Url { url, .. } if url == "http://proxy:3128"));
    let Some(Auth::Scheme { scheme, .. }) = &node.http_sd[0].http.auth else { panic!() };
    assert_eq!(scheme, "Bearer");
    assert!(!format!("{config:?}").contains("abc"), "secrets are not shown");
    assert_eq!((node.relabel.len(), node.metric_relabel.len()), (1, 1));
    assert_eq!(config, parse(text).unwrap());
}

#[test]
fn protocols_are_asked_for_as_prometheus_asks() {
    let header = |more: &str| {
        let config = parse(&format!("scrape_configs: [{{job_name: a, {more}}}]")).unwrap();
        config.jobs[0].accept_header()
    };
    assert_eq!(
        header(""),
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,\
         text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    );
    assert!(header("scrape_native_histograms: true").starts_with("application/vnd.google.protobuf;proto="));
    assert!(!header("").contains("protobuf"));
    assert!(header("metric_name_validation_scheme: legacy").contains("escaping=underscores"));
}

#[test]
fn further_files_add_jobs() {
    let mut config = parse("global: {scrape_interval: 7s}\nscrape_configs: [{job_name: a}]").unwrap();
    config.add_file("scrape_configs:\n- job_name: b\n", Path::new("/")).unwrap();
    assert_eq!(config.jobs[1].interval.as_secs(), 7);
    assert!(config.add_file("scrape_configs:\n- job_name: a\n", Path::new("/")).is_err());
    assert!(config.add_file("global: {}\n", Path::new("/")).is_err());
    assert_eq!(parse("").unwrap().jobs, []);
    assert_eq!(parse("# nothing\n").unwrap().jobs, []);
}

#[test]
fn mistakes_are_told_by_name_and_place() {
    let job = |text: &str| format!("scrape_configs:\n- job_name: j\n  {text}\n");
    for (text, why) in [
        ("scrape_configs: [{}]".to_owned(), "scrape_configs[0]: it has no job_name"),
        ("scrape_configs: [{job_name: a}, {job_name: a}]".to_owned(), "another job of this name"),
        ("scrape_config: []".to_owned(), "unknown field `scrape_config`"),
        (job("scrape_intervall: 5s"), "unknown field `scrape_intervall`"),
        (job("scrape_interval: 5"), "\"5\" is not a duration"),
        (job("scrape_timeout: 2m"), "scrape_timeout 2m is longer than scrape_interval 1m"),
        (
            job("kubernetes_sd_configs: [{role: pod}]"),
            "kubernetes_sd_configs is not supported; list the targets by file_sd",
        ),
        (job("ec2_sd_configs: []"), "ec2_sd_configs is not supported"),
        (job("oauth2: {client_id: x}"), "oauth2 is not supported"),
        (job("convert_classic_histograms_to_nhcb: true"), "convert_classic_histograms_to_nhcb is not supported"),
        (job("native_histogram_bucket_limit: 10"), "native_histogram_bucket_limit is not supported"),
        (job("scheme: ftp"), "neither http nor https"),
        (job("static_configs: [{targets: ['http://a:1']}]"), "is not an address"),
        (job("static_configs: [{target: []}]"), "unknown field `target`"),
        (job("file_sd_configs: [{files: ['a/*/b.json']}]"), "in the last part"),
        (job("file_sd_configs: [{files: [a.txt]}]"), "ends in none of"),
        (job("http_sd_configs: [{url: sd}]"), "is not an http"),
        (
            job("relabel_configs: [{action: keep}, {action: replace}]"),
            "relabel_configs[1]: relabel action replace needs",
        ),
        (job("basic_auth: {username: a}\n  bearer_token: b"), "at most one of"),
        (job("basic_auth: {password: a, password_file: b}"), "password and password_file exclude"),
        (job("tls_config: {cert_file: a}"), "belong together"),
        (job("scrape_protocols: [Protobuf]"), "unknown scrape protocol"),
        (job("proxy_url: socks5://x"), "is not an http"),
        (job("body_size_limit: many"), "is not a size"),
        (job("http_headers: {Host: {values: [x]}}"), "Host cannot be set"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}
