#![allow(clippy::unwrap_used)]

use expect_test::{Expect, expect};

use super::*;

fn sources(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &'static str, &str)]) -> Sources {
    Sources {
        file: Some(("grid.toml".to_owned(), file.to_owned())),
        environment: environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        flags: flags.iter().map(|(path, flag, text)| FlagSetting { path, flag, text: (*text).to_owned() }).collect(),
    }
}

fn check(file: &str, environment: &[(&str, &str)], expected: Expect) {
    let answer = match Config::load(&sources(file, environment, &[])) {
        Ok(_) => "ok\n".to_owned(),
        Err(errors) => format!("{errors}\n"),
    };
    expected.assert_eq(&answer);
}

#[test]
fn defaults_are_readable_and_right() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.address("server.http"), Some("127.0.0.1:7080".parse().unwrap()));
    assert_eq!(config.data_dir(), PathBuf::from("./grid-data"));
    assert!(config.show().iter().all(|s| s.origin == "default"));
}

#[test]
fn later_sources_win_and_are_named() {
    let s = sources(
        "[server]\nhttp = \"127.0.0.1:1\"\notlp_grpc = \"off\"\n\n[query]\ntimeout = \"5s\"\n",
        &[("GRID__SERVER__HTTP", "127.0.0.1:2"), ("GRID__QUERY__ROWS_MAX", "7"), ("HOME", "/")],
        &[("server.http", "--listen", "localhost:0")],
    );
    let config = Config::load(&s).unwrap();
    let shown: Vec<String> = config
        .show()
        .into_iter()
        .filter(|s| s.origin != "default")
        .map(|s| format!("{} = {} ({})", s.path, s.text, s.origin))
        .collect();
    expect![[r#"
        server.http = localhost:0 (flag --listen)
        server.otlp_grpc = off (grid.toml:3)
        query.timeout = 5s (grid.toml:6)
        query.rows_max = 7 (environment GRID__QUERY__ROWS_MAX)"#]]
    .assert_eq(&shown.join("\n"));
    assert_eq!(config.address("server.otlp_grpc"), None);
}

#[test]
fn a_typo_gets_a_caret_and_a_suggestion() {
    check("[sevrer]\nhttp = \"127.0.0.1:0\"\n\n[storage]\n  dta_dir = \"x\"\n", &[], expect![[r#""#]]);
}

#[test]
fn every_mistake_is_reported_at_once() {
    check(
        "[server]\nhttp = \"127.0.0.1\"\n[guard]\nconcurrency_query = \"many\"\n[query]\ntimeout = 5\nrows_max = 0\n[log]\nformat = \"xml\"\n",
        &[("GRID__QUERY__TIMOUT", "5s"), ("GRID__STORAGE__FLUSH_INTERVAL", "soon")],
        expect![[r#""#]],
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    check("[server\nhttp = 1\n", &[], expect![[r#""#]]);
}

#[test]
fn a_key_outside_its_section_is_sent_home() {
    check("data_dir = \"x\"\nserver = 5\n", &[], expect![[r#""#]]);
}

#[test]
fn beyond_loopback_needs_authentication_or_consent() {
    check("[server]\nhttp = \"0.0.0.0:7080\"\n", &[], expect![[r#""#]]);
    check("[server]\nhttp = \"0.0.0.0:7080\"\n[auth]\nmode = \"tokens\"\n", &[], expect![["ok\n"]]);
    check("[server]\nhttp = \"0.0.0.0:7080\"\n[auth]\nallow_anonymous = true\n", &[], expect![["ok\n"]]);
}

#[test]
fn rules_between_settings() {
    check(
        "[server]\nhttp = \"127.0.0.1:4317\"\n[guard]\nbody_bytes_max = \"1GiB\"\n[telemetry]\nto = \"jaeger\"\n[log]\nfilter = \"=,=\"\n[storage]\nobject_url = \"gs://x\"\nflush_interval = \"0s\"\n",
        &[],
        expect![[r#""#]],
    );
}

#[test]
fn the_packaged_example_is_readable_and_says_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/grid.toml");
    let text = std::fs::read_to_string(path).unwrap();
    // Every setting appears, commented out, with its default: uncommenting all changes nothing but the data folder.
    let uncommented: String = text
        .lines()
        .map(|l| match l.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(k, _)| !k.contains(' ')) => {
                rest
            }
            _ => l,
        })
        .map(|l| format!("{l}\n"))
        .collect();
    let example = Config::load(&Sources { file: Some(("grid.toml".to_owned(), text)), ..Sources::default() }).unwrap();
    assert!(example.show().iter().any(|s| s.path == "storage.data_dir"));
    let full = Config::load(&Sources { file: Some(("grid.toml".to_owned(), uncommented)), ..Sources::default() })
        .map_err(|e| e.to_string())
        .unwrap();
    for shown in full.show() {
        assert_ne!(shown.origin, "default", "{} is missing in packaging/grid.toml", shown.path);
        let key = keys::find(shown.path).unwrap();
        if shown.path != "storage.data_dir" {
            assert_eq!(key.kind.read(&shown.text), key.kind.read(key.default), "{}", shown.path);
        }
    }
}

#[test]
fn the_documentation_names_every_setting() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md")).unwrap();
    for key in KEYS {
        assert!(text.contains(&format!("`{}`", key.path)), "docs/configuration.md does not name {}", key.path);
        assert!(text.contains(&environment_name(key.path)) || text.contains("GRID__SECTION__KEY"));
    }
}
