//! Specs and what is said of mistakes in them.
#![allow(clippy::unwrap_used)]

mod support;

use expect_test::{Expect, expect};
use grid_types::{Cloud, Format, Spec, Target, find, json_schema, render, types};
use proptest::prelude::*;

/// What is told of a text, or the order in which its resources come.
fn told(text: &str, format: Format) -> String {
    match Spec::read(text, format) {
        Err(problems) => problems.show("shop", text),
        Ok(spec) => spec.graph().waves().unwrap().iter().map(|w| w.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(" | "),
    }
}

fn check(text: &str, wanted: Expect) {
    wanted.assert_eq(&told(text, Format::Yaml));
}

/// Of one resource beside a network, a bucket and a topic.
fn fields(kind: &str, fields: &str, wanted: Expect) {
    let text = format!(
        "resources:\n- {{kind: network, name: main}}\n- {{kind: object_store, name: files}}\n- kind: {kind}\n  name: it\n  fields: {{{fields}}}\n"
    );
    check(&text, wanted);
}

#[test]
fn what_is_right_is_ordered() {
    check("resources: []", expect![[r#""#]]);
    check(
        "resources:\n- {kind: cdn, name: a, fields: {origin: '${object_store.b}'}}\n- {kind: object_store, name: b}\n- {kind: topic, name: a}",
        expect![["object_store.b topic.a | cdn.a"]],
    );
    let toml = "[[resources]]\nkind = 'postgresql'\nname = 'main'\nfields.network = '${network.main}'\n\n[[resources]]\nkind = 'network'\nname = 'main'\n";
    expect![["network.main | postgresql.main"]].assert_eq(&told(toml, Format::Toml));
}

#[test]
fn mistakes_in_the_frame() {
    check("", expect![]);
    check("resource: []", expect![]);
    check("resources:\n- {kind: vn, name: a}\n- {kind: topic, name: A}\n- {kind: topic}\n- 7\n", expect![]);
    check("resources:\n- {kind: topic, name: a}\n- {kind: topic, name: a}\n- {kind: topic, name: b, group: outputs}", expect![]);
    check("resources: [", expect![]);
    check("resources:\n- {kind: topic, name: a, fields: {}, fields: {}, colour: red}", expect![]);
}

#[test]
fn mistakes_in_fields() {
    fields("vm", "siz: 2x8, network: '${network.main}', ssh_public_key: ssh-ed25519 AAAA me", expect![]);
    fields("vm", "", expect![]);
    fields("vm", "network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11", expect![]);
    fields("vm", "network: '${object_store.files}', ssh_public_key: '${network.main.out.ip}', size: 999x1", expect![]);
    fields("vm", "network: main, ssh_public_key: ssh-ed25519 AAAA me, machine_type: {amazon: x}, public_ip: 'yes'", expect![]);
    fields("autoscaling_group", "network: '${network.main}', ssh_public_key: ssh-ed25519 AAAA me, min: 5, max: 2", expect![]);
    fields("firewall", "network: '${network.main}', allow: [{name: a, port: 0}, {port: 80, from: [10.0.0.0]}, x]", expect![]);
    fields("function", "source: '${object_store.files}', archive: a.zip, env: {URL: 'to ${object_store.files', N: 1}", expect![]);
    fields("function", "source: '${object_store.files}', archive: '${object_store.files}'", expect![]);
}

#[test]
fn circles_are_told() {
    // No two types refer to each other by a field of theirs, but texts may.
    let text = "resources:\n- kind: dns_zone\n  name: a\n  fields: {domain: a.example.com, records: [{name: x, type: TXT, values: ['${dns_zone.b.out.id}']}]}\n- kind: dns_zone\n  name: b\n  fields: {domain: b.example.com, records: [{name: x, type: TXT, values: ['${dns_zone.a.out.id}']}]}\n";
    check(text, expect![]);
}

#[test]
fn references_and_escapes_in_texts() {
    let text = "resources:\n- {kind: object_store, name: files}\n- kind: function\n  name: f\n  fields: {source: '${object_store.files}', archive: a.zip, env: {URL: '${object_store.files.out.url}/x', RAW: '$${HOME} 100% \"q\"', ONLY: '${object_store.files.out.name}'}}\n";
    let spec = Spec::read(text, Format::Yaml).unwrap();
    let rendered = render(&spec, &Target::example(Cloud::Aws)).unwrap();
    let main = &rendered.files["main.tf"];
    let from = main.find("    variables = {").unwrap();
    expect![].assert_eq(&main[from..from + 200]);
}

#[test]
fn a_type_as_json_schema() {
    let schema = json_schema::of(find("topic").unwrap());
    expect![].assert_eq(&serde_json::to_string_pretty(&schema).unwrap());
    for kind in types() {
        let schema = json_schema::of(kind);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{}", kind.name);
        assert_eq!(schema["properties"].as_object().unwrap().len(), kind.fields.len(), "{}", kind.name);
    }
    assert_eq!(json_schema::spec()["properties"]["resources"]["items"]["oneOf"].as_array().unwrap().len(), types().len());
}

/// A word that a spec may hold, so that chance comes past the first check.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "resources", "kind", "name", "fields", "vm", "network", "main", "${network.main}", "${vm.a.out.id}", "${", "$${", "2x8", "records",
            "allow", "from", "[", "]", "{", "}", ":", "- ", "\n", "  ", "\n- ", ": ", "\"", "'", "#", "&a", "*a", "<<", "!!str", "|", ">", "1", "-1",
            "1e999", "99999999999999999999", "0x7f", "true", "null", "~", "= ", "[[resources]]\n", "\t", "\u{0}", "\u{feff}", "é", "\r\n", "---\n", "%YAML",
            "?", ",",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_ends_in_a_spec_or_in_problems(words in prop::collection::vec(word(), 0..40)) {
        let text = words.concat();
        for format in [Format::Toml, Format::Yaml, Format::Json] {
            match Spec::read(&text, format) {
                Ok(spec) => drop(Cloud::HCL.map(|cloud| render(&spec, &Target::example(cloud)))),
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    prop_assert!(!problems.show("x", &text).is_empty());
                }
            }
        }
    }

    #[test]
    fn any_value_of_any_field_ends_so(kind in 0usize..30, value in word(), key in word()) {
        let kind = &types()[kind];
        let fields: serde_json::Map<_, _> = kind.fields.iter().map(|f| (f.name.clone(), serde_json::json!(value))).collect();
        let inner: Vec<_> = kind.fields.iter().map(|f| (f.name.clone(), serde_json::json!([{ key.clone(): value }]))).collect();
        for fields in [fields, inner.into_iter().collect()] {
            let spec = serde_json::json!({"resources": [{"kind": kind.name, "name": "a", "fields": fields}]});
            let text = spec.to_string();
            if let Err(problems) = Spec::read(&text, Format::Json) {
                prop_assert!(!problems.show("x", &text).is_empty());
            }
        }
    }
}
