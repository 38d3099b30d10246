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
    check(
        "[sevrer]\nhttp = \"127.0.0.1:0\"\n\n[storage]\n  dta_dir = \"x\"\n",
        &[],
        expect![[r#"
        error: unknown section `sevrer`
         --> grid.toml:1:2
          |
        1 | [sevrer]
          |  ^^^^^^ did you mean `server`?

        error: unknown key `storage.dta_dir`
         --> grid.toml:5:3
          |
        5 |   dta_dir = "x"
          |   ^^^^^^^ did you mean `data_dir`?

        2 mistakes in the configuration; nothing was started
    "#]],
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    check(
        "[server]\nhttp = \"127.0.0.1\"\n[guard]\nconcurrency_query = \"many\"\n[query]\ntimeout = 5\nrows_max = 0\n[log]\nformat = \"xml\"\n",
        &[("GRID__QUERY__TIMOUT", "5s"), ("GRID__STORAGE__FLUSH_INTERVAL", "soon")],
        expect![[r#"
            error: `server.http`: "127.0.0.1" is not an address; write "127.0.0.1:7080", "[::1]:7080", port 0 for any free one
             --> grid.toml:2:8
              |
            2 | http = "127.0.0.1"
              |        ^^^^^^^^^^^

            error: `guard.concurrency_query` is of the wrong type
             --> grid.toml:4:21
              |
            4 | concurrency_query = "many"
              |                     ^^^^^^ `guard.concurrency_query` takes a whole number, without quotes

            error: `query.timeout` is of the wrong type
             --> grid.toml:6:11
              |
            6 | timeout = 5
              |           ^ `query.timeout` takes a duration as text ("30s")

            error: `query.rows_max`: 0 is out of range; it must lie between 1 and 1099511627776
             --> grid.toml:7:12
              |
            7 | rows_max = 0
              |            ^

            error: `log.format`: "xml" is none of auto, text, json
             --> grid.toml:9:10
              |
            9 | format = "xml"
              |          ^^^^^

            error: unknown setting `query.timout`
             --> environment GRID__QUERY__TIMOUT
              = did you mean GRID__QUERY__TIMEOUT?

            error: `storage.flush_interval`: "soon" is not a duration; write a duration as in Prometheus: "30s", "5m", "2h30m", "14d"
             --> environment GRID__STORAGE__FLUSH_INTERVAL

            7 mistakes in the configuration; nothing was started
        "#]],
    );
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    check(
        "[server\nhttp = 1\n",
        &[],
        expect![[r#"
        error: unclosed table, expected `]`
         --> grid.toml:1:8
          |
        1 | [server
          |        ^

        error: unknown section `http`
         --> grid.toml:2:1
          |
        2 | http = 1
          | ^^^^ it belongs into a section: `server.http`

        2 mistakes in the configuration; nothing was started
    "#]],
    );
}

#[test]
fn a_key_outside_its_section_is_sent_home() {
    check(
        "data_dir = \"x\"\nserver = 5\n",
        &[],
        expect![[r#"
        error: unknown section `data_dir`
         --> grid.toml:1:1
          |
        1 | data_dir = "x"
          | ^^^^^^^^ it belongs into a section: `storage.data_dir`

        error: `server` is a section, not a value
         --> grid.toml:2:10
          |
        2 | server = 5
          |          ^ write [server] on its own line and keys below

        2 mistakes in the configuration; nothing was started
    "#]],
    );
}

#[test]
fn beyond_loopback_needs_authentication_or_consent() {
    check(
        "[server]\nhttp = \"0.0.0.0:7080\"\n",
        &[],
        expect![[r#"
        error: GRID-0130: `server.http` = 0.0.0.0:7080 can be reached from other machines, but everyone may do everything
         --> grid.toml:2:1
          |
        2 | http = "0.0.0.0:7080"
          | ^^^^ make a token (`grid token create`) and set auth.mode = "tokens", or accept it with --allow-anonymous

        1 mistake in the configuration; nothing was started
    "#]],
    );
    check("[server]\nhttp = \"0.0.0.0:7080\"\n[auth]\nmode = \"tokens\"\n", &[], expect![["ok\n"]]);
    check("[server]\nhttp = \"0.0.0.0:7080\"\n[auth]\nallow_anonymous = true\n", &[], expect![["ok\n"]]);
}

#[test]
fn rules_between_settings() {
    check(
        "[server]\nhttp = \"127.0.0.1:4317\"\n[guard]\nbody_bytes_max = \"1GiB\"\n[telemetry]\nto = \"jaeger\"\n[log]\nfilter = \"=,=\"\n[storage]\nobject_url = \"gs://x\"\nflush_interval = \"0s\"\n",
        &[],
        expect![[r#"
            error: `server.otlp_grpc` and `server.http` are the same address, 127.0.0.1:4317
             --> default
              = give each its own port

            error: `guard.inflated_bytes_max` is smaller than `guard.body_bytes_max`
             --> default
              = make it at least as large

            error: `storage.flush_interval` is zero
              --> grid.toml:11:1
               |
            11 | flush_interval = "0s"
               | ^^^^^^^^^^^^^^ give a duration above zero

            error: `telemetry.to`: "jaeger" is neither "self", "off" nor a URL
             --> grid.toml:6:1
              |
            6 | to = "jaeger"
              | ^^ write "http://HOST:4317" for a collector's gRPC address

            error: `storage.object_url`: "gs://x" is not an s3:// URL
              --> grid.toml:10:1
               |
            10 | object_url = "gs://x"
               | ^^^^^^^^^^ write "s3://BUCKET/PREFIX"

            5 mistakes in the configuration; nothing was started
        "#]],
    );
}

#[test]
fn memory_is_shared_out_unless_a_part_is_set() {
    let config =
        Config::load(&sources("[memory]\nlimit = \"1GiB\"\n[query]\nmemory_bytes = \"300MiB\"\n", &[], &[])).unwrap();
    assert_eq!(config.number("query.memory_bytes"), 300 << 20);
    assert_eq!(config.number("storage.buffer_bytes_max"), 32 << 20);
    assert_eq!(config.origin("storage.buffer_bytes_max"), "a share of memory.limit");
    // The defaults are the shares of the default.
    let default = Config::load(&Sources::default()).unwrap();
    for (path, parts) in keys::MEMORY_SHARES {
        assert_eq!(default.number(path), default.number("memory.limit") / parts, "{path}");
    }
    check(
        "[memory]\nlimit = \"1MiB\"\n",
        &[],
        expect![[r#"
        error: `memory.limit` is less than 256 MiB
         --> grid.toml:2:1
          |
        2 | limit = "1MiB"
          | ^^^^^ give the server at least 256 MiB

        1 mistake in the configuration; nothing was started
    "#]],
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
