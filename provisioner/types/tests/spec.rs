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
        Ok(spec) => spec
            .graph()
            .waves()
            .unwrap()
            .iter()
            .map(|w| w.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(" | "),
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
    check(
        "",
        expect![[r#"
        error: a spec is a map with `resources`, this is nothing
         --> shop:1:1
          |
        1 | 
          | ^
          = begin with `resources`, a list of `kind`, `name` and `fields`
    "#]],
    );
    check(
        "resource: []",
        expect![[r#"
        error: there are no `resources`
         --> shop:1:1
          |
        1 | resource: []
          | ^
          = add a list of `kind`, `name` and `fields`
        error: there is no `resource` here
         --> shop:1:1
          |
        1 | resource: []
          | ^^^^^^^^
          = did you mean `resources`?
    "#]],
    );
    check(
        "resources:\n- {kind: vn, name: a}\n- {kind: topic, name: A}\n- {kind: topic}\n- 7\n",
        expect![[r#"
        error: resources[0].kind: there is no type `vn`
         --> shop:2:10
          |
        2 | - {kind: vn, name: a}
          |          ^^
          = did you mean `vm`?
        error: resources[1].name: `A` is no name
         --> shop:3:23
          |
        3 | - {kind: topic, name: A}
          |                       ^
          = lower-case letters, digits and `-`, first a letter, at most 40
        error: resources[2]: `name` is missing
         --> shop:4:3
          |
        4 | - {kind: topic}
          |   ^
          = add `name`
        error: resources[3]: this is an integer, it must be a map
         --> shop:5:3
          |
        5 | - 7
          |   ^
          = give it `kind`, `name` and `fields`
    "#]],
    );
    check(
        "resources:\n- {kind: topic, name: a}\n- {kind: topic, name: a}\n- {kind: topic, name: b, group: outputs}",
        expect![[r#"
        error: topic.a: there is one of this type and name already
         --> shop:3:23
          |
        3 | - {kind: topic, name: a}
          |                       ^
          = give it another name
        error: resources[2].group: no group can be called `outputs`
         --> shop:4:33
          |
        4 | - {kind: topic, name: b, group: outputs}
          |                                 ^^^^^^^
          = Grid writes main.tf, versions.tf, variables.tf, shared.tf, outputs.tf itself
    "#]],
    );
    check(
        "resources: [",
        expect![[r#"
        error: this is neither YAML nor JSON: unclosed bracket '['
         --> shop:1:12
          |
        1 | resources: [
          |            ^
    "#]],
    );
    check(
        "resources:\n- {kind: topic, name: a, fields: {}, fields: {}, colour: red}",
        expect![[r#"
        error: resources[0]: `fields` is given twice
         --> shop:2:38
          |
        2 | - {kind: topic, name: a, fields: {}, fields: {}, colour: red}
          |                                      ^^^^^^
          = take one out
        error: resources[0]: there is no `colour` here
         --> shop:2:50
          |
        2 | - {kind: topic, name: a, fields: {}, fields: {}, colour: red}
          |                                                  ^^^^^^
          = a resource has: kind, name, group, fields
    "#]],
    );
}

#[test]
fn mistakes_in_fields() {
    fields(
        "vm",
        "siz: 2x8, network: '${network.main}', ssh_public_key: ssh-ed25519 AAAA me",
        expect![[r#"
        error: vm.it.fields: there is no `siz` here
         --> shop:6:12
          |
        6 |   fields: {siz: 2x8, network: '${network.main}', ssh_public_key: ssh-ed25519 AAAA me}
          |            ^^^
          = did you mean `size`?
    "#]],
    );
    fields(
        "vm",
        "",
        expect![[r#"
        error: vm.it.fields.network: `network` is missing
         --> shop:6:11
          |
        6 |   fields: {}
          |           ^
          = add `network`, a reference like `${network.NAME}`
        error: vm.it.fields.ssh_public_key: `ssh_public_key` is missing
         --> shop:6:11
          |
        6 |   fields: {}
          |           ^
          = add `ssh_public_key`, a text like `ssh-ed25519 AAAA... name`
    "#]],
    );
    fields(
        "vm",
        "network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11",
        expect![[r#"
        error: vm.it.fields.network: there is no resource `network.mian`
         --> shop:6:21
          |
        6 |   fields: {network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11}
          |                     ^^^^^^^^^^^^^^^^^
          = did you mean `network.main`?
        error: vm.it.fields.ssh_public_key: `x` does not have the form that it needs
         --> shop:6:56
          |
        6 |   fields: {network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11}
          |                                                        ^
          = write it like `ssh-ed25519 AAAA... name`
        error: vm.it.fields.size: this is an integer
         --> shop:6:65
          |
        6 |   fields: {network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11}
          |                                                                 ^
          = it takes processors and GiB of memory like `2x8`
        error: vm.it.fields.disk_gib: 5 is out of bounds
         --> shop:6:78
          |
        6 |   fields: {network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11}
          |                                                                              ^
          = it takes an integer from 10 to 4096 GiB
        error: vm.it.fields.os: `debian-11` is none of its values
         --> shop:6:85
          |
        6 | elds: {network: '${network.mian}', ssh_public_key: x, size: 2, disk_gib: 5, os: debian-11}
          |                                                                                 ^^^^^^^^^
          = did you mean `debian-12`?
    "#]],
    );
    fields(
        "vm",
        "network: '${object_store.files}', ssh_public_key: '${network.main.out.ip}', size: 999x1",
        expect![[r#"
        error: vm.it.fields.network: object_store.files cannot stand here
         --> shop:6:21
          |
        6 |   fields: {network: '${object_store.files}', ssh_public_key: '${network.main.out.ip}', size: 999x1}
          |                     ^^^^^^^^^^^^^^^^^^^^^^^
          = it takes network
        error: vm.it.fields.ssh_public_key: network has no output `ip`
         --> shop:6:62
          |
        6 |   fields: {network: '${object_store.files}', ssh_public_key: '${network.main.out.ip}', size: 999x1}
          |                                                              ^^^^^^^^^^^^^^^^^^^^^^^^
          = did you mean `id`?
        error: vm.it.fields.size: 999x1 is larger than any machine that is known, 64x256
         --> shop:6:94
          |
        6 | twork: '${object_store.files}', ssh_public_key: '${network.main.out.ip}', size: 999x1}
          |                                                                                 ^^^^^
          = name the machine itself in `machine_type`
    "#]],
    );
    fields(
        "vm",
        "network: main, ssh_public_key: ssh-ed25519 AAAA me, machine_type: {amazon: x}, public_ip: 'yes'",
        expect![[r#"
        error: vm.it.fields.network: `main` is no reference to a resource
         --> shop:6:21
          |
        6 |   fields: {network: main, ssh_public_key: ssh-ed25519 AAAA me, machine_type: {amazon: x}, public_ip: 'yes'}
          |                     ^^^^
          = it takes a reference like `${network.NAME}`
        error: vm.it.fields.machine_type: there is no cloud `amazon`
         --> shop:6:79
          |
        6 |   fields: {network: main, ssh_public_key: ssh-ed25519 AAAA me, machine_type: {amazon: x}, public_ip: 'yes'}
          |                                                                               ^^^^^^
          = clouds: aws, azure, google, kubernetes
        error: vm.it.fields.public_ip: this is a text
         --> shop:6:102
          |
        6 | ain, ssh_public_key: ssh-ed25519 AAAA me, machine_type: {amazon: x}, public_ip: 'yes'}
          |                                                                                 ^^^^^
          = it takes `true` or `false`
    "#]],
    );
    fields(
        "autoscaling_group",
        "network: '${network.main}', ssh_public_key: ssh-ed25519 AAAA me, min: 5, max: 2",
        expect![[r#"
        error: autoscaling_group.it.fields.min: `min` is 5, above `max`, 2
         --> shop:6:82
          |
        6 |  fields: {network: '${network.main}', ssh_public_key: ssh-ed25519 AAAA me, min: 5, max: 2}
          |                                                                                 ^
          = at most 2
    "#]],
    );
    fields(
        "firewall",
        "network: '${network.main}', allow: [{name: a, port: 0}, {port: 80, from: [10.0.0.0]}, x]",
        expect![[r#"
        error: firewall.it.fields.allow[0].port: 0 is out of bounds
         --> shop:6:64
          |
        6 |   fields: {network: '${network.main}', allow: [{name: a, port: 0}, {port: 80, from: [10.0.0.0]}, x]}
          |                                                                ^
          = it takes an integer from 1 to 65535
        error: firewall.it.fields.allow[1].name: `name` is missing
         --> shop:6:68
          |
        6 |   fields: {network: '${network.main}', allow: [{name: a, port: 0}, {port: 80, from: [10.0.0.0]}, x]}
          |                                                                    ^
          = add `name`, a text like `orders`
        error: firewall.it.fields.allow[1].from[0]: `10.0.0.0` does not have the form that it needs
         --> shop:6:86
          |
        6 | lds: {network: '${network.main}', allow: [{name: a, port: 0}, {port: 80, from: [10.0.0.0]}, x]}
          |                                                                                 ^^^^^^^^
          = write it like `10.0.0.0/16`
        error: firewall.it.fields.allow[2]: this is a text
         --> shop:6:98
          |
        6 | k: '${network.main}', allow: [{name: a, port: 0}, {port: 80, from: [10.0.0.0]}, x]}
          |                                                                                 ^
          = the field takes a list of maps with name, port, to_port, protocol, from
    "#]],
    );
    fields(
        "function",
        "source: '${object_store.files}', archive: a.zip, env: {URL: 'to ${object_store.files', N: 1}",
        expect![[r#"
        error: function.it.fields.env.URL: this `${` has no `}`
         --> shop:6:76
          |
        6 |   fields: {source: '${object_store.files}', archive: a.zip, env: {URL: 'to ${object_store.files', N: 1}}
          |                                                                            ^^
          = write `${TYPE.NAME}` or `${TYPE.NAME.out.OUTPUT}`; a plain `${` is `$${`
        error: function.it.fields.env.N: this is an integer, it must be a text
         --> shop:6:102
          |
        6 | {object_store.files}', archive: a.zip, env: {URL: 'to ${object_store.files', N: 1}}
          |                                                                                 ^
          = quote it
    "#]],
    );
    fields(
        "function",
        "source: '${object_store.files}', archive: '${object_store.files}'",
        expect![[r#"
        error: function.it.fields.archive: `${object_store.files}` is a whole resource
         --> shop:6:54
          |
        6 |   fields: {source: '${object_store.files}', archive: '${object_store.files}'}
          |                                                      ^^^^^^^^^^^^^^^^^^^^^^^
          = a text takes an output: `${object_store.files.out.OUTPUT}`
    "#]],
    );
}

#[test]
fn circles_are_told() {
    // No two types refer to each other by a field of theirs, but texts may.
    let text = "resources:\n- kind: dns_zone\n  name: a\n  fields: {domain: a.example.com, records: [{name: x, type: TXT, values: ['${dns_zone.b.out.id}']}]}\n- kind: dns_zone\n  name: b\n  fields: {domain: b.example.com, records: [{name: x, type: TXT, values: ['${dns_zone.a.out.id}']}]}\n";
    check(
        text,
        expect![[r#"
        error: dns_zone.a: these need each other: dns_zone.a -> dns_zone.b -> dns_zone.a
         --> shop:3:9
          |
        3 |   name: a
          |         ^
          = take one of the references out, or give a literal in its place
    "#]],
    );
}

#[test]
fn references_and_escapes_in_texts() {
    let text = "resources:\n- {kind: object_store, name: files}\n- kind: function\n  name: f\n  fields: {source: '${object_store.files}', archive: a.zip, env: {URL: '${object_store.files.out.url}/x', RAW: '$${HOME} 100% \"q\"', ONLY: '${object_store.files.out.name}', PORT: '5432'}}\n";
    let spec = Spec::read(text, Format::Yaml).unwrap();
    let rendered = render(&spec, &Target::example(Cloud::Aws)).unwrap();
    let main = &rendered.files["main.tf"];
    let from = main.find("    variables = {").unwrap();
    let lines: Vec<_> = main[from..].lines().take(6).map(|line| line.trim_start()).collect();
    expect![[r#"
        variables = {
        URL  = "https://${aws_s3_bucket.files.bucket_regional_domain_name}/x"
        RAW  = "$${HOME} 100% \"q\""
        ONLY = aws_s3_bucket.files.bucket
        PORT = "5432"
        }"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_type_as_json_schema() {
    let schema = json_schema::of(find("topic").unwrap());
    expect![[r#"
        {
          "$id": "urn:grid:type:topic:1",
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "additionalProperties": false,
          "description": "Messages that all who subscribe get.",
          "properties": {
            "keep_days": {
              "description": "How long messages can be asked for again, where the cloud has that.",
              "examples": [
                7
              ],
              "maximum": 7,
              "minimum": 1,
              "type": "integer",
              "x-grid-unit": "days"
            }
          },
          "required": [],
          "title": "topic",
          "type": "object",
          "x-grid-outputs": {
            "id": {
              "description": "The cloud's id of it."
            },
            "name": {
              "description": "Its name in the cloud."
            }
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&schema).unwrap());
    for kind in types() {
        let schema = json_schema::of(kind);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{}", kind.name);
        assert_eq!(schema["properties"].as_object().unwrap().len(), kind.fields.len(), "{}", kind.name);
    }
    assert_eq!(
        json_schema::spec()["properties"]["resources"]["items"]["oneOf"].as_array().unwrap().len(),
        types().len()
    );
}

/// A word that a spec may hold, so that chance comes past the first check.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "resources",
            "kind",
            "name",
            "fields",
            "vm",
            "network",
            "main",
            "${network.main}",
            "${vm.a.out.id}",
            "${",
            "$${",
            "2x8",
            "records",
            "allow",
            "from",
            "[",
            "]",
            "{",
            "}",
            ":",
            "- ",
            "\n",
            "  ",
            "\n- ",
            ": ",
            "\"",
            "'",
            "#",
            "&a",
            "*a",
            "<<",
            "!!str",
            "|",
            ">",
            "1",
            "-1",
            "1e999",
            "99999999999999999999",
            "0x7f",
            "true",
            "null",
            "~",
            "= ",
            "[[resources]]\n",
            "\t",
            "\u{0}",
            "\u{feff}",
            "é",
            "\r\n",
            "---\n",
            "%YAML",
            "?",
            ",",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
        any::<String>(),
    ]
}

/// The literal text of an attribute; nothing if code got into it.
fn literal(expr: &hcl::Expression) -> Option<String> {
    let template: hcl::template::Template = match expr {
        hcl::Expression::String(text) => return Some(text.clone()),
        hcl::Expression::TemplateExpr(template) => hcl::template::Template::from_expr(template).ok()?,
        _ => return None,
    };
    let part = |e: &hcl::template::Element| match e {
        hcl::template::Element::Literal(text) => Some(text.clone()),
        _ => None,
    };
    template.elements().iter().map(part).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn texts_stay_texts(words in prop::collection::vec(word(), 0..6), line in any::<bool>()) {
        let mut wanted = words.concat();
        if line {
            wanted.push('\n');
        }
        // All that a spec reads as a reference is escaped; `$` before `${` would need more than one sign.
        prop_assume!(!wanted.contains("$${") && !wanted.contains("%%{") && wanted.len() < 2000);
        let spec = serde_json::json!({"resources": [
            {"kind": "network", "name": "n"},
            {"kind": "vm", "name": "a", "fields": {
                "network": "${network.n}", "ssh_public_key": "ssh-ed25519 AAAA", "user_data": wanted.replace("${", "$${"),
            }},
        ]});
        // The text goes in as TOML, whose strings hold every letter.
        let text = toml::to_string(&spec).unwrap();
        let spec = Spec::read(&text, Format::Toml).map_err(|e| TestCaseError::fail(e.show("x", &text)))?;
        let rendered = render(&spec, &Target::example(Cloud::Aws)).unwrap();
        let body = hcl::parse(&rendered.files["main.tf"]).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let machine = body.blocks().find(|b| b.labels[0].as_str() == "aws_instance").unwrap();
        let given = machine.body.attributes().find(|a| a.key.as_str() == "user_data").unwrap();
        prop_assert_eq!(literal(&given.expr), Some(wanted));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_ends_in_a_spec_or_in_problems(words in prop::collection::vec(word(), 0..40)) {
        let text = words.concat();
        for format in [Format::Toml, Format::Yaml, Format::Json] {
            match Spec::read(&text, format) {
                Ok(spec) => drop(Cloud::ALL.map(|cloud| render(&spec, &Target::example(cloud)))),
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

#[test]
fn what_kubernetes_cannot_render_is_told() {
    let check = |resources: &str, wanted: &str| {
        let text = format!("resources:\n- {{kind: network, name: main}}\n{resources}");
        let spec = Spec::read(&text, Format::Yaml).unwrap();
        let error = render(&spec, &Target::example(Cloud::Kubernetes)).unwrap_err();
        let why = std::error::Error::source(&error).map(|e| format!(": {e}")).unwrap_or_default();
        assert_eq!(format!("{error}{why}"), wanted);
    };
    let network = "network: '${network.main}'";
    check(
        &format!("- {{kind: nat, name: out, fields: {{{network}}}}}"),
        "there is no recipe for nat.out on kubernetes",
    );
    check(
        &format!("- {{kind: block_disk, name: a}}\n- {{kind: file_store, name: a, fields: {{{network}}}}}"),
        "file_store.a makes v1 PersistentVolumeClaim shop-prod/a, which one before it makes already: give it another name",
    );
    // Where a gateway listens is known only when it is there.
    check(
        &format!(
            "- {{kind: l7_load_balancer, name: web, fields: {{{network}}}}}\n- {{kind: dns_zone, name: it, fields: {{domain: it.example.com, records: [{{name: a, type: CNAME, values: ['${{l7_load_balancer.web.out.host}}']}}]}}}}"
        ),
        "the recipe of dns_zone.it on kubernetes fails: the recipe of l7_load_balancer.web does not give `host` here",
    );
}
