//! Expressions of the shared data: Prometheus' language tests, and those of real rules and dashboards with Prometheus' own tree and
//! formatting.

use std::io::Read;
use std::path::PathBuf;

use grid_promql_syntax::{Features, parse, prettify, to_json};
use serde_json::Value;

mod common;
use common::sorted;

fn shared_data(suite: &str) -> Option<PathBuf> {
    let path = match std::env::var_os("GRID_SHARED_DATA") {
        Some(path) => path.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    };
    if !path.is_dir() {
        #[allow(clippy::print_stdout, reason = "what is skipped is seen")]
        {
            println!("SKIPPED {suite}: no shared data (GRID_SHARED_DATA)");
        }
        return None;
    }
    Some(path)
}

/// Parses, and checks that both ways of printing give the tree back.
fn check_round_trip(text: &str) -> Result<(), String> {
    let expr = parse(text, &Features::ALL).map_err(|e| format!("{text}\n  {e}"))?;
    let wanted = sorted(&expr);
    for printed in [expr.to_string(), prettify(&expr)] {
        let again = parse(&printed, &Features::ALL).map_err(|e| format!("{text}\n  printed {printed}\n  {e}"))?;
        if sorted(&again) != wanted {
            return Err(format!("{text}\n  printed {printed}\n  is another tree"));
        }
        if again.to_string() != expr.to_string() {
            return Err(format!("{text}\n  printed {printed}\n  prints {again}"));
        }
    }
    Ok(())
}

#[test]
fn language_tests_parse() {
    let Some(data) = shared_data("language_tests_parse") else { return };
    let mut wrong = Vec::new();
    let mut parsed = 0;
    for file in std::fs::read_dir(data.join("promql/corpus")).unwrap() {
        let path = file.unwrap().path();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let Some(rest) = line.strip_prefix("eval") else { continue };
            let words: Vec<&str> = rest.split_whitespace().collect();
            // `instant at T expr` or `range from A to B step S expr`; the kind may have a suffix such as `_fail`.
            let skip = match words.iter().position(|w| *w == "instant" || *w == "range") {
                Some(at) if words[at] == "instant" => at + 3,
                Some(at) => at + 7,
                None => continue,
            };
            let mut text = rest.trim_start();
            for _ in 0..skip {
                text = text.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
            }
            match check_round_trip(text) {
                Ok(()) => parsed += 1,
                Err(why) => wrong.push(format!("{}: {why}", path.display())),
            }
        }
    }
    println!("{parsed} expressions of the corpus parse");
    assert!(wrong.is_empty(), "{} fail:\n{}", wrong.len(), wrong.join("\n"));
    assert!(parsed > 1000);
}

#[test]
fn real_expressions_have_prometheus_tree_and_formatting() {
    let Some(data) = shared_data("real_expressions") else { return };
    let file = std::fs::File::open(data.join("promql/real_exprs.jsonl.gz")).unwrap();
    let mut lines = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut lines).unwrap();
    let mut wrong = Vec::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["expr"].as_str().unwrap();
        match parse(text, &Features::default()) {
            Err(e) => wrong.push(format!("{text}\n  {e}")),
            Ok(expr) => {
                if to_json(&expr) != case["ast"] {
                    wrong.push(format!("{text}\n  {}\n  {}", to_json(&expr), case["ast"]));
                }
                if prettify(&expr) != case["formatted"] {
                    wrong.push(format!("{text}\n  {}\n  {}", prettify(&expr), case["formatted"].as_str().unwrap()));
                }
            }
        }
        wrong.extend(check_round_trip(text).err());
    }
    println!("{} real expressions", lines.lines().count());
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(lines.lines().count() > 1000);
}

#[test]
fn queries_of_the_data_sets_parse() {
    let Some(data) = shared_data("queries_of_the_data_sets_parse") else { return };
    let mut wrong = Vec::new();
    let mut parsed = 0;
    for name in ["queries_compliance.jsonl", "queries_node_live.jsonl"] {
        for line in std::fs::read_to_string(data.join("promql/datasets").join(name)).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let query = case["query"].as_str().unwrap();
            match check_round_trip(query) {
                Ok(()) => parsed += 1,
                // The one query of the list that Prometheus refuses.
                Err(_) if query == r#"{__name__=~".*"}"# => {}
                Err(why) => wrong.push(why),
            }
        }
    }
    println!("{parsed} queries parse");
    assert!(wrong.is_empty(), "{} fail:\n{}", wrong.len(), wrong.join("\n"));
}
