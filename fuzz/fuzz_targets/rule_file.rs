//! Fuzzes rule files, unit test files and templates: problems have places, what is kept can be asked, and a template ends.
#![no_main]

use std::collections::BTreeMap;

use grid_rules::file::{Expression, ParseOptions, RuleFile, has_errors};
use grid_rules::template::{self, Context, External};
use grid_rules::unit::UnitFile;
use grid_rules::{Sample, SampleValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let options = ParseOptions::default();
    let (file, problems) = RuleFile::parse(text, &options);
    assert!(problems.iter().all(|p| p.place.line > 0 && p.place.column > 0), "{problems:?}");
    for rule in file.groups.iter().flat_map(|g| &g.rules) {
        assert!(!rule.name().is_empty());
        if let Expression::Promql(query) = &rule.expression {
            assert!(grid_promql_syntax::parse(query, &options.features).is_ok(), "{query}");
        }
    }
    if let Err(problems) = UnitFile::parse(text, &options) {
        assert!(has_errors(&problems));
    }
    let external = External::default();
    let mut query = |_: &str| Ok(vec![Sample { labels: Default::default(), value: SampleValue::Float(1.0) }]);
    let mut context = Context {
        labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        value: SampleValue::Float(1.5),
        external: &external,
        time: grid_model::Timestamp(0),
        query: &mut query,
    };
    let expanded = template::expand(text, &mut context);
    // What cannot be read cannot be expanded.
    assert!(template::check(text).is_ok() || expanded.is_err());
});
